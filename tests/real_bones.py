"""Real scans of bones, and a skeleton by plain thresholding."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from calcinosis.volume import Volume

DATA = Path(__file__).parents[1] / "../shared/data"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="../shared/data is not here")


def load(path):
    image = nib.load(path)
    voxels = np.asarray(image.dataobj).transpose(2, 1, 0)
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine
    return Volume(voxels=voxels.astype(np.int16), affine=lps[:, [2, 1, 0, 3]])


def dense_skeleton(volume):
    """Bone as one would threshold it by hand: no metal, no specks, marrow left out."""
    smooth = ndimage.gaussian_filter(
        volume.voxels.astype(np.float32), 1 / np.array(volume.spacing_mm)
    )
    labels, _ = ndimage.label((smooth > 150) & (smooth < 2500))
    keep = np.bincount(labels.ravel()) * volume.voxel_volume_ml > 4
    keep[0] = False
    return keep[labels]
