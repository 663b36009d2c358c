"""Sums over time: against NumPy, straight lines, and autoregressive noise."""

import numpy as np
import pytest
from scipy import signal

from keras_mri.imaging.runs.time_courses import TimeCourses


def courses(data, times=None):
    """Give an array of shape (voxels, frames) to TimeCourses."""
    taken = TimeCourses()
    for t, values in zip(range(data.shape[1]) if times is None else times, data.T):
        taken.add(t, values)
    return taken


def autoregressive(rng, coefficient, shape):
    """Return AR(1) noise in its steady state: y[t] = coefficient · y[t-1] + e[t]."""
    noise = rng.normal(0, 1, (shape[0], shape[1] + 100))
    return signal.lfilter([1], [1, -coefficient], noise, axis=1)[:, 100:]


def test_mean_variance_and_power_are_numpy_s_far_from_zero(rng):
    data = 1e5 + rng.normal(0, 2, (7, 30))
    taken = courses(data.astype(np.float32))
    data = data.astype(np.float32).astype(np.float64)
    assert taken.count == 30
    np.testing.assert_allclose(taken.mean(), data.mean(axis=1))
    np.testing.assert_allclose(taken.variance(), data.var(axis=1, ddof=1))
    np.testing.assert_allclose(taken.power(), (data**2).mean(axis=1))


def test_a_straight_line_is_not_counted_as_variance(rng):
    data = 500 + 3.0 * np.arange(40) + rng.normal(0, 2, (9, 40))
    expected = (signal.detrend(data) ** 2).sum(axis=1) / 38
    np.testing.assert_allclose(courses(data).detrended_variance(), expected, rtol=1e-9)
    assert courses(data).tsnr() == pytest.approx(np.median(data.mean(axis=1) / np.sqrt(expected)))


def test_the_line_is_that_of_the_frames_numbers_where_some_are_left_out(rng):
    times = np.array([0, 1, 2, 7, 8, 20, 21, 22])
    data = 10 + 5.0 * times + rng.normal(0, 1, (6, 8))
    residuals = [np.polyfit(times, row, 1, full=True)[1][0] for row in data]
    np.testing.assert_allclose(courses(data, times).detrended_variance(), np.array(residuals) / 6, rtol=1e-9)


@pytest.mark.parametrize("coefficient", [-0.3, 0.0, 0.6])
def test_the_autocorrelation_is_the_coefficient_of_an_autoregressive_process(rng, coefficient):
    data = autoregressive(rng, coefficient, (500, 300)) + np.linspace(0, 8, 300)
    assert courses(data).autocorrelation() == pytest.approx(coefficient, abs=0.03)


def test_only_neighbouring_frames_count_for_the_autocorrelation(rng):
    # Pairs of equal frames, each pair independent of the others: neighbours are equal only within a pair.
    data = np.repeat(rng.normal(0, 1, (400, 60)), 2, axis=1)
    times = np.arange(60).repeat(2) * 10 + np.tile([0, 1], 60)
    assert courses(data, times).autocorrelation() == pytest.approx(1.0, abs=0.01)


def test_what_is_constant_has_infinite_tsnr_and_no_autocorrelation(rng):
    for line in (0.0, 0.1):
        taken = courses(123.4 + line * np.arange(12) + np.zeros((5, 1)))
        assert taken.tsnr() == np.inf and np.isnan(taken.autocorrelation())
