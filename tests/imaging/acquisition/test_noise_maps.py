"""Maps of where noise is strong."""

import numpy as np
import pytest

from keras_mri.imaging.acquisition import noise_maps


@pytest.mark.parametrize("seed", range(6))
def test_a_drawn_map_is_smooth_and_reaches_its_highest(seed):
    result = noise_maps.drawn((24, 20, 16), 4.0, np.random.default_rng(seed))
    assert result.shape == (24, 20, 16) and result.dtype == np.float32
    steps = np.abs(np.diff(result, axis=2)).max(axis=(0, 1))
    # At most one border between slabs; elsewhere a third of the range over a third of the side, at most.
    assert (steps > 3 * 3 / 15 + 0.05).sum() <= 1
    assert np.abs(np.diff(result, axis=0)).max() <= 1.4 * 3 * 3 / 23 + 0.05
    if steps.max() < 0.6:
        assert result.min() == pytest.approx(1) and result.max() == pytest.approx(4, rel=1e-5)


def test_maps_of_one_strength():
    assert (noise_maps.flat((2, 3, 4)) == 1).all()
    assert np.allclose(noise_maps.drawn((5, 5, 5), 1.0, np.random.default_rng(1)), 1)
