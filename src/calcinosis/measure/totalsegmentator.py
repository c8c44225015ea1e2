"""The skeleton as TotalSegmentator sees it, where a user has it installed.

Wasserthal et al., Radiology: Artificial Intelligence 2023, doi:10.1148/ryai.230024. It is no
dependency of ours, and its weights are fetched by itself, on the user's word.
"""

import contextlib
import importlib.util
import sys

import numpy as np
from numpy.typing import NDArray

from calcinosis.errors import InputError
from calcinosis.volume import Study, Volume

# The bones among the classes of its freely licensed task "total"; forearm, lower leg, hand and
# foot are not among them.
BONES = (
    "clavicula",
    "femur",
    "hip",
    "humerus",
    "rib",
    "sacrum",
    "scapula",
    "skull",
    "sternum",
    "vertebrae",
)


def totalsegmentator_skeleton(volume: Volume) -> NDArray[np.bool_]:
    """Run TotalSegmentator on a scan and return its bones, [z, y, x].

    Raises:
        InputError: it is not installed, fails, or finds no bone.
    """
    if importlib.util.find_spec("totalsegmentator") is None:
        raise InputError(
            "--skeleton totalsegmentator: TotalSegmentator is not installed here; "
            "expected `pip install TotalSegmentator`, or --skeleton auto"
        )
    import nibabel as nib
    from totalsegmentator.map_to_binary import class_map
    from totalsegmentator.python_api import totalsegmentator

    bones = {value: name for value, name in class_map["total"].items() if name.startswith(BONES)}
    image = nib.Nifti1Image(*Study(volume).on_input_grid(volume.voxels))
    try:
        with contextlib.redirect_stdout(sys.stderr):
            found = totalsegmentator(image, ml=True, roi_subset=list(bones.values()), quiet=True)
    except Exception as error:  # a whole network stack runs in there
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"--skeleton totalsegmentator: it failed ({reason})") from error
    skeleton = np.isin(np.asarray(found.dataobj), list(bones)).transpose(2, 1, 0)
    if not skeleton.any():
        raise InputError("--skeleton totalsegmentator: it found no bone in this scan")
    return skeleton
