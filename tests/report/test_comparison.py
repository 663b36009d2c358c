"""Statistics gathered frame by frame against NumPy on all frames at once, and against noise that was drawn."""

import tracemalloc

import numpy as np
import pytest

from keras_mri.imaging import phantoms
from keras_mri.imaging.kspace import resampled
from keras_mri.imaging.noise import estimate_sigma
from keras_mri.io.volumes import Volume
from keras_mri.report.comparison import Comparison

_RUN = (20, 18, 16, 7)


def computed(data, affine):
    """Return an array as a Volume such as networks give: nothing has looked at its values."""
    return Volume(lambda t: data[..., t] if data.ndim == 4 else data, data.shape, affine)


def compared(before, after):
    """Return the comparison of two arrays, or Volumes, after the second was read once."""
    before, after = (computed(v, phantoms.oblique_affine()) if isinstance(v, np.ndarray) else v for v in (before, after))
    comparison = Comparison(before, after)
    for _ in comparison.watched().frames():
        pass
    return comparison


@pytest.fixture
def run():
    """A run without noise, and with noise of SD 40."""
    clean = phantoms.bold_run(_RUN)[0]
    return clean, phantoms.noisy_volume(clean, 40.0, seed=3).data


def test_the_watched_result_is_unchanged(run):
    clean, noisy = run
    after = Volume.from_array(clean, np.eye(4))
    np.testing.assert_array_equal(Comparison(Volume.from_array(noisy, np.eye(4)), after).watched().data, clean)


def test_the_residual_is_that_of_the_foreground_of_all_frames(run):
    clean, noisy = run
    comparison = compared(noisy, clean)
    first = noisy[..., 0]
    foreground = first > 0.2 * np.percentile(first[first != 0], 95)
    np.testing.assert_array_equal(comparison.foreground, foreground)
    removed = (noisy - clean)[foreground].astype(np.float64)
    assert comparison.residual.n == removed.size
    assert (comparison.residual.mean, comparison.residual.deviation) == pytest.approx((removed.mean(), removed.std()), rel=1e-4)


def test_noise_is_estimated_before_and_after_and_has_a_flat_spectrum_when_removed(run):
    clean, noisy = run
    comparison = compared(noisy, clean)
    sigma = comparison.sigma()
    assert sigma["before"] == pytest.approx(40, rel=0.1) and sigma["after"] < 8
    frequencies, power = comparison.spectra()["removed"]
    np.testing.assert_allclose(power[2:], 1600, rtol=0.5)
    assert power.mean() == pytest.approx(1600, rel=0.1)
    assert [(name, spectrum[0].shape) for name, spectrum in comparison.spectra().items()] == [
        (name, frequencies.shape) for name in ("before", "after", "removed")
    ]


def test_temporal_snr_is_mean_over_deviation_of_every_voxel(run):
    clean, noisy = run
    comparison = compared(noisy, clean)
    stability = comparison.stability()
    expected = noisy.mean(axis=3, dtype=float) / noisy.std(axis=3, ddof=1, dtype=float)
    assert stability["before"]["tsnr"] == pytest.approx(np.median(expected[comparison.foreground]), rel=1e-4)
    assert stability["after"]["tsnr"] > 2 * stability["before"]["tsnr"]
    inside = np.where(comparison.foreground, expected, 0)
    place = int(comparison.foreground.nonzero()[2].mean() + 0.5)
    # The oblique affine runs to the left along x: the left of the body is drawn on the left.
    np.testing.assert_allclose(stability["before"]["views"]["axial"].image, inside[::-1, :, place].T[::-1], rtol=1e-4)


def test_a_volume_has_no_temporal_snr_but_everything_else(run):
    clean, noisy = run
    comparison = compared(noisy[..., 0], clean[..., 0])
    assert comparison.stability() == {} and comparison.shown == 0
    assert comparison.sigma() == {"before": estimate_sigma(noisy[..., 0]), "after": estimate_sigma(clean[..., 0])}
    assert comparison.residual.deviation == pytest.approx(40, rel=0.1)


@pytest.mark.parametrize(("frames", "enough"), [(2, False), (4, False), (5, True)])
def test_a_deviation_over_a_few_frames_is_not_shown(run, frames, enough):
    assert bool(compared(*(volume[..., :frames] for volume in run)).stability()) == enough


def test_the_views_are_of_the_middle_frame(run):
    clean, noisy = run
    views = compared(noisy, clean).views()
    place = int((noisy[..., 0] > 0.2 * np.percentile(noisy[..., 0], 95)).nonzero()[2].mean() + 0.5)
    np.testing.assert_array_equal(views["after"]["axial"].image, clean[::-1, :, place, 3].T[::-1])
    np.testing.assert_allclose(
        views["removed"]["coronal"].image, views["before"]["coronal"].image - views["after"]["coronal"].image, atol=1e-3
    )


def test_a_finer_result_is_compared_with_the_input_brought_to_its_voxels():
    head = phantoms.head((15, 14, 12))[0]
    coarse, affine = Volume.from_array(head, phantoms.oblique_affine()), phantoms.oblique_affine() @ np.diag([0.5, 0.5, 1, 1])
    shape = (30, 28, 12)
    comparison = compared(coarse, Volume.from_array(resampled(head, shape), affine))
    assert comparison.regridded and comparison.residual.deviation == 0
    views = comparison.views()
    assert views["before"]["axial"].image.shape == (14, 15) and views["after"]["axial"].image.shape == (28, 30)
    assert views["before"]["axial"].size == pytest.approx(views["after"]["axial"].size)


def test_nan_in_the_result_is_counted_and_spoils_nothing(run):
    clean, noisy = run
    broken = clean.copy()
    broken[3, 4, 5, 2] = np.nan
    broken[3, 4, 5, 3] = np.inf
    comparison = compared(noisy, broken)
    assert comparison.n_nonfinite == 2
    assert np.isfinite([comparison.residual.deviation, *comparison.sigma().values(), comparison.stability()["after"]["tsnr"]]).all()


def test_only_a_few_frames_of_a_long_run_are_kept_in_memory():
    shape = (30, 28, 26, 200)
    before, after = (Volume(lambda t: np.full(shape[:3], t, np.float32), shape, np.eye(4)) for _ in range(2))
    tracemalloc.start()
    comparison = compared(before, after)
    held = tracemalloc.get_traced_memory()[0] / before.frame(0).nbytes
    tracemalloc.stop()
    assert comparison.residual.n == np.prod(shape)
    # Ten frames of each for the noise, eight of each that a Volume caches, the middle one, sums for mean and SD.
    assert 20 < held < 60


def test_of_a_scan_with_a_gap_the_frame_with_the_most_missing_is_shown_and_marked(run):
    clean, noisy = run
    missing = np.zeros(_RUN, bool)
    missing[2:5, 3:9, 4:6, 5] = True
    missing[0, 0, 0, 1] = True
    affine = phantoms.oblique_affine()
    after = Volume.from_array(np.where(missing, clean, noisy), affine)
    after.facts["missing"] = lambda t: missing[..., t]
    comparison = compared(Volume.from_array(np.where(missing, 9e9, noisy), affine), after)
    assert comparison.shown == 5 and comparison.filled == {"voxels": 3 * 6 * 2 + 1, "frames": 2}
    views = comparison.views()
    assert list(views) == ["before", "after", "filled"]
    for plane, view in views["before"].items():
        # The slices go through the gap; what stood there is not drawn.
        gap = np.isnan(view.image)
        assert gap.any() and np.nanmax(view.image) < 1e9
        np.testing.assert_array_equal(views["filled"][plane].image[~gap], 0)
        np.testing.assert_array_equal(views["filled"][plane].image[gap], views["after"][plane].image[gap])
