"""Noise added has the distribution of the textbook; noise estimated is the noise that was added."""

import numpy as np
import pytest
from scipy import stats

from experiments.data import FOLDER
from keras_mri.errors import InputError
from keras_mri.imaging import phantoms
from keras_mri.imaging.air import air_sigma
from keras_mri.imaging.noise import (
    MODELS,
    add_gaussian_noise,
    add_rician_noise,
    estimate_sigma,
    sigma_and_source,
    tissue_sigma,
)
from keras_mri.imaging.runs.noise import RunNoise, estimate_run_noise
from keras_mri.io.nifti_reading import open_image

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


def _textured_head(shape=(65, 60, 55), texture=0.05):
    """A head whose tissue differs from voxel to voxel, as in scans of 3 mm, and its truth is known."""
    data, _ = phantoms.head(shape)
    return (data * (1 + texture * np.random.default_rng(3).standard_normal(shape))).astype(np.float32)


@pytest.mark.parametrize("coils", [1, 8])
def test_fine_anatomy_is_not_taken_for_noise_where_there_is_air(coils, rng):
    head, sigma = _textured_head(), 15.0
    # The root of the sum of squares of complex coil images, each with its share of the signal.
    power = sum(
        (head / np.sqrt(coils) + sigma * rng.standard_normal(head.shape)) ** 2 + (sigma * rng.standard_normal(head.shape)) ** 2
        for _ in range(coils)
    )
    scan = np.sqrt(power).astype(np.float32)
    assert tissue_sigma(scan) > 1.6 * sigma
    assert air_sigma(scan) == pytest.approx(sigma, rel=0.05)
    found, source = sigma_and_source(scan)
    assert found == pytest.approx(sigma, rel=0.1)
    assert source == "air"


def test_noise_that_the_scanner_interpolated_is_estimated_by_air(rng):
    noise = RunNoise(np.ones(1), ((0.4, 0.0, 0.0), (0.35, 0.0, 0.0), (0.0, 0.0, 0.0))).draw((65, 60, 55, 2), rng)
    scan = np.hypot(_textured_head() + 15 * noise[..., 0], 15 * noise[..., 1])
    assert air_sigma(scan) == pytest.approx(15, rel=0.07)


def test_signal_fluctuations_are_added_to_the_noise_of_air(rng):
    scan = add_rician_noise(4 * _textured_head(), 15.0, rng)
    thermal, signal = air_sigma(scan), np.median(scan[scan > 0.2 * np.percentile(scan, 95)])
    assert estimate_sigma(scan) == pytest.approx(np.hypot(thermal, 0.0075 * signal), rel=1e-3)
    assert thermal == pytest.approx(15, rel=0.05)


@pytest.mark.parametrize("sigma", [5.0, 25.0, 60.0, 100.0])
def test_air_is_found_however_bright_its_noise_is(sigma, rng):
    assert air_sigma(add_rician_noise(_textured_head(), sigma, rng)) == pytest.approx(sigma, rel=0.1)


def test_noise_that_parallel_imaging_left_in_the_head_alone_is_seen_once_it_exceeds_anatomy(rng):
    head = _textured_head(texture=0.02)
    scan = np.where(head > 0, add_rician_noise(head, 120.0, rng), add_rician_noise(head, 50.0, rng))
    assert air_sigma(scan) == pytest.approx(50, rel=0.1)
    sigma, source = sigma_and_source(scan)
    assert sigma == pytest.approx(120, rel=0.1)
    assert source == "image"


def test_a_masked_background_is_not_judged_as_air(rng):
    head = _textured_head()
    scan = add_rician_noise(head, 15.0, rng) * (head > 0)
    assert air_sigma(scan) is None
    assert sigma_and_source(scan) == (tissue_sigma(scan), "image")


def test_a_slab_of_air_left_by_defacing_is_enough(rng):
    scan = add_rician_noise(_textured_head(), 15.0, rng)
    scan[:, :30] = 0
    assert air_sigma(scan) == pytest.approx(15, rel=0.07)


@pytest.mark.parametrize("sigma", [0.5, 0.8, 1.7])
def test_sigma_of_integers_contains_the_noise_of_rounding(sigma, rng):
    scan = np.round(add_gaussian_noise(np.full((40, 36, 30), 500, np.float32), sigma, rng))
    assert estimate_sigma(scan) == pytest.approx(np.sqrt(sigma**2 + 1 / 12), rel=0.05)


def test_a_run_is_judged_by_differences_as_its_noise_model_is():
    data, brain, *_ = phantoms.bold_run((25, 22, 19, 12))
    run = phantoms.noisy_volume(data, 8.0, seed=1).data
    sigma, source = sigma_and_source(run)
    assert source == "differences of frames"
    assert sigma == pytest.approx(np.median(estimate_run_noise(run).sigma[brain]), rel=0.03)


def test_two_frames_are_enough_for_differences():
    data, *_ = phantoms.bold_run((25, 22, 19, 2), drift=0.0)
    assert sigma_and_source(phantoms.noisy_volume(data, 8.0).data) == (pytest.approx(8, rel=0.05), "differences of frames")


@pytest.mark.real_data
@pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the scans")
@pytest.mark.parametrize(
    ("run", "mask", "frames"),
    [
        ("forrest-bold/bold", "bold_mask", range(60, 84)),
        ("prisma-epi/pcasl2d", "pcasl2d_mask", range(2, 50, 2)),
        ("prisma-mini/bold", "bold_mask", range(20)),
    ],
)
def test_sigma_of_one_frame_agrees_with_that_of_its_run_within_a_fifth(run, mask, frames):
    volume = open_image(FOLDER / f"{run}.nii.gz")
    inside = open_image((FOLDER / run).parent / f"{mask}.nii.gz").frame(0) > 0
    scan = np.stack([volume.frame(t) for t in frames], axis=-1)
    expected = np.median(estimate_run_noise(scan, inside).sigma[inside])
    for t in (0, 11, 19):
        assert estimate_sigma(scan[..., t]) == pytest.approx(expected, rel=0.2)
    assert estimate_sigma(scan) == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize("value", [1e6, 3e38, -32767])
def test_a_few_voxels_that_hold_what_no_tissue_has_change_no_estimate(value):
    clean = phantoms.head((40, 38, 30), seed=1)[0]
    noisy = phantoms.noisy_volume(clean, 40, seed=2, model="rician").data
    hot = noisy.copy()
    hot[[12, 3, 20], [11, 4, 9], [10, 5, 17]] = value
    for frames in (1, 4):
        plain, spiked = (np.stack([data * (1 + 0.01 * t) for t in range(frames)], axis=-1) for data in (noisy, hot))
        assert estimate_sigma(spiked) == pytest.approx(estimate_sigma(plain), rel=0.03)
