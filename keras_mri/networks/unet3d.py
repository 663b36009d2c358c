"""The 3D U-Net that turns a source volume into its target: the published generator, and a residual form without normalisation.

References
----------
Çiçek et al., MICCAI 2016 (3D U-Net). doi:10.1007/978-3-319-46723-8_49
Isola et al., CVPR 2017 (U-Net against a PatchGAN). arXiv:1611.07004
"""

import keras
from keras import layers

from keras_mri.errors import InputError
from keras_mri.networks.blocks import check_sides, image_and_contrast, residual_head

NORMALIZATIONS = ("instance", "none")
EPSILON = 1e-5
_SLOPE = 0.2


def unet3d(base_filters=32, levels=4, residual=False, normalization="instance", channels=1, detail_scale=0.2):
    """Build the generator.

    The defaults are as published; those of the training are in the settings of `keras_mri.systems.sr`.

    Instance normalisation takes its mean and SD from all voxels that the network sees at once, so a tile, a crop or a
    zero-padded scan gives another result than the whole; without it a voxel depends on its surroundings alone.

    Parameters
    ----------
    base_filters : int
        Filters of the first block; every level doubles them.
    levels : int
        Halvings of the grid.
    residual : bool
        Look at the image beside its local contrast, and add the output, zero at first, to the image.
    normalization : {"instance", "none"}
        After every convolution of a block.
    channels : int
        Channels of the input; the residual is added to the middle one.
    detail_scale : float
        Size of what is missing in the source, in the unit of the input, if `residual`.

    Returns
    -------
    keras.Model
        From (batch, x, y, z, channels), sides divisible by 2**levels, to (batch, x, y, z, 1), float32.

    Raises
    ------
    InputError
        If `normalization` is another word.
    """
    if normalization not in NORMALIZATIONS:
        raise InputError(f"`normalization` must be one of {', '.join(NORMALIZATIONS)}. Received: {normalization!r}.")
    inputs = keras.Input((None, None, None, channels), name="source")
    tensor = image_and_contrast(inputs, detail_scale) if residual else inputs
    tensor = _block(tensor, base_filters, normalization)
    skips = []
    for level in range(levels):
        tensor = _blocks(tensor, base_filters * 2 ** (level + 1), normalization)
        skips.append(tensor)
        tensor = _halved(tensor)
    tensor = _blocks(tensor, base_filters * 2**levels, normalization)
    for level in reversed(range(levels)):
        tensor = layers.Concatenate()([_doubled(tensor), skips[level]])
        tensor = _blocks(tensor, base_filters * 2**level, normalization)
    if residual:
        outputs = residual_head(inputs, tensor, detail_scale)
    else:
        outputs = layers.Conv3D(1, 1, dtype="float32", name="restored")(tensor)
    return keras.Model(inputs, outputs, name="unet3d")


def check_patch(patch_shape, levels, normalization):
    """Raise unless the generator can be trained on patches of this shape.

    Parameters
    ----------
    patch_shape : tuple of int
        Voxels.
    levels : int
    normalization : {"instance", "none"}

    Raises
    ------
    InputError
        If a side cannot be halved as often, or leaves instance normalisation a single voxel to normalise.
    """
    check_sides(patch_shape, levels)
    least = 2 ** (levels + 1)
    if normalization == "instance" and all(side < least for side in patch_shape):
        raise InputError(
            f"with instance normalisation a side of the patch must be at least {least}: {levels} halvings leave a single voxel, "
            f"which is its own mean. Received: {tuple(patch_shape)}. Use a larger `patch_shape`, fewer `levels`, or `normalization` none."
        )


def _blocks(tensor, filters, normalization):
    return _block(_block(tensor, filters, normalization), filters, normalization)


def _block(tensor, filters, normalization):
    instance = normalization == "instance"
    start = "glorot_uniform" if instance else "he_normal"
    tensor = layers.Conv3D(filters, 3, padding="same", use_bias=not instance, kernel_initializer=start)(tensor)
    if instance:
        tensor = layers.GroupNormalization(groups=-1, epsilon=EPSILON)(tensor)
    return layers.LeakyReLU(negative_slope=_SLOPE)(tensor)


def _halved(tensor):
    # Not padding="same", which on even sides pads behind only: here output i is centred on voxel 2 i, as in the original.
    return layers.Conv3D(tensor.shape[-1], 3, strides=2)(layers.ZeroPadding3D(1)(tensor))


def _doubled(tensor):
    # The first plane goes, so that input i lands on voxel 2 i again.
    tensor = layers.Conv3DTranspose(tensor.shape[-1], 3, strides=2)(tensor)
    return layers.Cropping3D(((1, 0), (1, 0), (1, 0)))(tensor)
