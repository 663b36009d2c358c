import itertools

import numpy as np
import pytest
import tensorflow as tf

from keras_mri.data.pipelines import (
    PatchSource,
    listed_patches,
    random_patches,
    with_random_flips,
    with_simulated_activation,
)
from keras_mri.data.run_cache import RunCache

PATCH = (3, 2, 2)


def numbered(shape):
    """A run whose every voxel holds its own number."""
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def first(dataset, count):
    return [tuple(part.numpy() for part in element) if isinstance(element, tuple) else element.numpy() for element in dataset.take(count)]


def test_random_patches_are_windows_of_the_run_at_allowed_corners():
    run = numbered((9, 8, 7, 6))
    corners = np.array([[0, 0, 0], [6, 6, 5], [1, 2, 3]], np.int32)
    seen = set()
    for patch in first(random_patches([PatchSource(run, corners)], PATCH, 2, seed=0), 60):
        x, y, z, t = np.unravel_index(int(patch[0, 0, 0, 0]), run.shape)
        np.testing.assert_array_equal(patch, run[x : x + 3, y : y + 2, z : z + 2, t : t + 2])
        seen.add(((int(x), int(y), int(z)), int(t)))
    assert {corner for corner, _ in seen} == set(map(tuple, corners.tolist()))
    assert {time for _, time in seen} == {0, 1, 2, 3, 4}


def test_one_seed_gives_the_same_patches_and_another_seed_others():
    source = PatchSource(numbered((9, 8, 7, 6)), np.array(list(itertools.product(range(6), range(6), range(5))), np.int32))
    again, same, other = (first(random_patches([source], PATCH, 1, seed), 20) for seed in (1, 1, 2))
    np.testing.assert_array_equal(again, same)
    assert not np.array_equal(again, other)


@pytest.mark.parametrize("cut", [random_patches, listed_patches])
def test_a_run_on_disk_gives_the_patches_of_one_in_memory(cut):
    corners = np.array(list(itertools.product(range(3), range(3), range(4), range(2))), np.int32)
    corners = corners[:, :3] if cut is random_patches else corners
    runs = [numbered((9, 8, 7, 6))[1:, ..., 2:], -numbered((5, 6, 7, 3))]
    on_disk = [RunCache(0).keep(numbered((9, 8, 7, 6)))[1:, ..., 2:], RunCache(0).keep(runs[1])]
    expected, found = (first(cut([PatchSource(run, corners) for run in part], PATCH, 2, seed=3), 30) for part in (runs, on_disk))
    np.testing.assert_array_equal(found, expected)


def test_later_patches_are_new():
    source = PatchSource(numbered((9, 8, 7, 6)), np.array(list(itertools.product(range(6), range(6), range(5))), np.int32))
    patches = first(random_patches([source], PATCH, 1, 0), 40)
    assert not np.array_equal(patches[:20], patches[20:])


def test_scans_of_different_shapes_are_drawn_by_their_number_of_corners():
    small = PatchSource(np.zeros((4, 5, 6, 1), np.float32), np.zeros((100, 3), np.int32))
    large = PatchSource(np.ones((9, 8, 7, 3), np.float32), np.zeros((300, 3), np.int32))
    share = np.mean([patch.mean() for patch in first(random_patches([small, large], PATCH, 1, 0), 400)])
    assert share == pytest.approx(0.75, abs=0.08)


def test_listed_patches_come_once_in_order_without_a_seed():
    run = numbered((5, 4, 3, 2))
    corners = np.array([[0, 0, 0, 1], [2, 2, 1, 0]], np.int32)
    patches = first(listed_patches([PatchSource(run, corners)], PATCH, 1), 10)
    assert [patch[0, 0, 0, 0] for patch in patches] == [run[0, 0, 0, 1], run[2, 2, 1, 0]]


def test_listed_patches_are_shuffled_anew_at_every_pass():
    run = numbered((5, 4, 3, 8))
    corners = np.array([[0, 0, 0, t] for t in range(8)], np.int32)
    numbers = [float(patch[0, 0, 0, 0]) for patch in first(listed_patches([PatchSource(run, corners)], PATCH, 1, seed=0), 16)]
    assert sorted(numbers[:8]) == sorted(numbers[8:]) == list(range(8))
    assert numbers[:8] != numbers[8:]


def test_listed_patches_of_two_scans():
    sources = [PatchSource(np.full((4, 4, 4, 1), value, np.float32), np.zeros((1, 4), np.int32)) for value in (3.0, 5.0)]
    assert [patch.mean() for patch in first(listed_patches(sources, PATCH, 1), 3)] == [3, 5]


def test_flips_mirror_along_every_axis_and_leave_no_other_trace():
    patch = numbered((3, 2, 2, 2))
    flips = first(with_random_flips(tf.data.Dataset.from_tensors(patch).repeat(), 0), 200)
    possible = [np.flip(patch, axes).tobytes() for count in range(5) for axes in itertools.combinations(range(4), count)]
    assert {flip.tobytes() for flip in flips} == set(possible)


def test_activation_changes_the_frames_by_at_most_the_amplitude_and_smoothly_in_time():
    patches = tf.data.Dataset.from_tensors(np.full((16, 16, 8, 5), 2.0, np.float32)).repeat()
    for window in first(with_simulated_activation(patches, 0, frames=5, amplitude=0.001), 5):
        change = window / 2 - 1
        assert 0.001 / 4 < np.abs(change).max() < 0.001 * 24
        # Courses no faster than 0.25 cycles per frame: a second difference is at most 2 - 2 cos(2π · 0.25) of the amplitude.
        assert np.abs(np.diff(change, 2, axis=-1)).max() < (2 - 2 * np.cos(2 * np.pi * 0.25)) * 0.001 * 24
        assert np.ptp(change, axis=-1).max() > 1e-5


def test_a_neighbouring_target_gets_the_activation_of_the_middle_frame():
    patches = tf.data.Dataset.from_tensors(np.ones((16, 16, 8, 6), np.float32)).repeat()
    window = first(with_simulated_activation(patches, 0, frames=5, amplitude=0.05), 1)[0]
    np.testing.assert_array_equal(window[..., 5], window[..., 2])
    assert not np.array_equal(window[..., 4], window[..., 2])


def test_only_the_axes_named_are_mirrored():
    patch = numbered((2, 3, 4, 2))
    patches = tf.data.Dataset.from_tensors(patch).repeat()
    seen = {element.tobytes() for element in first(with_random_flips(patches, 0, axes=(1,)), 20)}
    assert seen == {patch.tobytes(), patch[:, ::-1].tobytes()}
