"""Known motions are found, undone and told from what is not a rigid motion."""

import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.imaging import registration
from keras_mri.imaging.noise import add_rician_noise
from keras_mri.imaging.phantoms import oblique_affine
from keras_mri.imaging.registration import estimate_rigid, remaining_motion, similarity
from keras_mri.imaging.rigid import RigidTransform, resample_rigid

OBLIQUE = oblique_affine((2.0, 2.0, 2.0))
SHAPE = (46, 44, 42)


def _world(shape, affine):
    """World points of all voxels: shape (4, x, y, z)."""
    points = np.concatenate([np.indices(shape).reshape(3, -1), np.ones((1, np.prod(shape)))])
    return (affine @ points).reshape(4, *shape)


def _centre(shape, affine):
    return tuple((affine @ [*((np.array(shape) - 1) / 2), 1.0])[:3])


def _texture(points, centre, size, seed=3):
    """Plane waves a sixth to two thirds of `size` long, squashed to 0 ... 1 under a dome: intensity in closed form at any world point."""
    rng = np.random.default_rng(seed)
    offsets = (points[:3].reshape(3, -1).T - centre).astype(np.float32)
    directions = rng.standard_normal((30, 3))
    waves = directions / np.linalg.norm(directions, axis=1, keepdims=True) * 2 * np.pi / (size * rng.uniform(0.16, 0.6, (30, 1)))
    ripple = np.cos(offsets @ waves.T.astype(np.float32) + rng.uniform(0, 2 * np.pi, 30).astype(np.float32)).sum(axis=1)
    dome = np.exp(-(np.sum((offsets / size) ** 2, axis=1) ** 2))
    return (dome / (1 + np.exp(-ripple))).reshape(points.shape[1:]).astype(np.float32)


def _scene(motion, shape=SHAPE, affine=OBLIQUE, noise=0.0, gain=1.0, seed=0):
    """Draw a fixed and a moving scan: moving(motion(x)) = gain * fixed(x) in every world point x. And a mask."""
    centre, size = _centre(shape, affine), 0.55 * np.linalg.norm(affine[:3, :3], axis=0).max() * max(shape)
    points = _world(shape, affine)
    origins = np.tensordot(np.linalg.inv(motion.matrix()), points, axes=1)
    fixed, moving = _texture(points, centre, size), gain * _texture(origins, centre, size)
    if noise:
        fixed, moving = _noisy_pair(fixed, moving, noise * fixed.max(), seed)
    mask = np.zeros(shape, bool)
    mask[tuple(slice(side // 10, side - side // 10) for side in shape)] = True
    return fixed, moving, mask


def _noisy_pair(fixed, moving, sigma, seed):
    rng = np.random.default_rng(seed)
    return [add_rician_noise(scan, sigma, rng) for scan in (fixed, moving)]


def _error(found, motion, mask, affine):
    """Return shift at the mask's centre (voxels of the shortest side), angle (degrees), and the worst voxel's distance (voxels)."""
    error = np.linalg.inv(motion.matrix()) @ found.matrix()
    difference = RigidTransform.from_matrix(error, found.centre)
    side = np.linalg.norm(affine[:3, :3], axis=0).min()
    shift = np.linalg.norm(difference.translation) / side
    return shift, np.abs(difference.rotation).max(), difference.displacement(mask, affine) / side


@pytest.mark.parametrize(
    ("shape", "zooms", "translation", "rotation"),
    [
        (SHAPE, (2.0, 2.0, 2.0), (0.6, -0.5, 0.6), (1.0, 0.0, 0.0)),
        (SHAPE, (2.0, 2.0, 2.0), (0.0, 0.3, 0.0), (0.3, -1.0, 0.7)),
        ((44, 40, 24), (1.5, 1.8, 4.0), (0.8, 0.4, -0.9), (0.5, 1.0, -1.0)),
        # Long enough for the coarse levels to shrink it, and no multiple of their blocks.
        ((151, 23, 20), (1.0, 2.0, 2.0), (-0.5, 0.5, 0.5), (0.5, 0.4, 1.0)),
    ],
)
def test_a_known_motion_is_found_in_millimetres_on_oblique_grids(shape, zooms, translation, rotation):
    affine = oblique_affine(zooms)
    motion = RigidTransform(translation, rotation, _centre(shape, affine))
    fixed, moving, mask = _scene(motion, shape, affine, gain=1.3)
    assert _error(estimate_rigid(fixed, moving, mask, affine), motion, mask, affine)[2] < 0.02


@pytest.mark.parametrize("seed", range(3))
def test_half_a_voxel_and_a_degree_are_found_within_three_hundredths_despite_noise(seed):
    motion = RigidTransform((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), _centre(SHAPE, OBLIQUE))
    fixed, moving, mask = _scene(motion, noise=0.05, seed=seed)
    shift, angle, _ = _error(estimate_rigid(fixed, moving, mask, OBLIQUE), motion, mask, OBLIQUE)
    assert shift < 0.03
    assert angle < 0.03


@pytest.mark.parametrize("seed", range(3))
def test_noisy_scans_that_lie_alike_stay_where_they_are(seed):
    fixed, moving, mask = _scene(RigidTransform(), noise=0.05, gain=0.9, seed=seed)
    assert estimate_rigid(fixed, moving, mask, OBLIQUE).displacement(mask, OBLIQUE) < 0.03 * 2.0


def test_the_error_is_nearly_as_small_as_the_noise_permits():
    clean, _, mask = _scene(RigidTransform())
    # Cramer & Rao: sigma**2 (J' J)**-1 is the least variance, here with the noise of two scans; slopes by numpy.
    slopes = np.tensordot(np.stack(np.gradient(clean.astype(np.float64)), axis=-1), np.linalg.inv(OBLIQUE[:3, :3]), axes=1)[mask]
    offsets = _world(SHAPE, OBLIQUE)[:3, mask].T - _centre(SHAPE, OBLIQUE)
    columns = np.column_stack([slopes, np.cross(offsets, slopes), clean[mask]])
    least = np.sqrt(2 * np.diag(np.linalg.inv(columns.T @ columns)))[:6] * 0.1 * clean.max()
    errors = []
    for seed in range(8):
        found = estimate_rigid(*_noisy_pair(clean, clean, 0.1 * clean.max(), seed), mask, OBLIQUE)
        errors.append([*found.translation, *np.radians(found.rotation)])
    ratio = np.sqrt(np.mean(np.square(errors), axis=0)) / least
    assert np.sqrt(np.mean(ratio**2)) < 1.5


@pytest.mark.parametrize(
    ("translation", "rotation"),
    [((10.0, 0.0, 0.0), (0.0, 0.0, 10.0)), ((0.0, -10.0, 0.0), (10.0, 0.0, 0.0)), ((6.0, 6.0, -6.0), (-6.0, 6.0, 6.0))],
)
def test_five_voxels_and_ten_degrees_are_within_reach(translation, rotation):
    motion = RigidTransform(translation, rotation, _centre(SHAPE, OBLIQUE))
    fixed, moving, mask = _scene(motion, noise=0.05)
    assert _error(estimate_rigid(fixed, moving, mask, OBLIQUE), motion, mask, OBLIQUE)[2] < 0.1


def test_a_part_of_the_voxels_is_enough(monkeypatch):
    monkeypatch.setattr(registration, "_MOST_POINTS", 3000)
    motion = RigidTransform((1.0, -0.6, 0.0), (0.0, 1.0, 0.5), _centre(SHAPE, OBLIQUE))
    fixed, moving, mask = _scene(motion)
    assert _error(estimate_rigid(fixed, moving, mask, OBLIQUE), motion, mask, OBLIQUE)[2] < 0.02


def test_shrinking_leaves_every_point_of_the_world_where_it_was(monkeypatch):
    # Blocks of 2 voxels; a grid half a voxel off would miss a turn of 20 degrees by a quarter of a voxel.
    monkeypatch.setattr(registration, "_LEVELS", ((20, 3.0), (20, 1.0)))
    motion = RigidTransform((1.0, -2.0, 0.5), (0.0, 20.0, 0.0), _centre(SHAPE, OBLIQUE))
    fixed, moving, mask = _scene(motion)
    assert _error(estimate_rigid(fixed, moving, mask, OBLIQUE), motion, mask, OBLIQUE)[0] < 0.05


def test_a_single_slice_is_aligned_within_its_plane():
    affine = np.diag([2.0, 2.0, 5.0, 1.0])
    motion = RigidTransform((0.9, -0.6, 0.0), (0.0, 0.0, 1.0), _centre((48, 46, 1), affine))
    fixed, moving, mask = _scene(motion, (48, 46, 1), affine)
    assert _error(estimate_rigid(fixed, moving, mask, affine), motion, mask, affine)[2] < 0.02


def test_the_scans_are_not_changed():
    fixed, moving, mask = _scene(RigidTransform((1.0, 0.0, 0.0)), shape=(20, 19, 18))
    copies = fixed.copy(), moving.copy(), mask.copy()
    resample_rigid(moving, estimate_rigid(fixed, moving, mask, OBLIQUE), OBLIQUE)
    remaining_motion(fixed, moving, mask, OBLIQUE)
    for array, copy in zip((fixed, moving, mask), copies):
        np.testing.assert_array_equal(array, copy)


def test_resampling_brings_the_moving_scan_onto_the_fixed_scan():
    affine = oblique_affine((2.0, 2.5, 3.0))
    motion = RigidTransform((1.2, -0.7, 0.9), (3.0, -2.0, 4.0), (20.0, 10.0, 15.0))
    fixed, moving, mask = _scene(motion, (40, 36, 30), affine)
    resampled = resample_rigid(moving, motion, affine)
    # A tenth of what an identity would leave: blurred edges, no misplaced ones.
    assert np.abs(resampled - fixed)[mask].mean() < 0.1 * np.abs(moving - fixed)[mask].mean()
    assert similarity(fixed, resampled, mask) > 0.999


@pytest.mark.parametrize(("factor", "expected"), [(1.0, 1.0), (3.0, 1.0), (-2.0, -1.0)])
def test_similarity_is_a_correlation(factor, expected):
    fixed, _, mask = _scene(RigidTransform(), shape=(20, 19, 18))
    assert similarity(fixed, factor * fixed + 5, mask) == pytest.approx(expected, abs=1e-5)


def test_independent_noise_is_not_similar():
    first, second = np.random.default_rng(0).standard_normal((2, *SHAPE), dtype=np.float32)
    assert abs(similarity(first, second, np.ones(SHAPE, bool))) < 0.05


def test_similarity_heeds_only_the_mask():
    fixed, _, mask = _scene(RigidTransform(), shape=(20, 19, 18))
    other = fixed.copy()
    other[:5] = 7.0
    mask[:9] = False
    assert similarity(fixed, other, mask) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_nothing_remains_between_noisy_scans_that_are_aligned(seed):
    fixed, moving, mask = _scene(RigidTransform(), noise=0.05, gain=1.1, seed=seed)
    assert remaining_motion(fixed, moving, mask, OBLIQUE) < 0.15 * 2.0


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_a_shift_that_was_not_mended_remains_in_its_length(noise):
    affine = oblique_affine((2.0, 2.0, 2.5))
    fixed, moving, mask = _scene(RigidTransform((1.2, 0.0, -0.9)), affine=affine, noise=noise)
    assert remaining_motion(fixed, moving, mask, affine) == pytest.approx(1.5, rel=0.15)


def test_a_warp_remains_after_the_best_rigid_motion():
    fixed, _, mask = _scene(RigidTransform(), noise=0.05)
    points = _world(SHAPE, OBLIQUE)
    # 2 voxels of amplitude, a wave of 80 mm.
    points[0] += 4.0 * np.sin(2 * np.pi * points[1] / 80.0)
    warped = _texture(points, _centre(SHAPE, OBLIQUE), 0.55 * 2.0 * max(SHAPE))
    warped = add_rician_noise(warped, 0.05 * warped.max(), np.random.default_rng(9))
    aligned = resample_rigid(warped, estimate_rigid(fixed, warped, mask, OBLIQUE), OBLIQUE)
    assert remaining_motion(fixed, aligned, mask, OBLIQUE) > 0.5 * 2.0


def test_scans_without_texture_do_not_pretend_to_know():
    first, second = 1 + 0.05 * np.random.default_rng(0).standard_normal((2, 34, 33, 32), dtype=np.float32)
    assert np.isnan(remaining_motion(first, second, np.ones(first.shape, bool), OBLIQUE))


def _call(verb, fixed, moving, mask):
    return verb(fixed, moving, mask) if verb is similarity else verb(fixed, moving, mask, OBLIQUE)


@pytest.mark.parametrize("verb", [estimate_rigid, similarity, remaining_motion])
def test_what_cannot_be_aligned_is_refused(verb):
    scan = np.random.default_rng(0).random((9, 8, 7), dtype=np.float32)
    mask = np.ones(scan.shape, bool)
    with pytest.raises(InputError, match=r"one shape \(x, y, z\). Received: fixed \(9, 8, 7\), moving \(9, 8, 6\), mask \(9, 8, 7\)"):
        _call(verb, scan, scan[..., 1:], mask)
    with pytest.raises(InputError, match=r"Received: fixed \(9, 8\), moving \(9, 8\), mask \(9, 8\). Resample them to one grid"):
        _call(verb, scan[..., 0], scan[..., 0], mask[..., 0])
    with pytest.raises(InputError, match=r"mask must hold at least one voxel. Received: no voxel of \(9, 8, 7\). Lower its threshold"):
        _call(verb, scan, scan, ~mask)
    with pytest.raises(InputError, match="the fixed scan is constant inside the mask: .* Received: 4 throughout"):
        _call(verb, np.full_like(scan, 4), scan, mask)
    with pytest.raises(InputError, match="the moving scan is constant inside the mask"):
        _call(verb, scan, np.zeros_like(scan), mask)
