"""The two networks of super-resolution: the generator, which is kept, and the discriminator of its training."""

import math

from keras_mri.networks import patchgan
from keras_mri.networks.geometry import geometry
from keras_mri.networks.precision import with_hidden_layers_in
from keras_mri.networks.residual_unet import residual_unet, thick_slices_unet
from keras_mri.networks.unet3d import unet3d

# What a source lacks is about this large, in SDs of its brain.
_DETAIL_SCALE = 0.2
# What thick slices lack, in robust maxima.
_SLICES_LACK = 0.1


def generator(config, start=None):
    """Build the network that restores, or take up the one to start from.

    Parameters
    ----------
    config : keras_mri.systems.sr.settings.Config
    start : keras.Model, optional

    Returns
    -------
    keras.Model
        From (batch, x, y, z, 1), of thick slices from (batch, x, y, z, 2), to (batch, x, y, z, 1).
    """
    if start is not None:
        return with_hidden_layers_in(start, config.precision)
    if config.thick_slices:
        return thick_slices_unet(config.filters, config.depths, _SLICES_LACK)
    if config.generator == "unet3d":
        return unet3d(config.base_filters, config.levels, config.residual, config.normalization, detail_scale=_DETAIL_SCALE)
    return residual_unet((None, None, None, 1), config.filters, config.depths, _DETAIL_SCALE, with_image=True)


def shape_of_generator(config, start=None):
    """Return how often the generator halves the grid (int), and its normalisation (str); parameters as for `generator`."""
    if start is not None:
        return int(math.log2(geometry(start).stride)), "none"
    return (config.levels, config.normalization) if config.generator == "unet3d" else (len(config.filters) - 1, "none")


def discriminator_of(config, patch_shape):
    """Build the discriminator of patches, with as many layers as a patch allows; the least where it has no weight.

    Parameters
    ----------
    config : keras_mri.systems.sr.settings.Config
    patch_shape : tuple of int

    Returns
    -------
    keras.Model

    Raises
    ------
    InputError
        If a patch is too small for its layers.
    """
    wanted = config.adversarial_weight > 0
    layers = config.discriminator_layers or (patchgan.layers_for(patch_shape) if wanted else 1)
    if wanted:
        patchgan.check_patch(patch_shape, layers)
    return patchgan.patch_discriminator(config.discriminator_filters, layers, config.conditional)
