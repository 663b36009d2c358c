"""The residual block of the latent diffusion pair: GroupNorm, SiLU, convolution, twice; what is embedded joins in between."""

import math

from keras import layers

_EPSILON = 1e-5
_MOST_GROUPS = 8


def normed(tensor):
    """Normalise in groups of at least two channels, so that a bias before it still means something, then SiLU.

    Parameters
    ----------
    tensor : keras tensor, shape (batch, x, y, z, channels)

    Returns
    -------
    keras tensor, same shape
    """
    channels = tensor.shape[-1]
    groups = math.gcd(_MOST_GROUPS, channels // 2) or 1
    return layers.Activation("silu")(layers.GroupNormalization(groups=groups, epsilon=_EPSILON)(tensor))


def residual_block(tensor, filters, embedding=None):
    """Apply two normalised convolutions and add the input.

    Parameters
    ----------
    tensor : keras tensor, shape (batch, x, y, z, channels)
    filters : int
    embedding : keras tensor, shape (batch, width), optional
        Added to every voxel between the two, through a linear layer of the block's own.

    Returns
    -------
    keras tensor, shape (batch, x, y, z, filters)
    """
    inner = layers.Conv3D(filters, 3, padding="same")(normed(tensor))
    if embedding is not None:
        shift = layers.Reshape((1, 1, 1, filters))(layers.Dense(filters)(embedding))
        inner = layers.Add()([inner, shift])
    inner = layers.Conv3D(filters, 3, padding="same")(normed(inner))
    if tensor.shape[-1] != filters:
        tensor = layers.Conv3D(filters, 1)(tensor)
    return layers.Add()([tensor, inner])


def halved(tensor, filters):
    """Halve the grid by a convolution; sides are even."""
    return layers.Conv3D(filters, 3, strides=2, padding="same")(tensor)


def doubled(tensor, filters):
    """Double the grid by repeating voxels, which a convolution smooths: no checkerboard."""
    return layers.Conv3D(filters, 3, padding="same")(layers.UpSampling3D(2)(tensor))
