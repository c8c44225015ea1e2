"""Donor anatomies for training: real scans without a calcified mass, on the network's grid.

A donor is an npz of `hu` (int16 [z, y, x], 1.5 mm), `skeleton` (bool), `ignore` (bool, real
mineral whose label is unknown), `noise_hu` and `slice_blur_mm`. Bones are labelled by threshold and
closing: they teach the network what it need not call a mass, not an exact bone contour.
"""

import argparse
from pathlib import Path

import cc3d
import nibabel as nib
import numpy as np
from scipy import ndimage

GRID_MM = 1.5
AIR_HU = -500.0
MINERALISED_SARCOMAS = ("sts_003", "sts_006", "sts_020")


def resample(hu: np.ndarray, spacing_mm: np.ndarray, order: int) -> np.ndarray:
    """To an isotropic 1.5 mm grid, smoothed first where the source is finer."""
    ratio = GRID_MM / spacing_mm
    smooth = np.where(ratio > 1.05, 0.425 * np.sqrt(np.maximum(ratio**2 - 1, 0)), 0)
    if order and smooth.any():
        hu = ndimage.gaussian_filter(hu, smooth)
    shape = np.maximum(1, np.round(np.array(hu.shape) / ratio)).astype(int)
    return ndimage.affine_transform(
        hu, ratio, output_shape=tuple(shape), order=order, mode="nearest"
    )


def closed_ball(mask: np.ndarray, radius_voxels: float) -> np.ndarray:
    """Morphological closing with a ball, by distance transforms."""
    pad = int(np.ceil(radius_voxels)) + 1
    padded = np.pad(mask, pad)
    grown = ndimage.distance_transform_edt(~padded) <= radius_voxels
    closed = ndimage.distance_transform_edt(grown) > radius_voxels
    inner = tuple(slice(pad, -pad) for _ in range(3))
    return np.asarray(closed[inner] | mask)


def label_skeleton(hu: np.ndarray) -> np.ndarray:
    """Dense tissue with the marrow it encloses."""
    smooth = ndimage.gaussian_filter(hu.astype(np.float32), 0.5)
    dense = ndimage.binary_propagation(smooth > 240, mask=smooth > 150)
    dense = cc3d.dust(dense, 60, connectivity=26)
    closed = closed_ball(dense, 3.0)
    for plane in closed:
        holes = cc3d.connected_components(~plane, connectivity=4)
        sizes = np.bincount(holes.ravel()) * GRID_MM**2
        small = np.flatnonzero(sizes < 1500)
        plane[:] = plane | np.isin(holes, small[small > 0])
    return closed & (smooth > -150)


def make_donor(source: Path, target: Path) -> None:
    """Read a NIfTI scan and write its donor file."""
    image = nib.load(source)
    hu = np.asarray(image.dataobj).T.astype(np.float32)
    spacing = np.array(image.header.get_zooms()[:3])[::-1]
    flips = [code in "RAI" for code in nib.aff2axcodes(image.affine)][::-1]
    hu = np.flip(hu, [axis for axis, flip in enumerate(flips) if flip])
    if hu.min() > AIR_HU:
        raise SystemExit(f"{source.name}: nothing is as dark as air, so not in Hounsfield units")
    hu = np.clip(hu, -1024, 3071)
    fine = resample(hu, spacing, 1)
    skeleton = label_skeleton(fine)
    ignore = np.zeros_like(skeleton)
    contour = source.with_name(source.name.replace(".nii.gz", "_gtv.nii.gz"))
    gtv = np.zeros_like(skeleton)
    if contour.exists():
        mask = np.flip(
            np.asarray(nib.load(contour).dataobj).T, [a for a, f in enumerate(flips) if f]
        )
        gtv = resample((mask > 0).astype(np.float32), spacing, 1) > 0.5
        if source.name[:7] in MINERALISED_SARCOMAS:
            ignore = ndimage.binary_dilation(gtv, iterations=3) & (fine > 100)
    muscle = (fine > 10) & (fine < 90)
    muscle = ndimage.binary_erosion(muscle, iterations=1)
    detail = fine - ndimage.uniform_filter(fine, 3)
    noise = 1.4826 * np.median(np.abs(detail[muscle])) if muscle.any() else 10.0
    np.savez_compressed(
        target,
        hu=np.round(fine).astype(np.int16),
        skeleton=skeleton,
        ignore=ignore,
        occupied=gtv,
        noise_hu=np.float32(noise),
        slice_blur_mm=np.float32(0.42 * spacing[0]),
    )


def main() -> None:
    """Write donors for every NIfTI named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scans", nargs="+", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    for scan in options.scans:
        make_donor(scan, options.output / (scan.name.removesuffix(".nii.gz") + ".npz"))
        print(scan.name, flush=True)


if __name__ == "__main__":
    main()
