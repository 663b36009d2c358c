"""Noise added has the distribution of the textbook; noise estimated is the noise that was added."""

import numpy as np
import pytest
from scipy import stats

from keras_mri.errors import InputError
from keras_mri.imaging import phantoms
from keras_mri.imaging.noise import MODELS, add_gaussian_noise, add_rician_noise, estimate_sigma

_ADD = dict(gaussian=add_gaussian_noise, rician=add_rician_noise)
_VOXELS = 200_000


def test_every_model_of_noise_is_tested_here():
    assert set(MODELS) == set(_ADD)


def test_gaussian_noise_has_the_mean_and_sd_asked_for(rng):
    noise = add_gaussian_noise(np.full(_VOXELS, 100, np.float32), 7.0, rng) - 100
    assert noise.mean() == pytest.approx(0, abs=4 * 7 / np.sqrt(_VOXELS))
    assert noise.std() == pytest.approx(7, rel=4 / np.sqrt(2 * _VOXELS))


@pytest.mark.parametrize("signal", [0.0, 5.0, 20.0, 100.0])
def test_rician_noise_has_the_mean_and_sd_of_the_closed_form(rng, signal):
    noisy = add_rician_noise(np.full(_VOXELS, signal, np.float32), 10.0, rng)
    expected = stats.rice(signal / 10, scale=10)
    assert noisy.mean() == pytest.approx(expected.mean(), abs=4 * expected.std() / np.sqrt(_VOXELS))
    assert noisy.std() == pytest.approx(expected.std(), rel=0.01)
    assert noisy.min() >= 0


@pytest.mark.parametrize("model", MODELS)
def test_noise_is_float32_reproducible_and_leaves_the_data_alone(model):
    data, _ = phantoms.head((9, 8, 7))
    before = data.copy()
    first, again, other = (_ADD[model](data, 30.0, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.dtype == np.float32
    assert first.shape == data.shape
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_equal(data, before)


@pytest.mark.parametrize("model", MODELS)
def test_no_noise_changes_nothing(model, rng):
    data, _ = phantoms.head((9, 8, 7))
    np.testing.assert_array_equal(_ADD[model](data, 0.0, rng), data)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("sigma", [-0.5, np.nan])
def test_a_negative_sigma_is_refused(model, sigma, rng):
    with pytest.raises(InputError, match=f"`sigma`, a standard deviation, cannot be negative. Received: {sigma}"):
        _ADD[model](np.ones((3, 2, 1), np.float32), sigma, rng)


def test_rician_noise_refuses_negative_data(rng):
    with pytest.raises(InputError, match="Rician noise needs magnitude data, without negative values. Received a minimum of -2"):
        add_rician_noise(np.float32([1, -2]), 1.0, rng)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("sigma", [20.0, 50.0, 100.0])
def test_sigma_of_a_volume_is_estimated_within_a_tenth(model, sigma):
    # As fine as a structural scan of 2 mm: a coarser head is little but edges.
    data, _ = phantoms.head((97, 90, 83))
    assert estimate_sigma(phantoms.noisy_volume(data, sigma, seed=1, model=model).data) == pytest.approx(sigma, rel=0.1)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("sigma", [2.0, 20.0, 80.0])
def test_sigma_of_a_run_is_estimated_within_a_tenth_whatever_the_anatomy_and_the_activation(model, sigma):
    data, *_ = phantoms.bold_run((25, 22, 19, 30))
    assert estimate_sigma(phantoms.noisy_volume(data, sigma, seed=1, model=model).data) == pytest.approx(sigma, rel=0.1)


@pytest.mark.parametrize("frames", [(), (12,)])
def test_exact_zeros_of_a_masked_scan_do_not_lower_the_estimate(frames):
    _, brain = phantoms.head((41, 38, 33))
    inside = np.broadcast_to(brain.reshape(*brain.shape, *(1 for _ in frames)), (*brain.shape, *frames))
    masked = phantoms.noisy_volume(np.full(inside.shape, 500, np.float32), 40.0, seed=2).data * inside
    assert (masked == 0).mean() > 0.5
    assert estimate_sigma(masked) == pytest.approx(40.0, rel=0.1)


def test_a_run_of_one_frame_is_judged_as_a_volume():
    data, _ = phantoms.head((41, 38, 33))
    noisy = phantoms.noisy_volume(data, 40.0).data
    assert estimate_sigma(noisy[..., None]) == estimate_sigma(noisy)


def test_sigma_of_a_single_slice_is_estimated():
    noisy = phantoms.noisy_volume(np.full((60, 50, 1), 500, np.float32), 25.0).data
    assert estimate_sigma(noisy) == pytest.approx(25.0, rel=0.1)


def test_the_estimate_is_in_the_unit_of_the_data():
    noisy = phantoms.noisy_volume(np.full((20, 18, 16), 500, np.float32), 25.0).data
    assert estimate_sigma(8 * noisy) == pytest.approx(8 * estimate_sigma(noisy), rel=1e-5)


@pytest.mark.parametrize("shape", [(9, 8, 7), (9, 8, 7, 3)])
def test_an_empty_scan_has_no_noise(shape):
    assert estimate_sigma(np.zeros(shape, np.float32)) == 0.0
