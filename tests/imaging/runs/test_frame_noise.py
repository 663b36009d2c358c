"""The noise map of a run: drawn noise is found, slow signals and frames that are left out are not."""

import numpy as np
import pytest

from keras_mri.imaging import phantoms
from keras_mri.imaging.runs.frame_noise import FrameNoise


def noise_of(run, times=None):
    noise = FrameNoise()
    for t, frame in zip(range(run.shape[-1]) if times is None else times, np.moveaxis(run, -1, 0)):
        noise.add(t, frame)
    return noise


def test_noise_is_found_where_it_was_drawn(rng):
    clean = phantoms.head((12, 11, 10))[0]
    sigma = np.full(clean.shape, 5.0)
    sigma[6:] = 20.0
    # A linear drift of 30 a frame cancels in second differences.
    run = clean[..., None] + 30 * np.arange(80) + sigma[..., None] * rng.normal(size=(*clean.shape, 80))
    found = noise_of(run.astype(np.float32)).map()
    assert np.median(found[:6]) == pytest.approx(5, rel=0.03) and np.median(found[6:]) == pytest.approx(20, rel=0.03)


def test_hand_typed_second_differences():
    # Second differences of -6, 3 and 3 times (2, 1): levels of 6, 3 and 3 times √2.5, mean squares over levels 4 / 2.5 and 1 / 2.5.
    run = 100 + np.array([0, 3, 0, 0, 3])[None] * np.array([2, 1])[:, None]
    expected = 3 * np.array([2, 1]) / np.sqrt(6)
    np.testing.assert_allclose(noise_of(run.reshape(2, 1, 1, 5)).map().ravel(), expected)


@pytest.mark.parametrize("frames", [3, 5, 12, 100])
def test_the_typical_noise_is_right_for_few_frames_too(rng, frames):
    run = rng.normal(0, 3, (20, 18, 16, frames))
    region = np.indices(run.shape[:3])[0] > 2
    assert noise_of(run).typical(region) == pytest.approx(3, rel=0.03)


def test_a_spike_counts_no_more_than_another_frame(rng):
    clean = phantoms.head((22, 20, 18))[0]
    run = clean[..., None] + rng.normal(0, 5, (*clean.shape, 60))
    run[..., 25] *= 1.3
    assert np.median(noise_of(run).map()[clean > 0]) == pytest.approx(5, rel=0.1)


def test_what_never_changes_has_no_noise():
    assert not noise_of(np.ones((5, 4, 3, 6)) * np.arange(5)[:, None, None, None]).map().any()


def test_a_frame_that_is_left_out_stands_in_no_difference(rng):
    run = rng.normal(0, 3, (9, 8, 7, 40)).astype(np.float32)
    run[..., 20] += 1000
    times = [t for t in range(40) if t != 20]
    noise = noise_of(run[..., times], times)
    assert noise.count == 18 + 17
    assert np.sqrt(np.mean(noise.map() ** 2)) == pytest.approx(3, rel=0.05)


def test_fewer_than_three_neighbours_have_no_map(rng):
    run = rng.normal(size=(5, 4, 3, 4))
    assert noise_of(run[..., :2]).map() is None
    assert noise_of(run, [0, 1, 3, 4]).map() is None
