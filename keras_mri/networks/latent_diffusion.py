"""The pair as one network: encoder, decoder, codebook and denoiser side by side, so that one file holds them by name."""

import typing

import keras
import numpy as np
from keras import layers

from keras_mri.networks.volume_autoencoder import latent_scale


class Parts(typing.NamedTuple):
    """The parts of a latent diffusion pair; None for a part that it lacks."""

    encoder: keras.Model
    decoder: keras.Model
    codebook: np.ndarray | None
    denoiser: keras.Model | None


def assembled(encoder, decoder, codebook=None, denoiser=None):
    """Put the parts into one functional network; each keeps inputs and outputs of its own.

    Parameters
    ----------
    encoder, decoder : keras.Model
        As `volume_encoder`, without its log variance, and `volume_decoder` build them.
    codebook : ndarray of float32, shape (codes, channels), optional
        In units of the encoder's output.
    denoiser : keras.Model, optional
        As `latent_unet` builds it.

    Returns
    -------
    keras.Model
        `get_layer` gives the parts as "encoder", "decoder", "codebook" and "denoiser".
    """
    inputs, outputs = [], []
    for part in (encoder, decoder, denoiser):
        if part is not None:
            own = [keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name) for tensor in part.inputs]
            inputs += own
            outputs.append(part(own[0] if len(own) == 1 else own))
    if codebook is not None:
        codes = layers.Embedding(*codebook.shape, trainable=False, dtype="float32", name="codebook")
        inputs.append(keras.Input((), dtype="int32", name="code"))
        outputs.append(codes(inputs[-1]))
        codes.set_weights([codebook])
    return keras.Model(inputs, outputs, name="latent_diffusion")


def parts(network):
    """Take the pair apart again.

    Parameters
    ----------
    network : keras.Model
        As `assembled` made it, or loaded from a file.

    Returns
    -------
    Parts
    """
    found = {layer.name: layer for layer in network.layers}
    codebook = found["codebook"].get_weights()[0] if "codebook" in found else None
    return Parts(found["encoder"], found["decoder"], codebook, found.get("denoiser"))


def latent_only(encoder):
    """Return the encoder without its second output, the log variance."""
    if len(encoder.outputs) == 1:
        return encoder
    return keras.Model(encoder.input, encoder.outputs[0], name=encoder.name)


def snapped(latent, encoder, codebook):
    """Replace each latent vector by the nearest code, if there is a codebook.

    Parameters
    ----------
    latent : ndarray of float32, shape (…, channels)
        In units of the encoder's output.
    encoder : keras.Model
    codebook : ndarray of float32, shape (codes, channels), or None

    Returns
    -------
    ndarray of float32, same shape
    """
    if codebook is None:
        return latent
    # Distances are those of the raw latents, among which the codebook was learnt.
    deviation = latent_scale(encoder)[1]
    vectors, codes = latent.reshape(-1, latent.shape[-1]) * deviation, codebook * deviation
    distances = (codes**2).sum(axis=1) - 2 * vectors @ codes.T
    return codebook[distances.argmin(axis=1)].reshape(latent.shape)
