import numpy as np
import pytest
from scipy.special import erf

from calcinosis.measure.level_steps import find_steps


@pytest.mark.parametrize("blur_samples", [1.5, 2.0, 2.5])
def test_a_step_is_placed_to_half_a_sample_however_blurred_the_scan(blur_samples):
    random = np.random.default_rng(3)
    true_at = 20 + random.random((12, 12))
    depth = np.arange(40)[:, None, None]
    profile = 260 + 240 * erf((depth - true_at) / blur_samples / np.sqrt(2))
    profile += random.normal(0, 10, profile.shape)
    columns, steps = find_steps(profile.astype(np.float32), np.ones(profile.shape, bool), reach=10)
    off = np.abs(steps[:, 0] - true_at[tuple(columns.T)])
    assert len(np.unique(columns[off < 2], axis=0)) == true_at.size
    assert np.sqrt(np.mean(off[off < 2] ** 2)) < 0.5
