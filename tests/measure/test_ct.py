"""Scans that hold nothing to measure are measured all the same."""

import numpy as np
import pytest

from calcinosis.measure.ct import measure_ct
from calcinosis.volume import Study, Volume

BODY = np.where(np.arange(40)[:, None] < 5, -1000, 40)


@pytest.mark.parametrize(
    "voxels",
    [
        np.full((20, 40, 40), -1000),
        np.broadcast_to(BODY, (20, 40, 40)),
        np.full((1, 40, 40), 500),
        np.full((20, 40, 40), 500),
    ],
    ids=["air", "soft tissue", "one dense slice", "nothing but dense"],
)
def test_a_scan_with_nothing_to_tell_apart_has_no_mass(voxels):
    affine = np.diag([1.0, 1.0, 1.0, 1.0])[:, [2, 1, 0, 3]]
    result = measure_ct(Study(Volume(voxels.astype(np.int16), affine)))
    assert result.masses == ()
    assert not result.labels.any()
