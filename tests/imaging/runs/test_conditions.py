"""Levels of brightness and alternating frames, on numbers that were drawn for it."""

import numpy as np
import pytest
from scipy import ndimage

from keras_mri.imaging.runs.conditions import alternates, brightness_levels, is_restless


def test_levels_are_numbered_from_the_darkest():
    assert brightness_levels(np.array([1.0, 0.5, 0.51, 2.0, 1.01, 0.5])).tolist() == [1, 0, 0, 2, 1, 0]


@pytest.mark.parametrize("spread", (0.001, 0.01, 0.03))
def test_one_noisy_level_is_one(spread, rng):
    assert set(brightness_levels(1 + spread * rng.normal(size=60))) == {0}


def test_a_drift_of_a_fifth_is_one_level():
    assert set(brightness_levels(np.linspace(1.1, 0.9, 60))) == {0}


def test_levels_that_lie_within_their_noise_are_one(rng):
    assert len(set(brightness_levels(np.r_[1.0, 1.06][np.arange(40) % 2] + 0.03 * rng.normal(size=40)))) == 1


def test_brightness_that_wanders_is_not_restless_and_brightness_that_jumps_is(rng):
    assert not is_restless(np.exp(np.cumsum(rng.normal(0, 0.01, 50))))
    assert is_restless(rng.uniform(0.3, 1.0, 50))


def voxels(rng, n_frames, sigma, n_voxels=400):
    return 1 + sigma * rng.normal(size=(n_frames, n_voxels))


@pytest.mark.parametrize("n_frames", (12, 25, 60))
def test_the_contrast_of_an_alternation_is_measured(n_frames, rng):
    images = voxels(rng, n_frames, 0.01)
    images[1::2] -= 0.02
    assert alternates(images, np.arange(n_frames)) == pytest.approx(0.02, rel=0.1)


def test_half_a_percent_is_seen_where_the_noise_of_a_voxel_is_ten_times_as_strong(rng):
    images = voxels(rng, 60, 0.05, 1000)
    images[::2] += 0.005
    assert alternates(images, np.arange(60)) == pytest.approx(0.005, rel=0.5)


def test_frames_that_are_missing_do_not_turn_an_alternation_over(rng):
    images = voxels(rng, 40, 0.01)
    images[1::2] -= 0.02
    kept = np.setdiff1d(np.arange(40), [7, 18, 19, 30])
    assert alternates(images[kept], kept) == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize("seed", range(10))
def test_noise_does_not_alternate(seed):
    rng = np.random.default_rng(seed)
    assert alternates(voxels(rng, 24 + 4 * seed, 0.05), np.arange(24 + 4 * seed)) == 0.0


@pytest.mark.parametrize("frequency", (0.41, 0.45, 0.475))
def test_breathing_beside_half_the_frame_rate_does_not_alternate(frequency, rng):
    wave = np.cos(2 * np.pi * frequency * np.arange(80) + 0.7)
    assert alternates(voxels(rng, 80, 0.01) + 0.02 * wave[:, None], np.arange(80)) == 0.0


def test_breathing_that_comes_and_goes_at_half_the_frame_rate_does_not_alternate(rng):
    wave = (-1.0) ** np.arange(60) * np.where(np.arange(60) < 30, 1, -1)
    assert alternates(voxels(rng, 60, 0.01) + 0.02 * wave[:, None], np.arange(60)) == 0.0


def test_a_task_of_blocks_does_not_alternate(rng):
    task = ndimage.gaussian_filter1d((np.arange(72) // 12 % 2).astype(float), 1.0)
    assert alternates(voxels(rng, 72, 0.01) + 0.05 * task[:, None] * (np.arange(400) < 150), np.arange(72)) == 0.0


def test_six_directions_that_come_again_and_again_do_not_alternate():
    rng = np.random.default_rng(4)
    directions = 0.1 * rng.normal(size=(6, 400))
    assert alternates(voxels(rng, 48, 0.02) + directions[np.arange(48) % 6], np.arange(48)) == 0.0
