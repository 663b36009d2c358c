"""Values added in parts against NumPy's histogram of all of them at once."""

import numpy as np
import pytest

from keras_mri.report.histogram import Histogram


def _filled(*parts, bins=64):
    histogram = Histogram(bins)
    for part in parts:
        histogram.add(np.float32(part))
    return histogram


def test_parts_of_any_range_give_the_histogram_mean_and_deviation_of_the_whole(rng):
    parts = [rng.normal(0.3, scale, 1000).astype(np.float32) for scale in (1, 0.1, 7, 30)]
    histogram, values = _filled(*parts), np.concatenate(parts)
    np.testing.assert_array_equal(histogram.counts, np.histogram(values, histogram.edges)[0])
    assert histogram.edges[-1] >= np.abs(values).max() > histogram.edges[-1] / 2
    assert (histogram.n, histogram.mean, histogram.deviation) == pytest.approx((4000, values.mean(), values.astype(float).std()), rel=1e-5)


def test_zeros_before_anything_else_are_counted():
    histogram = _filled([0, 0], [], [1, -4])
    assert histogram.counts.sum() == histogram.n == 4
    assert histogram.counts[64] == 2
    assert histogram.deviation == pytest.approx(np.std([0, 0, 1, -4]))


@pytest.mark.parametrize("bins", [64, 512])
def test_the_centre_holds_nearly_all_and_leaves_outliers_out(rng, bins):
    values = rng.normal(0, 1, 20000).astype(np.float32)
    values[0] = 30
    edges, density = _filled(values, bins=bins).central(0.998, 60)
    assert len(density) == len(edges) - 1 <= 62
    assert edges[0] == -edges[-1] and 3 <= edges[-1] <= 5
    assert 0.998 <= density.sum() * (edges[1] - edges[0]) < 1
    np.testing.assert_allclose(density, np.histogram(values, edges)[0] / (len(values) * np.diff(edges)), rtol=1e-9)


def test_nothing_and_nothing_but_zeros_have_no_density():
    for histogram in (_filled(), _filled([0, 0])):
        assert histogram.deviation == 0 and (histogram.central()[1] == 0).all()
