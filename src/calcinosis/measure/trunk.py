"""Shoulders and thoracic spine of a scan that shows both lungs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.measure.bone_sections import GRID_MM, Body, Section
from calcinosis.measure.joint import Joint, Side

HEAD_CM2 = (9.0, 30.0)  # section of a humeral head, with or without the socket
HEAD_FROM_MIDLINE_MM = 85.0
SHOULDER_BELOW_APEX_MM = 60.0
LUNG_MIN_ML = 100.0
LUNG_SECTION_CM2 = 30.0
NARROWED = 0.7  # the lungs' section towards an end of theirs, as a share of their largest
LUNG_SHARE = 0.2  # of the larger lung, at least, is the other


@dataclass(frozen=True, eq=False)
class Thorax:
    """Where the lungs lie on the body's grid: centre, and first and last slice that show them.

    `apex_seen` tells whether they narrow again below the top of the picture: shoulders lie there;
    `base_seen` whether they do above its lower end: the abdomen lies there.
    """

    lung: NDArray[np.bool_]
    y: float
    x: float
    low: int
    high: int
    apex_seen: bool
    base_seen: bool


def thorax_of(body: Body) -> Thorax | None:
    """The thorax, where lungs are seen; gas in the bowel is none."""
    labels, _ = ndimage.label(body.lung)
    voxels = np.bincount(labels.ravel())
    voxels[0] = 0
    lung = (voxels > voxels.max(initial=0) * LUNG_SHARE)[labels] & body.lung
    if np.count_nonzero(lung) * GRID_MM**3 / 1000 < LUNG_MIN_ML:
        return None
    area_cm2 = np.count_nonzero(lung, axis=(1, 2)) * GRID_MM**2 / 100
    shown = np.flatnonzero(area_cm2 > LUNG_SECTION_CM2)
    if not len(shown):
        return None
    _, y, x = np.argwhere(lung).mean(axis=0)
    base_seen, apex_seen = (bool(cm2 < NARROWED * area_cm2.max()) for cm2 in area_cm2[[0, -1]])
    low, high = int(shown[0]), int(shown[-1])
    return Thorax(lung, float(y), float(x), low, high, apex_seen, base_seen)


def trunk_joints(body: Body, planes: list[list[Section]], thorax: Thorax) -> list[Joint]:
    """Shoulders beside the apices of the lungs, and the spine behind them."""
    joints = []
    apex = max(0, round(thorax.high - SHOULDER_BELOW_APEX_MM / GRID_MM))
    sides: tuple[tuple[int, Side], ...] = ((1, "left"), (-1, "right"))
    for direction, side in sides:
        heads = [
            s
            for plane in planes[apex:]
            for s in plane
            if thorax.apex_seen
            and HEAD_CM2[0] < s.cm2 < HEAD_CM2[1]
            and direction * (s.x - thorax.x) * GRID_MM > HEAD_FROM_MIDLINE_MM
        ]
        if len(heads) >= 4:
            head = max(heads, key=lambda s: s.cm2)
            joints.append(Joint("shoulder", side, body.lps(head.z, head.y, head.x)))
    spine = [
        s
        for plane in planes[thorax.low : thorax.high + 1]
        for s in plane
        if s.cm2 > 4 and abs(s.x - thorax.x) * GRID_MM < 25 and s.y > thorax.y
    ]
    if len(spine) >= 10:
        y, x = np.mean([(s.y, s.x) for s in spine], axis=0)
        length = (thorax.high - thorax.low) * GRID_MM
        start = body.lps(thorax.low, float(y), float(x))
        joints.append(Joint("thoracic spine", None, start, length, goes_on=not thorax.base_seen))
    return joints
