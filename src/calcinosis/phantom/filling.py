"""Filling one locule: paste, sediment under fluid, clear fluid, or two densities that lie askew."""

from dataclasses import dataclass
from typing import Any

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.phantom.grid import Float, Grid
from calcinosis.phantom.locules import CALCIFIED_HU, Content
from calcinosis.phantom.shapes import Waves, as_point
from calcinosis.phantom.truth import LevelTruth

SMALLEST_LEVEL_MM2 = 10.0


@dataclass(frozen=True, eq=False)
class Cavity:
    """One locule on a fine grid.

    Attributes:
        grid: of the block the locule lies in.
        mask: the locule's voxels in that block.
        depth_mm: distance from its boundary.
        content: what fills it.
        gravity_lps: unit vector pointing down.
    """

    grid: Grid
    mask: NDArray[np.bool_]
    depth_mm: Float
    content: Content
    gravity_lps: NDArray[np.float64]

    @property
    def down(self) -> NDArray[np.float64]:
        """Where the dense part lies."""
        own = self.content.down
        return self.gravity_lps if own is None else np.asarray(own)

    @property
    def step_mm(self) -> float:
        """Distance between layers of voxels along `down`."""
        return float(np.abs(self.down @ self.grid.affine[:3, :3]).max())

    def height_mm(self) -> Float:
        """How far down each voxel lies."""
        x, y, z = self.grid.coordinates()
        dx, dy, dz = self.down.astype(np.float32)
        return np.asarray(np.broadcast_to(dx * x + dy * y + dz * z, self.mask.shape))


@dataclass(frozen=True, eq=False)
class Fill:
    """Attenuation and calcified part of the cavity's voxels; the interface where there is one."""

    hu: Float
    calcified: Float
    surface_mm: float | None
    interface: NDArray[np.bool_] | None


def fill(cavity: Cavity, mottling: Waves, mottling_hu: float) -> Fill:
    """Fill a cavity; sediment lies exactly level, the voxel it ends in is shared by volume."""
    content, mask = cavity.content, cavity.mask
    x, y, z = cavity.grid.coordinates()
    mottled = content.dense_hu + np.float32(mottling_hu) * mottling(x, y, z)
    dense = np.maximum(mottled, np.float32(0.6 * content.dense_hu))
    if content.fade:
        dense = dense * (1 - np.float32(content.fade) * np.exp(-np.maximum(cavity.depth_mm, 0) / 2))
    core = mask & (cavity.depth_mm > content.rim_mm)
    surface, interface = None, None
    part = np.full(mask.shape, np.float32(content.kind != "fluid"))
    if content.kind in ("sediment", "two_density") and core.any():
        height = cavity.height_mm()
        surface = float(np.quantile(height[mask], 1 - content.fill))
        part = np.clip(0.5 + (height - surface) / np.float32(cavity.step_mm), 0, 1)
        interface = core & (np.abs(height - surface) <= cavity.step_mm / 2)
    hu = content.fluid_hu + part * (dense - content.fluid_hu)
    rim = mask & ~core
    return Fill(
        hu=np.where(rim, np.float32(content.rim_hu), hu).astype(np.float32),
        calcified=np.where(rim, 1, part * (content.dense_hu > CALCIFIED_HU)).astype(np.float32),
        surface_mm=surface,
        interface=interface,
    )


def levels_of(
    cavity: Cavity, filled: Fill, *, first_id: int, locule_id: int
) -> tuple[tuple[LevelTruth, ...], NDArray[np.uint16]]:
    """The interface's separate pieces, each a level, and where they lie (0 = nowhere)."""
    marks = np.zeros(cavity.mask.shape, np.uint16)
    if filled.interface is None or filled.surface_mm is None:
        return (), marks
    pieces, count = cc3d.connected_components(filled.interface, return_N=True)
    voxel_mm3 = cavity.grid.voxel_ml * 1000
    height = cavity.height_mm()
    below = float(height[cavity.mask].max()) - filled.surface_mm
    core = cavity.mask & (cavity.depth_mm > cavity.content.rim_mm)
    fluid = _reach_mm(core & (height < filled.surface_mm), pieces, count, -height)
    sediment = _reach_mm(core & (height > filled.surface_mm), pieces, count, height)
    cosine = float(np.clip(cavity.down @ cavity.gravity_lps, -1, 1))
    found: list[LevelTruth] = []
    for piece in range(1, count + 1):
        where = np.argwhere(pieces == piece)
        area = len(where) * voxel_mm3 / cavity.step_mm
        if area < SMALLEST_LEVEL_MM2:
            continue
        centre = cavity.grid.to_lps(where.mean(0))
        centre += cavity.down * (filled.surface_mm - float(cavity.down @ centre))
        level = LevelTruth(
            id=first_id + len(found),
            locule=locule_id,
            centroid_lps_mm=as_point(centre),
            area_mm2=float(area),
            sediment_depth_mm=below,
            fluid_layer_mm=float(fluid[piece] + filled.surface_mm),
            sediment_layer_mm=float(sediment[piece] - filled.surface_mm),
            hu_above=cavity.content.fluid_hu,
            hu_below=cavity.content.dense_hu,
            tilt_deg=float(np.rad2deg(np.arccos(cosine))),
            locule_volume_ml=float(cavity.mask.sum()) * cavity.grid.voxel_ml,
        )
        marks[pieces == piece] = level.id
        found.append(level)
    return tuple(found), marks


def _reach_mm(
    layer: NDArray[np.bool_], pieces: NDArray[np.integer[Any]], count: int, height: Float
) -> list[float]:
    """How high the parts of a layer that touch each piece of the interface reach; 0 for none."""
    parts = cc3d.connected_components(layer | (pieces > 0))
    owners = [int(parts[pieces == piece].max()) for piece in range(1, count + 1)]
    return [0.0, *ndimage.maximum(height, parts, owners)]
