import numpy as np
import pytest

from keras_mri.imaging import phantoms
from keras_mri.imaging.resampling import coarse_copy, resampled_to
from keras_mri.io.volumes import Volume


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


def test_a_coarse_copy_keeps_a_slow_wave_where_it_is_in_the_world(affine):
    """Oracle: a cosine along each axis that both grids hold, evaluated at the places of the coarse grid's centres."""
    shape = (30, 24, 18)

    def wave(places, sides):
        # Whole cycles in a field of view that begins half a voxel before the first centre.
        phases = [2 * np.pi * 2 * (place + 0.5) / side for place, side in zip(places, sides)]
        return 100 + 10 * np.cos(phases[0]) + 7 * np.sin(phases[1]) + 5 * np.cos(phases[2])

    fine = Volume.from_array(wave(np.indices(shape), shape), affine)
    coarse = coarse_copy(fine, 1.5)
    assert coarse.shape == (20, 16, 12)
    np.testing.assert_allclose(coarse.zooms, np.multiply(fine.zooms, 1.5))
    centres = np.indices(coarse.shape).reshape(3, -1)
    world = coarse.affine @ np.vstack([centres, np.ones(centres.shape[1])])
    places = (np.linalg.inv(affine) @ world)[:3].reshape(3, *coarse.shape)
    np.testing.assert_allclose(coarse.frame(0), wave(places, shape), atol=1e-3)
