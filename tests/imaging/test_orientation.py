import itertools

import nibabel
import numpy as np
import pytest

from keras_mri.imaging.orientation import Orientation


@pytest.mark.parametrize("letters", ["RAS", "LPS", "PSL", "SAR", "IRP"])
def test_turned_as_nibabel_turns_and_back(letters, rng):
    data = rng.random((5, 4, 3, 2))
    codes = nibabel.orientations.axcodes2ornt(letters)
    affine = nibabel.orientations.inv_ornt_aff(codes, (5, 4, 3)) @ np.diag([1.0, 1.0, 1.0, 1.0])
    affine = affine @ np.diag([2.0, 3.0, 4.0, 1.0])
    orientation = Orientation(affine)
    closest = nibabel.as_closest_canonical(nibabel.Nifti1Image(data, affine))
    np.testing.assert_array_equal(orientation.turned(data), closest.get_fdata())
    np.testing.assert_allclose(orientation.turned_affine(affine, data.shape[:3]), closest.affine, atol=1e-9)
    np.testing.assert_allclose(orientation.zooms, closest.header.get_zooms()[:3], rtol=1e-6)
    np.testing.assert_array_equal(orientation.turned_back(orientation.turned(data)), data)


def test_all_orders_of_axes_come_back(rng):
    data = rng.random((4, 3, 2))
    for order, signs in itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)):
        affine = np.zeros((4, 4))
        affine[3, 3] = 1
        affine[range(3), order] = signs
        orientation = Orientation(affine)
        np.testing.assert_array_equal(orientation.turned_back(orientation.turned(data)), data)
