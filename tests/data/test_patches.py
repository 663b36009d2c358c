"""Where patches lie."""

import itertools

import numpy as np
import pytest

from keras_mri.data.patches import check_patch_fits, fitting_patch, foreground_corners, lattice_corners, thickened
from keras_mri.errors import InputError


def test_foreground_corners_centre_patches_on_tissue_and_move_them_inwards():
    tissue = np.zeros((9, 8, 7), bool)
    tissue[4, 3, 3] = tissue[0, 0, 0] = tissue[8, 7, 6] = True
    corners = foreground_corners(tissue, (4, 3, 2))
    np.testing.assert_array_equal(corners, [(0, 0, 0), (2, 2, 2), (5, 5, 5)])
    assert corners.dtype == np.int32


def test_foreground_corners_without_tissue_cover_the_whole_volume():
    corners = foreground_corners(np.zeros((9, 8, 1), bool), (4, 8, 1))
    assert {tuple(corner) for corner in corners.tolist()} == {(x, 0, 0) for x in range(6)}


def test_lattice_corners_are_half_a_patch_apart_and_inside():
    corners = lattice_corners(np.ones((9, 8, 7), np.float32), (4, 3, 1), lowest_mean=0.5)
    assert [tuple(corner) for corner in corners.tolist()] == list(itertools.product((0, 2, 4), range(6), range(7)))
    assert corners.dtype == np.int32


def test_lattice_corners_leave_out_patches_that_are_not_brighter_than_the_limit():
    frame = np.zeros((8, 4, 4), np.float32)
    frame[6:] = 1.0
    # Means of the patches at x = 0, 2, 4: 0, 0 and 1/2.
    np.testing.assert_array_equal(lattice_corners(frame, (4, 4, 4), 0.25), [(4, 0, 0)])
    assert lattice_corners(frame, (4, 4, 4), 0.5).shape == (0, 3)


@pytest.mark.parametrize(
    "check",
    [
        lambda patch, shape: check_patch_fits(patch, shape),
        lambda patch, shape: foreground_corners(np.ones(shape, bool), patch),
        lambda patch, shape: lattice_corners(np.ones(shape), patch, 0.0),
    ],
)
def test_a_patch_larger_than_the_volume_is_refused_with_the_largest_valid(check):
    message = r"`patch_shape` must lie inside the volume. Received: patch \(4, 9, 8\), volume \(9, 8, 7\). Largest valid: \(4, 8, 7\)."
    with pytest.raises(InputError, match=message):
        check((4, 9, 8), (9, 8, 7))


def test_a_patch_as_large_as_the_volume_fits():
    check_patch_fits((9, 8, 7), (9, 8, 7))
    np.testing.assert_array_equal(lattice_corners(np.ones((9, 8, 7)), (9, 8, 7), 0.0), [(0, 0, 0)])


def test_a_patch_is_cut_to_what_fits_every_scan_in_blocks():
    runs = [np.zeros((20, 70, 9, 1)), np.zeros((40, 15, 30, 1))]
    assert fitting_patch((32, 32, 32), runs, 1) == (20, 15, 9)
    assert fitting_patch((32, 32, 32), runs, 4) == (20, 12, 8)
    assert fitting_patch((16, 8, 8), runs, 4) == (16, 8, 8)
    assert fitting_patch((32, 32, 32), runs, 16) == (16, 16, 16)


def test_thin_scans_repeat_their_last_voxels():
    run = np.arange(24, dtype=np.float32).reshape(4, 3, 1, 2)
    thick = thickened(run, 4)
    assert thick.shape == (4, 4, 4, 2)
    np.testing.assert_array_equal(thick[:, :3, 0], run[:, :, 0])
    np.testing.assert_array_equal(thick[:, 3, 3], run[:, 2, 0])
    assert thickened(run, 1) is run
