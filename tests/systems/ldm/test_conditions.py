import numpy as np
import pytest

from keras_mri.imaging import phantoms
from keras_mri.imaging.kspace import truncated
from keras_mri.systems.ldm.conditions import EXTRA_CHANNELS, coarse_shape, coarse_view, condition, damaged_view


def test_a_coarse_view_holds_what_the_coarse_grid_can_hold():
    # Odd coarse sides: no frequency lies on the edge, which the two treat differently.
    frame = phantoms.head((18, 10, 8))[0] + 500
    np.testing.assert_allclose(coarse_view(frame, (2, 2, 1)), truncated(frame, (2, 2, 1)), rtol=1e-4)
    assert coarse_shape((91, 109, 3), (2, 2, 2)) == (46, 54, 2)
    np.testing.assert_array_equal(coarse_view(frame, (1, 1, 1)), frame)


@pytest.mark.parametrize("frames", [1, 5])
def test_a_damaged_view_says_what_it_knows_and_that_is_right(frames, rng):
    run = rng.random((9, 8, 7, frames)).astype(np.float32)
    for _ in range(30):
        filled, known = damaged_view(run, frames // 2, rng)
        frame = run[..., frames // 2]
        assert not known.all() and np.isfinite(filled).all()
        # With no other frame to look at, something of this one is left.
        assert known.any() or frames > 1
        np.testing.assert_array_equal(filled[known], frame[known])
        assert np.abs(filled[~known] - frame[~known]).max() > 0.01


def test_a_condition_is_the_latent_the_share_of_known_voxels_and_the_kind_of_view(rng):
    latent = rng.random((3, 2, 2, 4)).astype(np.float32)
    known = np.ones((12, 8, 4), bool)
    known[:4, :4, 0] = False  # half of the first cell's slices
    told = condition(latent, known, coarse=True)
    assert told.shape == (3, 2, 2, 4 + EXTRA_CHANNELS) and told.dtype == np.float32
    np.testing.assert_array_equal(told[..., :4], latent)
    assert told[0, 0, 0, 4] == 0.5 and (told[1:, ..., 4] == 1).all() and told[0, 1, 0, 4] == 1
    assert (told[..., 5] == 1).all() and (condition(latent, known, coarse=False)[..., 5] == 0).all()
