import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.measure import approximate_polygon, find_contours

from calcinosis.write.report.edges import edges


@pytest.mark.parametrize("seed", range(3))
def test_curves_are_those_of_scikit_image(seed):
    blobs = gaussian_filter(np.random.default_rng(seed).random((80, 120)), 4.0)
    inside = np.clip(10 * blobs - 4.5, 0, 1)
    curves = edges(inside, 0.35)
    expected = [
        approximate_polygon(curve, 0.35) - 1 for curve in find_contours(np.pad(inside, 1), 0.5)
    ]
    assert len(curves) == len(expected) > 3
    for found, wanted in zip(curves, expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_a_single_pixel_has_an_edge_and_an_empty_picture_none():
    picture = np.zeros((5, 5))
    assert edges(picture, 0.3) == []
    picture[4, 2] = 1.0
    (curve,) = edges(picture, 0.3)
    assert {(row, column) for row, column in curve} == {(4, 1.5), (4, 2.5), (3.5, 2), (4.5, 2)}
