"""What measuring a CT yields, as plain data. Lengths mm, volumes mL, attenuation HU, LPS mm."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from calcinosis.volume import Volume

Point = tuple[float, float, float]
Interval = tuple[float, float]
Labels = NDArray[np.unsignedinteger[Any]]  # of as few bytes as the highest needs
CalcificationKind = Literal[
    "vascular", "phlebolith", "granuloma", "metal", "contrast", "unclassified"
]


@dataclass(frozen=True)
class FluidLevel:
    """A flat fluid–calcium interface (sedimentation sign) in one locule."""

    centroid_lps_mm: Point
    area_mm2: float
    sediment_depth_mm: float
    hu_above: float
    hu_below: float
    tilt_deg: float
    confidence: float


@dataclass(frozen=True)
class LevelReading:
    """The levels of one mass, and whether the sedimentation sign is present.

    Attributes:
        levels: largest first.
        sedimentation_sign: None when this CT cannot show a level; `remarks` say why.
    """

    levels: tuple[FluidLevel, ...]
    sedimentation_sign: bool | None
    remarks: tuple[str, ...] = ()


SYMPHYSIS = "pubic symphysis"
MIDLINE = {SYMPHYSIS, "lumbar spine", "thoracic spine"}


@dataclass(frozen=True)
class Site:
    """The nearest large joint, and the side on which the mass lies; None in the midline."""

    joint: str
    side: Literal["left", "right"] | None
    distance_mm: float

    @property
    def in_words(self) -> str:
        """``left hip``, ``hip``, ``left of the lumbar spine``."""
        if self.side is None:
            return self.joint
        return f"{self.side} {'of the ' * (self.joint in MIDLINE)}{self.joint}"


# Against what the surface of an eroded bone is measured.
CONTINUATION = "smooth continuation of the same bone where its cortex is lost"
MIRROR = "the same bone of the other side, mirrored and laid over it"


@dataclass(frozen=True)
class BoneRelation:
    """How a mass lies to the nearest bone; without a depth or volume where `eroded` is None."""

    nearest: str | None
    distance_mm: float | None
    contact_mm2: float
    erosion_depth_mm: float | None
    erosion_volume_ml: float | None
    eroded: bool | None
    expected_surface: str | None = None

    @property
    def meets_across_slices(self) -> bool:
        """Whether voxels touch, but across slices too thick to tell over which area."""
        return self.distance_mm == 0 and self.contact_mm2 == 0 and self.eroded is None


@dataclass(frozen=True)
class HounsfieldStatistics:
    """Attenuation inside the envelope."""

    mean: float
    p5: float
    p50: float
    p95: float


@dataclass(frozen=True)
class Mass:
    """One calcified soft-tissue mass. `id` is its value in the label map."""

    id: int
    site: Site | None
    centroid_lps_mm: Point
    volume_ml: float
    volume_ci95_ml: Interval
    calcified_volume_ml: float
    calcium_mass_mg: float
    calcium_mass_ci95_mg: Interval
    max_diameter_mm: float
    perpendicular_diameter_mm: float
    diameter_ends_lps_mm: tuple[Point, Point]
    hu: HounsfieldStatistics
    locules: int
    fluid_levels: tuple[FluidLevel, ...]
    sedimentation_sign: bool | None
    bone: BoneRelation
    skin_distance_mm: float | None
    confidence: float
    remarks: tuple[str, ...] = ()
    perpendicular_ends_lps_mm: tuple[Point, Point] | None = None


@dataclass(frozen=True, eq=False)
class Patch:
    """Some voxels of a volume: a box of its grid, and a boolean mask [z, y, x] in that box."""

    box: tuple[slice, slice, slice]
    mask: NDArray[np.bool_]

    def densest_lps_mm(self, volume: Volume) -> Point:
        """The place of its densest voxel in the volume."""
        hu = np.where(self.mask, volume.voxels[self.box], np.iinfo(np.int16).min)
        return volume.crop(self.box).point_lps(np.unravel_index(hu.argmax(), hu.shape))


@dataclass(frozen=True)
class OtherCalcification:
    """An extraskeletal density that is no calcified mass."""

    kind: CalcificationKind
    volume_ml: float
    centroid_lps_mm: Point


@dataclass(frozen=True)
class Calibration:
    """How Hounsfield units became calcium: mg hydroxyapatite per mL per HU, with its source."""

    mg_hydroxyapatite_per_ml_per_hu: float
    relative_uncertainty: float
    tube_voltage_kv: float | None
    source: str


@dataclass(frozen=True, eq=False)
class CtMeasurement:
    """Everything measured on one CT.

    Attributes:
        masses: largest first, ids 1…n.
        labels: label map on the volume's grid [z, y, x], value = mass id.
        skeleton_bits: the mask of the bones on the same grid, eight voxels a byte (`packbits`),
            because it is kept for long and seldom asked for.
        other_calcifications: largest first.
        calibration: how calcium mass was computed.
        method: one sentence per step: how it was measured, for the report.
        remarks: limits that hold for the whole scan.
        other_places: where each of `other_calcifications` lies; empty where that was not kept.
    """

    masses: tuple[Mass, ...]
    labels: Labels
    skeleton_bits: NDArray[np.uint8]
    other_calcifications: tuple[OtherCalcification, ...]
    calibration: Calibration
    method: tuple[str, ...] = ()
    remarks: tuple[str, ...] = field(default=())
    other_places: tuple[Patch, ...] = ()

    @property
    def skeleton(self) -> NDArray[np.bool_]:
        """The bones, unpacked anew each time: boolean mask on the volume's grid [z, y, x]."""
        bits = np.unpackbits(self.skeleton_bits, count=self.labels.size)
        return bits.view(np.bool_).reshape(self.labels.shape)
