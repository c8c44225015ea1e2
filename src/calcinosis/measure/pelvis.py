"""Sacroiliac joints, pubic symphysis and lumbar spine, around hips that were found.

Between two hips the symphysis is read off the skeleton. The rest stands where one adult's
proportions put it, scaled by the distance between the hips; measured by us on the labelled masks
named in docs/accuracy.md.
"""

from collections.abc import Sequence

import numpy as np

from calcinosis.measure.bone_sections import GRID_MM, Body
from calcinosis.measure.joint import Joint, Side
from calcinosis.measure.mass import Point

# From the middle between the femoral heads: to the side, posterior, cranial.
HIP_MM = 80.0
SACROILIAC_MM = (56.0, 43.0, 81.0)
SYMPHYSIS_MM = (0.0, -36.0, -25.0)
LUMBAR_MM = (0.0, 15.0, 105.0)
LUMBAR_LENGTH_MM = 166.0
SYMPHYSIS_WITHIN_MM = 45.0  # of where it is expected
PUBIS_MM = 24.0  # either side of the midline: where both show bone, they near each other
PUBIS_MIN_CM2 = 3.0
GAP_WITHIN_MM = 12.0  # of the midline
SIGN: dict[Side, float] = {"left": 1.0, "right": -1.0}


def pelvic_joints(body: Body, hips: Sequence[Joint]) -> list[Joint]:
    """The joints of a pelvis of which one hip is seen, or both; hips come with their sides."""
    if not hips:
        return []
    heads = np.array([hip.centre_lps_mm for hip in hips])
    scale = float(np.ptp(heads[:, 0])) / (2 * HIP_MM) if len(hips) > 1 else 1.0
    aside = [scale * HIP_MM * SIGN[hip.side] if hip.side else 0.0 for hip in hips]
    middle = (heads - np.column_stack([aside, np.zeros((len(hips), 2))])).mean(axis=0)

    def at(to_side_mm: float, back_mm: float, up_mm: float) -> Point:
        x, y, z = (float(v) for v in middle + scale * np.array([to_side_mm, back_mm, up_mm]))
        return x, y, z

    outwards, *rest = SACROILIAC_MM
    expected = at(*SYMPHYSIS_MM)
    symphysis = _symphysis(body, expected) if len(hips) > 1 else None  # else the midline is a guess
    return [
        *(
            Joint("sacroiliac", hip.side, at(SIGN[hip.side] * outwards, *rest))
            for hip in hips
            if hip.side
        ),
        Joint("pubic symphysis", None, symphysis or expected),
        Joint("lumbar spine", None, at(*LUMBAR_MM), scale * LUMBAR_LENGTH_MM),
    ]


def _symphysis(body: Body, expected: Point) -> Point | None:
    """Where bone of both sides comes up to the midline; across, where there is least of it."""
    centre = (np.array(expected[::-1]) - body.origin) / GRID_MM
    reach = SYMPHYSIS_WITHIN_MM / GRID_MM
    low = np.maximum(np.floor(centre - reach), 0).astype(int)
    high = np.maximum(np.ceil(centre + reach) + 1, low).astype(int)
    block = body.bone[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    middle, side = round(centre[2] - low[2]), round(PUBIS_MM / GRID_MM)
    if middle < side:
        return None
    right, left = block[..., middle - side : middle], block[..., middle : middle + side]
    both = right.any(axis=2) & left.any(axis=2)
    if np.count_nonzero(both) * GRID_MM**2 / 100 < PUBIS_MIN_CM2:
        return None
    near = round(GAP_WITHIN_MM / GRID_MM)
    across = np.count_nonzero(block[..., middle - near : middle + near + 1][both], axis=0)
    z, y = np.argwhere(both).mean(axis=0)
    gap = np.flatnonzero(across == across.min()).mean() + middle - near
    z, y, x = low + np.array([z, y, gap])
    return body.lps(z, y, x)
