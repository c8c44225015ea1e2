import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from calcinosis.write.report.trilinear import square


@pytest.mark.parametrize("shape", [(9, 8, 7), (1, 8, 7)])
def test_values_are_those_of_scipy_and_what_is_outside_is_said(shape):
    field = np.random.default_rng(0).integers(-1000, 2000, shape).astype(np.int16)
    first, down, right = np.array([0, -1.0, -0.5]), np.array([0, 0.7, 0.1]), np.array([0, 0.2, 0.9])
    if shape[0] > 1:
        down[0], right[0] = 0.5, 0.25
    steps = np.arange(16)[:, None]
    where = first + steps[:, None] * down + steps * right
    expected = map_coordinates(field, where.T.swapaxes(1, 2), np.float32, order=1, cval=-1024.0)
    found = square(field, first, down, right, 16, -1024.0)
    assert (found == -1024.0).any()
    assert (found > -1000.0).sum() > 20
    np.testing.assert_allclose(found, expected, atol=1e-3)
