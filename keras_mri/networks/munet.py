"""MU-Net, the residual network of Noise2Average: a U-Net's connections on one grid, without pooling or up-sampling.

References
----------
Li et al., Proc ISMRM 2022 (Noise2Average).
He et al., ICCV 2015 (initialisation). doi:10.1109/ICCV.2015.123
"""

import keras
from keras import layers

from keras_mri.errors import InputError
from keras_mri.networks.blocks import noise_front_end

# What each pair of convolutions reads: 0 is the image, n the n-th pair; several are concatenated in the order written.
STRUCTURAL = ((0,), (1,), (2,), (3,), (4,), (4, 5), (3, 6), (2, 7), (1, 8))
DIFFUSION = ((0,), (1,), (2,), (3, 1), (4, 2))

# A plain ReLU stack behind the front end died in training: every unit of a layer off, the gradient zero for good.
_SLOPE = 0.1


def munet(channels=1, filters=64, noise_scale=None):
    """Build the structural MU-Net: 18 convolutions whose result, a residual, is added to the image.

    The defaults are as published; those of the training are in the settings of `keras_mri.systems.n2a`.

    Parameters
    ----------
    channels : int
        Channels of the image, and of the restored image.
    filters : int
        Filters of every convolution but the last.
    noise_scale : float, optional
        Typical noise SD in the unit of the input. With it the network works on local contrast in units of the noise, is
        leaky, and starts as the identity; None is the published form.

    Returns
    -------
    keras.Model
        From (batch, x, y, z, channels) to the same, of any sides; float32.
    """
    inputs = keras.Input((None, None, None, channels), name="noisy")
    tensor = inputs if noise_scale is None else noise_front_end(inputs, noise_scale)
    slope = 0.0 if noise_scale is None else _SLOPE
    tensor = _connected(tensor, STRUCTURAL, widths(STRUCTURAL, filters), lambda features, name: _activated(features, slope))
    return keras.Model(inputs, _restored(inputs, tensor, noise_scale), name="munet")


def munet_diffusion(channels, filters=192):
    """Build the MU-Net for many channels: 10 convolutions, all but the first one normalised, and the residual added.

    The defaults are as published; those of the training are in the settings of `keras_mri.systems.n2a`.

    Parameters
    ----------
    channels : int
        Diffusion-weighted volumes seen, and restored, together.
    filters : int
        Filters of every convolution but the last three, which have a half, a quarter, and `channels`.

    Returns
    -------
    keras.Model
        From (batch, x, y, z, channels) to the same, of any sides; float32.

    Raises
    ------
    InputError
        If a quarter of `filters` is none.
    """
    if filters < 4:
        raise InputError(f"`filters` must be at least 4: the last pair has a half and a quarter of them. Received: {filters}.")

    def finish(features, name):
        return _activated(features if name == "c1_1" else layers.BatchNormalization(name=f"{name}_norm")(features), slope=0.0)

    inputs = keras.Input((None, None, None, channels), name="noisy")
    tensor = _connected(inputs, DIFFUSION, widths(DIFFUSION, filters), finish)
    return keras.Model(inputs, _restored(inputs, tensor, noise_scale=None), name="munet_diffusion")


def widths(connections, filters):
    """Return how many filters the two convolutions of each pair have.

    Parameters
    ----------
    connections : STRUCTURAL or DIFFUSION
    filters : int

    Returns
    -------
    list of (int, int)
    """
    pairs = [(filters, filters)] * len(connections)
    return [*pairs[:-1], (filters // 2, filters // 4)] if connections is DIFFUSION else pairs


def _connected(tensor, connections, pairs, finish):
    """Return the last pair's output; `finish` makes features of a convolution's output and name."""
    outputs = [tensor]
    for number, (sources, pair) in enumerate(zip(connections, pairs), start=1):
        joined = [outputs[source] for source in sources]
        tensor = layers.Concatenate()(joined) if len(joined) > 1 else joined[0]
        for place, width in enumerate(pair, start=1):
            name = f"c{number}_{place}"
            tensor = layers.Conv3D(width, 3, padding="same", kernel_initializer="he_normal", name=name)(tensor)
            tensor = finish(tensor, name)
        outputs.append(tensor)
    return tensor


def _activated(tensor, slope):
    return layers.LeakyReLU(negative_slope=slope)(tensor) if slope else layers.ReLU()(tensor)


def _restored(inputs, features, noise_scale):
    start = "he_normal" if noise_scale is None else "zeros"
    head = layers.Conv3D(inputs.shape[-1], 3, padding="same", kernel_initializer=start, dtype="float32", name="residual")
    residual = head(features)
    if noise_scale is not None:
        residual = layers.Rescaling(noise_scale, dtype="float32", name="image_units")(residual)
    return layers.Add(dtype="float32", name="restored")([inputs, residual])
