"""The default network of `wgan`, `sr` and `cnn`: a small residual U-Net that starts as the identity, for volumes, slices, thick slices."""

import keras
from keras import layers

from keras_mri.errors import InputError
from keras_mri.networks.blocks import channels_of, check_sides, image_and_contrast, layer_for, noise_front_end, residual_head

_SLOPE = 0.1


def residual_unet(input_shape, filters, depths, noise_scale=0.05, frame_weights=None, with_image=False):
    """Build a U-Net without normalisation whose zero-initialised output is added to the input's middle frame.

    Most of its arithmetic runs in wide convolutions on the halved grid, where a processor is close to its peak rate.

    Parameters
    ----------
    input_shape : tuple of int or None, (x, y, z, frames) or (x, y, 1)
        Sides divisible by 2**(len(filters) - 1), or None.
    filters : sequence of int
        Channels of each level, the finest first.
    depths : sequence of int
        Convolutions of each level, 3 voxels wide; all but the deepest level have them twice, on the way down and up.
    noise_scale : float
        Typical size of what is wrong with the input, in its unit: the SD of its noise, or the detail it lacks.
    frame_weights : sequence of float, optional
        A fixed filter over the frames; its result takes the middle frame's place.
    with_image : bool
        See the image itself beside its local contrast, for what depends on the tissue and not on edges alone.

    Returns
    -------
    keras.Model
        From (batch, x, y, z, frames) to (batch, x, y, z, 1), float32; or from slices to slices.

    Raises
    ------
    InputError
        If `filters` and `depths` differ in length, or the sides cannot be halved as often.
    """
    _check_levels(filters, depths)
    check_sides(input_shape[:-1], len(filters) - 1)
    inputs = keras.Input(input_shape, name="noisy")
    tensor = (image_and_contrast if with_image else noise_front_end)(inputs, noise_scale)
    tensor = _levels(tensor, filters, depths)
    name = "residual_unet" if len(input_shape) == 4 else "residual_slice_unet"
    return keras.Model(inputs, residual_head(inputs, tensor, noise_scale, frame_weights), name=name)


def residual_slice_unet(filters, depths, noise_scale=0.05, input_shape=(None, None, 1)):
    """Build the default network of `cnn`: `residual_unet` in two dimensions, for slices.

    Parameters
    ----------
    filters, depths, noise_scale : as for `residual_unet`
    input_shape : tuple of int or None, (x, y, 1)
        Sides divisible by 2**(len(filters) - 1), or None.

    Returns
    -------
    keras.Model
        From (batch, x, y, 1) to (batch, x, y, 1), float32.

    Raises
    ------
    InputError
        As `residual_unet`.
    """
    return residual_unet(input_shape, filters, depths, noise_scale)


def thick_slices_unet(filters, depths, detail_scale=0.1):
    """Build the network of thick slices: `residual_unet` for one image beside the distance of its voxels from what was measured.

    The network sees the image, its local contrast and the distance; the distance stays out of the local mean.

    Parameters
    ----------
    filters, depths : as for `residual_unet`
    detail_scale : float
        Typical size of the detail that the image lacks, in its unit.

    Returns
    -------
    keras.Model
        From (batch, x, y, z, 2), the interpolated image and the distance from the nearest slice, to (batch, x, y, z, 1), float32. Starts
        as the identity on the image.

    Raises
    ------
    InputError
        If `filters` and `depths` differ in length.
    """
    _check_levels(filters, depths)
    inputs = keras.Input((None, None, None, 2), name="slices_and_distance")
    image, distance = (channels_of(inputs, channel, channel + 1) for channel in range(2))
    seen = layers.Concatenate(dtype="float32", name="seen")([image_and_contrast(image, detail_scale), distance])
    return keras.Model(inputs, residual_head(image, _levels(seen, filters, depths), detail_scale), name="thick_slices_unet")


def _check_levels(filters, depths):
    if len(filters) != len(depths):
        raise InputError(f"`filters` and `depths` name the same levels. Received: filters={filters}, depths={depths}.")


def _levels(tensor, filters, depths):
    """Go down and up again through the levels of a U-Net; skips are added."""
    skips = []
    for level, (width, depth) in enumerate(zip(filters, depths)):
        if level:
            skips.append(tensor)
            tensor = _activated(layer_for(tensor, "ConvND")(width, 2, strides=2, kernel_initializer="he_normal")(tensor))
        tensor = _convolutions(tensor, width, depth)
    for width, depth, skip in zip(filters[-2::-1], depths[-2::-1], reversed(skips)):
        tensor = layer_for(tensor, "ConvNDTranspose")(width, 2, strides=2)(tensor)
        tensor = _convolutions(layers.Add()([tensor, skip]), width, depth)
    return tensor


def _convolutions(tensor, width, depth):
    for _ in range(depth):
        tensor = _activated(layer_for(tensor, "ConvND")(width, 3, padding="same", kernel_initializer="he_normal")(tensor))
    return tensor


def _activated(tensor):
    return layers.LeakyReLU(negative_slope=_SLOPE)(tensor)
