"""Writing a phantom's truth: NIfTI label maps on the scan's grid, and figures as JSON."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calcinosis.phantom.patient import Phantom
from calcinosis.phantom.truth import Truth
from calcinosis.volume import Volume

MASKS = ("envelope", "locules", "levels", "erosion", "skeleton")


def write_truth(phantom: Phantom, folder: Path) -> None:
    """Write truth.json and one NIfTI label map each in `MASKS`.

    The files carry no time stamp: the same phantom gives the same bytes.
    """
    record = phantom.truth.as_json() | {"options": asdict(phantom.options)}
    write_labels(phantom.truth, phantom.volume, folder)
    (folder / "truth.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def write_labels(truth: Truth, volume: Volume, folder: Path) -> None:
    """Write the label maps alone."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in MASKS:
        write_nifti(np.asarray(getattr(truth, name)), volume, folder / f"{name}.nii.gz")


def write_nifti(voxels: NDArray[np.generic], volume: Volume, path: Path) -> None:
    """Write an array of the volume's grid as NIfTI (RAS), axes x, y, z."""
    import gzip

    import nibabel as nib

    flip = np.diag([-1.0, -1.0, 1.0, 1.0])  # LPS to RAS
    affine = flip @ volume.affine[:, [2, 1, 0, 3]]
    data = np.ascontiguousarray(voxels.transpose(2, 1, 0))
    image = nib.Nifti1Image(data.astype(np.uint8) if data.dtype == np.bool_ else data, affine)
    image.header.set_xyzt_units("mm")
    with path.open("wb") as file:
        file.write(gzip.compress(image.to_bytes(), compresslevel=4, mtime=0))
