"""What a phantom really holds: the answers that a measurement is judged against."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from calcinosis.phantom.shapes import Point


@dataclass(frozen=True)
class LevelTruth:
    """One flat interface inside a locule.

    Attributes:
        id: value in the levels mask.
        locule: id of the locule it lies in.
        centroid_lps_mm: centre of the interface.
        area_mm2: its area.
        sediment_depth_mm: from the interface down to the deepest point of the locule.
        fluid_layer_mm: thickest extent along `down` of the lighter layer over it, without a
            calcified rim.
        sediment_layer_mm: the same of the denser layer under it.
        hu_above: attenuation above it, before blur and noise.
        hu_below: attenuation below it.
        tilt_deg: angle between its normal and gravity: 0 for a true fluid–calcium level.
        locule_volume_ml: volume of the locule.
    """

    id: int
    locule: int
    centroid_lps_mm: Point
    area_mm2: float
    sediment_depth_mm: float
    fluid_layer_mm: float
    sediment_layer_mm: float
    hu_above: float
    hu_below: float
    tilt_deg: float
    locule_volume_ml: float


@dataclass(frozen=True)
class LoculeTruth:
    """One locule: a cavity bounded by wall and septa."""

    id: int
    kind: str
    volume_ml: float
    centroid_lps_mm: Point
    mean_hu: float


@dataclass(frozen=True)
class ErosionTruth:
    """Bone that a mass has eaten away: deepest point below the former surface, and volume."""

    bone: str
    depth_mm: float
    volume_ml: float
    centroid_lps_mm: Point


@dataclass(frozen=True)
class MassTruth:
    """One mass. Volumes are counted on a grid finer than the scan.

    Attributes:
        id: value in the envelope mask.
        style: how it was drawn.
        texture: what fills it.
        joint: nearest large joint, when the anatomy has one.
        side: left or right.
        centroid_lps_mm: of the envelope.
        volume_ml: envelope: locules with walls and septa, closed with a 3 mm ball, never bone.
        calcified_volume_ml: paste, sediment, calcified rim and septa, the denser half of layered
            chalk: whatever was drawn above 150 HU.
        excess_hu_ml: integral over the envelope of attenuation above soft tissue (40 HU).
        max_diameter_mm: greatest distance between two points of the envelope (Feret).
        mean_hu: mean attenuation of the envelope before blur and noise.
        bone: name of the nearest bone within reach.
        bone_distance_mm: gap to it; 0 when touching, None when more than 8 mm.
        contact_mm2: area of the envelope lying on bone.
        locules: all locules, in no particular order.
        levels: flat interfaces square to gravity.
        not_levels: two-density interfaces that are tilted: no fluid–calcium level.
        erosion: None where the bone is whole.
    """

    id: int
    style: str
    texture: str
    joint: str | None
    side: str | None
    centroid_lps_mm: Point
    volume_ml: float
    calcified_volume_ml: float
    excess_hu_ml: float
    max_diameter_mm: float
    mean_hu: float
    bone: str | None
    bone_distance_mm: float | None
    contact_mm2: float
    locules: tuple[LoculeTruth, ...]
    levels: tuple[LevelTruth, ...]
    not_levels: tuple[LevelTruth, ...]
    erosion: ErosionTruth | None


@dataclass(frozen=True)
class DecoyTruth:
    """Something dense that is no calcified mass."""

    kind: str
    volume_ml: float
    centroid_lps_mm: Point


@dataclass(frozen=True, eq=False)
class Truth:
    """All answers. Masks [z, y, x] lie on the scan's grid; a voxel belongs where half is filled.

    Attributes:
        masses: ids 1…n as in `envelope`.
        decoys: what must not be called a mass.
        envelope: label map, value = mass id.
        locules: label map, value = locule id (unique over all masses).
        levels: label map, value = level id (true levels only).
        erosion: label map, value = id of the mass that ate the bone.
        skeleton: bone.
        gravity_lps: unit vector pointing down.
    """

    masses: tuple[MassTruth, ...]
    decoys: tuple[DecoyTruth, ...]
    envelope: NDArray[np.uint8]
    locules: NDArray[np.uint16]
    levels: NDArray[np.uint16]
    erosion: NDArray[np.uint8]
    skeleton: NDArray[np.bool_]
    gravity_lps: Point

    def as_json(self) -> dict[str, object]:
        """The figures without the masks."""
        return {
            "schema": "calcinosis-phantom/1",
            "gravity_lps": list(self.gravity_lps),
            "masses": [asdict(mass) for mass in self.masses],
            "decoys": [asdict(decoy) for decoy in self.decoys],
        }
