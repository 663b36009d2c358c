"""Each kind of unlike frame, on numbers and small frames that hold just that fault."""

import numpy as np
import pytest

from keras_mri.imaging.runs.summaries import summarise_run
from keras_mri.imaging.runs.unlike_frames import bad_slices, broken_frames, spikes, strange_frames, unsteady_frames
from tests.imaging.runs.simulated_runs import still_run

# A sign in front tells a fault that darkens from one that brightens.
EITHER = pytest.mark.parametrize("sign", (-1, 1))


def test_broken_frames_have_their_reasons(rng):
    run = still_run(16, 10.0)
    run[3] = 0
    run[5] = 7.0
    run[7, 0, 0, 0] = np.nan
    run[15] = np.abs(rng.normal(0, 30, run[15].shape))
    assert broken_frames(summarise_run(run)) == {3: "blank", 5: "blank", 7: "values that are not finite", 15: "noise volume"}


def test_a_dark_frame_with_anatomy_is_not_broken():
    run = still_run(16, 1.0)
    run[3] *= 0.05
    assert broken_frames(summarise_run(run)) == {}


@EITHER
@pytest.mark.parametrize("sigma, least", [(0.002, 0.006), (0.01, 0.006), (0.05, 0.02)])
def test_a_decay_is_followed_to_where_it_drowns(sign, sigma, least, rng):
    decay = np.where(np.arange(40) < 4, least * 1.7 ** (3 - np.arange(40.0)), 0.0)
    images = 1 + sign * decay[:, None] + sigma * rng.normal(size=(40, 500))
    assert unsteady_frames(images, np.arange(40), 8) == 4


@pytest.mark.parametrize("seed", range(8))
def test_noise_a_drift_and_a_slow_wave_are_steady(seed):
    rng, t = np.random.default_rng(seed), np.arange(40)
    course = 0.03 * (t / 40 - 0.5) + 0.002 * np.sin(2 * np.pi * t / 9 + seed)
    assert unsteady_frames(1 + course[:, None] + 0.01 * rng.normal(size=(40, 500)), t, 8) == 0


@EITHER
def test_spikes_are_found_among_slow_changes(sign, rng):
    brightness = 1 + 0.02 * np.sin(np.arange(60) / 12) + 0.001 * rng.normal(size=60)
    brightness[[0, 17, 18, 40, 59]] *= 1 + sign * np.array([0.05, 0.3, 0.1, 0.05, 0.9])
    assert np.flatnonzero(spikes(brightness)).tolist() == [0, 17, 18, 40, 59]


def slices(rng, n_frames=30):
    """Return profiles along three axes of a frame that is bright in the middle, with 1 % of noise, and roughness of 1."""
    shapes = [100 + 900 * np.sin(np.pi * (np.arange(side) + 0.5) / side) for side in (24, 20, 13)]
    profiles = [shape * (1 + 0.01 * rng.normal(size=(n_frames, len(shape)))) for shape in shapes]
    return profiles, [1 + 0.01 * rng.normal(size=part.shape) for part in profiles]


def test_good_slices_are_left_alone(rng):
    assert bad_slices(*slices(rng)) == {}


@EITHER
def test_a_bad_slice_is_found_by_its_mean(sign, rng):
    profiles, roughness = slices(rng)
    profiles[1][11, 8] *= 1 + 0.4 * sign
    assert bad_slices(profiles, roughness) == {11: (1, [8])}


def test_a_bad_slice_is_found_by_its_roughness(rng):
    profiles, roughness = slices(rng)
    roughness[2][11, 4] *= 2
    assert bad_slices(profiles, roughness) == {11: (2, [4])}


def test_a_small_motion_is_no_bad_slice(rng):
    profiles, roughness = slices(rng)
    places = np.arange(13.0)
    profiles[2][11] = np.interp(places - 0.4, places, profiles[2][11])
    assert bad_slices(profiles, roughness) == {}


def test_a_frame_of_another_contrast_is_strange(rng):
    images = 1 + 0.02 * rng.normal(size=(20, 500))
    images[6] += 0.3 * rng.normal(size=500)
    assert np.flatnonzero(strange_frames(images, 0.1)).tolist() == [6]
    # Where voxels differ as much from their neighbours, half a voxel of motion would do the same.
    assert not strange_frames(images, 1.0).any()
