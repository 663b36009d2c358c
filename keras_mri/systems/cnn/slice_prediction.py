"""A 2D network on a whole volume, slice by slice."""

import functools
import math

import numpy as np

from keras_mri.inference.tiles import mirrored

# Pixels of a batch of slices: some 200 MB for 32 channels.
_MOST_PIXELS = 400_000


def slice_predictor(network, axis, mirror_axes=(), progress=None):
    """Prepare a 2D network to restore volumes slice by slice.

    Parameters
    ----------
    network : keras.Model
        From (batch, x, y, 1) to (batch, x, y, 1).
    axis : int
        The axis along which slices follow one another.
    mirror_axes : sequence of int
        Average the results for the volume and its mirror images along every choice of these axes.
    progress : bool, optional
        As for `keras_mri.inference.tiles.predictor`.

    Returns
    -------
    callable
        From an ndarray of float32, shape (x, y, z), to the same; slices whose sides the network cannot halve are padded by
        repeating their edges, and cropped afterwards.
    """
    halvings = [layer.strides for layer in network.layers if type(layer).__name__ in ("Conv2D", "MaxPooling2D", "AveragePooling2D")]
    return mirrored(functools.partial(_run_slices, network, axis, math.prod(max(strides) for strides in halvings)), mirror_axes, progress)


def _run_slices(network, axis, factor, data, advance):
    slices = np.moveaxis(data, axis, 0)
    x, y = slices.shape[1:]
    slices = np.pad(slices, [(0, 0), (0, -x % factor), (0, -y % factor)], mode="edge")[..., None]
    pixels = slices.shape[1] * slices.shape[2]
    # Batches of nearly one size: each size is another graph.
    batches = np.array_split(slices, -(-len(slices) // max(1, _MOST_PIXELS // pixels)))
    restored = []
    for batch in batches:
        restored.append(np.asarray(network.predict_on_batch(batch)))
        advance(len(batch) / len(slices))
    restored = np.concatenate(restored)
    return np.ascontiguousarray(np.moveaxis(restored[:, :x, :y, 0], 0, axis))
