"""The network of runs: a small residual U-Net that sees a map in units of its noise beside the anatomy, and starts as the identity."""

import keras
from keras import layers

from keras_mri.networks.blocks import check_sides, residual_head

_SLOPE = 0.1


def run_unet(filters=(32, 64), depths=(1, 4), channels=2, sides=(None, None, None)):
    """Build a U-Net whose zero-initialised output is added to the first channel of its input.

    Unlike `residual_unet` it has no front end: a map already has noise of SD 1, and its slow variation in space is signal.

    Parameters
    ----------
    filters : sequence of int
        Channels of each level, the finest first.
    depths : sequence of int
        Convolutions of each level, 3 voxels wide; all but the deepest level have them twice, on the way down and up.
    channels : int
        Of the input: the map first.
    sides : tuple of int or None, (x, y, z)
        Divisible by 2**(len(filters) - 1), or None.

    Returns
    -------
    keras.Model
        From (batch, x, y, z, channels) to (batch, x, y, z, 1), float32.

    Raises
    ------
    InputError
        If the sides cannot be halved as often.
    """
    check_sides(sides, len(filters) - 1)
    inputs = keras.Input((*sides, channels), name="map_and_anatomy")
    tensor, skips = inputs, []
    for level, (width, depth) in enumerate(zip(filters, depths)):
        if level:
            skips.append(tensor)
            tensor = _activated(layers.Conv3D(width, 2, strides=2, kernel_initializer="he_normal")(tensor))
        tensor = _convolutions(tensor, width, depth)
    for width, depth, skip in zip(filters[-2::-1], depths[-2::-1], reversed(skips)):
        tensor = layers.Conv3DTranspose(width, 2, strides=2)(tensor)
        tensor = _convolutions(layers.Add()([tensor, skip]), width, depth)
    weights = [1.0] + [0.0] * (channels - 1)
    return keras.Model(inputs, residual_head(inputs, tensor, 1.0, weights), name="run_unet")


def _convolutions(tensor, width, depth):
    for _ in range(depth):
        tensor = _activated(layers.Conv3D(width, 3, padding="same", kernel_initializer="he_normal")(tensor))
    return tensor


def _activated(tensor):
    return layers.LeakyReLU(negative_slope=_SLOPE)(tensor)
