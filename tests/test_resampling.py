import numpy as np
import pytest

from keras_mri import phantoms
from keras_mri.resampling import resampled_to
from keras_mri.volumes import Volume


def linear_field(affine, shape):
    """An intensity that grows linearly along the world's axes: any spline gives it back exactly."""
    world = np.einsum("ij,jxyz->ixyz", affine[:3, :3], np.indices(shape)) + affine[:3, 3].reshape(3, 1, 1, 1)
    return (500 + world[0] - 2 * world[1] + 0.5 * world[2]).astype(np.float32)


@pytest.mark.parametrize("order", [1, 3])
def test_what_lies_somewhere_in_the_world_is_found_there_on_the_other_grid(affine, order):
    other = phantoms.oblique_affine((1.1, 1.3, 1.7), angle=-0.1)
    other[:3, 3] = (affine @ [3, 3, 3, 1])[:3]
    volume = Volume.from_array(linear_field(affine, (19, 18, 17)), affine)
    reference = Volume.from_array(np.zeros((8, 7, 6)), other, name="target")
    found = resampled_to(volume, reference, order)
    # The cubic spline is mirrored at its borders, which bends it there.
    inside = (slice(2, 6),) * 3
    np.testing.assert_allclose(found.frame(0)[inside], linear_field(other, (8, 7, 6))[inside], rtol=1e-3)
    assert found.shape == (8, 7, 6) and np.array_equal(found.affine, other)


def test_outside_the_field_of_view_it_is_zero_and_nothing_is_invented(affine):
    data = np.full((9, 8, 7), 100, np.float32)
    data[4:] = 1000
    shifted = affine.copy()
    shifted[:3, 3] += affine[:3, 0] * 4
    found = resampled_to(Volume.from_array(data, affine), Volume.from_array(np.zeros((9, 8, 7)), shifted)).frame(0)
    assert (found[5:] == 0).all() and found[1:5].min() > 900
    assert found.min() >= 0 and found.max() <= 1000
