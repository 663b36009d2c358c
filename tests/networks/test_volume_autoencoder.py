import numpy as np
import pytest

from keras_mri.networks.volume_autoencoder import latent_scale, set_latent_scale, volume_decoder, volume_encoder


def test_each_level_halves_the_grid_and_the_decoder_gives_it_back(rng):
    encoder, decoder = volume_encoder((4, 6, 8), 1, 3), volume_decoder((4, 6, 8), 1, 3)
    image = rng.random((2, 12, 8, 4, 1), dtype=np.float32)
    latent, log_variance = encoder.predict_on_batch(image)
    assert latent.shape == log_variance.shape == (2, 3, 2, 1, 3)
    assert decoder.predict_on_batch(latent).shape == image.shape
    np.testing.assert_array_equal(log_variance, 0)


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
    ("filters", "channels", "count"), [((16, 32, 64), 4, 728_637), ((32, 64, 128, 256), 8, 11_789_177), ((8, 32, 96), 16, 1_338_209)]
)
def test_parameters_are_as_many_as_the_readme_says(filters, channels, count):
    """Counted by hand from kernels, biases and norms."""
    assert (
        volume_encoder(filters, 1, channels, variational=False).count_params() + volume_decoder(filters, 1, channels).count_params()
        == count
    )
