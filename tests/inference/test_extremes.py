"""Voxels that hold what no tissue has: which are found, what networks see there, what is put back, and what is said."""

import numpy as np
import pytest
from scipy import ndimage

from keras_mri.errors import remarks_kept
from keras_mri.imaging import phantoms
from keras_mri.imaging.intensity import Scaling
from keras_mri.inference.extremes import as_seen
from keras_mri.inference.restoring import restored, restored_frames
from keras_mri.io.volumes import Volume

SHAPE = (19, 17, 14)


@pytest.fixture
def head():
    """Tissue of about 1000 in air, with Rician noise of SD 40."""
    return phantoms.noisy_volume(phantoms.head(SHAPE, seed=3)[0], 40, seed=4, model="rician").data


def volume_of(data, affine):
    return Volume.from_array(data, affine, name="scan.nii")


def with_values(data, places, value):
    changed = data.copy()
    changed[tuple(np.transpose(places))] = value
    return changed


SINGLE = [(9, 8, 7)]
PAIR = [(9, 8, 7), (9, 8, 8)]
BLOCK = [(x, y, z) for x in (8, 9, 10) for y in (7, 8, 9) for z in (6, 7, 8)]
SCATTERED = [(4 + x, 5 + 3 * y, 4 + 3 * z) for x in (0, 4, 8) for y in (0, 1, 2) for z in (0, 1)]
CORNER = [(0, 0, 0), (18, 16, 13)]


@pytest.mark.parametrize("value", [1e6, 32516, -32767, 3e38, 12_000])
@pytest.mark.parametrize("places", [SINGLE, PAIR, BLOCK, SCATTERED, CORNER])
def test_what_no_tissue_has_is_found_and_nothing_else(head, affine, places, value):
    seen = as_seen(volume_of(with_values(head, places, value), affine))
    wanted = np.zeros(SHAPE, bool)
    wanted[tuple(np.transpose(places))] = True
    np.testing.assert_array_equal(seen.extreme(0), wanted)
    # Networks see what was there, as well as neighbours can tell.
    hidden = seen.volume.frame(0)
    np.testing.assert_array_equal(hidden[~wanted], head[~wanted])
    assert hidden[wanted].min() >= 0 and hidden[wanted].max() < head.max()


def test_a_voxel_four_times_as_bright_as_tissue_is_extreme_alone_but_not_in_a_vessel(head, affine):
    top = np.percentile(head, 98)
    vessel = [(x, 8, 7) for x in range(2, 17)]
    assert as_seen(volume_of(with_values(head, vessel, 4 * top), affine)).extreme(0).sum() == 0
    assert as_seen(volume_of(with_values(head, SINGLE, 4 * top), affine)).extreme(0).sum() == 1
    assert as_seen(volume_of(with_values(head, SINGLE, 2 * top), affine)).extreme(0).sum() == 0


def test_a_small_bright_object_in_a_large_field_of_air_is_no_extreme(affine, rng):
    """An object of 1.5 % of the voxels, 40 times as bright as air: percentiles know the air alone."""
    x, y, z = np.ogrid[:30, :28, :26]
    ball = ndimage.gaussian_filter(((x - 15) ** 2 + (y - 14) ** 2 + (z - 13) ** 2 < 4**2).astype(float), 0.6)
    data = np.hypot(1000 * ball + rng.normal(0, 10, ball.shape), rng.normal(0, 10, ball.shape))
    assert as_seen(volume_of(data, affine)).extreme(0).sum() == 0


def test_a_scan_without_extremes_is_seen_as_it_is_and_nothing_is_said(head, affine):
    volume = volume_of(head, affine)
    with remarks_kept() as remarks:
        seen = as_seen(volume)
    assert seen.volume is volume and seen.pedestal == 0 and remarks == []


@pytest.mark.parametrize(
    ("places", "sentence"),
    [
        (SINGLE, "scan.nii: 1 extreme voxel lies far outside the rest (beyond {} to {}) and stays as it is: "),
        (SCATTERED, "scan.nii: 18 extreme voxels lie far outside the rest (beyond {} to {}) and stay as they are: "),
    ],
)
def test_extreme_voxels_are_counted_once_for_a_scan_with_the_limits(head, affine, places, sentence):
    data = with_values(head, places, 1e6)
    low, high = np.percentile(data, (2, 98))
    limits = [f"{value:.6g}" for value in (low - 2 * (high - low), high + 2 * (high - low))]
    volume = volume_of(data, affine)
    with remarks_kept() as remarks:
        as_seen(volume)
        assert [remark.startswith(sentence.format(*limits)) for remark in remarks] == [True]
    with remarks_kept() as remarks:
        as_seen(volume)
    assert remarks == []


def test_in_a_run_the_frames_around_tell_what_was_there(affine, rng):
    clean = rng.uniform(500, 1500, SHAPE)
    data = clean[..., None] * (1 + 0.1 * np.arange(5)) + rng.normal(0, 1, (*SHAPE, 5))
    run = data.copy()
    run[9, 8, 7, 2] = run[3, 4, 5, 0] = run[3, 4, 5, 1] = 1e6
    seen = as_seen(volume_of(run, affine))
    assert [seen.extreme(t).sum() for t in range(5)] == [1, 1, 1, 0, 0]
    # Neighbours differ by ± 50 %, the voxel's own frames by the change of all: 1 % is left.
    np.testing.assert_allclose(seen.volume.data, data.astype(np.float32), rtol=0.02)


def test_extremes_and_exact_zeros_are_put_back_whatever_the_network_does(head, affine):
    data = with_values(head, PAIR, 1e6)
    data[:, :5] = 0
    volume = volume_of(data, affine)
    seen = as_seen(volume)
    result = restored(volume, Scaling(0.0, 1000.0), lambda t: np.full(SHAPE, 0.25, np.float32), seen=seen).frame(0)
    kept = (data == 0) | (data == 1e6)
    np.testing.assert_array_equal(result[kept], data[kept])
    np.testing.assert_array_equal(result[~kept], 250)


def test_on_a_finer_grid_zeros_stay_where_all_neighbours_are_zero_and_extremes_fill_their_voxel(head, affine):
    data = with_values(head, SINGLE, 1e6)
    data[:, :5] = 0
    volume = volume_of(data, affine)
    frame = restored_frames(volume, Scaling(0.0, 1000.0), lambda t: np.full((38, 17, 28), 0.25, np.float32), seen=as_seen(volume))(0)
    np.testing.assert_array_equal(frame[:, :4], 0)
    assert (frame[:, 4] == 250).all()
    hot = np.zeros((38, 17, 28), bool)
    hot[18:20, 8, 14:16] = True
    np.testing.assert_array_equal(frame == 1e6, hot)


@pytest.mark.parametrize("level", [1e7, 1e9, -1e7, 6e3])
def test_a_pedestal_is_taken_off_for_networks_and_put_back(head, affine, level):
    data = head.astype(np.float64) + level
    volume = Volume(lambda t: data, SHAPE, affine, name="scan.nii")
    with remarks_kept() as remarks:
        seen = as_seen(volume)
    assert abs(seen.pedestal - level) < 100 and "pedestal" in remarks[0]
    np.testing.assert_allclose(seen.volume.frame(0), head + (level - seen.pedestal), atol=1e-3)
    result = restored(volume, Scaling(0.0, 1.0), seen.volume.frame, seen=seen).frame(0)
    np.testing.assert_allclose(result, data, atol=1e-3, rtol=0)
    assert result.dtype == np.float64


def test_masked_zeros_beside_a_pedestal_are_no_extremes_and_stay_zero(head, affine):
    data = np.where(np.arange(17)[:, None] < 6, 0, head + 1e5).astype(np.float32)
    volume = volume_of(data, affine)
    seen = as_seen(volume)
    assert seen.extreme(0).sum() == 0 and seen.volume.frame(0).min() > -200 and seen.volume.frame(0).max() < 2 * head.max()
    result = restored(volume, Scaling(0.0, 1.0), lambda t: seen.volume.frame(t) + np.float32(7), seen=seen).frame(0)
    np.testing.assert_array_equal(result == 0, data == 0)
    np.testing.assert_allclose(result[data != 0], data[data != 0] + 7, atol=0.02)


def test_a_hot_voxel_on_a_pedestal_is_found_too(head, affine):
    data = with_values(head.astype(np.float64) + 1e7, SINGLE, 1.1e7)
    seen = as_seen(Volume(lambda t: data, SHAPE, affine))
    assert np.argwhere(seen.extreme(0)).tolist() == [[9, 8, 7]]


@pytest.mark.parametrize("sigma", [1.0, 5.0, 20.0])
def test_a_uniform_object_with_noise_is_no_pedestal(affine, rng, sigma):
    volume = volume_of(1000 + rng.normal(0, sigma, SHAPE), affine)
    assert as_seen(volume).volume is volume


def test_values_that_are_missing_do_not_count(head, affine):
    missing = np.zeros(SHAPE, bool)
    missing[:, 8:10] = True
    seen = as_seen(volume_of(np.where(missing, -9999, head), affine), lambda t: missing)
    assert seen.extreme(0).sum() == 0
    result = seen.put_back(0, np.full(SHAPE, 5, np.float32))
    np.testing.assert_array_equal(result, np.where(head == 0, np.where(missing, 5, 0), 5))


@pytest.mark.parametrize("pedestal", [0, 100_000])
def test_a_run_whose_first_frame_is_blank_or_missing_has_its_extremes_found(head, affine, pedestal):
    run = np.stack([np.where(np.arange(4) > 0, value + pedestal, 0) for value in head.ravel()]).reshape(*SHAPE, 4)
    run[9, 8, 7, 2] = 1e6
    damaged = np.where(np.arange(4) > 0, run, 7)
    blank, missing = as_seen(volume_of(run, affine)), as_seen(volume_of(damaged, affine), lambda t: np.full(SHAPE, t == 0))
    for seen in (blank, missing):
        assert [int(seen.extreme(t).sum()) for t in range(4)] == [0, 0, 1, 0]
        assert seen.pedestal == pytest.approx(pedestal, abs=100) and seen.volume.frame(2).max() < 5000


def test_air_as_bright_as_tissue_is_said(head, affine, rng):
    x, y, z = (np.linspace(-1, 1, side) for side in (32, 30, 28))
    tissue = x[:, None, None] ** 2 + y[:, None] ** 2 + z**2 < 0.7
    smooth = 2000 + 1000 * np.cos(4 * x)[:, None, None] + rng.normal(0, 60, tissue.shape)
    uniform = np.where(tissue, smooth, rng.uniform(0, 4095, tissue.shape))
    with remarks_kept() as remarks:
        seen = as_seen(volume_of(uniform, affine))
        as_seen(volume_of(uniform / 4095 - 0.5, affine))
    assert [("MP2RAGE" in remark, seen.extreme(0).sum()) for remark in remarks] == [(True, 0)]
    with remarks_kept() as remarks:
        as_seen(volume_of(2000 + rng.normal(0, 600, tissue.shape), affine))
        as_seen(volume_of(np.where(tissue, uniform, 0), affine))
    assert remarks == []


@pytest.mark.parametrize("value", [-32768, 65535])
def test_what_pads_a_scan_counts_as_zero_and_stays(head, affine, value):
    padded = head.copy()
    padded[:3], padded[:, :4] = value, value
    with remarks_kept() as kept:
        seen = as_seen(volume_of(padded, affine))
    there = padded == value
    np.testing.assert_array_equal(seen.volume.frame(0), np.where(there, 0, head))
    np.testing.assert_array_equal(seen.put_back(0, np.ones(SHAPE, np.float32)) == value, there)
    assert f"scan.nii: {there.mean():.1%} of its voxels hold {value}, which pads it" in kept[0]


def test_a_scan_that_saturates_or_is_masked_is_not_padded(head, affine):
    for data in (np.minimum(head, 900), np.where(head < 200, 0, head)):
        seen = as_seen(volume_of(data, affine))
        assert seen.volume is seen.measured
