"""Each threshold between tissue and air, on numbers whose percentiles are known."""

import numpy as np
import pytest

from keras_mri.imaging.foreground import has_bright_air, metric_foreground, noise_foreground, otsu_foreground, patch_foreground


def test_patches_are_cut_where_a_tenth_of_the_98th_percentile_is_exceeded():
    # 0 … 999: the 98th percentile is 979.02, a tenth of it 97.902.
    volume = np.arange(1000, dtype=np.float32).reshape(10, 4, 25)
    np.testing.assert_array_equal(patch_foreground(volume), volume >= 98)


def test_noise_is_estimated_where_a_fifth_of_the_95th_percentile_of_the_valid_voxels_is_exceeded():
    # 500 … 999 are valid: their 95th percentile is 974.05, a fifth of it 194.81.
    volume = np.arange(1000, dtype=np.float32).reshape(10, 4, 25)
    np.testing.assert_array_equal(noise_foreground(volume, volume >= 500), volume >= 195)


def test_metrics_are_taken_where_ten_grey_levels_of_255_are_exceeded():
    levels = np.arange(256, dtype=np.float32).reshape(8, 4, 8)
    np.testing.assert_array_equal(metric_foreground(2 * levels, 510.0), levels > 10)


def test_the_threshold_of_otsu_separates_two_classes_whatever_the_brightest_voxels_are(rng):
    tissue = rng.random((9, 8, 7)) < 0.4
    volume = np.where(tissue, 80.0, 10.0)
    volume[4, 4, 4] = 1e6
    tissue[4, 4, 4] = True
    np.testing.assert_array_equal(otsu_foreground(volume), tissue)


def test_the_threshold_of_otsu_knows_nothing_of_a_few_voxels_far_below(rng):
    tissue = rng.random((9, 8, 7)) < 0.4
    volume = np.where(tissue, 80.0, 10.0)
    volume[4, 4, 4], tissue[4, 4, 4] = -32767, False
    np.testing.assert_array_equal(otsu_foreground(volume), tissue)
    # What differs by little beside its level needs digits.
    np.testing.assert_array_equal(otsu_foreground(np.where(tissue, 1e9 + 640, 1e9).astype(np.float32)), tissue)


@pytest.mark.parametrize(("air", "bright"), [((0, 4095), True), ((0, 400), False), ((1500, 2500), False)])
def test_bright_air_is_as_bright_as_tissue_and_rougher(rng, air, bright):
    x, y, z = (np.linspace(-1, 1, side) for side in (24, 22, 20))
    ball = x[:, None, None] ** 2 + y[:, None] ** 2 + z**2 < 0.8
    volume = np.where(ball, 2000 + 1500 * np.sin(3 * z) + rng.normal(0, 60, ball.shape), rng.uniform(*air, ball.shape))
    assert has_bright_air(volume.astype(np.float32)) is bright


@pytest.mark.parametrize("top", [1e-43, 1e-30, 3e38])
def test_the_threshold_of_otsu_exists_for_the_smallest_and_largest_numbers(top):
    volume = np.zeros((6, 6, 6), np.float32)
    volume[2:4, 2:4] = top
    np.testing.assert_array_equal(otsu_foreground(volume), volume > 0)
