"""The network of runs: a small U-Net that chooses, at every voxel of a map, how to average the voxels around it."""

import keras
import numpy as np
from keras import layers

from keras_mri.networks.blocks import check_sides

_SLOPE = 0.1
# Averages of growing width that the network may choose, made by repeated box averages of these sides (voxels).
_BOXES = (3, 3, 3, 5)
# Among the 27 voxels around a voxel, itself.
_MIDDLE = 13
# How much more the voxel itself weighs than anything else before training: almost 1.
_OWN = 8.0


def run_unet(filters=(16, 32), depths=(1, 3), channels=5, sides=(None, None, None)):
    """Build a U-Net whose output is a weighted mean of a map over the 27 voxels around each voxel, and of wider averages.

    Weights are positive and sum to 1, so that nothing in the output is larger than in the input around it. Before training the voxel
    itself has almost all of the weight: the network starts as the identity.

    Parameters
    ----------
    filters : sequence of int
        Channels of each level, the finest first.
    depths : sequence of int
        Convolutions of each level, 3 voxels wide; all but the deepest level have them twice, on the way down and up.
    channels : int
        Of the input: the map first; the others only help to choose.
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

    References
    ----------
    Mildenhall et al., CVPR 2018 (networks that predict kernels). arXiv:1712.02327
    """
    check_sides(sides, len(filters) - 1)
    inputs = keras.Input((*sides, channels), name="map_and_guides")
    tensor, skips = inputs, []
    for level, (width, depth) in enumerate(zip(filters, depths)):
        if level:
            skips.append(tensor)
            tensor = _activated(layers.Conv3D(width, 2, strides=2, kernel_initializer="he_normal")(tensor))
        tensor = _convolutions(tensor, width, depth)
    for width, depth, skip in zip(filters[-2::-1], depths[-2::-1], reversed(skips)):
        tensor = layers.Conv3DTranspose(width, 2, strides=2)(tensor)
        tensor = _convolutions(layers.Add()([tensor, skip]), width, depth)
    return keras.Model(inputs, _averaged(inputs, tensor), name="run_unet")


def _averaged(inputs, features):
    """Average the map with weights that features decide."""
    choices = _choices(inputs)
    count = choices.shape[-1]
    logits = layers.Conv3D(count, 1, kernel_initializer="zeros", dtype="float32", name="logits")
    weights = layers.Softmax(dtype="float32", name="weights")(logits(features))
    own = np.zeros(count)
    own[_MIDDLE] = _OWN
    logits.set_weights([logits.get_weights()[0], own])
    weighted = layers.Multiply(dtype="float32")([choices, weights])
    return _fixed(np.ones((1, 1, 1, count, 1)), "restored", weighted)


def _choices(inputs):
    """Return the map at each of the 27 voxels around, and its wider averages: 31 channels."""
    channels = inputs.shape[-1]
    picked = _fixed(np.eye(channels)[:, :1].reshape(1, 1, 1, channels, 1), "map", inputs)
    around = _fixed(np.eye(27).reshape(3, 3, 3, 1, 27), "around", picked)
    averages, tensor = [], picked
    for side in _BOXES:
        tensor = layers.AveragePooling3D(side, strides=1, padding="same", dtype="float32")(tensor)
        averages.append(tensor)
    return layers.Concatenate(dtype="float32")([around, *averages])


def _fixed(kernel, name, tensor):
    """Apply a convolution whose weights are given and do not train."""
    options = dict(padding="same", use_bias=False, trainable=False, dtype="float32", name=name)
    layer = layers.Conv3D(kernel.shape[-1], kernel.shape[:3], **options)
    result = layer(tensor)
    layer.set_weights([kernel])
    return result


def _convolutions(tensor, width, depth):
    for _ in range(depth):
        tensor = _activated(layers.Conv3D(width, 3, padding="same", kernel_initializer="he_normal")(tensor))
    return tensor


def _activated(tensor):
    return layers.LeakyReLU(negative_slope=_SLOPE)(tensor)
