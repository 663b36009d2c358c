"""What experiments/08_super_resolution trains with. Oracles: the profile's average, a straight line's own values, places by hand."""

import importlib

import keras
import numpy as np
import pytest
from keras import layers

from keras_mri.imaging.acquisition.slice_profiles import kept, profile_matrix
from keras_mri.io.volumes import Volume

lesson = importlib.import_module("experiments.08_super_resolution.lesson")
scans = importlib.import_module("experiments.08_super_resolution.scans")
runs = importlib.import_module("experiments.08_super_resolution.runs")
heads = importlib.import_module("experiments.08_super_resolution.heads")
table = importlib.import_module("experiments.08_super_resolution.table")


@pytest.fixture
def pool(rng):
    shapes = {(30, 36, 33): (1.0, 1.0, 1.0), (40, 34, 9): (0.9, 0.8, 4.0)}
    return [scans.Fine("any", (0.2 + rng.random(shape)).astype(np.float16), zooms) for shape, zooms in shapes.items()]


def plain(monkeypatch, pool, spacing, profile="box", shape=(8, 6, 48)):
    """Return patches of the pool as it is: no noise, no other contrast, touching slices of one distance and profile."""
    monkeypatch.setattr(lesson, "SPACING", (spacing, spacing))
    monkeypatch.setattr(lesson, "_NOISY", 0.0)
    monkeypatch.setattr(lesson, "_COLOURED", 0.0)
    monkeypatch.setattr(lesson, "_SILENT", 0.0)
    monkeypatch.setattr(lesson, "_TOUCHING", 1.0)
    monkeypatch.setattr(lesson, "_SHARES", [float(name == profile) for name in lesson._PROFILES])
    monkeypatch.setattr(lesson.denoisers, "other_contrast", lambda patch, rng: patch)
    return lesson.Patches(pool, shape, 3, 2, seed=1)


def test_batches_have_an_image_and_a_distance_and_are_drawn_again_alike(pool):
    (seen, projection, measured), truth = lesson.Patches(pool, (8, 6, 24), 3, 2, seed=1)[1]
    assert seen.shape == (3, 8, 6, 24, 2) and projection.shape == (3, 24, 24)
    assert measured.shape == (3, 8, 6, 24) and truth.shape == (3, 8, 6, 24, 1)
    assert {part.dtype for part in (seen, projection, measured, truth)} == {np.dtype(np.float32)}
    again = lesson.Patches(pool, (8, 6, 24), 3, 2, seed=1)
    np.testing.assert_array_equal(again[1][0][0], seen)
    assert not np.array_equal(again[0][0][0], seen)
    again.on_epoch_end()
    assert not np.array_equal(again[1][0][0], seen)


def test_a_result_is_kept_as_kept_does_it(rng):
    matrix = profile_matrix(30, 8, 1.0, 30 / 8, 0.9 * 30 / 8, "gaussian")
    result, slices = (rng.random((4, 5, count), dtype=np.float32) for count in (30, 8))
    projection, measured = lesson.keeping(slices, matrix)
    wanted = kept(result, slices, matrix)
    np.testing.assert_allclose(result @ projection.T + measured, wanted, atol=1e-5)
    inputs = keras.Input((None, None, None, 2))
    network = keras.Model(inputs, layers.Conv3D(1, 1, use_bias=False)(inputs))
    network.set_weights([np.array([1, 0], np.float32).reshape(1, 1, 1, 2, 1)])
    seen = np.stack([result, 0 * result], axis=-1)
    found = lesson.keeping_network(network).predict_on_batch((seen[None], projection[None], measured[None]))
    np.testing.assert_allclose(found[0, ..., 0], wanted, atol=1e-5)


def test_patches_are_pieces_of_the_pool_turned(monkeypatch, pool):
    _, truth = plain(monkeypatch, pool[:1], 3, shape=(4, 3, 12))[0]
    values = np.unique(pool[0].data.astype(np.float32))
    assert np.isin(truth, values).all()


def test_thick_slices_lie_along_axes_of_fine_voxels_only(pool):
    assert [image.axes for image in pool] == [[0, 1, 2], [0, 1]]


@pytest.mark.parametrize("spacing", [2, 3, 4])
def test_what_is_seen_at_a_slice_is_the_mean_of_the_fine_slices_that_it_covers(monkeypatch, pool, spacing):
    # Slices of whole voxels, whose centres are voxels where their number is odd.
    patches = plain(monkeypatch, pool, spacing)
    monkeypatch.setattr(patches, "_piece", lambda rng: rng.random((8, 6, 48)).astype(np.float32))
    (seen, *_), truth = patches[0]
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
    encoded = np.array([matrix.min() < -1e-6 for matrix in drawn])
    assert 0.05 < encoded.mean() < 0.3 and spacings[encoded].max() < lesson._LONGEST_ENCODED
    # As many short distances as long ones, on a logarithmic scale.
    assert 0.35 < np.mean(spacings < np.sqrt(1.3 * 6.6)) < 0.65


def test_noise_is_of_the_slices_and_as_strong_as_drawn(rng):
    slices = np.full((20, 24, 12), 0.5, np.float32)
    found = [(lesson.with_noise(slices, rng) - slices).std() for _ in range(150)]
    assert max(found) < 1.3 * lesson.NOISE and 0.28 < np.mean(np.array(found) == 0) < 0.52
    assert 0.3 * lesson.NOISE < np.mean([sigma for sigma in found if sigma]) < 0.55 * lesson.NOISE
    assert lesson.with_noise(0 * slices, rng).min() >= 0


def test_the_voxels_of_painted_heads_reach_the_millimetre_along_one_axis_at_least(rng):
    for form in scans._FORMS:
        zooms = np.array([scans.drawn_zooms(form, rng) for _ in range(30)])
        assert ((zooms > 0.8) & (zooms < 1.25)).any(axis=1).all() and zooms.min() >= 0.55 and zooms.max() <= 2.2
        assert form == "alike" or (zooms.max(axis=1) > 1.1 * zooms.min(axis=1)).any()


def test_a_patch_counts_by_the_ratio_of_its_errors():
    truth = np.full((2, 4, 4, 4, 1), 0.5, np.float32)
    errors = np.array([0.1, 0.4], np.float32).reshape(2, 1, 1, 1, 1)
    losses = [np.asarray(lesson.LOSSES["log"](truth, truth + factor * errors)) for factor in (1.0, 0.5)]
    # Half the error is half the error, whether it is large or small, as far as it is above the least.
    np.testing.assert_allclose(losses[0] - losses[1], np.log(2), rtol=0.06)
    np.testing.assert_allclose(losses[0], np.log(errors.ravel() + lesson._LEAST_ERROR), rtol=1e-3)


def test_painted_heads_and_real_scans_have_their_shares(pool):
    named = [scans.Fine(name, pool[0].data, pool[0].zooms) for name in ("label map 01, T1w", "label map 02, free", "real")]
    assert [image.share for image in scans.shared(named)] == pytest.approx([scans._PAINTED / 2] * 2 + [1 - scans._PAINTED])


@pytest.fixture
def scan(rng):
    """A scan whose second axis runs from head to foot."""
    affine = np.array([[1.1, 0, 0, -20], [0, 0, 1.2, 3], [0, -1.0, 0, 9], [0, 0, 0, 1]])
    return Volume.from_array(rng.random((8, 27, 10), dtype=np.float32), affine)


def test_a_thin_scan_is_made_thick_from_head_to_foot(scan):
    thick = heads.thick(scan, np.ones(scan.shape, bool), 4.0, "box")
    # Six slices of four voxels; three voxels are left over.
    assert list(thick.matrices) == [1] and thick.truth.shape == thick.mask.shape == (8, 24, 10) and thick.voxel == 1.0
    np.testing.assert_allclose(thick.slices.frame(0), thick.truth.reshape(8, 6, 4, 10).mean(axis=2), atol=1e-6)
    # The first slice's centre is that of the first four voxels.
    np.testing.assert_allclose(thick.slices.affine @ [0, 0, 0, 1], scan.affine @ [0, 1.5, 0, 1], atol=1e-6)
    np.testing.assert_allclose(thick.slices.zooms, [1.1, 4.0, 1.2], rtol=1e-6)


def test_the_rows_of_the_table_on_a_scan_that_changes_evenly(scan):
    line = Volume.from_array(np.broadcast_to(np.arange(1, 28, dtype=np.float32)[:, None], (8, 27, 10)).copy(), scan.affine)
    mask = np.zeros(line.shape, bool)
    mask[:, 10:17] = True
    thick = heads.thick(line, mask, 3.0, "box")
    for method in ("linear", "cubic", "cubic, kept"):
        restored = table.restored_by(method, thick, None)
        np.testing.assert_allclose(restored[thick.mask], thick.truth[thick.mask], rtol=2e-3)
        found = table.scores(thick, restored)
        assert found["sharpness"] == pytest.approx(1, abs=0.01) and (method != "cubic, kept" or found["off"] < 1e-3)
    assert table.scores(thick, thick.truth + np.float32(0.26))["off"] == pytest.approx(1, abs=0.05)


def test_a_table_of_gains_by_hand():
    row = dict(contrast="T1w", form="4 mm", ssim=0.9, sharpness=0.8, off=0.0)
    rows = [{**row, "head": head, "method": "cubic", "psnr": psnr} for head, psnr in (("a", 30.0), ("b", 32.0))]
    rows += [{**row, "head": head, "method": "sr_any", "psnr": psnr} for head, psnr in (("a", 33.0), ("b", 34.0))]
    text = table.markdown(rows).splitlines()
    assert text[2] == "| 4 mm | T1w, 2 | cubic | 31.00 ± 1.00 | +0.00 (+0.00 … +0.00) | 0.900 ± 0.000 | 0.80 | 0.00 |"
    assert text[3] == "| 4 mm | T1w, 2 | sr_any | 33.50 ± 0.50 | +2.50 (+2.00 … +3.00) | 0.900 ± 0.000 | 0.80 | 0.00 |"


def test_runs_are_halved_along_axes_that_give_no_slices(rng, monkeypatch):
    drawn = [Volume.from_array(rng.random((12, 10, 8), dtype=np.float32), np.diag([3, 3, 4, 1])) for _ in range(9)]
    real = Volume.from_array(rng.random((12, 10, 8, 5), dtype=np.float32), np.diag([2, 2, 3, 1]), name="run")
    monkeypatch.setattr(runs.runs, "drawn", lambda folder, group: (drawn, []))
    monkeypatch.setattr(runs.runs, "real", lambda sources: ([real], []))
    pool = runs.training_pool("heads", 14)
    # Fourteen drawn heads, and of the run four frames and their mean in seven forms.
    assert len(pool) == 14 + 5 * 7 and sum(image.share for image in pool) == pytest.approx(1)
    for image in pool:
        whole = (2, 2, 3) if image.name == "run" else (3, 3, 4)
        halved = [axis for axis in range(3) if axis not in image.axes]
        assert len(halved) < 3
        for axis, (side, count) in enumerate(zip(whole, (12, 10, 8))):
            assert (image.zooms[axis], image.data.shape[axis]) == ((2 * side, count // 2) if axis in halved else (side, count))


def test_slices_of_runs_are_as_far_apart_as_they_say(rng):
    for _ in range(50):
        matrix = lesson.drawn_matrix(32, rng, spacings=(2.0, 2.0), shares=(0.0, 0.0, 1.0), longest_encoded=4.0)
        assert matrix.shape == (16, 32)
        wave = np.cos(2 * np.pi * 9 * (np.arange(32) + 0.5) / 32)
        assert np.abs(matrix @ wave).max() < 1e-6
