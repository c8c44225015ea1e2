"""The Gaussian filter agrees with scipy's to the bit."""

import numpy as np
import pytest
from scipy import ndimage

from calcinosis.measure.gaussian import gaussian


@pytest.mark.parametrize(
    ("shape", "sigma", "truncate"),
    [
        ((20, 31, 33), (0.6, 1.2, 2.0), 3.0),
        ((9, 40, 17), 0.7, 4.0),
        ((2, 5, 1), (3.0, 2.0, 2.5), 4.0),  # narrower than what the filter sees
        ((6, 7, 8), (0.01, 0.1, 0.5), 4.0),  # no neighbour counts along two axes
    ],
)
def test_it_gives_what_scipy_does(shape, sigma, truncate):
    values = (500 * np.random.default_rng(3).normal(size=shape)).astype(np.float32)
    expected = ndimage.gaussian_filter(values, sigma, truncate=truncate)
    assert gaussian(values, sigma, truncate).tobytes() == expected.tobytes()


def test_what_is_filtered_stays_as_it_was():
    values = np.eye(4, dtype=np.float32)[None]
    gaussian(values, 1.0)
    assert np.array_equal(values[0], np.eye(4))
