import itertools

import numpy as np
import pytest
import tensorflow as tf

from keras_mri.data.pipelines import (
    Corruption,
    PatchSource,
    activated,
    flipped,
    listed_patches,
    noisy_pairs,
    random_patches,
    repetition_pairs,
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
    flips = first(flipped(tf.data.Dataset.from_tensors(patch).repeat(), 0), 200)
    possible = [np.flip(patch, axes).tobytes() for count in range(5) for axes in itertools.combinations(range(4), count)]
    assert {flip.tobytes() for flip in flips} == set(possible)


def constant_pairs(value, corruption, **options):
    patches = tf.data.Dataset.from_tensors(np.full((16, 16, 8, 3), value, np.float32)).repeat()
    return noisy_pairs(patches, 4, corruption, frames=3, target_weights=[0.0, 1.0, 0.0], **{"seed": 0, **options})


def test_gaussian_noise_has_the_drawn_strength_and_the_target_stays_clean():
    strengths = []
    for noisy, target in first(constant_pairs(0.5, Corruption(model="gaussian", low=0.05, high=0.2)), 25):
        assert noisy.shape == (4, 16, 16, 8, 3) and target.shape == (4, 16, 16, 8, 1)
        assert (target == 0.5).all()
        strengths += list((noisy - 0.5).std(axis=(1, 2, 3, 4)))
    assert min(strengths) > 0.045 and max(strengths) < 0.21
    assert np.mean(strengths) == pytest.approx(0.125, abs=0.015)


def test_rician_noise_in_air_has_the_rayleigh_mean():
    noisy, _ = first(constant_pairs(0.0, Corruption(model="rician", low=0.1, high=0.1)), 1)[0]
    assert noisy.min() >= 0
    assert noisy.mean() == pytest.approx(0.1 * np.sqrt(np.pi / 2), rel=0.02)


def test_noise_of_the_frames_of_a_window_is_independent():
    noisy, _ = first(constant_pairs(0.0, Corruption(model="gaussian", low=0.1, high=0.1)), 1)[0]
    correlation = np.corrcoef(noisy.reshape(-1, 3).T)
    assert np.abs(correlation - np.eye(3)).max() < 0.05


def test_noise_is_new_in_every_batch_and_the_same_for_one_seed():
    corruption = Corruption(model="gaussian", low=0.1, high=0.1)
    batches = first(constant_pairs(0.0, corruption), 2)
    np.testing.assert_array_equal(batches[0][0], first(constant_pairs(0.0, corruption), 1)[0][0])
    assert not np.array_equal(batches[0][0], batches[1][0])


def test_even_levels_cover_the_range():
    noisy, _ = first(constant_pairs(0.0, Corruption(model="gaussian", low=0.0, high=0.8), evenly=True), 1)[0]
    np.testing.assert_allclose(noisy.std(axis=(1, 2, 3, 4)), [0.1, 0.3, 0.5, 0.7], rtol=0.05)


def test_activation_changes_the_frames_by_at_most_the_amplitude_and_smoothly_in_time():
    patches = tf.data.Dataset.from_tensors(np.full((16, 16, 8, 5), 2.0, np.float32)).repeat()
    for window in first(activated(patches, 0, frames=5, amplitude=0.001), 5):
        change = window / 2 - 1
        assert 0.001 / 4 < np.abs(change).max() < 0.001 * 24
        # Courses no faster than 0.25 cycles per frame: a second difference is at most 2 - 2 cos(2π · 0.25) of the amplitude.
        assert np.abs(np.diff(change, 2, axis=-1)).max() < (2 - 2 * np.cos(2 * np.pi * 0.25)) * 0.001 * 24
        assert np.ptp(change, axis=-1).max() > 1e-5


def test_a_neighbouring_target_gets_the_activation_of_the_middle_frame():
    patches = tf.data.Dataset.from_tensors(np.ones((16, 16, 8, 6), np.float32)).repeat()
    window = first(activated(patches, 0, frames=5, amplitude=0.05), 1)[0]
    np.testing.assert_array_equal(window[..., 5], window[..., 2])
    assert not np.array_equal(window[..., 4], window[..., 2])


def test_the_target_is_the_weighted_sum_of_the_clean_frames():
    window = np.arange(4, dtype=np.float32) * np.ones((2, 2, 2, 1), np.float32)
    patches = tf.data.Dataset.from_tensors(window).repeat(2)
    pairs = noisy_pairs(patches, 2, Corruption(model="gaussian", low=0.1, high=0.1), 0, frames=3, target_weights=[0.5, 0.0, 0.25, 1.0])
    noisy, target = first(pairs, 1)[0]
    assert noisy.shape[-1] == 3
    np.testing.assert_allclose(target, 2 * 0.25 + 3 * 1.0)


def test_a_skew_draws_weak_noise_more_often():
    corruption = Corruption(model="gaussian", low=0.0, high=0.2, skew=3.0)
    strengths = [noisy.std(axis=(1, 2, 3, 4)) for noisy, _ in first(constant_pairs(0.0, corruption), 25)]
    assert np.mean(strengths) == pytest.approx(0.2 / 4, abs=0.015)  # the mean of the cube of a uniform number is 1/4


def test_only_the_axes_named_are_mirrored():
    patch = numbered((2, 3, 4, 2))
    patches = tf.data.Dataset.from_tensors(patch).repeat()
    seen = {element.tobytes() for element in first(flipped(patches, 0, axes=(1,)), 20)}
    assert seen == {patch.tobytes(), patch[:, ::-1].tobytes()}


def test_pairs_are_weighted_sums_of_the_repetitions_and_take_turns(rng):
    # Three members of two channels, then the mask.
    patch = rng.random((3, 2, 2, 7), dtype=np.float32)
    one, two, three, mask = patch[..., 0:2], patch[..., 2:4], patch[..., 4:6], patch[..., 6]
    inputs, targets = [[1, 0, 0], [0, 0.5, 0.5]], [[0, 0.5, 0.5], [2, -1, 0]]
    patches = tf.data.Dataset.from_tensors(patch).repeat()
    for image, target, weight in first(repetition_pairs(patches, 2, 2, inputs, targets), 2):
        np.testing.assert_allclose(image, [one, (two + three) / 2], rtol=1e-6)
        np.testing.assert_allclose(target, [(two + three) / 2, 2 * one - two], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(weight, [mask, mask])
