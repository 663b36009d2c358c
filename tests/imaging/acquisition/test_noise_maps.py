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


def test_drawn_maps_run_from_1_to_their_highest_but_for_those_with_a_step():
    maps = [noise_maps.drawn((24, 20, 16), 4.0, np.random.default_rng(seed)) for seed in range(100)]
    whole = np.mean([abs(result.min() - 1) < 1e-6 and abs(result.max() - 4) < 1e-4 for result in maps])
    # 15 of 100 have a step by design: 4 standard errors are 14.
    assert 0.71 < whole < 0.99


def test_maps_are_often_highest_near_the_centre():
    maps = [noise_maps.drawn((24, 20, 16), 4.0, np.random.default_rng(seed)) for seed in range(200)]
    highest = (np.array([np.unravel_index(result.argmax(), result.shape) for result in maps]) + 0.5) / (24, 20, 16)
    central = np.all(np.abs(highest - 0.5) <= 0.17, axis=1).mean()
    # 0.4 of them by design; of the others, whose maximum may lie anywhere, some.
    assert 0.3 < central < 0.6


def test_maps_of_one_strength():
    assert (noise_maps.flat((2, 3, 4)) == 1).all()
    assert np.allclose(noise_maps.drawn((5, 5, 5), 1.0, np.random.default_rng(1)), 1)
