"""What experiments/08_super_resolution trains with. Oracles: the profile's average, a straight line's own values, places by hand."""

import importlib

import numpy as np
import pytest

from keras_mri.imaging.acquisition.slice_profiles import profile_matrix

lesson = importlib.import_module("experiments.08_super_resolution.lesson")
scans = importlib.import_module("experiments.08_super_resolution.scans")


@pytest.fixture
def pool(rng):
    shapes = {(30, 36, 33): (1.0, 1.0, 1.0), (40, 34, 9): (0.9, 0.8, 4.0)}
    return [scans.Fine("any", (0.2 + rng.random(shape)).astype(np.float16), zooms) for shape, zooms in shapes.items()]


def plain(monkeypatch, pool, spacing, profile="box", shape=(8, 6, 24)):
    """Return patches of the pool as it is: no noise, no other contrast, touching slices of one distance and profile."""
    monkeypatch.setattr(lesson, "SPACING", (spacing, spacing))
    monkeypatch.setattr(lesson, "NOISE", 0.0)
    monkeypatch.setattr(lesson, "_COLOURED", 0.0)
    monkeypatch.setattr(lesson, "_SILENT", 0.0)
    monkeypatch.setattr(lesson, "_TOUCHING", 1.0)
    monkeypatch.setattr(lesson, "_SHARES", [float(name == profile) for name in lesson._PROFILES])
    monkeypatch.setattr(lesson.denoisers, "other_contrast", lambda patch, rng: patch)
    return lesson.Patches(pool, shape, 3, 2, seed=1)


def test_batches_have_an_image_and_a_distance_and_are_drawn_again_alike(pool):
    seen, truth = lesson.Patches(pool, (8, 6, 24), 3, 2, seed=1)[1]
    assert seen.shape == (3, 8, 6, 24, 2) and truth.shape == (3, 8, 6, 24, 1) and seen.dtype == truth.dtype == np.float32
    again = lesson.Patches(pool, (8, 6, 24), 3, 2, seed=1)
    np.testing.assert_array_equal(again[1][0], seen)
    assert not np.array_equal(again[0][0], seen)
    again.on_epoch_end()
    assert not np.array_equal(again[1][0], seen)


def test_thick_slices_lie_along_axes_of_fine_voxels_only(pool):
    assert [image.axes for image in pool] == [[0, 1, 2], [0, 1]]


@pytest.mark.parametrize("spacing", [2, 3, 4])
def test_what_is_seen_at_a_slice_is_the_mean_of_the_fine_slices_that_it_covers(monkeypatch, pool, spacing):
    # 48 fine slices, none left out: slices of whole voxels, whose centres are voxels where their number is odd.
    monkeypatch.setattr(lesson, "_BEYOND", 0)
    patches = plain(monkeypatch, pool, spacing, shape=(8, 6, 48))
    monkeypatch.setattr(patches, "_piece", lambda rng: rng.random((8, 6, 48)).astype(np.float32))
    seen, truth = patches[0]
    covered = truth[..., 0].reshape(3, 8, 6, 48 // spacing, spacing).mean(axis=-1)
    if spacing % 2:
        np.testing.assert_allclose(seen[..., spacing // 2 :: spacing, 0], covered, atol=1e-6)
    else:
        from scipy.interpolate import CubicSpline

        # Away from the ends, the spline through the means at the slices' centres.
        centres = (np.arange(48 // spacing) + 0.5) * spacing - 0.5
        wanted = CubicSpline(centres, covered, axis=-1)(np.arange(20, 28))
        np.testing.assert_allclose(seen[..., 20:28, 0], wanted, atol=2e-3)


@pytest.mark.parametrize("profile", ["box", "gaussian"])
def test_a_straight_line_is_seen_as_it_is_away_from_the_ends_of_the_stack(profile):
    line = np.tile(np.linspace(0, 1, 60, dtype=np.float32), (2, 3, 1))
    for slices in (10, 13, 27):
        matrix = profile_matrix(60, slices, 1.0, 60 / slices, 60 / slices, profile)
        seen = lesson.interpolated((line @ matrix.T).astype(np.float32), 60)
        margin = int(4 * 60 / slices)
        np.testing.assert_allclose(seen[..., margin:-margin, 0], line[..., margin:-margin], atol=2e-4)


def test_distances_by_hand():
    # Four slices on twelve voxels have their centres at voxels 1, 4, 7 and 10.
    seen = lesson.interpolated(np.ones((1, 1, 4), np.float32), 12)
    np.testing.assert_allclose(seen[0, 0, :, 1], np.array([1, 0, 1] * 4) / 4, atol=1e-6)
    # Six: half a voxel from every voxel.
    np.testing.assert_allclose(lesson.interpolated(np.ones((1, 1, 6), np.float32), 12)[..., 1], 0.125, atol=1e-6)


def test_matrices_are_of_many_distances_thicknesses_and_profiles_and_average(rng):
    drawn = [lesson.drawn_matrix(70, rng) for _ in range(200)]
    np.testing.assert_allclose([row.sum() for matrix in drawn for row in matrix], 1, atol=1e-9)
    spacings = np.array([70 / len(matrix) for matrix in drawn])
    assert spacings.min() < 1.5 and spacings.max() > 6 and 1.26 < spacings.min() and spacings.max() < 6.8
    assert 0.1 < np.mean([matrix.min() < -1e-6 for matrix in drawn]) < 0.4
    # As many short distances as long ones, on a logarithmic scale.
    assert 0.35 < np.mean(spacings < np.sqrt(1.3 * 6.6)) < 0.65


def test_noise_is_of_the_slices_and_as_strong_as_drawn(rng):
    slices = np.full((40, 40, 12), 0.5, np.float32)
    found = [(lesson.with_noise(slices, rng) - slices).std() for _ in range(60)]
    assert max(found) < 1.3 * lesson.NOISE and 0.3 * lesson.NOISE < np.mean(found) < 0.55 * lesson.NOISE
    assert lesson.with_noise(0 * slices, rng).min() >= 0


def test_the_voxels_of_painted_heads_reach_the_millimetre_along_one_axis_at_least(rng):
    for form in scans._FORMS:
        zooms = np.array([scans.drawn_zooms(form, rng) for _ in range(30)])
        assert ((zooms > 0.8) & (zooms < 1.25)).any(axis=1).all() and zooms.min() >= 0.55 and zooms.max() <= 2.2
        assert form == "alike" or (zooms.max(axis=1) > 1.1 * zooms.min(axis=1)).any()


def test_losses_of_a_constant_error_by_hand():
    truth = np.full((2, 4, 4, 4, 1), 0.5, np.float32)
    for loss in lesson.LOSSES.values():
        np.testing.assert_allclose(loss(truth, truth + np.float32(0.1)), [0.1, 0.1], rtol=1e-3)
    # In the air an error counts a fifth.
    np.testing.assert_allclose(lesson.LOSSES["l1"](0 * truth, 0 * truth + np.float32(0.1)), [0.02, 0.02], rtol=1e-3)
