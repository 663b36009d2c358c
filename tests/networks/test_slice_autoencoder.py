"""The slice autoencoder against a NumPy oracle, layer by layer, and its residual sister's first step."""

import keras
import numpy as np
import pytest
from scipy.signal import correlate2d

from keras_mri.errors import InputError
from keras_mri.networks.slice_autoencoder import bilinearly_doubled, slice_autoencoder
from keras_mri.saving import checkpoints
from keras_mri.saving.checkpoints import Checkpoint

# (out, in) of the four layers, kernels 3×3 and a bias each: 160 + 4,640 + 4,624 + 145 parameters.
PUBLISHED = {"enc1": (16, 1), "enc2": (32, 16), "dec1": (16, 32), "dec2": (1, 16)}


def convolved(image, kernel, bias):
    """Correlate channels-first: (in, x, y) with (out, in, 3, 3), one zero around the image."""
    return np.array([b + sum(correlate2d(c, k, mode="same") for c, k in zip(image, row)) for row, b in zip(kernel, bias)])


def doubled(image):
    """Bilinear interpolation with half-pixel centres, from its definition: pixel centres lie at (i + 1/2) · pixel size."""
    for axis in (1, 2):
        side = image.shape[axis]
        places = np.clip((np.arange(2 * side) + 0.5) / 2 - 0.5, 0, side - 1)
        low = np.minimum(np.floor(places).astype(int), side - 1)
        share = (places - low).reshape(-1, 1) if axis == 1 else places - low
        image = (1 - share) * np.take(image, low, axis) + share * np.take(image, np.minimum(low + 1, side - 1), axis)
    return image


def oracle(image, weights):
    """The published forward pass in NumPy, float64, channels first, with weights stored (out, in, row, column)."""
    skip = np.maximum(convolved(image[None], *weights["enc1"]), 0)
    x, y = image.shape
    pooled = skip.reshape(len(skip), x // 2, 2, y // 2, 2).max(axis=(2, 4))
    coarse = np.maximum(convolved(pooled, *weights["enc2"]), 0)
    features = np.maximum(convolved(doubled(coarse), *weights["dec1"]), 0) + skip
    return 1 / (1 + np.exp(-convolved(features, *weights["dec2"])))[0]


def published_weights(rng):
    return {name: (rng.normal(0, 0.2, (o, i, 3, 3)), rng.normal(0, 0.2, o)) for name, (o, i) in PUBLISHED.items()}


def carried_over(network, weights):
    for name, (kernel, bias) in weights.items():
        network.get_layer(name).set_weights([kernel.transpose(2, 3, 1, 0), bias])
    return network


def test_the_published_network_has_the_published_number_of_parameters():
    network = slice_autoencoder()
    assert {name: network.get_layer(name).count_params() for name in PUBLISHED} == {"enc1": 160, "enc2": 4640, "dec1": 4624, "dec2": 145}
    assert network.count_params() == 9569


@pytest.mark.parametrize("shape", [(8, 6), (14, 10), (64, 64)])
def test_published_weights_give_the_published_output(rng, shape):
    weights = published_weights(rng)
    network = carried_over(slice_autoencoder(), weights)
    image = rng.random(shape)
    wanted = oracle(image, weights)
    found = network.predict_on_batch(image[None, ..., None].astype(np.float32))[0, ..., 0]
    # Otherwise the comparison would show nothing.
    assert wanted.std() > 0.05
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.fixture(scope="module")
def doubling():
    inputs = keras.Input((None, None, 3))
    return keras.Model(inputs, bilinearly_doubled(inputs))


def test_doubling_puts_new_pixels_at_half_pixel_centres(doubling):
    # By hand: the centres of two pixels of side 2 lie at 1 and 3; new centres at 0.5, 1.5, 2.5, 3.5; edges are repeated.
    line = np.repeat(np.array([[0.0, 4.0]], np.float32).reshape(1, 1, 2, 1), 3, axis=3)
    np.testing.assert_allclose(doubling.predict_on_batch(line)[0, :, :, 1], [[0, 1, 3, 4]] * 2)


@pytest.mark.parametrize("shape", [(5, 7), (1, 4), (8, 6), (3, 1), (33, 20)])
def test_doubling_is_bilinear_interpolation_for_any_shape_in_turn(doubling, rng, shape):
    image = rng.random((3, *shape)).astype(np.float32)
    found = doubling.predict_on_batch(image.transpose(1, 2, 0)[None])[0].transpose(2, 0, 1)
    np.testing.assert_allclose(found, doubled(image), atol=1e-6)


def test_doubling_is_what_keras_does_where_sides_are_known(doubling, rng):
    image = rng.random((1, 6, 5, 3)).astype(np.float32)
    theirs = keras.layers.UpSampling2D(2, interpolation="bilinear")(image)
    np.testing.assert_allclose(doubling.predict_on_batch(image), keras.ops.convert_to_numpy(theirs), atol=1e-6)


def test_other_conventions_of_interpolation_would_be_noticed(rng):
    image = rng.random((1, 6, 6))
    aligned = np.linspace(0, 5, 12)
    rows = np.array([np.interp(aligned, np.arange(6), column) for column in image[0].T]).T
    corners = np.array([np.interp(aligned, np.arange(6), row) for row in rows])
    assert np.abs(corners - doubled(image)[0]).max() > 1e-2
    assert np.abs(np.repeat(np.repeat(image, 2, 1), 2, 2) - doubled(image)).max() > 1e-2


def test_bare_keras_loads_the_saved_network(rng, tmp_path):
    network = carried_over(slice_autoencoder(), published_weights(rng))
    checkpoints.save(Checkpoint(network, "cnn", {}, {}), tmp_path / "autoencoder.h5")
    again = keras.models.load_model(tmp_path / "autoencoder.h5", compile=False)
    # One shape after the other, as scans come: Keras then compiles for sides that are not known.
    for shape in ((10, 8), (6, 12), (4, 2)):
        image = rng.random((2, *shape, 1)).astype(np.float32)
        np.testing.assert_allclose(again.predict_on_batch(image), network.predict_on_batch(image), atol=1e-6)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: slice_autoencoder((9, 8, 1)), r"divisible by 2.*Received: \(9, 8\)"),
        (lambda: slice_autoencoder(filters=(16,)), r"two levels. Received: filters=\(16,\)"),
    ],
)
def test_what_cannot_be_built_is_refused(build, message):
    with pytest.raises(InputError, match=message):
        build()
