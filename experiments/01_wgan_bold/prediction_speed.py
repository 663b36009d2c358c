"""Prediction of the whole run against the bare convolution rate: python -m experiments.01_wgan_bold.prediction_speed NETWORK.h5

The bare rate is that of `tf.nn.conv3d` alone on the shapes of every convolution of the network, measured in the same process.
"""

import pathlib
import statistics
import sys
import time

import keras
import numpy as np
import tensorflow as tf

from experiments.data import forrest_bold, peak_memory, write_rows
from keras_mri.systems.network_files import load_network
from keras_mri.systems.wgan import system as wgan

REPEATS = 3


def main(path):
    """Write prediction_speed.csv: seconds for the run, bare seconds for its convolutions, their ratio, peak memory."""
    run, _ = forrest_bold()
    checkpoint = load_network(path)
    restored = wgan.predict(checkpoint, [run], wgan.PredictConfig())
    restored.frame(0)  # compiled
    bare = _bare_seconds(checkpoint.network, (*run.shape[:3], checkpoint.network.input_shape[-1]))
    seconds = []
    for _ in range(REPEATS):
        restored = wgan.predict(checkpoint, [run], wgan.PredictConfig())
        start = time.perf_counter()
        for _ in restored.frames():
            pass
        seconds.append(time.perf_counter() - start)
        print(
            f"{seconds[-1]:.2f} s for {run.n_frames} frames, bare convolutions {bare * run.n_frames:.2f} s, {peak_memory():.0f} MB",
            flush=True,
        )
    median = statistics.median(seconds)
    row = dict(
        frames=run.n_frames, seconds=median, bare_seconds=bare * run.n_frames, share=bare * run.n_frames / median, peak_mb=peak_memory()
    )
    print(row)
    write_rows(pathlib.Path(__file__).with_name("prediction_speed.csv"), [row])


def _bare_seconds(network, shape):
    """Return the seconds that one frame's convolutions take by themselves: the median of each, summed."""
    shape = tuple(side + side % 2 for side in shape[:3]) + shape[3:]
    calls = []

    def record(layer, *inputs, **options):
        output = layer(*inputs, **options)
        if isinstance(layer, (keras.layers.Conv3D, keras.layers.Conv3DTranspose)):
            calls.append((layer, inputs[0].shape, output.shape))
        return output

    source = keras.Input(shape)
    keras.models.clone_model(network, input_tensors=source, call_function=record, clone_function=lambda layer: layer)
    return sum(_time_layer(*call) for call in calls)


def _time_layer(layer, input_shape, output_shape):
    data = tf.random.normal((1, *input_shape[1:]))
    kernel = tf.cast(layer.kernel, tf.float32)
    strides = (1, *layer.strides, 1)
    if isinstance(layer, keras.layers.Conv3DTranspose):
        apply = tf.function(lambda: tf.nn.conv3d_transpose(data, kernel, (1, *output_shape[1:]), strides, layer.padding.upper()))
    else:
        apply = tf.function(lambda: tf.nn.conv3d(data, kernel, strides, layer.padding.upper()))
    times = []
    for _ in range(REPEATS + 2):
        start = time.perf_counter()
        np.asarray(apply()[0, 0, 0, 0])
        times.append(time.perf_counter() - start)
    return statistics.median(times[2:])


if __name__ == "__main__":
    main(sys.argv[1])
