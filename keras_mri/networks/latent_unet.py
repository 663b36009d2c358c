"""The denoiser of latents: a small U-Net that knows the step, the label and, if there is one, a condition on the same grid.

References
----------
Ho et al., NeurIPS 2020. arXiv:2006.11239
Dhariwal & Nichol, NeurIPS 2021. arXiv:2105.05233
"""

import keras
import numpy as np
from keras import layers

from keras_mri.networks.normed_blocks import doubled, halved, normed, residual_block

# Of the sinusoids that tell steps apart, in steps.
_LONGEST_PERIOD = 10000
_KEY_CHANNELS = 32


def latent_unet(channels, labels, steps, filters=(64, 128), depth=1, condition_channels=0, linear=None):
    """Build the denoiser.

    Parameters
    ----------
    channels : int
        Channels of the latent.
    labels : int
        Number of classes; one more, the last, stands for no label and is learnt like the others.
    steps : int
        Steps of the noise schedule.
    filters : sequence of int
        Channels of each level. The grid is halved from one level to the next; the last level attends to all positions.
    depth : int
        Residual blocks of a level, on the way down and on the way up.
    condition_channels : int
        Of what is concatenated to the noisy latent; 0 for nothing.
    linear : keras_mri.networks.latent_prior.Linear or keras_mri.networks.latent_view.ViewRates, optional
        The network then says what this linear denoiser says, which it also sees, and what its blocks add, at first nothing. The grid
        is that of the means of the former, any with the latter.

    Returns
    -------
    keras.Model
        From `noisy` (batch, x, y, z, channels), sides divisible by 2**(levels - 1), `time` (batch,) and `label` (batch,), integers,
        and `condition` (batch, x, y, z, condition_channels), to (batch, x, y, z, channels), float32; before training zero, or what
        the linear denoiser says.
    """
    grid = (None, None, None) if linear is None else linear.grid
    inputs = {"noisy": keras.Input((*grid, channels), name="noisy")}
    inputs |= {name: keras.Input((), dtype="int32", name=name) for name in ("time", "label")}
    if condition_channels:
        inputs["condition"] = keras.Input((*grid, condition_channels), name="condition")
    begun = None if linear is None else linear.said(inputs)
    seen = [tensor for tensor in (inputs["noisy"], begun, inputs.get("condition")) if tensor is not None]
    tensor = layers.Concatenate()(seen) if len(seen) > 1 else seen[0]
    embedding, table = _embedding(inputs["time"], inputs["label"], labels, steps, 2 * filters[0])

    tensor = layers.Conv3D(filters[0], 3, padding="same")(tensor)
    skips = []
    for level, width in enumerate(filters):
        tensor = halved(tensor, width) if level else tensor
        for _ in range(depth):
            tensor = residual_block(tensor, width, embedding)
            skips.append(tensor)
    tensor = _attended(tensor)
    tensor = residual_block(tensor, filters[-1], embedding)
    for level, width in reversed(list(enumerate(filters))):
        for _ in range(depth):
            tensor = residual_block(layers.Concatenate()([tensor, skips.pop()]), width, embedding)
        tensor = doubled(tensor, filters[level - 1]) if level else tensor
    said = layers.Conv3D(channels, 3, padding="same", kernel_initializer="zeros", dtype="float32", name="said")(normed(tensor))
    said = said if begun is None else layers.Add(dtype="float32")([begun, said])
    network = keras.Model(list(inputs.values()), said, name="denoiser")
    table.set_weights([sinusoids(steps, filters[0])])
    return network


def sinusoids(steps, width):
    """Return what tells steps apart: cosines and sines of periods from 2π to thousands of steps.

    Parameters
    ----------
    steps, width : int

    Returns
    -------
    ndarray of float32, shape (steps, width)
    """
    half = width // 2
    angles = np.arange(steps)[:, None] * _LONGEST_PERIOD ** (-np.arange(half) / half)
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def _embedding(time, label, labels, steps, width):
    # A fixed table, because no built-in layer takes sines.
    table = layers.Embedding(steps, width // 2, trainable=False, dtype="float32", name="sinusoids")
    of_time = layers.Dense(width)(layers.Dense(width, activation="silu")(table(time)))
    of_label = layers.Embedding(labels + 1, width, name="labels")(label)
    return layers.Activation("silu")(layers.Add()([of_time, of_label])), table


def _attended(tensor):
    """Add what every voxel finds in all others."""
    channels = tensor.shape[-1]
    heads = max(1, channels // _KEY_CHANNELS)
    # Without biases: that of the keys would have no gradient, because softmax forgets it.
    attention = layers.MultiHeadAttention(heads, channels // heads, use_bias=False, attention_axes=(1, 2, 3))
    context = layers.GroupNormalization(groups=1, epsilon=1e-5)(tensor)
    return layers.Add()([tensor, attention(context, context)])
