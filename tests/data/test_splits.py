"""Training and validation data share nothing, and nothing is lost."""

import numpy as np
import pytest

from keras_mri.data.splits import hold_out, hold_out_blocks, slab_cut, split_subjects
from keras_mri.errors import InputError


def _runs(*frames, shape=(9, 8, 7)):
    """Draw runs in which every voxel of every frame has a value of its own."""
    starts = np.cumsum([0, *(np.prod(shape) * t for t in frames)])
    return [np.arange(a, b, dtype=np.float32).reshape(*shape, t) for a, b, t in zip(starts, starts[1:], frames)]


@pytest.mark.parametrize(
    ("frames", "window"), [((30,), 1), ((30,), 5), ((10,), 5), ((2,), 1), ((12, 3), 3), ((1, 1, 1), 1), ((4, 4), 3), ((1,), 1)]
)
def test_every_voxel_trains_or_validates_and_none_does_both(frames, window):
    runs = _runs(*frames)
    training, validation = (np.concatenate([part.ravel() for part in parts]) for parts in hold_out(runs, window))
    assert training.size
    assert validation.size
    np.testing.assert_array_equal(np.sort(np.concatenate([training, validation])), np.concatenate([run.ravel() for run in runs]))


@pytest.mark.parametrize(("frames", "window", "held"), [(30, 1, 6), (30, 5, 6), (20, 5, 5), (10, 5, 5), (2, 1, 1), (3, 1, 1)])
def test_a_run_gives_its_last_fifth_in_time_and_at_least_one_window(frames, window, held):
    (run,) = _runs(frames)
    (training,), (validation,) = hold_out([run], window)
    np.testing.assert_array_equal(training, run[..., :-held])
    np.testing.assert_array_equal(validation, run[..., -held:])


def test_a_run_too_short_to_divide_trains_beside_one_that_is_divided():
    short, long = _runs(5, 20)
    training, validation = hold_out([short, long], window=3)
    assert [part.shape[3] for part in training] == [5, 16]
    assert [part.shape[3] for part in validation] == [4]
    np.testing.assert_array_equal(training[0], short)


@pytest.mark.parametrize(("count", "held"), [(2, 1), (5, 1), (10, 2)])
def test_of_several_volumes_the_last_fifth_validates(count, held):
    volumes = _runs(*[1] * count)
    training, validation = hold_out(volumes)
    assert (len(training), len(validation)) == (count - held, held)
    for got, expected in zip([*training, *validation], volumes):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(("shape", "axis", "held"), [((9, 20, 7), 1, 4), ((8, 7, 9), 2, 2), ((3, 1, 2), 0, 1)])
def test_a_single_volume_gives_the_last_fifth_of_its_longest_axis(shape, axis, held):
    volume = np.full((*shape, 1), 5.0, np.float32)
    volume += 0.01 * np.random.default_rng(0).random(volume.shape, dtype=np.float32)
    (training,), (validation,) = hold_out([volume])
    cut = shape[axis] - held
    np.testing.assert_array_equal(training, np.take(volume, range(cut), axis))
    np.testing.assert_array_equal(validation, np.take(volume, range(cut, shape[axis]), axis))


def test_slices_of_air_do_not_count_as_held_out():
    volume = np.zeros((5, 30, 6, 1), np.float32)
    volume[:, :10] = 1.0
    (training,), (validation,) = hold_out([volume])
    assert training.shape[1] == 8 and validation[:, :2].all()


def test_a_run_shorter_than_a_window_is_refused():
    with pytest.raises(InputError, match="a training example spans 5 frames. Received: a run of 3. Use `frames` 1."):
        hold_out(_runs(30, 3), window=5)


def _ball(shape):
    grids = np.meshgrid(*(np.linspace(-1.1, 1.1, side) for side in shape), indexing="ij")
    return sum(grid**2 for grid in grids) < 1


def _cells(corners, shape):
    offsets = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1).reshape(-1, 3)
    return set(map(tuple, (corners[:, None] + offsets).reshape(-1, 3).tolist()))


@pytest.mark.parametrize("covering", [False, True])
@pytest.mark.parametrize(("shape", "block"), [((50, 44, 38), (12, 10, 8)), ((40, 48, 9), (32, 32, 32)), ((17, 21, 3), (32, 32, 32))])
def test_held_out_blocks_and_training_blocks_share_no_voxel_and_lie_inside(shape, block, covering):
    mask = _ball(shape)
    chosen, training, held_out = hold_out_blocks(mask, block, seed=0, covering=covering)
    assert len(training) and len(held_out)
    assert all(size <= wanted for size, wanted in zip(chosen, block))
    for corners in (training, held_out):
        assert (corners >= 0).all() and (corners + chosen <= shape).all()
    assert not _cells(training, chosen) & _cells(held_out, chosen)
    # About a seventh of the blocks, or one of a few.
    assert len(_cells(held_out, chosen)) <= 0.5 * mask.size


def test_the_seed_chooses_the_blocks_held_out():
    mask = _ball((60, 56, 52))
    again, same, other = (hold_out_blocks(mask, (10, 10, 10), seed)[2] for seed in (1, 1, 2))
    np.testing.assert_array_equal(again, same)
    assert not np.array_equal(again, other)


def test_covering_blocks_cover_the_box_but_for_those_that_touch_a_held_out_one():
    mask = np.zeros((40, 30, 20), bool)
    mask[3:38, 4:29, 2:18] = True
    shape, training, held_out = hold_out_blocks(mask, (16, 16, 16), seed=0, covering=True)
    # ceil(35/16) · ceil(25/16) · ceil(16/16) = 6 blocks at x = 3, 12 or 13, 22 and y = 4, 13; the two of the grid are apart: x = 3, 22.
    assert shape == (16, 16, 16)
    assert len(held_out) == 1 and 0 < len(training) < 6
    assert {int(corner[2]) for corner in training} == {2}
    assert {int(corner[0]) for corner in training} <= {3, 12, 13, 22}


def test_a_mask_without_room_for_two_blocks_is_refused():
    mask = np.zeros((20, 20, 20), bool)
    mask[4:12, 4:12, 4:12] = True
    with pytest.raises(InputError, match=r"512 voxels in a box of \(8, 8, 8\), is too small or too thin.*two blocks of \(6, 6, 6\)"):
        hold_out_blocks(mask, (32, 32, 32), seed=0)


@pytest.mark.parametrize(("count", "sizes"), [(3, (1, 1, 1)), (4, (2, 1, 1)), (5, (3, 1, 1)), (10, (6, 2, 2)), (47, (29, 9, 9))])
def test_subjects_are_divided_60_20_20_with_at_least_one_in_each_part(count, sizes):
    parts = list(split_subjects([f"sub-{k}" for k in range(count)], seed=0).values())
    assert tuple(parts.count(part) for part in ("training", "validation", "test")) == sizes


def test_the_seed_alone_decides_which_subjects_are_held_out(rng):
    names = [f"sub-{k:02d}" for k in range(20)] * 2
    first = split_subjects(names, seed=1)
    assert all(split_subjects(rng.permutation(names).tolist(), seed=1) == first for _ in range(5))
    assert split_subjects(names, seed=2) != first
    assert list(first) == sorted(first) and len(first) == 20


def test_fewer_than_three_subjects_cannot_be_divided():
    with pytest.raises(InputError, match=r"at least 3 subjects. Received: 2 \(a, b\).*`simulate`"):
        split_subjects(["b", "a", "b"], seed=0)


def test_the_cut_leaves_a_fifth_of_the_tissue_behind_not_of_the_field_of_view():
    tissue = np.zeros((30, 12, 10), bool)
    tissue[2:12, 3:9, 2:8] = True
    assert slab_cut(tissue) == (0, 10)
