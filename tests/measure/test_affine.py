"""Values on another grid agree with scipy's to the bit."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from calcinosis.measure.affine import affine


@pytest.mark.parametrize("turn_deg", [0, 11, 180])
def test_it_gives_what_scipy_does(turn_deg):
    rng = np.random.default_rng(5)
    field = rng.normal(size=(9, 12, 14)).astype(np.float32)
    turn = Rotation.from_euler("zyx", [turn_deg, turn_deg / 2, 0], degrees=True).as_matrix()
    offset, shape = np.array([1.5, 2.0, -1.0]), (11, 12, 18)
    expected = ndimage.affine_transform(
        field, turn, offset=offset, output_shape=shape, order=1, cval=7
    )
    assert affine(field, turn, offset, shape, 7).tobytes() == expected.tobytes()
