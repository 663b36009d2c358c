"""Oracles: rows that sum to one, straight lines, and the stack of a whole volume from the two matrices themselves."""

import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.imaging import phantoms
from keras_mri.imaging.acquisition.slice_profiles import profile_matrix
from keras_mri.io.volumes import Volume
from keras_mri.systems.sr.pairs import Pair
from keras_mri.systems.sr.stacks import along_last, context_of, drawn_stacks, ratios_of, slicing_axes, stack_shown

RATIOS = (2.0, 6.0)


@pytest.fixture(scope="module")
def stacks():
    return drawn_stacks(20, RATIOS, np.random.default_rng(0))


def test_a_constant_and_a_straight_line_come_through_every_stack(stacks):
    context = context_of(RATIOS)
    assert context == 18 and stacks.blur.shape == (200, 20, 56)
    np.testing.assert_allclose(stacks.blur.sum(axis=2), 1, atol=1e-5)
    # Cubic splines and profiles keep a line, but for what lies beyond the surroundings.
    apart = np.abs(stacks.blur @ np.arange(56.0) - np.arange(20) - context)
    assert apart.max() < 0.2 and np.median(apart) < 0.005


def test_noise_of_slices_spreads_as_the_spline_spreads_them(stacks):
    # Every slice at one: every voxel is.
    reached = stacks.spread.sum(axis=2)
    np.testing.assert_allclose(reached, 1, atol=0.01)
    # At a slice's centre its noise is whole, between two it is less.
    variance = (stacks.spread**2).sum(axis=2)
    assert variance.max() < 1.3 and 0.4 < variance.min()


def test_distances_are_those_of_slices_two_to_six_voxels_apart(stacks):
    largest = 4 * stacks.distance.max(axis=1)
    assert stacks.distance.min() >= 0 and 0.5 <= largest.min() and 2.5 < largest.max() <= 3.05
    assert len(np.unique(largest.round(2))) > 50


def test_one_seed_gives_one_bank(stacks):
    again = drawn_stacks(20, RATIOS, np.random.default_rng(0))
    np.testing.assert_array_equal(again.blur, stacks.blur)
    assert np.abs(drawn_stacks(20, RATIOS, np.random.default_rng(1)).blur - stacks.blur).max() > 0.1


def test_only_thin_axes_are_cut_into_slices():
    assert slicing_axes((1.0, 1.0, 3.0), 2.0) == (0, 1)
    assert slicing_axes((1.0, 1.9, 0.7), 2.0) == (0, 2)


def pair(sides, shape=(20, 18, 16)):
    scan = Volume.from_array(phantoms.head(shape)[0], np.diag([*sides, 1.0]), name="scan.nii")
    return Pair("subject", scan, scan, simulated=True)


def test_distances_are_counted_in_voxels_of_the_scans():
    assert ratios_of([pair((1.0, 1.0, 1.0))], (2.0, 6.0)) == pytest.approx((2.0, 6.0))
    # Voxels of 3 mm are no slice axis; beyond eight voxels nothing is predicted.
    assert ratios_of([pair((0.5, 0.5, 3.0))], (2.0, 6.0)) == pytest.approx((4.0, 8.0))
    with pytest.raises(InputError, match=r"`thick_slices` 2 6 needs scans with voxels of 1.8 mm or less. Received: scan.nii with 2"):
        ratios_of([pair((2.0, 2.0, 2.0))], (2.0, 6.0))


def test_an_axis_is_turned_to_the_last_place_with_its_ends_repeated(rng):
    data = rng.normal(size=(4, 5, 6, 1))
    turned = along_last(data, 0, 2)
    assert turned.shape == (5, 6, 8, 1)
    np.testing.assert_array_equal(turned[:, :, 2:6, 0], np.moveaxis(data[..., 0], 0, -1))
    np.testing.assert_array_equal(turned[:, :, 0], turned[:, :, 2])


def test_the_picture_shows_slices_of_a_middle_distance():
    scan = pair((1.0, 1.0, 1.0), (20, 18, 28))
    image = scan.target.frame(0) / 1000
    shown = stack_shown(image, scan, (2.0, 6.0), lambda shape: lambda channels: channels[..., 0])
    assert list(shown) == ["slices", "restored", "target"] and shown["slices"].shape == image.shape
    # Eight slices of 3.5 mm along the last axis, which is as thin as the others: what was measured is kept.
    assert np.abs(shown["slices"] - image).mean() > 0.01
    rows = profile_matrix(28, 8, 1.0, 3.5, 3.5, "gaussian")
    np.testing.assert_allclose(shown["restored"] @ rows.T, image @ rows.T, atol=1e-3)
    assert np.abs((shown["slices"] - image) @ rows.T).max() > 0.01
