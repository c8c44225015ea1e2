"""Uptake drawn into a real bone scan, and what is read of it: `scintigraphy.py SCAN.dcm`.

Each case adds counts at a random place, in soft tissue or over bone: a lobulated shape of 2 to
10 cm, blurred as a camera blurs, of one to five times the counts of the body, or none at all.
"""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
from scipy import ndimage

from calcinosis.measure.scintigraphy import body_of, measure_uptake
from calcinosis.read.scintigram import Scintigram, read_bone_scan

CAMERA_MM = 4.0  # standard deviation of the blur, as at the distance of a table


def drawn(scan: Scintigram, case: int) -> tuple[Scintigram, tuple[int, int], np.ndarray, float]:
    """The scan with one more uptake, its place, its pixels, and their true ratio to none."""
    rng = np.random.default_rng(case)
    sigma = [CAMERA_MM / step for step in scan.pixel_mm]
    smooth = ndimage.gaussian_filter(scan.counts, sigma)
    depth = ndimage.distance_transform_edt(body_of(smooth), sampling=scan.pixel_mm)
    at = rng.choice(np.argwhere(depth > 25))
    rows, columns = np.indices(scan.counts.shape)
    shape = np.zeros(scan.counts.shape, bool)
    size_mm = rng.uniform(10, 50)
    for _ in range(rng.integers(1, 6)):
        place = at + rng.normal(0, size_mm / 2.5, 2) / scan.pixel_mm
        away = np.hypot(
            (rows - place[0]) * scan.pixel_mm[0], (columns - place[1]) * scan.pixel_mm[1]
        )
        shape |= away < size_mm * rng.uniform(0.4, 0.7)
    shape &= depth > 0
    strength = 0.0 if case % 4 == 0 else rng.uniform(1, 5)
    soft = float(np.median(smooth[depth > 0]))
    added = ndimage.gaussian_filter(shape * np.float32(strength * soft), sigma)
    counts = scan.counts + rng.poisson(added).astype(np.float32)
    inside = np.argwhere(shape)
    middle = inside[np.hypot(*(inside - inside.mean(axis=0)).T).argmin()]
    truth = 1 + strength * soft / float(smooth[shape].mean())
    return Scintigram(counts, scan.pixel_mm), tuple(middle), shape, truth


def main() -> None:
    """Print states, and how far outline and ratio are off."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scan", type=Path)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--cases", type=int, default=60)
    options = parser.parse_args()
    scan = read_bone_scan(options.scan).views[0]
    states: Counter[tuple[str, str]] = Counter()
    overlaps, areas = [], []
    for case in range(options.first, options.first + options.cases):
        image, at, shape, truth = drawn(scan, case)
        uptake = measure_uptake(image, at)
        added = "none" if case % 4 == 0 else "less than doubled" if truth < 2 else "doubled or more"
        states[added, uptake.state] += 1
        if added == "doubled or more" and uptake.stands_out:
            both = (uptake.outline & shape).sum()
            overlaps.append(2 * both / (uptake.outline.sum() + shape.sum()))
            areas.append(uptake.outline.sum() / shape.sum() - 1)
    for (added, state), count in sorted(states.items()):
        print(f"counts at the place {added}: {state} {count}")
    if overlaps:
        print(f"Dice, median: {np.median(overlaps):.2f} of {len(overlaps)}")
        print(f"area, median of absolute: {100 * np.median(np.abs(areas)):.0f} %")


if __name__ == "__main__":
    main()
