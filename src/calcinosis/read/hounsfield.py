"""From whatever numbers an image holds to int16 Hounsfield units, or a refusal."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calcinosis.errors import NotCtError
from calcinosis.volume import Study

# Nothing is less dense than vacuum (−1000 HU plus the 24 HU that 12-bit scanners leave below it):
# lower values are padding outside the field of view (−2000, −3024) or reconstruction overshoot.
AIR_HU = -1024
HIGHEST_HU = int(np.iinfo(np.int16).max)

# Pure subcutaneous fat lies between −140 and −70 HU (53 patients, PMC4043057); a part of the body
# always shows some fat or air, so its lowest values must reach at least this deep.
FAT_HU = -50
SOFT_TISSUE_HU = (-200, 200)
ENOUGH_VOXELS = 2_000_000  # for percentiles


def to_int16(values: NDArray[Any]) -> NDArray[np.int16]:
    """Round, replace what is not a number by air, and clip to −1024…32767 HU; any shape."""
    lowest, highest = AIR_HU, HIGHEST_HU
    if np.issubdtype(values.dtype, np.floating):
        values = np.rint(np.nan_to_num(values, nan=lowest, posinf=highest, neginf=lowest))
    else:
        held = np.iinfo(values.dtype)
        lowest, highest = max(lowest, int(held.min)), min(highest, int(held.max))
    clipped: NDArray[np.int16] = np.clip(values, lowest, highest).astype(np.int16)
    return clipped


def remarks_on_gaps(values: NDArray[Any]) -> tuple[str, ...]:
    """That some values are no numbers, which may be a gap in bone as well as a frame around it."""
    floating = np.issubdtype(values.dtype, np.floating)
    gaps = int(np.count_nonzero(np.isnan(values))) if floating else 0
    if not gaps:
        return ()
    return (f"{gaps} of {values.size} voxels hold no number: they count as air.",)


def require_hounsfield(voxels: NDArray[np.int16], source: str) -> None:
    """Refuse values that cannot be Hounsfield units of a body; `source` names file or series.

    Raises:
        NotCtError: no fat or air, or no soft tissue, among the values.
    """
    sample = voxels.reshape(-1)[:: max(1, voxels.size // ENOUGH_VOXELS) | 1]
    imaged = sample[sample > AIR_HU + 4]  # outside the field of view says nothing
    if imaged.size == 0:
        raise NotCtError(f"{source}: every voxel is air; expected a CT of a part of the body")
    found = require_fat_or_air(imaged, source)
    low, high = SOFT_TISSUE_HU
    if np.mean((imaged > low) & (imaged < high)) < 0.01:
        raise NotCtError(f"{found}; expected Hounsfield units, where soft tissue is about 50")


def require_fat_or_air(imaged: NDArray[np.int16], source: str) -> str:
    """Refuse values above zero alone; else say, after `source`, how far they run.

    Raises:
        NotCtError: not even the lowest is that of fat.
    """
    lowest, highest = np.percentile(imaged, [0.1, 99.9])
    found = f"{source}: the values run from {lowest:.0f} to {highest:.0f}"
    if lowest > FAT_HU:
        raise NotCtError(f"{found}; expected Hounsfield units, where fat is −100 and air −1000")
    return found


def in_hounsfield(study: Study) -> Study:
    """A study made of any numbers as one of int16 Hounsfield units, as files are read.

    Raises:
        NotCtError: the values cannot be Hounsfield units.
    """
    values = study.volume.voxels
    volume = replace(study.volume, voxels=to_int16(values))
    require_hounsfield(volume.voxels, "the volume")
    return replace(study, volume=volume, remarks=(*study.remarks, *remarks_on_gaps(values)))
