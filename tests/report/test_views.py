"""Views against nibabel's way to the nearest anatomical axes, for all 48 orders of axes."""

import itertools

import nibabel
import numpy as np
import pytest

from keras_mri.io.grids import anatomical_axes
from keras_mri.report.views import centre_of, orthogonal_views

_ORDERS = list(itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)))


def _affine(order, signs, tilt):
    """Return an affine with these axes, tilted as far as the nearest axes stay the nearest."""
    from scipy.spatial.transform import Rotation

    affine = np.eye(4)
    turned = np.zeros((3, 3))
    turned[list(order), range(3)] = signs
    affine[:3, :3] = Rotation.from_euler("xyz", [tilt, -tilt, tilt]).as_matrix() @ turned * (2.0, 2.5, 3.0)
    return affine


@pytest.mark.parametrize("tilt", [0.0, 0.3])
@pytest.mark.parametrize(("order", "signs"), _ORDERS)
def test_views_are_those_of_the_canonical_image(order, signs, tilt):
    data = np.arange(5 * 4 * 3, dtype=np.float32).reshape(5, 4, 3)
    affine = _affine(order, signs, tilt)
    canonical = nibabel.as_closest_canonical(nibabel.Nifti1Image(data, affine))
    expected, zooms = np.asarray(canonical.dataobj), canonical.header.get_zooms()
    x, y, z = (side // 2 for side in expected.shape)
    # An even side has two middles: cut just above the face between them, in the direction of the canonical axis.
    axes, backwards = anatomical_axes(affine)
    centre = [0.0] * 3
    for axis in range(3):
        centre[axes[axis]] = 0.5 + (-1e-6 if backwards[axis] and expected.shape[axis] % 2 == 0 else 1e-6)
    views = orthogonal_views(data, affine, centre)
    np.testing.assert_array_equal(views["axial"].image, expected[:, :, z].T[::-1])
    np.testing.assert_array_equal(views["coronal"].image, expected[:, y].T[::-1])
    np.testing.assert_array_equal(views["sagittal"].image, expected[x].T[::-1])
    sides = expected.shape * np.array(zooms)
    for plane, across, up in (("axial", 0, 1), ("coronal", 0, 2), ("sagittal", 1, 2)):
        assert views[plane].size == pytest.approx((sides[across], sides[up]), rel=1e-5)
    assert [views[plane].sides for plane in views] == [("L", "R", "A", "P"), ("L", "R", "S", "I"), ("P", "A", "S", "I")]


def test_the_first_and_the_last_face_belong_to_the_outermost_slices():
    data = np.arange(5 * 4 * 3).reshape(5, 4, 3)
    np.testing.assert_array_equal(orthogonal_views(data, np.eye(4), (0, 0, 0))["axial"].image, data[:, :, 0].T[::-1])
    np.testing.assert_array_equal(orthogonal_views(data, np.eye(4), (1, 1, 1))["axial"].image, data[:, :, 2].T[::-1])


def test_the_centre_of_a_mask_is_a_share_of_each_side():
    mask = np.zeros((10, 8, 6), bool)
    assert centre_of(mask) == (0.5, 0.5, 0.5)
    mask[2, 0, 5] = mask[4, 0, 5] = True
    assert centre_of(mask) == pytest.approx((0.35, 0.0625, 11 / 12))
