"""Each threshold between tissue and air, on numbers whose percentiles are known."""

import numpy as np

from keras_mri.imaging.foreground import metric_foreground, noise_foreground, otsu_foreground, patch_foreground


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
