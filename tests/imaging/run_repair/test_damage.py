import numpy as np
import pytest

from keras_mri.imaging.run_repair.damage import Damage, find_damage
from keras_mri.imaging.run_repair.slice_changes import slice_changes
from keras_mri.io.volumes import Volume
from tests.imaging.run_repair.low_rank_runs import SHAPE, low_rank_run

N = 30


@pytest.fixture
def run():
    return low_rank_run(N, 3, noise=1.0)


def found(run, affine, **options):
    volume = Volume(run.__getitem__, (*run.shape[1:], len(run)), affine, name="run")
    return find_damage(volume, **options)


def test_a_sound_run_has_no_damage(run, affine):
    assert found(run, affine).slices == {}


def test_exactly_the_damage_that_was_drawn_is_found(run, affine, rng):
    run[6, :, :, 4] *= np.float32(0.8)
    run[11, :, :, [2, 8]] = 0
    run[17, :, :, 5] += 25 * np.cos(2 * np.arange(SHAPE[0], dtype=np.float32))[:, None]
    run[22, :, :, 9] += 20 * rng.standard_normal(SHAPE[:2]).astype(np.float32)
    run[25] += 30 * rng.standard_normal(SHAPE).astype(np.float32)
    damage = found(run, affine)
    assert damage.slices == {6: (4,), 11: (2, 8), 17: (5,), 22: (9,), 25: tuple(range(SHAPE[2]))}
    assert damage.sentences() == [
        "frame 25: all slices",
        "frame 6: slice 4",
        "frame 11: slices 2 and 8",
        "frame 17: slice 5",
        "frame 22: slice 9",
    ]
    assert damage.facts() == {"axis": "z", "frames": {"6": [4], "11": [2, 8], "17": [5], "22": [9], "25": list(range(SHAPE[2]))}}
    mask = damage.missing(11)
    assert mask[:, :, [2, 8]].all() and mask.sum() == 2 * SHAPE[0] * SHAPE[1] and not damage.missing(0).any()


def test_two_damaged_frames_side_by_side_do_not_hide_each_other(run, affine):
    run[10:12, :, :, 6] *= np.float32(0.5)
    assert found(run, affine).slices == {10: (6,), 11: (6,)}


def test_a_step_that_lasts_is_no_damage(run, affine):
    run[14:, :, :, 5] += 10
    assert found(run, affine).slices == {}


def test_slices_along_another_axis(run, affine):
    run[9, 7] = 0
    assert found(run, affine, axis=0).slices == {9: (7,)}


def test_two_conditions_that_alternate_are_not_taken_for_damage(run, affine):
    run[1::2] *= np.float32(1.02)
    run[8, :, :, 3] = 0
    assert found(run, affine).slices == {8: (3,)}


def test_a_run_of_few_frames(affine):
    run = low_rank_run(6, 1, noise=1.0)
    assert found(run, affine).slices == {}
    run[2, :, :, 6] = 0
    assert found(run, affine).slices == {2: (6,)}


def test_changes_are_measured_from_the_median_of_five_frames_on_either_side(rng):
    run = rng.random((14, *SHAPE)).astype(np.float32)
    changes = slice_changes(run.__getitem__, range(14), 2)
    assert changes.shape == (2, 14, SHAPE[2])
    before, after = np.median(run[2:7], axis=0), np.median(run[8:13], axis=0)
    np.testing.assert_allclose(changes[0, 7], np.sqrt(np.mean((run[7] - before) ** 2, axis=(0, 1))), rtol=1e-5)
    np.testing.assert_allclose(changes[1, 7], np.sqrt(np.mean((run[7] - after) ** 2, axis=(0, 1))), rtol=1e-5)
    assert np.isnan(changes[0, :5]).all() and np.isnan(changes[1, -5:]).all()
    assert np.isfinite(changes[0, 5:]).all() and np.isfinite(changes[1, :-5]).all()


def test_many_frames_are_named_together():
    whole = tuple(range(3))
    assert Damage((5, 5, 3), 2, {1: whole, 2: whole, 3: whole, 7: (0, 1)}).sentences() == [
        "frames 1-3: all slices",
        "frame 7: slices 0 and 1",
    ]
