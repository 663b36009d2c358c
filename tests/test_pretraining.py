"""What experiments/05_pretrained trains with: patches of scans, what is done to them, and the fast forms of layers."""

import importlib

import keras
import numpy as np
import pytest
from keras import layers

lesson = importlib.import_module("experiments.05_pretrained.lesson")
scans = importlib.import_module("experiments.05_pretrained.scans")
fast_forms = importlib.import_module("experiments.05_pretrained.fast_forms")


@pytest.fixture
def two_scans(rng):
    return [scans.Scan(f"scan {shape}", 0.5 + rng.random(shape, dtype=np.float32), (1, 1, 1), 0.5) for shape in ((9, 11, 12), (4, 7, 6))]


def test_patches_are_pieces_of_the_scans_in_any_of_their_48_orders(two_scans):
    batch, _ = lesson.Places(two_scans, 3, 40, 1, seed=0)[0]
    patches = np.asarray(lesson.Patches(two_scans, 3, seed=0)(batch))[..., 0]
    windows = [np.lib.stride_tricks.sliding_window_view(scan.data, (3, 3, 3)).reshape(-1, 27) for scan in two_scans]
    windows = {tuple(np.sort(window)) for window in np.concatenate(windows)}
    inside = [patch for patch in patches if len(np.unique(patch)) == 27]
    # Patches over a border repeat voxels: they hold the scan's mirror image.
    assert 5 < len(inside) < 40 and all(tuple(np.sort(patch.ravel())) in windows for patch in inside)


def test_beyond_a_border_lies_the_mirror_image(two_scans):
    place = [[0, 8, 9, 11 * 12, 0, 11, 12, 0, 12, 1]]
    patch = np.asarray(lesson.Patches(two_scans, 3, seed=0)(np.array(place, np.int32)))[0, ..., 0]
    wanted = two_scans[0].data[np.ix_([8, 7, 6], [0, 1, 2], [0, 1, 2])]
    flips = [np.flip(wanted, axes) for axes in ((), 0, 1, 2, (0, 1), (0, 2), (1, 2), (0, 1, 2))]
    assert any(np.array_equal(patch, flipped) for flipped in flips)


def test_noise_has_the_sd_it_says_and_leaves_parts_of_some_patches_out(rng):
    patches = np.ones((200, 12, 12, 12, 1), np.float32)
    noisy, clean, sigma = (np.asarray(tensor) for tensor in lesson.Noise(0.3, 0.5, seed=0)(patches))
    whole = [(clean[i] == 1).all() for i in range(200)]
    assert 80 < sum(whole) < 170 and sigma.max() < 0.3
    for i in np.flatnonzero(whole)[:20]:
        np.testing.assert_allclose((noisy[i] - clean[i]).std(), sigma[i].mean(), rtol=0.1)
    cut = np.flatnonzero(np.logical_not(whole))
    assert all((noisy[i][clean[i] == 0] == 0).all() and (noisy[i] != clean[i])[clean[i] == 1].all() for i in cut)
    assert set(np.unique(clean)) == {0.0, 1.0}


def test_contrasts_keep_black_black_and_differ(rng):
    patches = np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 4, 4, 4, 1).repeat(30, axis=0)
    changed = np.asarray(lesson.Contrast(seed=0)(patches)).reshape(30, 64)
    assert changed[:, 0].max() < 0.02 and changed[:, -1].std() > 0.05 and np.isfinite(changed).all()


def test_a_lesson_lowers_the_error(two_scans):
    inputs = keras.Input((None, None, None, 1))
    network = keras.Model(inputs, layers.Conv3D(1, 3, padding="same", kernel_initializer="zeros")(inputs))
    model = lesson.lesson(network, two_scans, 4, 0.1, seed=0)
    model.compile(keras.optimizers.Adam(0.02), loss=lesson.root_mean_square)
    history = model.fit(lesson.Places(two_scans, 4, 16, 10, seed=0), epochs=10, verbose=0, shuffle=False).history["loss"]
    assert history[-1] < 0.6 * history[0]


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
