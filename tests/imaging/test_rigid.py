import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.imaging.phantoms import oblique_affine
from keras_mri.imaging.rigid import RigidTransform, in_view, resample_rigid

OBLIQUE = oblique_affine((2.0, 2.0, 2.0))
SHAPE = (46, 44, 42)


@pytest.mark.parametrize(
    ("rotation", "point", "expected"),
    [
        ((90, 0, 0), (0, 1, 0), (0, 0, 1)),
        ((0, 90, 0), (0, 0, 1), (1, 0, 0)),
        ((0, 0, 90), (1, 0, 0), (0, 1, 0)),
        ((90, 0, 90), (0, 0, 1), (1, 0, 0)),
        ((90, 90, 0), (0, 1, 0), (1, 0, 0)),
    ],
)
def test_rotations_are_right_handed_and_x_comes_before_y_before_z(rotation, point, expected):
    matrix = RigidTransform(rotation=rotation).matrix()
    np.testing.assert_allclose(matrix @ [*point, 1], [*expected, 1], atol=1e-12)


def test_a_transform_turns_about_its_centre_and_then_shifts():
    matrix = RigidTransform((1.0, -2.0, 3.0), (0.0, 0.0, 90.0), (10.0, 20.0, 30.0)).matrix()
    np.testing.assert_allclose(matrix @ [10, 20, 30, 1], [11, 18, 33, 1], atol=1e-12)
    np.testing.assert_allclose(matrix @ [15, 20, 30, 1], [11, 23, 33, 1], atol=1e-12)


def test_a_transform_survives_the_way_through_its_matrix():
    transform = RigidTransform((0.3, -4.0, 5.5), (12.0, -7.0, 3.0), (31.0, -17.0, 4.0))
    again = RigidTransform.from_matrix(transform.matrix(), np.array(transform.centre))
    for field in ("translation", "rotation", "centre"):
        np.testing.assert_allclose(getattr(again, field), getattr(transform, field), atol=1e-9)


def test_a_transform_says_what_it_does():
    transform = RigidTransform((0.321, -0.1, 0.049), (0.1, -1.0, -0.001))
    assert transform.describe() == "shift 0.32 -0.10 0.05 mm, rotation 0.1 -1.0 0.0 degrees"


def test_the_displacement_of_a_shift_is_its_length():
    mask = np.ones((9, 8, 7), bool)
    assert RigidTransform((3.0, 0.0, -4.0)).displacement(mask, oblique_affine()) == pytest.approx(5.0)


def test_the_displacement_of_a_rotation_is_the_chord_of_the_furthest_voxel():
    mask = np.zeros((9, 8, 7), bool)
    mask[2, 3, 4] = mask[5, 3, 4] = True
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    transform = RigidTransform(rotation=(0.0, 0.0, 60.0), centre=(4.0, 9.0, 0.0))
    assert transform.displacement(mask, affine) == pytest.approx(6.0)


def test_no_voxel_of_the_mask_moves_further_than_the_displacement():
    mask = np.random.default_rng(0).random((9, 8, 7)) < 0.3
    affine, transform = oblique_affine(), RigidTransform((1.0, 2.0, 3.0), (5.0, -8.0, 13.0), (3.0, 4.0, 5.0))
    voxels = np.argwhere(mask).T
    points = affine @ np.vstack([voxels, np.ones(voxels.shape[1])])
    moves = np.linalg.norm(transform.matrix() @ points - points, axis=0)
    assert moves.max() <= transform.displacement(mask, affine) <= 1.5 * moves.max()


@pytest.mark.parametrize("order", [0, 1, 3])
def test_a_shift_by_a_whole_voxel_moves_every_value_and_repeats_the_edge(order):
    data = np.random.default_rng(0).random((9, 8, 7), dtype=np.float32)
    affine = oblique_affine()
    # The second voxel axis: what lies at index j of the fixed scan lies at j + 1 of the moving scan.
    resampled = resample_rigid(data, RigidTransform(tuple(affine[:3, 1])), affine, order)
    assert resampled.dtype == np.float32
    np.testing.assert_allclose(resampled, data[:, [1, 2, 3, 4, 5, 6, 7, 7]], atol=1e-5)


def test_an_empty_mask_has_no_displacement():
    with pytest.raises(InputError, match="mask must hold at least one voxel"):
        RigidTransform().displacement(np.zeros((9, 8, 7), bool), OBLIQUE)


def test_what_a_shift_moves_out_of_the_moving_scan_is_not_in_view():
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    # Fixed voxel i lies at voxel i + 2 of the moving scan along x.
    seen = in_view(RigidTransform((4.0, 0.0, 0.0)), (6, 5, 4), affine)
    assert seen[:4].all() and not seen[4:].any()
