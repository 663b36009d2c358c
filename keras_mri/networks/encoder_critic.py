"""The default critic: an encoder without normalisation, so that the gradient penalty applies to each sample alone."""

import keras
from keras import layers

from keras_mri.networks.blocks import noise_front_end


def encoder_critic(input_shape, filters=(16, 32, 64, 96), noise_scale=0.05):
    """Build a critic that scores patches by their local contrast.

    Parameters
    ----------
    input_shape : tuple of int or None, (x, y, z, 1)
    filters : sequence of int
        Channels of its strided 3×3×3 convolutions; each halves the grid.
    noise_scale : float
        Typical noise SD in the unit of the input.

    Returns
    -------
    keras.Model
        From (batch, x, y, z, 1) to (batch, 1), the Wasserstein score, float32.

    References
    ----------
    Gulrajani et al., NeurIPS 2017, section 4: no batch normalisation in a critic with gradient penalty. arXiv:1704.00028
    """
    inputs = keras.Input(input_shape, name="patch")
    tensor = noise_front_end(inputs, noise_scale)
    for width in filters:
        tensor = layers.Conv3D(width, 3, strides=2, padding="same", kernel_initializer="he_normal")(tensor)
        tensor = layers.LeakyReLU(negative_slope=0.2)(tensor)
    tensor = layers.GlobalAveragePooling3D()(tensor)
    return keras.Model(inputs, layers.Dense(1, dtype="float32", name="score")(tensor), name="encoder_critic")
