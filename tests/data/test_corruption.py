"""Noise that is added to patches, and pairs of repetitions."""

import numpy as np
import pytest
import tensorflow as tf

from keras_mri.data.corruption import Corruption, noisy_pairs, repetition_pairs


def first(dataset, count):
    return [tuple(part.numpy() for part in element) for element in dataset.take(count)]


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
    noisy, _ = first(constant_pairs(0.0, Corruption(model="gaussian", low=0.0, high=0.8, evenly=True)), 1)[0]
    np.testing.assert_allclose(noisy.std(axis=(1, 2, 3, 4)), [0.1, 0.3, 0.5, 0.7], rtol=0.05)


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
