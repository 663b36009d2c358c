"""Grids against affines and boxes typed by hand, and against nibabel."""

import doctest

import nibabel
import numpy as np
import pytest

from keras_mri.errors import GridMismatchError, InputError
from keras_mri.imaging import phantoms
from keras_mri.io import grids
from keras_mri.io.grids import (
    anatomical_axes,
    axis_codes,
    bounding_box,
    check_same_grid,
    left_right_axis,
    mirror_axes,
    tilt,
    voxel_sides,
    zooms,
)
from keras_mri.io.volumes import Volume

# Turned by 90 degrees about z: the first voxel axis runs to anterior, the second to the left.
TURNED = np.array([[0, -2.0, 0, 5], [2.5, 0, 0, -6], [0, 0, 3.0, 7], [0, 0, 0, 1]])


def _about_z(degrees):
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[cosine, -sine, 0, 0], [sine, cosine, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]) @ np.diag([2.0, 3.0, 4.0, 1.0])


def test_the_examples_of_the_docstrings_run():
    failed, tried = doctest.testmod(grids)
    assert tried > 0 and failed == 0


def test_zooms_are_the_lengths_of_the_columns():
    assert zooms(TURNED) == (2.5, 2.0, 3.0)
    # 3, 4, 5 and 5, 12, 13: the third column is slanted.
    assert zooms(np.array([[3.0, 0, 0, 9], [4, 0, 5, 9], [0, 7, 12, 9], [0, 0, 0, 1]])) == (5.0, 7.0, 13.0)
    assert all(type(side) is float for side in zooms(np.eye(4, dtype=int)))


def test_voxel_sides_of_a_broken_affine_can_be_drawn():
    assert voxel_sides(TURNED) == (2.5, 2.0, 3.0)
    assert voxel_sides(np.diag([2.0, 0.0, 3.0, 1.0])) == (2.0, 1.0, 3.0)


@pytest.mark.parametrize(
    ("affine", "codes", "axes", "backwards"),
    [
        (np.eye(4), "RAS", (0, 1, 2), (False, False, False)),
        (np.diag([-2.0, 2.0, -3.0, 1.0]), "LAI", (0, 1, 2), (True, False, True)),
        (TURNED, "ALS", (1, 0, 2), (True, False, False)),
        (TURNED[:, [2, 0, 1, 3]], "SAL", (2, 1, 0), (True, False, False)),
        (_about_z(44), "RAS", (0, 1, 2), (False, False, False)),
        (_about_z(46), "ALS", (1, 0, 2), (True, False, False)),
        (_about_z(134), "ALS", (1, 0, 2), (True, False, False)),
        (_about_z(136), "LPS", (0, 1, 2), (True, True, False)),
    ],
)
def test_axes_are_named_by_the_nearest_anatomical_axis(affine, codes, axes, backwards):
    assert axis_codes(affine) == codes
    assert anatomical_axes(affine) == (axes, backwards)
    assert left_right_axis(affine) == axes[0]


@pytest.mark.parametrize("degrees", [45, 135, 225, 315])
def test_no_two_axes_of_a_45_degree_oblique_get_one_name(degrees):
    codes = axis_codes(_about_z(degrees))
    assert sorted(next(pair for pair in ("RL", "AP", "SI") if code in pair) for code in codes) == ["AP", "RL", "SI"]
    assert sorted(anatomical_axes(_about_z(degrees))[0]) == [0, 1, 2]


@pytest.mark.parametrize(
    ("affine", "codes"),
    [
        (np.zeros((4, 4)), "RAS"),
        (np.diag([-1.0, 0.0, 1.0, 1.0]), "LAS"),
        (np.diag([np.nan, -1.0, np.inf, 1.0]), "RPS"),
        # Two voxel axes in one direction: the second gets the anatomical axis that is left.
        (np.array([[1.0, 1, 0, 0], [0, 0, 0, 0], [0, 0, -1, 0], [0, 0, 0, 1]]), "RAI"),
    ],
)
def test_a_broken_affine_still_names_three_axes(affine, codes):
    assert axis_codes(affine) == codes
    assert sorted(anatomical_axes(affine)[0]) == [0, 1, 2]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_left_right_axis_is_found_in_any_orientation(axis, affine):
    order = [1, 2]
    order.insert(axis, 0)
    assert left_right_axis(affine[:, [*order, 3]]) == axis
    assert left_right_axis(-affine[:, [*order, 3]]) == axis


@pytest.mark.parametrize(("mirror", "axes"), [("none", ()), ("left-right", (1,)), ("all", (0, 1, 2))])
def test_mirror_axes_are_those_asked_for_but_the_one_across(mirror, axes):
    assert mirror_axes(TURNED, mirror) == axes
    assert mirror_axes(TURNED, mirror, across=1) == tuple(axis for axis in axes if axis != 1)


# --- the box of a mask -------------------------------------------------------------------------------------------------


@pytest.fixture
def mask():
    """Two voxels, at the corners of the box 2-6, 1-4, 0-3 of (9, 8, 7)."""
    mask = np.zeros((9, 8, 7), bool)
    mask[2, 4, 0] = mask[6, 1, 3] = True
    return mask


@pytest.mark.parametrize(
    ("margin", "box"),
    [
        (0, (slice(2, 7), slice(1, 5), slice(0, 4))),
        (1, (slice(1, 8), slice(0, 6), slice(0, 5))),
        ((0, 2, 1), (slice(2, 7), slice(0, 7), slice(0, 5))),
        (np.array([2, 0, 3]), (slice(0, 9), slice(1, 5), slice(0, 7))),
        (100, (slice(0, 9), slice(0, 8), slice(0, 7))),
    ],
)
def test_a_box_holds_the_mask_and_its_margin_and_ends_at_the_edges(mask, margin, box):
    found = bounding_box(mask, margin)
    assert found == box
    assert all(type(end) is int for part in found for end in (part.start, part.stop))


def test_a_box_of_numbers_is_that_of_what_is_not_zero(mask):
    assert bounding_box(np.where(mask, -0.5, 0)) == bounding_box(mask)
    assert bounding_box(np.array([0, 0, 7, 0, 1, 0])) == (slice(2, 5),)


def test_an_empty_mask_has_no_box():
    with pytest.raises(InputError, match=r"^`mask` must hold at least one voxel. Received: no voxel of \(9, 8, 7\).$"):
        bounding_box(np.zeros((9, 8, 7), bool))


# --- two grids ---------------------------------------------------------------------------------------------------------


def _empty(shape, affine, name="image"):
    return Volume(lambda t: pytest.fail("a comparison of grids reads no data"), shape, affine, name=name)


def test_a_volume_lies_on_the_grid_of_its_run(affine):
    check_same_grid(_empty((9, 8, 7, 5), affine), _empty((9, 8, 7), affine + 1e-4))


@pytest.mark.parametrize("entry", [(0, 3), (2, 3), (1, 1), (0, 1)])
def test_grids_that_lie_elsewhere_are_told_apart(affine, entry):
    moved = affine.copy()
    moved[entry] += 0.1
    with pytest.raises(GridMismatchError, match="^the images must lie on one grid.\n"):
        check_same_grid(_empty((9, 8, 7), affine), _empty((9, 8, 7), moved))


def test_grids_whose_far_corners_lie_a_third_of_a_voxel_apart_are_told_apart(affine):
    # 0.4 % in the voxel side is 0.008 mm, and 0.7 mm at the 90th voxel.
    stretched = affine @ np.diag([1.004, 1.0, 1.0, 1.0])
    with pytest.raises(GridMismatchError, match="the images must lie on one grid"):
        check_same_grid(_empty((90, 80, 70), affine), _empty((90, 80, 70), stretched))


def test_a_mismatch_prints_both_grids_and_what_to_do(affine):
    first, second = _empty((9, 8, 7, 5), affine, "one.nii"), _empty((9, 8, 6), np.diag([1.5, 2.0, 2.5, 1.0]), "two.nii")
    with pytest.raises(GridMismatchError) as caught:
        check_same_grid(first, second, "the mask must lie on the grid of the image")
    assert str(caught.value).splitlines() == [
        "the mask must lie on the grid of the image.",
        "  one.nii  shape (9, 8, 7)  zooms (2.0, 2.5, 3.0) mm  origin (31.0, -17.5, 4.25) mm  axes LAS",
        "  two.nii  shape (9, 8, 6)  zooms (1.5, 2.0, 2.5) mm  origin (0.0, 0.0, 0.0) mm  axes RAS",
        "  Resample the second to the first, e.g. with nilearn.image.resample_to_img.",
    ]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, -1)])
def test_the_axes_of_the_message_are_named_as_nibabel_does(affine, order, signs):
    turned = phantoms.oblique_affine()[:, [*order, 3]] * (*signs, 1)
    with pytest.raises(GridMismatchError, match="axes " + "".join(nibabel.aff2axcodes(turned)) + "\n"):
        check_same_grid(_empty((9, 8, 7), turned), _empty((7, 8, 9), affine))


def test_the_tilt_is_the_angle_to_the_nearest_axes_of_the_body():
    assert [tilt(_about_z(degrees) @ TURNED) for degrees in (0, 12, -30, 44)] == pytest.approx([0, 12, 30, 44])
    # Beyond 45 degrees the next axis is nearer.
    assert tilt(_about_z(50)) == pytest.approx(40)
    # The phantoms' affine is tilted by 0.2 radians about the first axis.
    assert tilt(phantoms.oblique_affine()) == pytest.approx(np.degrees(0.2))
