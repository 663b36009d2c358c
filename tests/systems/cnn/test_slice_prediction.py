"""A 2D network restores a volume slice by slice, for any shape, axis and batch."""

import numpy as np
import pytest

from keras_mri.networks.residual_unet import residual_slice_unet
from keras_mri.networks.slice_autoencoder import slice_autoencoder
from keras_mri.systems.cnn import slice_prediction
from keras_mri.systems.cnn.slice_prediction import slice_predictor


def shaken(network, seed=0):
    rng = np.random.default_rng(seed)
    network.set_weights([rng.normal(0, 0.2, weight.shape) for weight in network.get_weights()])
    return network


@pytest.fixture(scope="module")
def slice_network():
    return shaken(residual_slice_unet(filters=(2, 3, 4), depths=(1, 1, 1), noise_scale=1.0))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("shape", [(9, 8, 7), (12, 16, 1), (5, 4, 3)])
def test_each_slice_is_what_the_network_says_of_it_alone(slice_network, rng, axis, shape):
    data = rng.random(shape, dtype=np.float32)
    restored = slice_predictor(slice_network, axis)(data)
    assert restored.shape == shape and restored.dtype == np.float32
    for number in range(shape[axis]):
        image = np.take(data, number, axis)
        # Edges go on until the sides are multiples of 4, the network's two halvings.
        padded = np.pad(image, [(0, -side % 4) for side in image.shape], mode="edge")[None, ..., None]
        wanted = slice_network.predict_on_batch(padded)[0, : image.shape[0], : image.shape[1], 0]
        np.testing.assert_allclose(np.take(restored, number, axis), wanted, atol=1e-5)


def test_slices_in_many_batches_give_the_same_volume(slice_network, rng, monkeypatch):
    data = rng.random((9, 8, 7), dtype=np.float32)
    together = slice_predictor(slice_network, 2)(data)
    for pixels in (1, 200):
        monkeypatch.setattr(slice_prediction, "_MOST_PIXELS", pixels)
        np.testing.assert_allclose(slice_predictor(slice_network, 2)(data), together, atol=1e-5)


def test_mirrored_averaging_of_slices_has_no_preferred_side(rng):
    network = shaken(slice_autoencoder(filters=(2, 3)))
    data = rng.random((8, 6, 3), dtype=np.float32)
    run = slice_predictor(network, 2, mirror_axes=(0,))
    assert np.abs(slice_predictor(network, 2)(data[::-1])[::-1] - slice_predictor(network, 2)(data)).max() > 1e-3
    np.testing.assert_allclose(run(data[::-1])[::-1], run(data), atol=1e-6)
