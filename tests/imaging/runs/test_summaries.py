"""What is kept of each frame: compared with plain loops over blocks and slices."""

import numpy as np
import pytest

from keras_mri.imaging.runs.summaries import summarise_run


def test_blocks_are_means_and_the_last_of_an_axis_may_be_shorter(rng):
    frames = rng.normal(size=(3, 25, 23, 11)).astype(np.float32)
    summary = summarise_run(frames)
    # 25 × 23 × 11 values are more than 3000; blocks of two voxels make 13 × 12 × 6.
    assert (summary.side, summary.blocks.shape) == (2, (3, 13, 12, 6))
    np.testing.assert_allclose(summary.blocks[1, 4, 5, 3], frames[1, 8:10, 10:12, 6:8].mean(), rtol=1e-4)
    np.testing.assert_allclose(summary.blocks[2, 12, 11, 5], frames[2, 24, 22, 10], rtol=1e-5)


def test_a_small_frame_is_kept_whole(rng):
    frames = rng.normal(size=(2, 9, 8, 7)).astype(np.float32)
    summary = summarise_run(frames)
    assert summary.side == 1
    np.testing.assert_array_equal(summary.blocks, frames)


@pytest.mark.parametrize("shape", [(80, 80, 35), (96, 96, 63), (300, 7, 5), (128, 1, 90)])
def test_no_frame_keeps_more_than_three_thousand_blocks(shape):
    assert summarise_run([np.ones(shape, np.float32)]).blocks[0].size <= 3000


@pytest.mark.parametrize("axis", range(3))
def test_profiles_are_the_means_of_slices(axis, rng):
    frames = rng.normal(size=(2, 9, 8, 7)).astype(np.float32)
    expected = [[np.take(frame, i, axis).mean() for i in range(frame.shape[axis])] for frame in frames]
    np.testing.assert_allclose(summarise_run(frames).profiles[axis], expected, rtol=1e-4, atol=1e-6)


def test_roughness_is_of_neighbours_within_the_slice():
    frame = np.zeros((9, 8, 7), np.float32)
    # Along y the values are 0 1 0 1 …: a difference of 1 everywhere, and none along x and z.
    frame[:, 1::2] = 1.0
    x, y, z = summarise_run([frame]).roughness
    np.testing.assert_allclose(x[0], np.ones(9))
    np.testing.assert_allclose(y[0], np.zeros(8))
    np.testing.assert_allclose(z[0], np.ones(7))


def test_values_that_are_not_finite_are_noted_and_count_as_zero():
    frames = np.ones((3, 5, 4, 3), np.float32)
    frames[1, 0, 0, 0], frames[2, 1, 1, 1] = np.nan, -np.inf
    summary = summarise_run(frames)
    assert summary.finite.tolist() == [True, False, False]
    assert summary.blocks[1, 0, 0, 0] == summary.blocks[2, 1, 1, 1] == 0
    assert np.isnan(frames[1, 0, 0, 0])
