"""Metrics against numbers worked out by hand, scikit-image, NumPy and noise of a known smoothness."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from keras_mri.errors import InputError
from keras_mri.imaging import phantoms
from keras_mri.imaging.metrics import RunStatistics, nrmse, psnr, rmse, ssim, ssim_map

_REFERENCE = np.float32([[[3, 4], [0, 10]]])
_IMAGE = np.float32([[[3, 6], [0, 10]]])
_MASK = np.array([[[True, True], [False, False]]])


@pytest.fixture
def pair():
    """A head and the same with noise."""
    data, brain = phantoms.head((23, 21, 19))
    return data, phantoms.noisy_volume(data, 50.0, seed=1).data, brain


def test_rmse_psnr_and_nrmse_by_hand():
    # One of four voxels is off by 2: RMSE 1; the peak is 10; the reference's mean square is 125/4.
    assert rmse(_REFERENCE, _IMAGE) == pytest.approx(1.0)
    assert psnr(_REFERENCE, _IMAGE) == pytest.approx(20.0)
    assert psnr(_REFERENCE, _IMAGE, data_range=100) == pytest.approx(40.0)
    assert nrmse(_REFERENCE, _IMAGE) == pytest.approx(1 / np.sqrt(31.25))


def test_rmse_psnr_and_nrmse_in_a_mask_by_hand():
    # In the mask: errors 0 and 2, values 3 and 4; the peak stays that of the whole reference.
    assert rmse(_REFERENCE, _IMAGE, _MASK) == pytest.approx(np.sqrt(2))
    assert psnr(_REFERENCE, _IMAGE, _MASK) == pytest.approx(20 * np.log10(10 / np.sqrt(2)))
    assert nrmse(_REFERENCE, _IMAGE, _MASK) == pytest.approx(np.sqrt(2 / 12.5))


def test_psnr_is_that_of_scikit_image(pair):
    reference, image, _ = pair
    assert psnr(reference, image, data_range=900) == pytest.approx(peak_signal_noise_ratio(reference, image, data_range=900), abs=1e-4)


def test_equal_volumes_have_infinite_psnr_no_error_and_similarity_one(pair):
    reference, _, brain = pair
    assert psnr(reference, reference) == np.inf
    assert nrmse(reference, reference, brain) == 0
    assert ssim(reference, reference) == pytest.approx(1)


def test_the_relative_error_to_an_empty_reference_is_infinite_unless_there_is_none():
    empty = np.zeros((9, 8, 7), np.float32)
    assert nrmse(empty, empty + 1) == np.inf
    assert nrmse(empty, empty) == 0


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_an_empty_reference_needs_a_data_range(metric):
    empty = np.zeros((9, 8, 7), np.float32)
    with pytest.raises(InputError, match="cannot be taken from a reference whose maximum is 0; state it with `data_range`"):
        metric(empty, empty + 1)


def test_similarity_is_that_of_scikit_image(pair):
    reference, image, brain = pair
    _, expected = structural_similarity(reference, image, win_size=7, data_range=800, full=True)
    np.testing.assert_allclose(ssim_map(reference, image, 800), expected, atol=1e-5)
    assert ssim(reference, image, data_range=800) == pytest.approx(expected.mean(), abs=1e-5)
    assert ssim(reference, image, brain, data_range=800) == pytest.approx(expected[brain].mean(), abs=1e-5)


def test_similarity_of_one_window_by_the_equation(rng):
    # Wang 2004, eq. 13, with K1 = 0.01, K2 = 0.03 and sample (co)variances.
    first, second = rng.uniform(0, 1, (2, 7, 7, 7)).astype(np.float32)
    (var_1, cov), (_, var_2) = np.cov(first.ravel(), second.ravel())
    mean_1, mean_2, c_1, c_2 = first.mean(), second.mean(), 0.01**2, 0.03**2
    expected = (2 * mean_1 * mean_2 + c_1) * (2 * cov + c_2) / ((mean_1**2 + mean_2**2 + c_1) * (var_1 + var_2 + c_2))
    assert ssim_map(first, second, 1.0)[3, 3, 3] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shape", [(9, 8, 1), (9, 8, 3), (2, 9, 8), (1, 1, 1)])
def test_similarity_of_volumes_thinner_than_its_window(shape, rng):
    reference = rng.uniform(1, 2, shape).astype(np.float32)
    similarity = ssim_map(reference, reference + 0.2, 2.0)
    assert similarity.shape == shape
    # A constant offset leaves the structure term at 1 and lowers the luminance term (between means of 1 … 2, at most 2 %).
    assert ((similarity > 0.98) & (similarity < 1)).all()


@pytest.mark.parametrize("offset", [0.0, 1e5])
def test_tsnr_is_the_median_of_mean_over_sd(rng, offset):
    run = (offset + rng.normal(100, 5, (9, 8, 7, 12))).astype(np.float32)
    mask = rng.random((9, 8, 7)) > 0.5
    expected = np.median((run.mean(-1, dtype=float) / run.std(-1, ddof=1, dtype=float))[mask])
    statistics = _statistics(run, mask)
    assert statistics.tsnr() == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(statistics.mean, run.mean(-1, dtype=float))


def test_tsnr_leaves_out_voxels_that_never_change(rng):
    run = rng.normal(100, 5, (9, 8, 7, 12)).astype(np.float32)
    run[:6] = 0
    expected = np.median(run[6:].mean(-1, dtype=float) / run[6:].std(-1, ddof=1, dtype=float))
    assert _statistics(run).tsnr() == pytest.approx(expected, rel=1e-6)
    assert _statistics(np.ones((9, 8, 7, 3))).tsnr() == np.inf


def test_a_single_frame_has_neither_tsnr_nor_smoothness(rng):
    statistics = _statistics(rng.normal(size=(9, 8, 7, 1)))
    assert np.isnan(statistics.tsnr())
    assert np.isnan(statistics.fwhm((2.0, 2.5, 3.0)))


def test_frames_that_do_not_change_have_no_smoothness():
    assert np.isnan(_statistics(np.ones((9, 8, 7, 3))).fwhm((2.0, 2.5, 3.0)))


@pytest.mark.parametrize("sigmas", [(1.0, 1.0, 1.0), (1.5, 1.0, 2.0)])
def test_the_fwhm_of_smoothed_noise_is_that_of_the_gaussian_in_millimetres(rng, sigmas):
    zooms = (2.0, 2.5, 3.0)
    # Anatomy is still, so it does not count.
    run = 1000 * rng.random((40, 37, 34, 1)) + np.stack([gaussian_filter(rng.normal(size=(40, 37, 34)), sigmas) for _ in range(6)], -1)
    expected = np.sqrt(8 * np.log(2)) * np.prod(np.multiply(sigmas, zooms)) ** (1 / 3)
    assert _statistics(run).fwhm(zooms) == pytest.approx(expected, rel=0.1)


def test_the_fwhm_inside_a_mask_is_not_changed_by_what_lies_outside(rng):
    run = np.stack([gaussian_filter(rng.normal(size=(30, 28, 26)), 1.2) for _ in range(4)], -1)
    _, brain = phantoms.head((30, 28, 26))
    spoilt = np.where(brain[..., None], run, 100 * rng.normal(size=run.shape))
    width = _statistics(spoilt, brain).fwhm((1.0, 1.0, 1.0))
    assert width == pytest.approx(_statistics(run, brain).fwhm((1.0, 1.0, 1.0)))
    assert width == pytest.approx(np.sqrt(8 * np.log(2)) * 1.2, rel=0.1)


def test_the_fwhm_of_a_single_slice_is_that_of_its_plane(rng):
    run = np.stack([gaussian_filter(rng.normal(size=(90, 80, 1)), (1.5, 1.5, 0)) for _ in range(6)], -1)
    assert _statistics(run).fwhm((2.0, 2.0, 5.0)) == pytest.approx(np.sqrt(8 * np.log(2)) * 1.5 * 2, rel=0.1)


def _statistics(run, mask=None):
    statistics = RunStatistics(np.ones(run.shape[:3], bool) if mask is None else mask)
    for t in range(run.shape[3]):
        statistics.add(run[..., t])
    return statistics
