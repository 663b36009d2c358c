"""What experiments/05_pretrained trains with: patches of scans, what is done to them, and the fast forms of layers."""

import importlib

import keras
import numpy as np
import pytest
from keras import layers

from keras_mri.networks.residual_unet import residual_unet

lesson = importlib.import_module("experiments.05_pretrained.lesson")
train = importlib.import_module("experiments.05_pretrained.train")
scans = importlib.import_module("experiments.05_pretrained.scans")
fast_forms = importlib.import_module("experiments.05_pretrained.fast_forms")


@pytest.fixture
def pool(rng):
    """Two scans that differ in every voxel; the second one lends noise, too."""
    data = [(0.5 + rng.random(shape)).astype(np.float16) for shape in ((9, 11, 12), (24, 27, 26))]
    noise = (rng.standard_normal((24, 27, 26)) * 0.05).astype(np.float16)
    return [scans.Clean("one", data[0], (1, 1, 1), 0.5), scans.Clean("two", data[1], (2, 2, 2), 0.5, (noise,))]


def test_a_cube_is_a_piece_of_the_scan_and_beyond_its_border_the_mirror_image(pool):
    data = pool[0].data
    assert np.array_equal(lesson.cut(data, (1, 2, 3), 3), data[1:4, 2:5, 3:6].astype(np.float32))
    assert np.array_equal(lesson.cut(data, (8, -1, 9), 3), data[np.ix_([8, 7, 6], [1, 0, 1], [9, 10, 11])].astype(np.float32))
    assert lesson.cut(data[:, :, :1], (0, 0, 0), 4).shape == (4, 4, 4)


def test_batches_are_functions_of_the_seed_and_new_in_every_epoch(pool):
    first, again = (lesson.Patches(pool, 8, 3, 2, seed=5) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first[1], again[1]))
    assert not np.array_equal(first[0][0], first[1][0])
    before = first[0][0]
    first.on_epoch_end()
    assert not np.array_equal(before, first[0][0])


def test_what_is_seen_is_the_truth_and_noise_of_the_strength_that_weighs_it(pool):
    seen, truth, weight = (np.concatenate(part) for part in zip(*(lesson.Patches(pool, 16, 8, 9, 0, silent=0.0)[k] for k in range(4))))
    assert seen.shape == truth.shape == (32, 16, 16, 16, 1) and seen.dtype == truth.dtype == weight.dtype == np.float32
    sigma = 0.01 / weight - 0.01
    assert sigma.max() > 0.1 and sigma.min() < 0.02
    # Noise of a magnitude is narrower where it is strong beside the image; measured noise is what it is.
    spread = (seen - truth).std(axis=(1, 2, 3, 4))
    assert np.corrcoef(spread, sigma)[0, 1] > 0.9 and (spread < 1.6 * sigma + 0.01).all()


def test_parts_of_silent_patches_are_zero_in_both(pool):
    seen, truth, _ = lesson.Patches(pool, 12, 40, 1, 0, silent=1.0)[0]
    dark = truth == 0
    assert (seen[dark] == 0).all() and 0.05 < dark.mean() < 0.95
    assert (seen[~dark] != truth[~dark]).mean() > 0.9


def test_a_network_that_is_told_sees_the_map_of_the_noise(pool):
    seen, _, weight = lesson.Patches(pool, 8, 6, 1, 0, told_sigma=True)[0]
    assert seen.shape == (6, 8, 8, 8, 2)
    np.testing.assert_allclose(seen[..., 1].mean(axis=(1, 2, 3)), 0.01 / weight - 0.01, rtol=1e-4)


def test_contrasts_keep_black_black_and_differ(rng):
    patch = np.linspace(0, 1, 64, dtype=np.float32).reshape(4, 4, 4)
    changed = np.stack([lesson.other_contrast(patch, rng) for _ in range(30)]).reshape(30, 64)
    assert changed[:, 0].max() == 0 and changed[:, -1].std() > 0.05 and np.isfinite(changed).all()


def test_the_error_is_a_root_mean_square_in_which_air_counts_a_fifth():
    truth = np.zeros((2, 4, 4, 4, 1), np.float32)
    truth[1] = 0.5
    found = np.asarray(lesson.root_mean_square(truth, truth + np.float32(0.1)))
    np.testing.assert_allclose(found, [0.1 * np.sqrt(0.2), 0.1], rtol=1e-3)


def test_a_lesson_lowers_the_error(pool):
    inputs = keras.Input((None, None, None, 1))
    network = keras.Model(inputs, layers.Conv3D(1, 3, padding="same", kernel_initializer="zeros")(inputs))
    network.compile(keras.optimizers.Adam(0.02), loss=lesson.root_mean_square)
    history = network.fit(lesson.Patches(pool, 8, 8, 10, 0), epochs=8, verbose=0, shuffle=False).history["loss"]
    assert history[-1] < 0.6 * history[0]


def test_a_network_starts_from_one_that_has_fewer_inputs(rng):
    one, two = (residual_unet((None, None, None, 1), (4, 6), (1, 1), with_image=more) for more in (False, True))
    one.set_weights([rng.normal(0, 0.3, weights.shape) for weights in one.get_weights()])
    train.start_from(two, one)
    data = rng.random((1, 8, 8, 8, 1), dtype=np.float32)
    np.testing.assert_allclose(two.predict_on_batch(data), one.predict_on_batch(data), rtol=1e-5, atol=1e-5)


def test_fast_forms_compute_what_keras_layers_do(monkeypatch, rng):
    data = rng.random((2, 8, 12, 4, 1), dtype=np.float32)

    def outputs():
        inputs = keras.Input((None, None, None, 1))
        mean = layers.AveragePooling3D((5, 3, 5), strides=1, padding="same")(inputs)
        first = layers.Conv3D(9, 3, padding="same")(layers.Concatenate()([inputs, mean]))
        second = layers.Conv3D(8, 3, padding="same")(first)
        halved = layers.Conv3D(6, 2, strides=2)(second)
        back = layers.Conv3DTranspose(5, 2, strides=2)(halved)
        tensors = [mean, first, second, halved, back, layers.Conv3D(3, 1)(back)]
        network = keras.Model(inputs, tensors)
        shapes = [weight.shape for weight in network.get_weights()]
        network.set_weights([np.random.default_rng(k).normal(0, 0.3, shape) for k, shape in enumerate(shapes)])
        return network.predict_on_batch(data)

    wanted = outputs()
    for kind, name in ((layers.Conv3D, "convolution_op"), (layers.Conv3DTranspose, "call"), (layers.AveragePooling3D, "call")):
        # So that they are put back.
        monkeypatch.setattr(kind, name, getattr(kind, name))
    fast_forms.use()
    for found, tensor in zip(outputs(), wanted, strict=True):
        np.testing.assert_allclose(found, tensor, rtol=1e-5, atol=1e-5)
