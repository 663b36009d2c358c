"""The autoencoder of volumes: an encoder to a small latent, and a decoder, without skip connections between them.

References
----------
Rombach et al., CVPR 2022. arXiv:2112.10752
Pinaya et al., DGM4MICCAI 2022 (brain volumes). doi:10.1007/978-3-031-18576-2_12
Chen et al., ICLR 2025 (a shortcut from blocks of voxels to the latent and back, around the network). arXiv:2410.10733
"""

import keras
import numpy as np
from keras import layers
from scipy import fft

from keras_mri.networks.normed_blocks import doubled, halved, normed, residual_block

# The last layer of the encoder and the first of the decoder: raw latents ↔ latents of mean 0 and SD 1 per channel.
SCALED, UNSCALED = "latent_scale", "latent_unscale"
# Initial log variance of the latent of an encoder with a shortcut: an SD of 0.007, less than the noise of scans.
_CERTAIN = -10.0


def volume_encoder(filters, depth, channels, variational=True, shortcut=True):
    """Build the encoder.

    Parameters
    ----------
    filters : sequence of int
        Channels of each level; the grid is halved from each to the next.
    depth : int
        Residual blocks of a level.
    channels : int
        Channels of the latent.
    variational : bool
        Also predict the logarithm of the latent's variance.
    shortcut : bool
        Whether the latent is the lowest cosine frequencies of each block of voxels, a linear map that trains too, plus what the
        residual blocks add, at first nothing. Training then begins where a linear code ends.

    Returns
    -------
    keras.Model
        From (batch, x, y, z, 1), sides divisible by 2**(levels - 1), to the latent (batch, x', y', z', channels); if variational to a
        list of it and of the logarithm of its variance. float32.
    """
    image = keras.Input((None, None, None, 1), name="image")
    tensor = layers.Conv3D(filters[0], 3, padding="same")(image)
    for level, width in enumerate(filters):
        tensor = halved(tensor, width) if level else tensor
        for _ in range(depth):
            tensor = residual_block(tensor, width)
    tensor = normed(tensor)
    latent = layers.Conv3D(channels, 1, kernel_initializer=_begin(shortcut), dtype="float32", name="latent_raw")(tensor)
    if shortcut:
        side = 2 ** (len(filters) - 1)
        blocks = layers.Conv3D(channels, side, strides=side, use_bias=False, dtype="float32", name="blocks_to_latent")
        latent = layers.Add(dtype="float32")([latent, blocks(image)])
        blocks.set_weights([lowest_frequencies(side, channels)])
    latent = _per_channel(SCALED, affine=False)(latent)
    if not variational:
        return keras.Model(image, latent, name="encoder")
    certainty = keras.initializers.Constant(_CERTAIN if shortcut else 0.0)
    spread = layers.Conv3D(
        channels, 1, kernel_initializer="zeros", bias_initializer=certainty, dtype="float32", name="latent_log_variance"
    )(tensor)  # fmt: skip
    return keras.Model(image, [latent, spread], name="encoder")


def volume_decoder(filters, depth, channels, shortcut=True):
    """Build the decoder, the encoder's mirror image; parameters as for `volume_encoder`.

    Returns
    -------
    keras.Model
        From (batch, x', y', z', channels) to (batch, x, y, z, 1), float32.
    """
    latent = keras.Input((None, None, None, channels), name="latent")
    unscaled = _per_channel(UNSCALED, affine=True)(latent)
    tensor = layers.Conv3D(filters[-1], 3, padding="same")(unscaled)
    for level, width in reversed(list(enumerate(filters))):
        for _ in range(depth):
            tensor = residual_block(tensor, width)
        tensor = doubled(tensor, filters[level - 1]) if level else tensor
    last = layers.Conv3D(1, 3, padding="same", kernel_initializer=_begin(shortcut), dtype="float32", name="reconstruction")
    image = last(normed(tensor))
    if shortcut:
        side = 2 ** (len(filters) - 1)
        blocks = layers.Conv3DTranspose(1, side, strides=side, use_bias=False, dtype="float32", name="latent_to_blocks")
        image = layers.Add(dtype="float32")([image, blocks(unscaled)])
        blocks.set_weights([lowest_frequencies(side, channels)])
    return keras.Model(latent, image, name="decoder")


def lowest_frequencies(side, channels):
    """Return the cosines of lowest frequency over a cube of voxels: orthonormal, the constant first.

    Parameters
    ----------
    side : int
        Voxels along each edge of the cube.
    channels : int
        Number of cosines; beyond those that a cube has, zeros.

    Returns
    -------
    ndarray of float32, shape (side, side, side, 1, channels)
    """
    waves = fft.dct(np.eye(side), axis=0, norm="ortho")
    cubes = np.einsum("ia,jb,kc->abcijk", waves, waves, waves).reshape(side, side, side, side**3)
    squares = sum(np.ix_(*[np.arange(side) ** 2] * 3)).ravel()
    kept = cubes[..., np.argsort(squares, kind="stable")[:channels]]
    return np.pad(kept, [(0, 0)] * 3 + [(0, channels - kept.shape[-1])])[:, :, :, None].astype(np.float32)


def set_latent_scale(encoder, decoder, mean, deviation):
    """Let the encoder give latents of mean 0 and SD 1 per channel, and the decoder undo it.

    Parameters
    ----------
    encoder, decoder : keras.Model
    mean, deviation : array_like of float, shape (channels,)
        Mean and SD of the raw latents.
    """
    mean, deviation = np.asarray(mean, np.float32), np.asarray(deviation, np.float32)
    encoder.get_layer(SCALED).set_weights([mean, deviation**2])
    ones, zeros = np.ones_like(mean), np.zeros_like(mean)
    # gamma, beta, moving mean, moving variance
    decoder.get_layer(UNSCALED).set_weights([deviation, mean, zeros, ones])


def latent_scale(encoder):
    """Return mean and SD per channel of the raw latents: two ndarrays of float32, shape (channels,)."""
    mean, variance = encoder.get_layer(SCALED).get_weights()
    return mean, np.sqrt(variance)


def _begin(shortcut):
    return "zeros" if shortcut else "glorot_uniform"


def _per_channel(name, affine):
    """A fixed linear map of each channel: normalisation by constants, at first those that change nothing."""
    return layers.BatchNormalization(center=affine, scale=affine, epsilon=0.0, trainable=False, dtype="float32", name=name)
