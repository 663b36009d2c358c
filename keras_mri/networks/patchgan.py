"""The 3D PatchGAN discriminator: a small convolutional network whose every output judges one neighbourhood.

References
----------
Isola et al., CVPR 2017. arXiv:1611.07004
"""

import math

import keras

from keras_mri.errors import InputError
from keras_mri.networks.unet3d import EPSILON

_SLOPE = 0.2
_MOST_LAYERS = 3


def patch_discriminator(base_filters=64, layers=3, conditional=False, normalization="instance"):
    """Build the discriminator.

    The defaults are as published; those of the training are in the settings of `keras_mri.systems.sr`.

    Parameters
    ----------
    base_filters : int
        Filters of the first convolution; every further one doubles them.
    layers : int
        Convolutions that halve the grid.
    conditional : bool
        Judge a volume beside the source it was made from, as a second channel.
    normalization : {"instance", "none"}
        After every convolution but the first and the last.

    Returns
    -------
    keras.Model
        From (batch, x, y, z, channels), the source first if `conditional`, to logits (batch, x', y', z', 1), float32;
        each side is side / 2**layers - 2.
    """
    inputs = keras.Input((None, None, None, 2 if conditional else 1), name="patch")
    tensor = _activated(keras.layers.Conv3D(base_filters, 4, strides=2, padding="same")(inputs))
    for layer in range(1, layers + 1):
        filters, last = base_filters * 2**layer, layer == layers
        tensor = _block(tensor, filters, 1 if last else 2, normalization)
    logits = keras.layers.Conv3D(1, 4, dtype="float32", name="logits")(keras.layers.ZeroPadding3D(1)(tensor))
    return keras.Model(inputs, logits, name="patch_discriminator")


def layers_for(patch_shape):
    """Return how many halvings a patch of this shape allows, at most the published three.

    Parameters
    ----------
    patch_shape : tuple of int
        Voxels.

    Returns
    -------
    int

    Raises
    ------
    InputError
        If it allows none.
    """
    layers = min(_MOST_LAYERS, int(math.log2(max(1, min(patch_shape) / 3))))
    if layers < 1:
        raise InputError(
            f"the discriminator needs patches of at least 6 voxels along every side. Received: {tuple(patch_shape)}. "
            "Use a larger `patch_shape`, or `adversarial_weight` 0."
        )
    return layers


def check_patch(patch_shape, layers):
    """Raise unless a discriminator of this many halvings returns at least one logit for a patch.

    Parameters
    ----------
    patch_shape : tuple of int
        Voxels.
    layers : int

    Raises
    ------
    InputError
    """
    least = 3 * 2**layers
    if min(patch_shape) < least:
        raise InputError(
            f"a discriminator of {layers} layers needs patches of at least {least} voxels along every side. "
            f"Received: {tuple(patch_shape)}. Use `discriminator_layers` {layers_for(patch_shape)}, or a larger `patch_shape`."
        )


def _block(tensor, filters, strides, normalization):
    instance = normalization == "instance"
    # Stride 1 loses one voxel of the grid, as in the original: padding 1 for a kernel of 4.
    tensor = tensor if strides == 2 else keras.layers.ZeroPadding3D(1)(tensor)
    padding = "same" if strides == 2 else "valid"
    tensor = keras.layers.Conv3D(filters, 4, strides=strides, padding=padding, use_bias=not instance)(tensor)
    return _activated(keras.layers.GroupNormalization(groups=-1, epsilon=EPSILON)(tensor) if instance else tensor)


def _activated(tensor):
    return keras.layers.LeakyReLU(negative_slope=_SLOPE)(tensor)
