"""The 2D slice autoencoder, as published; it takes slices of any even size."""

import keras
from keras import layers

from keras_mri.errors import InputError
from keras_mri.networks.blocks import check_sides


def slice_autoencoder(input_shape=(None, None, 1), filters=(16, 32)):
    """Build the published network: 9,569 parameters with its own filters.

    A published kernel stored as (out, in, row, column) belongs, transposed to (row, column, in, out), into the layer of the
    same name: enc1, enc2, dec1 or dec2.

    Parameters
    ----------
    input_shape : tuple of int or None, (x, y, 1)
        Even sides, or None.
    filters : pair of int
        Channels at full and at half resolution.

    Returns
    -------
    keras.Model
        From (batch, x, y, 1) to (batch, x, y, 1), float32, values in (0, 1).

    Raises
    ------
    InputError
        If there are not two numbers of filters, or a side is odd.
    """
    if len(filters) != 2:
        raise InputError(f"the published autoencoder has two levels. Received: filters={tuple(filters)}, e.g. 16 32.")
    check_sides(input_shape[:2], 1)
    fine, coarse = filters

    def convolution(width, name):
        return layers.Conv2D(width, 3, padding="same", activation="relu", name=name)

    inputs = keras.Input(input_shape, name="noisy")
    skip = convolution(fine, "enc1")(inputs)
    tensor = convolution(coarse, "enc2")(layers.MaxPooling2D(2, name="halved")(skip))
    tensor = layers.Add(name="skip")([convolution(fine, "dec1")(bilinearly_doubled(tensor)), skip])
    outputs = layers.Conv2D(1, 3, padding="same", activation="sigmoid", dtype="float32", name="dec2")(tensor)
    return keras.Model(inputs, outputs, name="slice_autoencoder")


def bilinearly_doubled(tensor):
    """Double the grid by bilinear interpolation with half-pixel centres: row i lies at row (i + 1/2) / 2 - 1/2, edges are repeated.

    Keras' own `UpSampling2D(interpolation="bilinear")` does the same, but fails in a graph whose sides are not known (Keras 3.15).

    Parameters
    ----------
    tensor : keras tensor, shape (batch, x, y, channels)

    Returns
    -------
    keras tensor, shape (batch, 2 · x, 2 · y, channels)
    """
    # Repeated, then smoothed by (1, 2, 1) / 4 along either axis: row 2i gets x[i-1] / 4 + 3 x[i] / 4, row 2i + 1 the mirror image.
    tensor = layers.UpSampling2D(2)(tensor)
    for window in ((3, 1), (1, 3)):
        # (1, 2, 1) / 4 = 3/4 · (1, 1, 1) / 3 + 1/4 · (0, 1, 0); at the edge the mean is of the two rows there are, which are equal.
        mean = layers.AveragePooling2D(window, strides=1, padding="same")(tensor)
        tensor = layers.Add()([layers.Rescaling(0.75)(mean), layers.Rescaling(0.25)(tensor)])
    return tensor
