"""Ranges of grey scales against hand-typed numbers."""

import numpy as np
import pytest

from keras_mri.report.scales import difference_limit, grey_limits


def test_greys_begin_at_zero_where_nothing_is_negative_and_a_few_bright_voxels_do_not_count():
    values = np.append(np.linspace(5, 100, 9999), 1e6)
    assert grey_limits(values) == (0.0, pytest.approx(99.7, abs=0.1))
    low, high = grey_limits(np.linspace(-50, 50, 10001))
    assert (low, high) == (pytest.approx(-49.7), pytest.approx(49.7))


def test_white_is_above_black_whatever_the_values():
    assert grey_limits(np.zeros(10)) == (0.0, 1.0)
    assert grey_limits(np.full(10, -3.0)) == (-3.0, -2.0)


def test_differences_lie_within_a_limit_on_both_sides_but_for_a_few():
    assert difference_limit(np.append(np.linspace(-2, 2, 9999), -70.0), 1.0) == pytest.approx(1.994, abs=0.002)
    # A single voxel differs: it sets the scale. None does: the least that is given.
    assert difference_limit(np.append(np.zeros(9999), -3.0), 1.0) == 3.0
    assert difference_limit(np.zeros(10), 0.25) == 0.25
