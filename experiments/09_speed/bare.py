"""The least that a network takes: its convolutions alone, by `tf.nn.conv3d`, on the shapes that it was given."""

import contextlib
import statistics
import time
from unittest import mock

import keras
import numpy as np

from experiments.convolutions import convolutions
from keras_mri.systems.ldm.diffusion.sampling import SamplerLoop

REPEATS = 3


def timed(work):
    """Return how long a call takes on the clock, and of the processor's cores together, s."""
    start, busy = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - busy


@contextlib.contextmanager
def recorded():
    """Record within the block which batches networks are given.

    Yields
    ------
    dict of (str, tuple of int) to [keras.Model, int]
        Of each network's identity and each shape, the network and how many batches.
    """
    batches, run = {}, keras.Model.predict_on_batch

    def recording(network, data):
        # The loop of a sampler is a model around the denoiser, which it calls in every step.
        loop = isinstance(network, SamplerLoop)
        inner, shape = (network.network, data["x"].shape) if loop else (network, data.shape)
        times = data.get("last", len(network.times)) - data.get("first", 0) if loop else 1
        batches.setdefault((id(inner), shape), [inner, 0])[1] += int(times)
        return run(network, data)

    with mock.patch.object(keras.Model, "predict_on_batch", recording):
        yield batches


def seconds_of(network, shape):
    """Time the convolutions of a network by themselves, one after the other, in the precision of each.

    Parameters
    ----------
    network : keras.Model
        Functional, of one input.
    shape : tuple of int
        Of a batch.

    Returns
    -------
    tuple of float
        The sum of the medians, on the clock and of the processor's cores together.
    """
    return tuple(map(sum, zip(*(_of_layer(*call) for call in convolutions(network, shape)))))


def _of_layer(layer, input_shape, output_shape):
    # Only here: JAX and PyTorch have no TensorFlow beside them.
    import tensorflow as tf

    dtype = layer.compute_dtype
    data, kernel, strides = tf.cast(tf.random.normal(input_shape), dtype), tf.cast(layer.kernel, dtype), (1, *layer.strides, 1)
    if isinstance(layer, keras.layers.Conv3DTranspose):
        convolved = tf.function(lambda: tf.nn.conv3d_transpose(data, kernel, output_shape, strides, layer.padding.upper()))
    else:
        convolved = tf.function(lambda: tf.nn.conv3d(data, kernel, strides, layer.padding.upper()))
    both = [timed(lambda: np.asarray(tf.cast(convolved()[0, 0, 0, 0], "float32"))) for _ in range(REPEATS + 1)]
    return tuple(statistics.median(each) for each in zip(*both[1:]))
