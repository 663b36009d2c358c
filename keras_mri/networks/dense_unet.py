"""The 3D DenseNet U-Net of the published fMRI denoiser, and the critic built from the same blocks.

References
----------
Huang et al., CVPR 2017 (dense blocks). doi:10.1109/CVPR.2017.243
Gulrajani et al., NeurIPS 2017 (critic with gradient penalty). arXiv:1704.00028
"""

import keras
from keras import layers

from keras_mri.errors import InputError
from keras_mri.networks.blocks import check_sides, noise_front_end, normalized, residual_head

_STEM_FILTERS = 32
_DECODER_FILTERS = (128, 64, 32)
_MOST_LEVELS = 3


def dense_unet(input_shape, growth_rate=16, normalization="batch", residual=False, levels=None, noise_scale=0.05, frame_weights=None):
    """Build the generator.

    The defaults are as published; those of the training are in the settings of `keras_mri.systems.wgan`.

    Parameters
    ----------
    input_shape : tuple of int or None, (x, y, z, frames)
        Sides may be None if `levels` is given; otherwise they must be divisible by 2**levels.
    growth_rate : int
        Filters that each dense layer adds.
    normalization : {"batch", "none"}
    residual : bool
        Work on local contrast in noise units and add the output, zero at first, to the input's middle frame.
    levels : int, optional
        Halvings of the grid; None takes the published rule, by the shortest side (8 → 0, 64 → 3).
    noise_scale : float
        Typical noise SD in the input's unit, if `residual`.
    frame_weights : sequence of float, optional
        If `residual`: a fixed filter over the frames; its result takes the middle frame's place.

    Returns
    -------
    keras.Model
        From (batch, x, y, z, frames) to (batch, x, y, z, 1).

    Raises
    ------
    InputError
        If the sides do not fit the levels.
    """
    levels = published_levels(input_shape, stop=4) if levels is None else levels
    check_sides(input_shape[:3], levels)
    inputs = keras.Input(input_shape, name="noisy")
    tensor = noise_front_end(inputs, noise_scale) if residual else inputs
    tensor = layers.Conv3D(_STEM_FILTERS, 3, padding="same")(tensor)
    tensor = layers.ReLU()(normalized(tensor, normalization))
    tensor, skips = _encode(tensor, levels, 4, growth_rate, normalization, last_transition=False)
    for _ in range(2):
        tensor = _dense_block(tensor, 4, growth_rate, normalization)
    tensor = _decode(tensor, skips, normalization, layers.ReLU)
    if residual:
        outputs = residual_head(inputs, tensor, noise_scale, frame_weights)
    else:
        outputs = layers.Conv3D(1, 1, dtype="float32", name="denoised")(tensor)
    return keras.Model(inputs, outputs, name="dense_unet")


def dense_critic(input_shape, growth_rate=16, normalization="batch"):
    """Build the published critic: the same U-Net in small, pooled to one score.

    Parameters
    ----------
    input_shape : tuple of int, (x, y, z, 1)
    growth_rate : int
    normalization : {"batch", "none"}
        "batch" is the published choice; it couples the samples of a batch, for which the gradient penalty does not allow
        (Gulrajani 2017, section 4).

    Returns
    -------
    keras.Model
        From (batch, x, y, z, 1) to (batch, 1), the Wasserstein score.

    Raises
    ------
    InputError
        If the sides do not fit the levels.
    """
    levels = published_levels(input_shape, stop=2)
    check_sides(input_shape[:3], levels)

    def activation():
        return layers.LeakyReLU(negative_slope=0.2)

    inputs = keras.Input(input_shape, name="patch")
    tensor = activation()(layers.Conv3D(_STEM_FILTERS, 3, padding="same")(inputs))
    tensor, skips = _encode(tensor, levels, 3, growth_rate, normalization, last_transition=True)
    tensor = _dense_block(tensor, 4, growth_rate, normalization)
    tensor = _decode(tensor, skips, normalization, activation)
    score = layers.Dense(1, dtype="float32", name="score")(layers.GlobalAveragePooling3D()(tensor))
    return keras.Model(inputs, score, name="dense_critic")


def published_levels(input_shape, stop=4):
    """Return how often the published rule halves the grid, by the shortest side.

    Parameters
    ----------
    input_shape : tuple of int, (x, y, z, …)
    stop : int
        Sides no longer than this are not halved: 4 in the generator, 2 in the critic.

    Returns
    -------
    int
        One less than the number of halvings, at most 3.

    Raises
    ------
    InputError
        If a side is None.
    """
    sides = input_shape[:3]
    if None in sides:
        raise InputError(f"`input_shape` without fixed sides needs `levels`. Received: input_shape={tuple(input_shape)}.")
    shortest, depth = min(sides), 0
    while shortest > stop:
        shortest, depth = shortest // 2, depth + 1
    return max(0, min(depth - 1, _MOST_LEVELS))


def _encode(tensor, levels, layers_per_block, growth_rate, normalization, last_transition):
    skips = []
    for level in range(levels):
        tensor = _dense_block(tensor, layers_per_block, growth_rate, normalization)
        skips.append(tensor)
        # The published generator only pools after its last level; the critic halves the channels there too.
        if last_transition or level < levels - 1:
            tensor = layers.ReLU()(normalized(tensor, normalization))
            tensor = layers.Conv3D(tensor.shape[-1] // 2, 1)(tensor)
        tensor = layers.AveragePooling3D(2)(tensor)
    return tensor, skips


def _decode(tensor, skips, normalization, activation):
    for filters, skip in zip(_DECODER_FILTERS, reversed(skips)):
        tensor = layers.Conv3DTranspose(filters, 3, strides=2, padding="same")(tensor)
        tensor = activation()(normalized(tensor, normalization))
        tensor = layers.Concatenate()([tensor, skip])
        tensor = layers.Conv3D(filters, 3, padding="same")(tensor)
        tensor = activation()(normalized(tensor, normalization))
    return tensor


def _dense_block(tensor, n_layers, growth_rate, normalization):
    for _ in range(n_layers):
        new = layers.ReLU()(normalized(tensor, normalization))
        new = layers.Conv3D(4 * growth_rate, 1)(new)
        new = layers.ReLU()(normalized(new, normalization))
        new = layers.Conv3D(growth_rate, 3, padding="same")(new)
        tensor = layers.Concatenate()([tensor, new])
    return tensor
