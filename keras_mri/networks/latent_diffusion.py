"""The pair as one network: encoder, decoder, codebook and denoiser side by side, so that one file holds them by name."""

import itertools
import typing

import keras
import numpy as np
from keras import layers

from keras_mri.networks.volume_autoencoder import latent_scale


class Parts(typing.NamedTuple):
    """The parts of a latent diffusion pair; None for a part that it lacks."""

    encoder: keras.Model
    decoder: keras.Model
    codebooks: np.ndarray | None
    denoiser: keras.Model | None


def assembled(encoder, decoder, codebooks=None, denoiser=None):
    """Put the parts into one functional network; each keeps inputs and outputs of its own.

    Parameters
    ----------
    encoder, decoder : keras.Model
        As `volume_encoder`, without its log variance, and `volume_decoder` build them.
    codebooks : ndarray of float32, shape (codebooks, codes, channels), optional
        In units of the encoder's output; a latent vector is the sum of one code of each.
    denoiser : keras.Model, optional
        As `latent_unet` builds it.

    Returns
    -------
    keras.Model
        `get_layer` gives the parts as "encoder", "decoder", "denoiser" and "codebook", "codebook_2", …
    """
    inputs, outputs = [], []
    for part in (encoder, decoder, denoiser):
        if part is not None:
            own = [keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name) for tensor in part.inputs]
            inputs += own
            outputs.append(part(own[0] if len(own) == 1 else own))
    for number, table in enumerate([] if codebooks is None else codebooks):
        codes = layers.Embedding(*table.shape, trainable=False, dtype="float32", name=_numbered("codebook", number))
        inputs.append(keras.Input((), dtype="int32", name=_numbered("code", number)))
        outputs.append(codes(inputs[-1]))
        codes.set_weights([table])
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
    names = itertools.takewhile(found.__contains__, (_numbered("codebook", number) for number in itertools.count()))
    tables = [found[name].get_weights()[0] for name in names]
    return Parts(found["encoder"], found["decoder"], np.stack(tables) if tables else None, found.get("denoiser"))


def latent_only(encoder):
    """Return the encoder without its second output, the log variance."""
    if len(encoder.outputs) == 1:
        return encoder
    return keras.Model(encoder.input, encoder.outputs[0], name=encoder.name)


def snapped(latent, encoder, codebooks):
    """Replace each latent vector by the nearest code, and what is left by the nearest of the next codebook; without any nothing.

    Parameters
    ----------
    latent : ndarray of float32, shape (…, channels)
        In units of the encoder's output.
    encoder : keras.Model
    codebooks : ndarray of float32, shape (codebooks, codes, channels), or None

    Returns
    -------
    ndarray of float32, same shape
    """
    if codebooks is None:
        return latent
    # Distances are those of the raw latents, among which the codebooks were learnt.
    deviation = latent_scale(encoder)[1]
    left = latent.reshape(-1, latent.shape[-1])
    total = np.zeros_like(left)
    for table in codebooks:
        codes = table * deviation
        distances = (codes**2).sum(axis=1) - 2 * (left * deviation) @ codes.T
        chosen = table[distances.argmin(axis=1)]
        total, left = total + chosen, left - chosen
    return total.reshape(latent.shape)


def _numbered(name, number):
    return f"{name}_{number + 1}" if number else name
