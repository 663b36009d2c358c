"""Pieces that several networks share."""

import numpy as np
from keras import layers

from keras_mri.errors import InputError

NORMALIZATIONS = ("batch", "none")


def check_sides(sides, levels):
    """Raise unless a patch can be halved as often as a network does; sides of None fit always.

    Parameters
    ----------
    sides : tuple of int or None, (x, y, z)
    levels : int

    Raises
    ------
    InputError
        With the nearest sides that fit.
    """
    factor = 2**levels
    if any(side is not None and side % factor for side in sides):
        nearest = tuple(side and max(factor, factor * round(side / factor)) for side in sides)
        raise InputError(
            f"the sides of a patch must be divisible by {factor}: the network halves them {levels} times. "
            f"Received: {tuple(sides)}. Nearest valid: {nearest}."
        )


def layer_for(tensor, name):
    """Return the Keras layer class for a tensor's number of spatial axes: "ConvND" is Conv2D for slices, Conv3D for volumes.

    Parameters
    ----------
    tensor : keras tensor, shape (batch, x, y, channels) or (batch, x, y, z, channels)
    name : str
        With "ND" in place of "2D" or "3D".

    Returns
    -------
    type
    """
    return getattr(layers, name.replace("ND", f"{len(tensor.shape) - 2}D"))


def normalized(tensor, normalization):
    """Apply BatchNormalization, or nothing.

    Parameters
    ----------
    tensor : keras tensor, shape (batch, x, y, z, channels)
    normalization : {"batch", "none"}

    Returns
    -------
    keras tensor, same shape

    Raises
    ------
    InputError
        If `normalization` is another word.
    """
    if normalization not in NORMALIZATIONS:
        raise InputError(f"`normalization` must be one of {', '.join(NORMALIZATIONS)}. Received: {normalization!r}.")
    return layers.BatchNormalization()(tensor) if normalization == "batch" else tensor


def middle_frame(inputs):
    """Pick the middle one of an odd number of frames held as channels.

    Parameters
    ----------
    inputs : keras tensor, shape (batch, x, y, z, frames)

    Returns
    -------
    keras tensor, shape (batch, x, y, z, 1)
    """
    half = inputs.shape[-1] // 2
    if half == 0:
        return inputs
    return channels_of(inputs, half, half + 1)


def channels_of(inputs, start, stop):
    """Pick neighbouring channels, exactly.

    Parameters
    ----------
    inputs : keras tensor, shape (batch, x, y, z, channels)
    start, stop : int
        The first channel and the one after the last.

    Returns
    -------
    keras tensor of float32, shape (batch, x, y, z, stop - start)
    """
    # Cropping3D cuts the three axes before the last, so channels go there and back.
    tensor = layers.Permute((4, 1, 2, 3), dtype="float32")(inputs)
    tensor = layers.Cropping3D(((start, inputs.shape[-1] - stop), (0, 0), (0, 0)), dtype="float32")(tensor)
    return layers.Permute((2, 3, 4, 1), dtype="float32")(tensor)


def noise_front_end(inputs, noise_scale):
    """Bring the noise to order one and the anatomy out of its way: rescale, then subtract the local mean over all frames.

    A network fed with intensities in [0, 1] hardly sees a noise of 0.01; after this it is the largest thing there. The mean
    is common to the frames, so that what changes from one to the next stays visible. Everything here works in float32,
    because bfloat16 resolves only 0.4 % of an intensity.

    Parameters
    ----------
    inputs : keras tensor, shape (batch, x, y, z, frames)
    noise_scale : float
        A typical standard deviation of the noise, in the unit of `inputs`.

    Returns
    -------
    keras tensor, same shape
        Slices, shape (batch, x, y, 1), are taken as well.
    """
    scaled = layers.Rescaling(1 / noise_scale, dtype="float32", name="noise_units")(inputs)
    pooling = layer_for(inputs, "AveragePoolingND")(5, strides=1, padding="same", dtype="float32", name="local_mean")
    mean = pooling(_mean_frame(scaled))
    return layers.Subtract(dtype="float32", name="local_contrast")([scaled, mean])


def image_and_contrast(inputs, detail_scale):
    """Put an image beside its local contrast: edges are small beside the contrast of tissues, but all that is missing.

    Parameters
    ----------
    inputs : keras tensor, shape (batch, x, y, z, channels)
    detail_scale : float
        Size of what is missing in the image, in its unit.

    Returns
    -------
    keras tensor, shape (batch, x, y, z, 2 · channels)
    """
    return layers.Concatenate(dtype="float32", name="image_and_contrast")([inputs, noise_front_end(inputs, detail_scale)])


def _mean_frame(inputs):
    frames = inputs.shape[-1]
    if frames == 1:
        return inputs
    tensor = layers.Permute((4, 1, 2, 3), dtype="float32")(inputs)
    tensor = layers.AveragePooling3D((frames, 1, 1), strides=1, dtype="float32")(tensor)
    return layers.Permute((2, 3, 4, 1), dtype="float32")(tensor)


def residual_head(inputs, features, noise_scale, frame_weights=None):
    """Map features to a residual that is zero before training, and add it to the (filtered) middle frame of the input.

    Parameters
    ----------
    inputs : keras tensor, shape (batch, x, y, z, frames)
    features : keras tensor, shape (batch, x, y, z, channels)
    noise_scale : float
        The residual's unit, in the unit of `inputs`.
    frame_weights : sequence of float, optional
        A fixed filter over the frames to which the residual is added; the middle frame itself without it.

    Returns
    -------
    keras tensor of float32, shape (batch, x, y, z, 1)
    """
    last = layer_for(features, "ConvND")(1, 1, kernel_initializer="zeros", dtype="float32", name="residual")
    residual = last(features)
    residual = layers.Rescaling(noise_scale, dtype="float32", name="image_units")(residual)
    frame = middle_frame(inputs) if frame_weights is None else _filtered_frame(inputs, frame_weights)
    return layers.Add(dtype="float32", name="restored")([frame, residual])


def _filtered_frame(inputs, frame_weights):
    fixed = layers.Conv3D(1, 1, use_bias=False, trainable=False, dtype="float32", name="filtered_frame")
    frame = fixed(inputs)
    fixed.set_weights([np.reshape(frame_weights, (1, 1, 1, -1, 1))])
    return frame
