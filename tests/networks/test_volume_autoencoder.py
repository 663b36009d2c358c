import numpy as np
import pytest
from scipy import fft

from keras_mri.networks.volume_autoencoder import latent_scale, lowest_frequencies, set_latent_scale, volume_decoder, volume_encoder


def test_each_level_halves_the_grid_and_the_decoder_gives_it_back(rng):
    encoder, decoder = volume_encoder((4, 6, 8), 1, 3), volume_decoder((4, 6, 8), 1, 3)
    image = rng.random((2, 12, 8, 4, 1), dtype=np.float32)
    latent, log_variance = encoder.predict_on_batch(image)
    assert latent.shape == log_variance.shape == (2, 3, 2, 1, 3)
    assert decoder.predict_on_batch(latent).shape == image.shape
    np.testing.assert_array_equal(log_variance, -10)


def test_without_uncertainty_the_encoder_says_the_latent_alone():
    encoder = volume_encoder((4, 4), 1, 2, variational=False)
    assert encoder.output_shape == (None, None, None, None, 2)


def test_scaled_latents_have_unit_variance_and_decode_to_the_same_image(rng):
    encoder, decoder = volume_encoder((4, 4), 1, 3, variational=False), volume_decoder((4, 4), 1, 3)
    image = rng.random((2, 8, 6, 4, 1), dtype=np.float32)
    raw = encoder.predict_on_batch(image)
    before = decoder.predict_on_batch(raw)
    mean, deviation = raw.mean(axis=(0, 1, 2, 3)), raw.std(axis=(0, 1, 2, 3))
    set_latent_scale(encoder, decoder, mean, deviation)
    latent = encoder.predict_on_batch(image)
    np.testing.assert_allclose(latent.mean(axis=(0, 1, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(latent.std(axis=(0, 1, 2, 3)), 1, rtol=1e-4)
    np.testing.assert_allclose(decoder.predict_on_batch(latent), before, atol=1e-4)
    for found, wanted in zip(latent_scale(encoder), (mean, deviation)):
        np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_the_scale_is_not_trained():
    for network in (volume_encoder((4, 4), 1, 3), volume_decoder((4, 4), 1, 3)):
        assert not [weight.path for weight in network.trainable_weights if "scale" in weight.path]


@pytest.mark.parametrize("variational", [True, False])
def test_nothing_but_the_latent_reaches_the_decoder(variational):
    """The decoder is a network of its own with one input: there is no way around."""
    assert len(volume_decoder((4, 4), 1, 3).inputs) == 1
    assert len(volume_encoder((4, 4), 1, 3, variational).outputs) == 1 + variational


@pytest.mark.parametrize(
    ("filters", "channels", "count"), [((16, 32, 64), 32, 779_009), ((32, 64, 128, 256), 8, 11_789_177), ((8, 32, 96), 16, 1_338_209)]
)
@pytest.mark.parametrize("shortcut", [False, True])
def test_parameters_are_as_many_as_the_readme_says(filters, channels, count, shortcut):
    """Counted by hand from kernels, biases and norms; a shortcut adds a kernel at either end."""
    encoder = volume_encoder(filters, 1, channels, variational=False, shortcut=shortcut)
    decoder = volume_decoder(filters, 1, channels, shortcut=shortcut)
    block = 8 ** (len(filters) - 1)
    assert encoder.count_params() + decoder.count_params() == count + shortcut * 2 * block * channels


@pytest.mark.parametrize("channels", [4, 8, 16])
def test_training_begins_with_the_lowest_cosine_frequencies_of_each_block(channels, rng):
    """Of a block of 2³ voxels, as scipy transforms it; the order of equal frequencies is free."""
    encoder, decoder = volume_encoder((4, 6), 1, channels, variational=False), volume_decoder((4, 6), 1, channels)
    image = rng.standard_normal((1, 6, 4, 2, 1)).astype(np.float32)
    restored = decoder.predict_on_batch(encoder.predict_on_batch(image))[0, ..., 0]
    blocks = image.reshape(3, 2, 2, 2, 1, 2).transpose(0, 2, 4, 1, 3, 5)
    waves = fft.dctn(blocks, axes=(3, 4, 5), norm="ortho")
    if channels == 4:
        # The constant, and the three that change along one axis.
        waves *= np.add.outer(np.add.outer([0, 1], [0, 1]), [0, 1]) < 2
    expected = fft.idctn(waves, axes=(3, 4, 5), norm="ortho").transpose(0, 3, 1, 4, 2, 5).reshape(6, 4, 2)
    np.testing.assert_allclose(restored, expected, atol=1e-5)


def test_the_lowest_frequencies_are_orthonormal_and_what_a_block_lacks_is_zero():
    kernel = lowest_frequencies(2, 10).reshape(8, 10)
    np.testing.assert_allclose(kernel.T @ kernel, np.diag([1.0] * 8 + [0.0] * 2), atol=1e-6)
    np.testing.assert_allclose(kernel[:, 0], 8**-0.5, rtol=1e-6)


def test_without_a_shortcut_the_residual_blocks_are_all_there_is(rng):
    encoder = volume_encoder((4, 6), 1, 3, variational=False, shortcut=False)
    assert not [layer for layer in encoder.layers if layer.name == "blocks_to_latent"]
    assert np.abs(encoder.predict_on_batch(rng.random((1, 4, 4, 4, 1), dtype=np.float32))).max() > 0
