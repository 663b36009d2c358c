"""Scaling: which intensities become 0 and 1, and that the way back is exact."""

import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.imaging.intensity import POLICIES, Scaling, far_range, fit_scaling, fit_zscore, pedestal_of, some_of, without_far


def test_apply_and_invert_by_hand():
    scaling = Scaling(offset=10.0, scale=4.0)
    np.testing.assert_array_equal(scaling.apply(np.float32([10, 12, 18])), [0, 0.5, 2])
    np.testing.assert_array_equal(scaling.invert(np.float32([0, 0.5, 2])), [10, 12, 18])


@pytest.mark.parametrize("policy", POLICIES)
def test_invert_undoes_apply_to_rounding_and_leaves_the_input_alone(rng, policy):
    data = rng.normal(800, 300, (9, 8, 7)).astype(np.float32)
    before = data.copy()
    scaling = fit_scaling(data, policy)
    restored = scaling.invert(scaling.apply(data))
    assert scaling.apply(data).dtype == restored.dtype == np.float32
    np.testing.assert_allclose(restored, data, rtol=0, atol=4 * np.spacing(np.float32(2000)))
    np.testing.assert_array_equal(data, before)


def test_percentile_keeps_zero_and_brings_the_robust_maximum_to_one(rng):
    # 1, 2, … 1001: the 99.9th percentile lies at 1 + 0.999 · 1000.
    sample = rng.permutation(np.arange(1, 1002)).astype(np.float32)
    scaling = fit_scaling(sample)
    assert scaling.offset == 0.0
    assert scaling.scale == pytest.approx(1000.0, abs=1e-3)


def test_percentile_does_not_count_exact_zeros():
    tissue = np.arange(1, 1002, dtype=np.float32)
    assert fit_scaling(np.concatenate([np.zeros(50_000, np.float32), tissue])) == fit_scaling(tissue)


def test_percentile_is_not_moved_by_one_hot_voxel(rng):
    sample = rng.uniform(1, 2, 20_000).astype(np.float32)
    sample[7] = 1e6
    assert fit_scaling(sample).scale == pytest.approx(2.0, abs=0.01)


def test_percentile_of_data_with_negative_values_is_robust_at_both_ends():
    # -500 … 500: the 0.1st percentile of all 1001 is -499, the 99.9th of the 1000 that are not zero is 499.001.
    scaling = fit_scaling(np.arange(-500, 501, dtype=np.float32))
    assert scaling.offset == pytest.approx(-499, abs=1e-3)
    assert scaling.offset + scaling.scale == pytest.approx(499.001, abs=1e-3)


def test_minmax_maps_the_extremes_to_zero_and_one(rng):
    data = rng.normal(size=(9, 8, 7, 3)).astype(np.float32)
    scaled = fit_scaling(data, "minmax").apply(data)
    assert scaled.min() == 0.0
    assert scaled.max() == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("value", [0.0, 5.0, -3.0])
def test_an_image_of_one_intensity_is_refused(policy, value):
    with pytest.raises(InputError, match="the image is constant or empty: its intensities run from .* There is nothing to restore"):
        fit_scaling(np.full((9, 8, 7), value, np.float32), policy)


def test_a_z_score_has_mean_0_and_sd_1_inside_the_mask_whatever_lies_outside(rng):
    data = rng.normal(300, 50, (9, 8, 7)).astype(np.float32)
    mask = rng.random(data.shape) < 0.4
    outside = np.where(mask, data, 1e6).astype(np.float32)
    scaling = fit_zscore(outside, mask)
    inside = scaling.apply(outside)[mask]
    assert inside.mean() == pytest.approx(0, abs=1e-4) and inside.std() == pytest.approx(1, abs=1e-4)
    assert fit_zscore(data, mask) == scaling != fit_zscore(data)


def test_a_brain_of_one_intensity_has_no_z_score():
    with pytest.raises(InputError, match="constant where its brain should be: every voxel is 5"):
        fit_zscore(np.full((3, 4, 5), 5, np.float32), np.ones((3, 4, 5), bool))


def test_a_pair_of_percentiles_maps_to_zero_and_one():
    # 0 … 100 in steps of 1: the p-th percentile is p itself.
    scaling = fit_scaling(np.arange(101, dtype=np.float32), (1.0, 99.0))
    assert (scaling.offset, scaling.offset + scaling.scale) == pytest.approx((1.0, 99.0))


def test_percentiles_between_which_nothing_lies_are_refused():
    data = np.zeros(1000, np.float32)
    data[0] = 5
    with pytest.raises(InputError, match="its intensities run from 0 to 0"):
        fit_scaling(data, (1.0, 99.0))


def test_usual_intensities_are_those_between_two_percentiles_of_what_is_not_zero():
    # 1 … 1001: the 2nd percentile is 21, the 98th 981, and a range 960.
    sample = np.concatenate([np.zeros(500), np.arange(1, 1002)]).astype(np.float32)
    assert far_range(sample, 2.0) == pytest.approx((21 - 1920, 981 + 1920))
    assert far_range(np.full(10, 8, np.float32), 1.0) == (4, 12)
    assert far_range(np.zeros(10, np.float32), 1.0) == (-np.inf, np.inf)


def test_what_is_far_is_cut_to_the_limits_and_else_the_array_is_returned_as_it_is():
    data = np.arange(1, 1002, dtype=np.float32)
    assert without_far(data) is data
    hot = data.copy()
    hot[[5, 700]] = 1e6, -1e6
    cut = without_far(hot)
    assert cut.max() == far_range(hot, 9.0)[1] and cut.min() == far_range(hot, 9.0)[0]
    np.testing.assert_array_equal(np.delete(cut, [5, 700]), np.delete(hot, [5, 700]))


@pytest.mark.parametrize("shape", [(1000, 900), (101, 99, 100), (7,), (1024, 1024)])
def test_some_voxels_come_from_all_rows_and_columns(shape):
    data = np.arange(np.prod(shape), dtype=np.int64).reshape(shape, order="F")
    chosen = some_of(data)
    assert min(data.size, 100_000) <= len(chosen) <= 500_000 and len(np.unique(chosen)) == len(chosen)
    for axis, side in enumerate(shape):
        assert len(np.unique(np.unravel_index(chosen, shape, order="F")[axis])) == side


@pytest.mark.parametrize(("level", "found"), [(0, False), (50, False), (1000, True), (-1000, True), (1e7, True)])
def test_a_pedestal_is_high_beside_what_lies_on_it(level, found):
    ramp = np.linspace(1, 101, 9 * 8 * 7).reshape(9, 8, 7, order="F") + level
    assert pedestal_of(ramp) == (pytest.approx(level + 1, abs=1) if found else 0)
    assert pedestal_of(np.zeros((4, 4, 4), np.float32)) == 0
