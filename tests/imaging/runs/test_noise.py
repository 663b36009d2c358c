"""The noise measured in a run is the noise that was put in, and noise drawn is the noise that was measured."""

import numpy as np
import pytest
from scipy import ndimage

from experiments.data import FOLDER
from keras_mri.errors import InputError
from keras_mri.imaging import phantoms
from keras_mri.imaging.runs.noise import RunNoise, estimate_run_noise, estimate_run_noise_by_slabs, noise_kernel
from keras_mri.io.nifti_reading import open_image

_NONE = (0.0, 0.0, 0.0)
_LAGS = ((0.4, 0.1, 0.05), (0.3, -0.05, 0.0), _NONE)


def _steady(shape, sigma, seed=0, mean=1000.0):
    return (mean + sigma * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def _correlation(noise, axis, lag):
    first, second = np.split(np.moveaxis(noise, axis, 0), [noise.shape[axis] - lag])[0], np.moveaxis(noise, axis, 0)[lag:]
    return (first.astype(np.float64) * second).mean() / (noise.astype(np.float64) ** 2).mean()


@pytest.mark.parametrize("frames", [3, 4, 5, 8, 20, 100])
def test_sigma_is_that_of_white_noise_however_few_frames_there_are(frames):
    noise = estimate_run_noise(_steady((19, 18, 17, frames), 7.0))
    assert np.median(noise.sigma) == pytest.approx(7, rel=0.06)
    assert noise.sigma.dtype == np.float32
    np.testing.assert_allclose(noise.correlation, _NONE, atol=0.04)
    assert noise.widths == _NONE
    assert not noise.smoothed_beforehand


def test_sigma_follows_the_noise_of_every_place():
    run, brain, *_ = phantoms.bold_run((25, 22, 19, 30))
    truth = np.linspace(5, 25, 25, dtype=np.float32)[:, None, None] * np.ones((22, 19), np.float32)
    noisy = run + truth[..., None] * np.random.default_rng(1).standard_normal(run.shape, dtype=np.float32)
    ratio = estimate_run_noise(noisy, brain).sigma[2:-2] / truth[2:-2]
    assert ratio.mean() == pytest.approx(1, abs=0.03)
    assert ratio.std() < 0.07


def test_anatomy_drift_and_activation_are_no_noise():
    run, brain, *_ = phantoms.bold_run((25, 22, 19, 48), amplitude=0.05, drift=0.2)
    noise = estimate_run_noise(phantoms.noisy_volume(run, 4.0, seed=3).data, brain)
    assert np.median(noise.sigma[brain]) == pytest.approx(4, rel=0.03)
    assert np.quantile(noise.sigma[brain], 0.99) < 6


def test_a_blank_frame_a_spike_and_a_bright_first_frame_hardly_change_sigma():
    run = _steady((11, 10, 9, 60), 7.0)
    run[..., 20] = 0
    run[..., 40] *= 3
    run[..., 0] *= 1.3
    noise = estimate_run_noise(run, np.ones(run.shape[:3], bool))
    assert np.median(noise.sigma) == pytest.approx(7, rel=0.04)
    np.testing.assert_allclose(noise.correlation, _NONE, atol=0.06)


def test_exact_zeros_have_no_noise_and_the_brain_beside_them_keeps_its_own():
    inside = np.zeros((15, 14, 13), bool)
    inside[3:12, 4:11, 5:10] = True
    inside[1, 1, 1] = True
    noise = estimate_run_noise(_steady((*inside.shape, 40), 7.0) * inside[..., None])
    assert (noise.sigma[~inside] == 0).all()
    np.testing.assert_allclose(noise.sigma[inside], 7, rtol=0.35)
    whole = estimate_run_noise(_steady((*inside.shape, 40), 7.0))
    deep = ndimage.binary_erosion(inside)
    np.testing.assert_allclose(noise.sigma[deep], whole.sigma[deep], rtol=1e-5)


@pytest.mark.parametrize("sigma", [0.35, 0.5, 1.0, 3.0])
def test_sigma_of_integers_contains_the_noise_of_rounding(sigma):
    base = np.random.default_rng(5).uniform(500, 600, (15, 14, 13, 1))
    run = np.round(base + sigma * np.random.default_rng(6).standard_normal((15, 14, 13, 80))).astype(np.float32)
    measured = estimate_run_noise(run).sigma
    # Sheppard: rounding adds a variance of 1 / 12.
    assert np.median(measured) == pytest.approx(np.sqrt(sigma**2 + 1 / 12), rel=0.12)
    assert measured.min() > 0


def test_a_constant_run_has_no_noise_and_none_is_divided_by_zero():
    run = np.full((9, 8, 7, 12), 300, np.float32)
    noise = estimate_run_noise(run)
    assert (noise.sigma == 0).all()
    assert noise.lags == (_NONE,) * 3
    run = np.full((9, 8, 7, 80), 300, np.float32)
    run[..., 30] = 0
    assert (estimate_run_noise(run).sigma == 0).all()


def test_an_empty_run_has_no_noise():
    noise = estimate_run_noise(np.zeros((9, 8, 7, 12), np.float32))
    assert (noise.sigma == 0).all()
    assert noise.correlation == _NONE


def test_a_constant_voxel_in_a_noisy_run_has_a_fifth_of_the_median():
    run = _steady((15, 14, 13, 30), 7.0)
    run[:5, :5, :5] = 400
    assert estimate_run_noise(run).sigma[1, 1, 1] == pytest.approx(0.2 * 7, rel=0.03)


@pytest.mark.parametrize("lags", [(0.4, 0.1, 0.05), (0.3, -0.05, 0.0), (0.17, 0.07, 0.06), (0.6,)])
def test_a_kernel_has_the_autocorrelation_asked_for(lags):
    kernel = noise_kernel(lags)
    assert len(kernel) % 2 == 1
    np.testing.assert_allclose(kernel, kernel[::-1], atol=1e-12)
    autocorrelation = np.correlate(kernel, kernel, "full")[len(kernel) - 1 :]
    expected = np.zeros(7)
    expected[: len(lags) + 1] = [1, *lags]
    # 0.6 next to nothing is more than any noise can have (0.5 at most): variance 1 is kept, correlation as near as can be.
    np.testing.assert_allclose(autocorrelation[:7], expected, atol=0.005 if lags[0] < 0.5 else 0.2)


def test_drawn_noise_has_variance_one_at_the_faces_too_and_the_correlation_asked_for():
    shape = (18, 15, 11, 400)
    noise = RunNoise(np.ones((3, 2, 1), np.float32), _LAGS).draw(shape, np.random.default_rng(7))
    assert noise.shape == shape
    assert noise.dtype == np.float32
    # The SD of a variance over n frames is √(2 / n) = 0.07; means over a face of 165 voxels, correlated, have a tenth of it.
    variance = noise.var(axis=3)
    assert variance.mean() == pytest.approx(1, abs=0.01)
    for axis in range(3):
        for face in (0, -1):
            assert variance.take(face, axis).mean() == pytest.approx(1, abs=0.05)
        for lag in (1, 2, 3):
            assert _correlation(noise, axis, lag) == pytest.approx(_LAGS[axis][lag - 1], abs=0.012)
    # No voxel has its partner on the opposite face.
    assert (noise[0] * noise[-1]).mean() == pytest.approx(0, abs=0.02)
    assert _correlation(noise, 3, 1) == pytest.approx(0, abs=0.01)


def test_drawn_noise_comes_back_from_its_seed_and_white_noise_is_white():
    noise = RunNoise(np.ones((3, 2, 1), np.float32), _LAGS)
    first, again, other = (noise.draw((9, 8, 7, 3), np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    white = RunNoise(np.ones((3, 2, 1), np.float32), (_NONE,) * 3)
    np.testing.assert_array_equal(
        white.draw((9, 8, 7, 1), np.random.default_rng(1))[..., 0], np.random.default_rng(1).standard_normal((9, 8, 7), dtype=np.float32)
    )


def test_the_noise_of_a_run_is_drawn_as_it_was_put_in():
    truth = RunNoise(np.ones((1, 1, 1), np.float32), _LAGS)
    run = 500 + 12 * truth.draw((30, 28, 20, 40), np.random.default_rng(8))
    noise = estimate_run_noise(run)
    np.testing.assert_allclose(noise.lags, _LAGS, atol=0.03)
    assert np.median(noise.sigma) == pytest.approx(12, rel=0.03)


def test_the_kernel_width_of_smoothed_noise_is_that_of_the_gaussian():
    run = 500 + ndimage.gaussian_filter(_steady((40, 36, 20, 30), 9.0, mean=0.0), (0.9, 0.7, 0, 0))
    noise = estimate_run_noise(run.astype(np.float32))
    np.testing.assert_allclose(noise.widths, (0.9, 0.7, 0.0), atol=0.04)
    assert noise.smoothed_beforehand


def test_noise_as_scanners_leave_it_does_not_count_as_smoothed():
    assert not RunNoise(np.ones(1), ((0.43, 0.03, 0.0), (0.36, -0.04, 0.0), _NONE)).smoothed_beforehand
    assert RunNoise(np.ones(1), (_NONE, _NONE, (0.5, 0.3, 0.1))).smoothed_beforehand


def test_slab_by_slab_gives_what_the_whole_run_gives_and_asks_for_every_slice_once():
    run, brain, *_ = phantoms.bold_run((13, 12, 11, 20))
    noisy = phantoms.noisy_volume(run, 20.0, seed=4).data
    asked = []

    def slab(first, last):
        asked.extend(range(first, last))
        return noisy[:, :, first:last]

    whole, parts = estimate_run_noise(noisy, brain), estimate_run_noise_by_slabs(slab, 11, brain, thickness=4)
    assert asked == list(range(11))
    np.testing.assert_array_equal(parts.sigma, whole.sigma)
    assert parts.lags == whole.lags


def test_a_run_of_one_slice_is_measured():
    noise = estimate_run_noise(_steady((40, 36, 1, 30), 7.0))
    assert np.median(noise.sigma) == pytest.approx(7, rel=0.03)
    assert noise.correlation[2] == 0.0


def test_two_frames_are_too_few():
    with pytest.raises(InputError, match="the noise of a run is measured on three frames or more. Received: 2"):
        estimate_run_noise(np.ones((9, 8, 7, 2), np.float32))


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(InputError, match=r"`mask` must have the run's first three sides, \(9, 8, 7\). Received: \(9, 8, 6\)"):
        estimate_run_noise(np.ones((9, 8, 7, 5), np.float32), np.ones((9, 8, 6), bool))


@pytest.mark.real_data
@pytest.mark.skipif(not (FOLDER / "prisma-mini").is_dir(), reason="needs the scans")
def test_a_scanned_run_has_the_noise_that_was_measured_by_other_means():
    folder = FOLDER / "prisma-mini"
    run, mask = open_image(folder / "bold.nii.gz"), open_image(folder / "bold_mask.nii.gz").frame(0) > 0
    noise = estimate_run_noise(np.stack([run.frame(t) for t in range(run.n_frames)], axis=-1), mask)
    # The table of the data folder, of residuals: differences 0.15, 0.18, 0.08 along x, y, z, at 0.7 to 0.8 % of the mean.
    np.testing.assert_allclose(noise.correlation, (0.17, 0.17, 0.1), atol=0.04)
    assert np.median(noise.sigma[mask]) / run.frame(0)[mask].mean() == pytest.approx(0.007, abs=0.001)
    assert not noise.smoothed_beforehand
