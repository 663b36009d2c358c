"""The channels of a run: in units of the noise, whatever the noise, and with nothing of the run lost."""

import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.imaging import phantoms
from keras_mri.imaging.runs.noise import RunNoise
from keras_mri.systems.wgan.run_channels import (
    CHANNELS,
    WIDTHS,
    activity,
    channels_of,
    inverse,
    local_contrast,
    noise_gains,
    run_channels,
    scores,
)

_NONE = (0.0, 0.0, 0.0)
# As scanners correlate the noise of neighbours: not at all, or as forrest-bold does.
_WHITE, _COLOURED = (_NONE,) * 3, ((0.38, 0.03, 0.0), (0.39, -0.04, 0.0), (0.16, 0.0, 0.0))


def _noise(lags, shape, seed=0):
    return RunNoise(np.ones((1, 1, 1), np.float32), lags).draw(shape, np.random.default_rng(seed))


def _noisy_head(shape, seed=0, lags=_WHITE, sigma=12.0):
    head, _ = phantoms.head(shape[:3], seed)
    return (head[..., None] + 200 + sigma * _noise(lags, shape, seed)).astype(np.float32)


@pytest.fixture(scope="module")
def of_noise():
    """A run without anything but anatomy and correlated noise, and its channels."""
    run = _noisy_head((26, 24, 22, 24), lags=_COLOURED)
    return run, run_channels(run, 2.0)


def test_a_run_is_its_mean_and_the_maps_times_the_basis(of_noise):
    run, (channels, basis, mean, sigma) = of_noise
    assert channels.shape == (23, 26, 24, 22, CHANNELS) and basis.shape == (24, 23)
    assert mean.shape == sigma.shape == (26, 24, 22)
    assert {array.dtype for array in (channels, basis, mean, sigma)} == {np.dtype(np.float32)}
    again = mean[..., None] + sigma[..., None] * np.tensordot(channels[..., 0], basis, (0, 1))
    np.testing.assert_allclose(again, run, rtol=1e-5)


def test_fifteen_lines_of_numpy_make_the_map_from_what_is_returned(of_noise):
    run, (channels, basis, mean, sigma) = of_noise
    by_hand = np.einsum("xyzt,tk->kxyz", (run - run.mean(axis=3, keepdims=True)) / sigma[..., None], basis)
    np.testing.assert_allclose(channels[..., 0], by_hand, atol=2e-3)
    np.testing.assert_allclose(mean, run.mean(axis=3), rtol=1e-6)


@pytest.mark.parametrize("lags", [_WHITE, _COLOURED])
def test_maps_of_noise_have_sd_one(lags):
    channels = run_channels(_noisy_head((24, 22, 20, 20), seed=1, lags=lags)).channels
    deviations = channels[..., 0].std(axis=(1, 2, 3))
    assert np.sqrt((deviations**2).mean()) == pytest.approx(1, abs=0.03)
    # The first maps take what noise the voxels happen to share, the last ones have less.
    assert 0.9 < deviations.min() and deviations.max() < 1.15


@pytest.mark.parametrize("lags", [_WHITE, _COLOURED, ((0.17, 0.0, 0.0), (0.28, 0.0, 0.0), (0.09, 0.0, 0.0))])
def test_smoothed_noise_has_sd_one_before_the_inverse_hyperbolic_sine(lags):
    frames = _noise(lags, (40, 38, 36, 8), seed=2)
    gains = noise_gains(lags)
    assert len(gains) == len(WIDTHS)
    for k, width in enumerate(WIDTHS):
        # The mirror image beyond a face counts voxels twice, and noise more: up to the width of the kernel.
        inside = (slice(None), *(slice(3 * int(width), -3 * int(width)),) * 3)
        smoothed = np.stack([np.sinh(scores(frames[..., t], gains)[k]) for t in range(8)])[inside]
        # About 400 independent values at the wide one: the SD of an SD is 0.035.
        assert smoothed.std() == pytest.approx(1, abs=0.03 if k == 0 else 0.08)
        assert smoothed.mean() == pytest.approx(0, abs=0.03 if k == 0 else 0.1)


def test_the_gain_of_white_noise_is_that_of_the_gaussian():
    # A Gaussian of SD s in three dimensions leaves (2 s √π)^-1.5 of the SD; sampled, slightly more at s = 1.
    np.testing.assert_allclose(noise_gains(_WHITE), [(2 * width * np.sqrt(np.pi)) ** -1.5 for width in WIDTHS], rtol=2e-3)


def test_correlated_noise_survives_smoothing_better():
    assert all(coloured > 1.3 * white for coloured, white in zip(noise_gains(_COLOURED), noise_gains(_WHITE)))


def test_scores_do_not_saturate_and_keep_the_sign():
    values = np.zeros((17, 16, 15), np.float32)
    values[8, 8, 7], values[2, 2, 2] = 1e6, -1e6
    narrow, _ = scores(values, noise_gains(_WHITE))
    assert np.isfinite(narrow).all() and narrow[8, 8, 7] > 12 and narrow[2, 2, 2] < -12


def test_activity_is_zero_where_there_is_noise_alone_and_the_logarithm_of_power_where_there_is_signal():
    lags, shape = _COLOURED, (30, 28, 26)
    maps = np.moveaxis(_noise(lags, (*shape, 16), seed=3), 3, 0).copy()
    quiet = activity(maps, noise_gains(lags))
    assert quiet.dtype == np.float32 and abs(quiet.mean()) < 0.1 and quiet.std() < 0.5
    # A wide blob of ten times the SD of smoothed noise in half of the maps.
    maps[:8, 8:20, 8:20, 8:20] += 10 * np.float32(noise_gains(lags)[0])
    active = activity(maps, noise_gains(lags))
    # Mean power: (8 · (100 + 1) + 8) / 16 = 51.
    assert active[12:16, 12:16, 12:16].mean() == pytest.approx(np.log(51), abs=0.2)
    np.testing.assert_allclose(active[-4:], quiet[-4:], atol=1e-5)


def test_activity_looks_at_the_first_sixteen_maps_alone():
    maps = list(np.moveaxis(_noise(_WHITE, (9, 8, 7, 18)), 3, 0))
    read = []
    first = activity((read.append(k) or maps[k] for k in range(18)), noise_gains(_WHITE))
    assert read == list(range(16))
    np.testing.assert_array_equal(first, activity(maps[:16], noise_gains(_WHITE)))


def test_an_empty_place_has_the_least_activity_and_no_maps_have_none():
    assert activity([np.zeros((5, 4, 3), np.float32)], (1.0, 1.0)).max() == pytest.approx(np.log(0.1))
    assert np.isfinite(activity([], (1.0, 1.0))).all()


def test_local_contrast_is_in_units_of_five_percent_of_the_range():
    mean = np.full((25, 24, 23), 1000, np.float32)
    mean[12, 12, 11] = 1100
    contrast = local_contrast(mean)
    # Of the bump of 100, the Gaussian of two voxels leaves 1 / (2 √(2π))³ = 0.8 % in its place; one unit is 50.
    assert contrast[12, 12, 11] == pytest.approx(2 * (1 - (2 * np.sqrt(2 * np.pi)) ** -3), abs=0.01)
    assert contrast[0, 0, 0] == pytest.approx(0, abs=1e-4)
    np.testing.assert_allclose(local_contrast(7 * mean), contrast, atol=1e-3)
    assert np.abs(local_contrast(np.zeros((5, 4, 3), np.float32))).max() == 0


def test_channels_are_in_the_order_that_the_network_was_trained_on(of_noise):
    run, made = of_noise
    contrast = local_contrast(made.mean)
    for k in (0, 11, 22):
        np.testing.assert_allclose(made.channels[k, ..., 3], contrast, atol=1e-5)
        np.testing.assert_allclose(made.channels[k, ..., 4], made.channels[0, ..., 4], atol=1e-6)
    values, guide = np.arange(60, dtype=np.float32).reshape(5, 4, 3), np.ones((5, 4, 3), np.float32)
    stacked = channels_of(values, (1.0, 1.0), 2 * guide, 3 * guide)
    np.testing.assert_array_equal(stacked[..., 0], values)
    assert (stacked[..., 1] >= 0).all() and (stacked[..., 3] == 2).all() and (stacked[..., 4] == 3).all()


def test_an_activation_is_gathered_in_few_maps_far_above_the_noise():
    run = _noisy_head((24, 22, 20, 48), seed=4, sigma=10.0)
    block = (np.arange(48) // 12 % 2).astype(np.float32)
    # 1 % of about 1000: as strong as the noise, in 5³ voxels.
    run[8:13, 8:13, 8:13] += 10 * block
    channels = run_channels(run, 2.0).channels[:, 10, 10, 10, 1]
    # Smoothed, it stands out by ten SDs in the strongest map, and nowhere by more than chance without it.
    assert np.abs(np.sinh(channels[:3])).max() > 8
    assert np.abs(np.sinh(channels[10:])).max() < 5


def test_where_the_run_is_exactly_zero_nothing_is_divided():
    run = _noisy_head((16, 15, 14, 12))
    run[:5] = 0
    made = run_channels(run)
    assert np.isfinite(made.channels).all()
    assert (made.sigma[:5] == 0).all() and (made.channels[:, :5, ..., 0] == 0).all() and (made.mean[:5] == 0).all()


def test_a_constant_run_has_empty_maps():
    made = run_channels(np.full((9, 8, 7, 12), 300, np.float32))
    assert (made.channels[..., 0] == 0).all() and np.isfinite(made.channels).all()


def test_the_inverse_of_no_noise_is_none():
    np.testing.assert_array_equal(inverse(np.array([0.0, 0.5, 4.0], np.float32)), [0, 2, 0.25])


def test_the_run_given_stays_as_it_is():
    run = _noisy_head((9, 8, 7, 10))
    before = run.copy()
    run_channels(run, 2.0)
    np.testing.assert_array_equal(run, before)


@pytest.mark.parametrize("kind", [np.int16, np.float64, np.uint16])
def test_other_types_give_what_float32_gives(kind):
    run = _noisy_head((12, 11, 10, 10)).round()
    made = run_channels(run.astype(kind))
    assert made.channels.dtype == np.float32
    np.testing.assert_allclose(made.channels, run_channels(run).channels, atol=2e-3)


@pytest.mark.parametrize("shape", [(9, 8, 7), (9, 8, 7, 9), (9, 8, 7, 1)])
def test_a_short_run_and_a_volume_are_refused(shape):
    with pytest.raises(InputError, match=r"`run` must have 10 frames or more: \(x, y, z, t\). Received: shape \(9, 8, 7"):
        run_channels(np.ones(shape, np.float32))


@pytest.mark.parametrize(
    ("change", "repetition_time", "said"),
    [
        (lambda run: run, 0, "must be a number of seconds from 0.01 to 100"),
        (lambda run: run, "2", "must be a number of seconds from 0.01 to 100"),
        (lambda run: run * np.float32(1e16), 2.0, "must hold intensities below 1e\\+15"),
        (lambda run: run.astype(complex), 2.0, "must hold real numbers"),
        (lambda run: None, 2.0, "must hold real numbers"),
    ],
)
def test_what_is_no_run_is_refused(change, repetition_time, said):
    run = np.random.default_rng(0).normal(100, 10, (4, 4, 4, 12)).astype(np.float32)
    with pytest.raises(InputError, match=said):
        run_channels(change(run), repetition_time)
