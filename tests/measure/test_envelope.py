"""How much of a mass is calcified: analytic bodies, blurred and noisy as a scan shows them."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from calcinosis.measure.envelope import refine

RADIUS_MM = 14.0
SPACINGS = [(1.0, 1.0, 1.0), (2.5, 0.8, 0.8)]


def ball_of(paste_hu, *, spacing_mm, hollow_to_mm=0.0, core_mm=0.0, noise_hu=15):
    """A ball in muscle, drawn on voxels of a third: what the scan shows, the ball, calcified mL.

    Args:
        paste_hu: function of the fine coordinates that says how dense paste is.
        spacing_mm: of the scan.
        hollow_to_mm: fluid up to this radius, so that a rim of paste is left.
        core_mm: radius of a ball of paste in the middle of that fluid.
        noise_hu: noise of the scan.
    """
    parts, reach_mm = 3, RADIUS_MM + 8
    half = [int(reach_mm / s) for s in spacing_mm]
    z, y, x = (
        ((np.arange((2 * n + 1) * parts) + 0.5) / parts - n - 0.5) * s
        for n, s in zip(half, spacing_mm, strict=True)
    )
    z, y, x = np.meshgrid(z, y, x, indexing="ij")
    radius = np.sqrt(z**2 + y**2 + x**2)
    inside = radius <= RADIUS_MM
    calcified = inside & ((radius >= hollow_to_mm) | (radius <= core_mm))
    hu = np.where(calcified, paste_hu(z, y, x), np.where(inside, 15, 50))

    def coarse(field):
        shape = [n for size in field.shape for n in (size // parts, parts)]
        return field.reshape(shape).mean(axis=(1, 3, 5))

    seen = gaussian_filter(coarse(hu), [0.7 / s for s in spacing_mm])
    seen += np.random.default_rng(3).normal(0, noise_hu, seen.shape)
    millilitres = calcified.sum() * np.prod(spacing_mm) / parts**3 / 1000
    return seen.astype(np.float32), coarse(inside) > 0.5, float(millilitres)


def calcified_ml(hu, ball, spacing_mm):
    """What is read off the scan when the ball itself is outlined well."""
    envelope = refine(hu, ball.astype(np.float32), np.zeros_like(hu), spacing_mm, ball)
    return float(envelope.calcified.sum() * np.prod(spacing_mm) / 1000)


@pytest.mark.parametrize("spacing_mm", SPACINGS)
@pytest.mark.parametrize("density_hu", [280, 700])
def test_even_paste_is_calcified_whole_whatever_its_density(density_hu, spacing_mm):
    hu, ball, truth_ml = ball_of(lambda *_: density_hu, spacing_mm=spacing_mm)
    assert calcified_ml(hu, ball, spacing_mm) == pytest.approx(truth_ml, rel=0.04)


@pytest.mark.parametrize("spacing_mm", SPACINGS)
def test_cloudy_paste_is_calcified_whole(spacing_mm):
    def cloud(z, y, x):
        return 600 + 250 * np.sin(z / 2.0) * np.sin(y / 2.0) * np.sin(x / 2.0)

    hu, ball, truth_ml = ball_of(cloud, spacing_mm=spacing_mm)
    assert calcified_ml(hu, ball, spacing_mm) == pytest.approx(truth_ml, rel=0.05)


@pytest.mark.parametrize("spacing_mm", SPACINGS)
def test_a_thin_rim_with_denser_paste_near_is_not_counted_as_thick_as_its_blur(spacing_mm):
    hu, ball, truth_ml = ball_of(
        lambda *_: 700, spacing_mm=spacing_mm, hollow_to_mm=RADIUS_MM - 1.2, core_mm=10
    )
    assert calcified_ml(hu, ball, spacing_mm) == pytest.approx(truth_ml, rel=0.12)


def test_fluid_holds_no_calcium():
    hu, ball, truth_ml = ball_of(lambda *_: 500, spacing_mm=(1, 1, 1), hollow_to_mm=RADIUS_MM)
    assert truth_ml < 0.01 * ball.sum() / 1000
    assert calcified_ml(hu, ball, (1, 1, 1)) == 0
