"""The bias of magnitudes: closed forms and draws agree, its inverse is right above σ and quiet below, and only removed noise counts."""

import numpy as np
import pytest
from scipy import ndimage, stats

from keras_mri.imaging import phantoms
from keras_mri.imaging.acquisition.rician import mean_of_magnitude, unbiased, without_bias
from keras_mri.imaging.noise import add_rician_noise

_SIGNALS = np.array([0.0, 0.3, 1.0, 2.0, 5.0, 10.0])


def _drawn(signals, channels, rng, count=400_000):
    real = rng.standard_normal((channels, count)) + signals[:, None, None] / np.sqrt(channels)
    return np.sqrt((real**2 + rng.standard_normal((channels, count)) ** 2).sum(axis=1)).mean(axis=1)


def test_the_mean_of_one_channel_is_that_of_the_rice_distribution():
    np.testing.assert_allclose(mean_of_magnitude(_SIGNALS), [stats.rice(signal).mean() for signal in _SIGNALS], rtol=1e-9)
    assert mean_of_magnitude(0.0) == pytest.approx(np.sqrt(np.pi / 2))


@pytest.mark.parametrize("channels", [1, 4])
def test_the_mean_is_that_of_noise_that_was_drawn(channels, rng):
    np.testing.assert_allclose(mean_of_magnitude(_SIGNALS, channels), _drawn(_SIGNALS, channels, rng, 100_000), atol=0.01)


@pytest.mark.parametrize("channels", [1, 4, 16])
def test_the_signal_is_found_from_its_mean(channels):
    signals = np.linspace(np.sqrt(channels), 60, 500)
    found = unbiased((7 * mean_of_magnitude(signals, channels)).astype(np.float32), 7.0, channels) / 7
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, signals, atol=0.005)


@pytest.mark.parametrize("channels", [1, 8])
def test_the_inverse_rises_without_a_jump_and_is_zero_in_air(channels):
    floor = float(mean_of_magnitude(0.0, channels))
    means = np.linspace(0, 40 * np.sqrt(channels), 200_001).astype(np.float32)
    found = unbiased(means, 1.0, channels)
    assert (np.diff(found) >= -1e-4).all() and np.diff(found).max() < 5 * np.diff(means).max()
    assert (found[means <= floor] == 0).all()
    # Traces of noise stay traces: a residual of a twentieth of σ gives less than a tenth.
    assert unbiased(np.float32([floor + 0.05]), 1.0, channels)[0] < 0.1


def test_sigma_may_differ_from_voxel_to_voxel_and_where_it_is_zero_nothing_changes():
    mean = np.float32([[3.0, 3.0], [0.5, 0.0]])
    found = unbiased(mean, np.float32([[1.0, 0.0], [0.0, 2.0]]))
    np.testing.assert_allclose(found, [[unbiased(mean[:1, :1], 1.0)[0, 0], 3.0], [0.5, 0.0]])


def _scan(rng, sigma=60.0):
    clean, _ = phantoms.head((44, 40, 36))
    return clean, add_rician_noise(clean, sigma, rng), (sigma * mean_of_magnitude(clean / sigma)).astype(np.float32)


def test_a_denoiser_that_removes_all_noise_leaves_no_bias(rng):
    clean, noisy, mean = _scan(rng)
    found = without_bias(noisy, mean, 60.0)
    air = clean == 0
    assert abs(found[air].mean()) < 0.05 * noisy[air].mean()
    tissue = ndimage.binary_erosion(clean > 2 * 60, iterations=4)
    assert abs((found - clean)[tissue].mean()) < 0.02 * 60
    assert abs((mean - clean)[tissue].mean()) > 2 * abs((found - clean)[tissue].mean())


def test_a_scan_that_was_left_alone_stays_as_it_is(rng):
    _, noisy, _ = _scan(rng)
    np.testing.assert_array_equal(without_bias(noisy, noisy, 60.0), noisy)


def test_the_less_was_removed_the_less_bias_is_taken(rng):
    clean, noisy, mean = _scan(rng)
    air = clean == 0
    taken = [
        float((denoised - without_bias(noisy, denoised, 60.0))[air].mean())
        for denoised in (noisy + share * (mean - noisy) for share in (0.1, 0.3, 0.6, 1.0))
    ]
    assert taken[0] < 0.02 * noisy[air].mean() and np.all(np.diff(taken) > 0) and taken[-1] > 0.95 * noisy[air].mean()


def test_noise_that_is_weaker_in_air_is_taken_as_it_is_there(rng):
    signal = np.full((40, 38, 36), 60.0, np.float32)
    noisy = add_rician_noise(signal, 15.0, rng)
    # The scan's noise, where it is strongest, is four times that of this part; the mean of this part is 1.6 % above its signal.
    found = without_bias(noisy, np.full_like(noisy, noisy.mean()), 60.0)
    assert found.mean() == pytest.approx(60, rel=0.04)


def test_exact_zeros_are_no_quiet_surroundings(rng):
    _, noisy, mean = _scan(rng)
    shown = np.zeros(noisy.shape, bool)
    shown[::2] = True
    np.testing.assert_allclose(
        without_bias(noisy * shown, mean * shown, 60.0)[shown].mean(), without_bias(noisy, mean, 60.0)[shown].mean(), rtol=0.02
    )
