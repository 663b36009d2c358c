"""Displacements that the tests made are measured, and other changes are not taken for motion."""

import numpy as np
import pytest
from scipy import ndimage

from keras_mri.imaging.runs.head_positions import distance, head_positions, stretches
from tests.imaging.runs.simulated_runs import head, shifted

SHAPE = (24, 21, 17)
HEAD = head(SHAPE)


def follow(images, zooms=(1.0, 1.0, 1.0)):
    return head_positions(np.array(images), HEAD > 300, 1, zooms)


def frames(rng, count=9, sigma=20.0):
    return [HEAD + rng.normal(0, sigma, SHAPE) for _ in range(count)]


@pytest.mark.parametrize("voxels", [(1, 0, 0), (0, -2, 0), (0.5, 0.5, 0), (0, 5, 0), (-3, 0, 1)])
def test_a_shift_is_measured_along_each_axis(voxels, rng):
    images = frames(rng)
    images[4] = shifted(images[4], voxels)
    positions = follow(images)
    np.testing.assert_allclose(positions[4].mean(axis=0), voxels, atol=0.15 + 0.1 * np.abs(voxels).max())
    assert np.abs(np.delete(positions, 4, axis=0).mean(axis=1)).max() < 0.1


def test_a_turn_moves_the_brain_without_shifting_it(rng):
    images = frames(rng)
    images[4] = ndimage.rotate(images[4], 5.0, (0, 1), reshape=False, order=3, mode="nearest")
    positions = follow(images)
    x, y, _ = np.argwhere(HEAD > 300).T
    # Root mean square distance from the axis of the turn, times 5° in radians.
    expected = np.sqrt(np.mean((x - 11.5) ** 2 + (y - 10) ** 2)) * 0.0873
    assert np.linalg.norm(positions[4].mean(axis=0)) < 0.1
    assert distance(positions[4], positions[3]) == pytest.approx(expected, rel=0.2)


def test_a_gain_is_no_motion(rng):
    images = frames(rng)
    images[4] *= 1.3
    assert distance(follow(images)[4], np.zeros((1, 3))) < 0.1


def test_another_contrast_is_of_unknown_position_or_still(rng):
    images = frames(rng)
    images[4] = 2 * HEAD * (np.indices(SHAPE)[1] % 6 > 2)
    position = follow(images)[4]
    assert np.isnan(position).all() or distance(position, np.zeros((1, 3))) < 0.75


def place(*shifts):
    return np.array([np.full((5, 3), [shift, 0.0, 0.0]) for shift in shifts])


def test_stretches_part_at_jumps_and_meet_where_the_head_comes_back():
    shifts = [0, 0.1, 0, 0.1, 2, 2.1, 2, 2.1, 0, 0.1, 0, 0, 4, 0, 0.1]
    assert stretches(place(*shifts)).tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 2, 0, 0]


def test_a_head_that_creeps_makes_one_stretch():
    assert set(stretches(place(*np.arange(40) * 0.1))) == {0}


def test_an_unknown_position_keeps_the_place_before():
    positions = place(0, 0, 2, 2, 2)
    positions[3] = np.nan
    assert stretches(positions).tolist() == [0, 0, 1, 1, 1]


def test_what_noise_does_between_two_frames_is_no_jump(rng):
    assert set(stretches(place(*rng.normal(0, 0.8, 30)))) == {0}


def test_distance_is_the_root_mean_square_over_points():
    # √((3² + 4²) / 2)
    assert distance(np.zeros((2, 3)), np.array([[3.0, 0, 0], [0, 0, 4.0]])) == pytest.approx(3.5355339)
