"""How well the other side, and a bone's own continuation, tell a surface that is hidden.

    python benchmarks/expected_surface.py SCAN ...

Balls of 12–20 mm radius are set on bones of real scans that have none of our masses. What is left
of the bone's surface outside them, less 4 mm, must tell where it runs inside. Prints how far the
surface under the ball is from what the mirrored other side, where it fits, and the continuation
expect: medians and 90th percentiles of the distances.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.measure.bone_site import Site, box_around, filled, site_of
from calcinosis.measure.bone_surface import SurfacePoints, continuation, surface_points
from calcinosis.measure.ct import measure_ct
from calcinosis.measure.mirror_side import Body, find_mirror_side
from calcinosis.read.study import read_study
from calcinosis.volume import Volume

BALLS, RADII_MM = 14, (12.0, 20.0)
REACH_MM, HIDDEN_MM, UNDER_MM, POINTS = 25.0, 4.0, 1.5, 250


def balls(volume: Volume, skeleton: NDArray[np.bool_]) -> Iterator[NDArray[np.bool_]]:
    """Soft tissue within balls around random places of bone."""
    rng = np.random.default_rng(5)
    places = np.argwhere(skeleton)
    for _ in range(BALLS):
        centre, radius_mm = places[rng.integers(len(places))], rng.uniform(*RADII_MM)
        axes = np.ogrid[tuple(slice(size) for size in volume.shape)]
        squares = [
            ((axis - middle) * step) ** 2
            for axis, middle, step in zip(axes, centre, volume.spacing_mm, strict=True)
        ]
        yield (sum(squares) < radius_mm**2) & ~skeleton


def site_beside(
    volume: Volume, skeleton: NDArray[np.bool_], ball: NDArray[np.bool_]
) -> tuple[Volume, Site, SurfacePoints]:
    """As `relate_to_bone` sees it."""
    crop = volume.crop(box := box_around(ball, volume.spacing_mm, REACH_MM))
    bone = filled(skeleton[box], ball[box], volume.spacing_mm)
    site = site_of(crop, ball[box] & ~bone, bone)
    points = surface_points(site.hu, site.to_bone_mm, site.to_mass_mm, site.spacing_mm, REACH_MM)
    return crop, site, points


def errors_mm(
    body: Body, ball: NDArray[np.bool_]
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64]]:
    """Of the mirror side (None: not used) and of the continuation, under the ball."""
    crop, site, points = site_beside(body.volume, body.skeleton, ball)
    under = points[points.to_mass_mm < UNDER_MM].places
    free = np.flatnonzero(points.to_mass_mm > HIDDEN_MM)
    some = points[np.random.default_rng(0).permutation(free)[:POINTS]]
    own = continuation(some, site.to_bone_mm, site.spacing_mm)(under)
    side = find_mirror_side(body, crop, site, points)
    if side is None:
        return None, np.abs(own)
    start = [extent.start for extent in side.box]
    indices = (under / np.array(site.spacing_mm) - start).T
    return np.abs(ndimage.map_coordinates(side.expected_mm, indices, order=1)), np.abs(own)


def main() -> None:
    """One line a scan."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scans", nargs="+", type=Path)
    for path in parser.parse_args().scans:
        study = read_study(path)
        skeleton = measure_ct(study).skeleton
        body = Body(study.volume, np.zeros(study.volume.shape, np.uint8), skeleton)
        found = [errors_mm(body, ball) for ball in balls(study.volume, skeleton) if ball.any()]
        used = [(mirror, own) for mirror, own in found if mirror is not None and len(own)]
        print(f"{path.name}: the other side fits at {len(used)} of {len(found)} places")
        if used:
            for name, which in (("mirror side", 0), ("continuation", 1)):
                errors = np.concatenate([pair[which] for pair in used])
                middle, high = np.percentile(errors, [50, 90])
                print(f"  {name}: {middle:.1f} mm (median), {high:.1f} mm (90th percentile)")


if __name__ == "__main__":
    main()
