"""Label maps that are moved: against shifts and turns that NumPy makes."""

import numpy as np
import pytest

from keras_mri.imaging.painted import shapes

LABELS = np.random.default_rng(0).integers(0, 7, (9, 10, 11)).astype(np.int16)
STILL = np.zeros((3, 4, 4, 4), np.float32)


def test_nothing_moves_without_a_shift():
    assert np.array_equal(shapes.moved(LABELS, np.eye(3), STILL), LABELS)
    assert np.array_equal(shapes.moved(LABELS, np.eye(3), STILL, flipped=True), LABELS[::-1])


def test_a_constant_shift_moves_all_and_lets_air_in():
    shift = STILL.copy()
    shift[1] = 2
    result = shapes.moved(LABELS, np.eye(3), shift)
    assert np.array_equal(result[:, :-2], LABELS[:, 2:]) and not result[:, -2:].any()


def test_an_affine_turns_about_the_centre():
    cube = LABELS[:9, :9, :9]
    quarter = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]])
    assert np.array_equal(shapes.moved(cube, quarter, STILL), np.rot90(cube, -1, axes=(0, 1)))


def test_more_planes_than_are_moved_at_once_and_a_deformation_against_coordinates():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 5, (70, 12, 12)).astype(np.int16)
    deformation = shapes.drawn_deformation(labels.shape, rng, largest=3.0)
    result = shapes.moved(labels, np.eye(3), deformation)
    # At the first and the last voxel the control points are met exactly.
    corner = np.rint(np.array([0, 0, 0]) + deformation[:, 0, 0, 0]).astype(int)
    inside = (corner >= 0).all() and (corner < labels.shape).all()
    assert result[0, 0, 0] == (labels[tuple(corner)] if inside else 0)
    assert 0.05 < (result == labels).mean() < 1


@pytest.mark.parametrize("seed", range(5))
def test_a_drawn_affine_is_near_the_identity_and_does_not_fold(seed):
    affine = shapes.drawn_affine(np.random.default_rng(seed))
    assert np.linalg.det(affine) > 0.6 and np.abs(affine - np.eye(3)).max() < 0.6
