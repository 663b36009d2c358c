"""Volumes read their frames when asked, and two of them are compared by their grids."""

import nibabel
import numpy as np
import pytest

from keras_mri.errors import GridMismatchError, InputError
from keras_mri.imaging import phantoms
from keras_mri.io.volumes import Volume, check_same_grid, left_right_axis


@pytest.fixture
def run(rng):
    return rng.normal(100, 10, (9, 8, 7, 5)).astype(np.float32)


def test_a_3d_array_is_one_frame(run, affine):
    volume = Volume.from_array(run[..., 0], affine)
    assert (volume.shape, volume.n_frames) == ((9, 8, 7), 1)
    np.testing.assert_array_equal(volume.frame(0), run[..., 0])
    np.testing.assert_array_equal(volume.data, run[..., 0])


def test_a_4d_array_gives_its_frames_in_order(run, affine):
    volume = Volume.from_array(run, affine)
    assert (volume.shape, volume.n_frames) == ((9, 8, 7, 5), 5)
    for t, frame in enumerate(volume.frames()):
        np.testing.assert_array_equal(frame, run[..., t])
    np.testing.assert_array_equal(volume.data, run)


def test_a_run_of_one_frame_keeps_its_fourth_axis(run, affine):
    assert Volume.from_array(run[..., :1], affine).data.shape == (9, 8, 7, 1)


def test_from_array_takes_any_real_type_as_float32(affine):
    data = np.arange(9 * 8 * 7, dtype=np.int16).reshape(9, 8, 7)
    volume = Volume.from_array(data, affine)
    assert volume.data.dtype == np.float32
    np.testing.assert_array_equal(volume.data, data)


def test_frames_are_read_only_when_asked_for_and_neighbours_only_once(run, affine):
    asked = []
    volume = Volume(lambda t: asked.append(t) or run[..., t], run.shape, affine)
    assert asked == []
    for t in (2, 1, 2, 3, 1):
        volume.frame(t)
    assert asked == [2, 1, 3]


def test_not_every_frame_of_a_long_run_is_kept_in_memory(affine):
    asked = []
    volume = Volume(lambda t: asked.append(t) or np.zeros((3, 2, 1), np.float32), (3, 2, 1, 100), affine)
    list(volume.frames())
    volume.frame(0)
    assert asked == [*range(100), 0]


def test_extremes_are_those_of_all_frames(run, affine):
    assert Volume.from_array(run, affine).extremes == (run.min(), run.max())


@pytest.mark.parametrize(("most", "chosen"), [(1, [0]), (2, [0, 4]), (3, [0, 2, 4]), (5, [0, 1, 2, 3, 4]), (9, [0, 1, 2, 3, 4])])
def test_sample_frames_spreads_them_from_the_first_to_the_last(run, affine, most, chosen):
    np.testing.assert_array_equal(Volume.from_array(run, affine).sample_frames(most), run[..., chosen])


def test_with_frames_keeps_grid_header_and_name(run, affine):
    header = nibabel.Nifti1Header()
    scan = Volume.from_array(run, affine, header, "scan.nii")
    doubled = scan.with_frames(lambda t: 2 * run[..., t])
    assert doubled.source is scan and scan.source is None
    np.testing.assert_array_equal(doubled.data, 2 * run)
    assert (doubled.shape, doubled.affine, doubled.header, doubled.name) == (run.shape, affine, header, "scan.nii")


def test_zooms_are_the_lengths_of_the_oblique_axes(affine):
    volume = Volume.from_array(np.zeros((9, 8, 7), np.float32), affine)
    assert volume.zooms == pytest.approx((2.0, 2.5, 3.0))
    np.testing.assert_allclose(volume.zooms, nibabel.affines.voxel_sizes(affine))


@pytest.mark.parametrize("shape", [(9,), (9, 8), (9, 8, 7, 5, 3), (9, 0, 7)])
def test_shapes_that_are_no_volume_are_refused(shape, affine):
    with pytest.raises(InputError, match=r"scan.nii must be a 3D volume \(x, y, z\) or a 4D run \(x, y, z, t\). Received: ") as caught:
        Volume.from_array(np.zeros(shape), affine, name="scan.nii")
    assert str(caught.value).endswith(f"Received: {len(shape)}D, shape {shape}.")


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


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_left_right_axis_is_found_in_any_orientation(axis, affine):
    order = [1, 2]
    order.insert(axis, 0)
    assert left_right_axis(affine[:, [*order, 3]]) == axis
    assert left_right_axis(-affine[:, [*order, 3]]) == axis
