"""A published-size training step and a full prediction against their bare convolutions: python -m experiments.03_sr.timing [FOLDER]

The bound of a step is the sum over its convolutions, forward and the gradients that the step needs, each by itself on the same shapes in
the same process: what is left is normalisation, activations, concatenations, optimizers. About three minutes on 2 cores.
"""

import importlib
import pathlib
import statistics
import sys
import time

import keras
import numpy as np
import tensorflow as tf

from experiments.convolutions import convolutions
from experiments.data import FOLDER, peak_memory, write_rows
from keras_mri.imaging.kspace import truncated
from keras_mri.io.nifti_reading import open_image
from keras_mri.io.volumes import Volume
from keras_mri.networks.patchgan import patch_discriminator
from keras_mri.networks.unet3d import unet3d
from keras_mri.systems.network_files import load_network
from keras_mri.systems.sr import system as sr
from keras_mri.systems.sr.settings import PRESETS, Config
from keras_mri.training.adversarial import AdversarialModel, Rules, discriminator_losses

train = importlib.import_module("experiments.03_sr.train")

REPEATS = 3


def main(folder="networks"):
    """Write timing.csv: seconds, those of the bare convolutions, their share, peak memory."""
    path = train.network_path(folder, "L1 only", "2x2x1", 0)
    if not path.exists():
        print(f"{path} is not there: only the step is timed.", flush=True)
    # The prediction first: peak memory is that of the whole process.
    rows = [_prediction(path)] if path.exists() else []
    rows.append(_step())
    write_rows(pathlib.Path(__file__).with_name("timing.csv"), rows)


def _step():
    """Time the published preset's step: 64³, batch 2, 58.8 M and 11.0 M parameters, float32."""
    config = Config(**PRESETS["published"])
    network = unet3d(config.base_filters, config.levels)
    discriminator = patch_discriminator(config.discriminator_filters, config.discriminator_layers)
    model = AdversarialModel(network, discriminator, discriminator_losses("lsgan"), Rules(l1_weight=100.0), seed=0)
    model.compile(*(keras.optimizers.Adam(2e-4, 0.5, 0.999, epsilon=1e-8, global_clipnorm=1.0) for _ in range(2)))
    rng = np.random.default_rng(0)
    shape = (config.batch_size, *config.patch_shape, 1)
    data = tuple(tf.constant(rng.normal(size=shape).astype(np.float32)) for _ in range(2))
    step = tf.function(model.train_step)
    seconds = _seconds(lambda: step(data)["loss"].numpy())
    peak = peak_memory()
    forward, inputs, filters = np.transpose([_parts(*call) for call in convolutions(network, shape)]).sum(axis=1)
    of_generator = forward + inputs + filters
    forward, inputs, filters = np.transpose([_parts(*call) for call in convolutions(discriminator, shape)]).sum(axis=1)
    # Real and fake, both trained on; then fake again for the generator, whose gradient goes through to the volume.
    of_discriminator = 2 * (forward + inputs + filters) + forward + inputs
    return _row("published step, 64³ × 2", seconds, of_generator + of_discriminator, peak)


def _prediction(path):
    """Time the default network on adi-t1t2's T1w, 192×192×176."""
    target = open_image(FOLDER / "adi-t1t2" / "T1w_defaced.nii.gz")
    source = Volume.from_array(truncated(target.frame(0), (2, 2, 1)), target.affine)
    checkpoint = load_network(path)
    shapes, run = [], checkpoint.network.predict_on_batch

    def recorded(batch):
        shapes.append(batch.shape)
        return run(batch)

    checkpoint.network.predict_on_batch = recorded
    # A new prediction each time: a Volume remembers its frames.
    seconds = _seconds(lambda: sr.predict(checkpoint, [source], sr.PredictConfig()).frame(0))
    peak = peak_memory()
    tiles = shapes[: len(shapes) // (REPEATS + 1)]
    bare = len(tiles) * sum(_parts(*call)[0] for call in convolutions(checkpoint.network, tiles[0]))
    more = sum(np.prod(shape) for shape in tiles) / np.prod(source.shape)
    return {**_row(f"prediction, {'×'.join(map(str, source.shape))}", seconds, bare, peak), "tiles": len(tiles), "voxels_computed": more}


def _row(what, seconds, bare, peak):
    row = dict(what=what, seconds=seconds, bare_seconds=float(bare), share=float(bare / seconds), peak_mb=peak)
    print(row, flush=True)
    return row


def _seconds(run):
    """Return the median of REPEATS runs after a first one that compiles."""
    times = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
        print(f"{times[-1]:.2f} s", flush=True)
    return statistics.median(times[1:])


def _parts(layer, input_shape, output_shape):
    """Return the seconds of a convolution's forward pass, of its gradient for the input, and of that for the kernel."""
    kernel, strides = tf.constant(layer.kernel.numpy()), [1, *layer.strides, 1]
    data, change = tf.random.normal(input_shape), tf.random.normal(output_shape)
    options = dict(strides=strides, padding=layer.padding.upper())

    # A transposed convolution is the gradient of a convolution: data and change swap their roles.
    small, large = (data, change) if isinstance(layer, keras.layers.Conv3DTranspose) else (change, data)
    passes = [
        lambda: tf.raw_ops.Conv3D(input=large, filter=kernel, **options),
        lambda: tf.raw_ops.Conv3DBackpropInputV2(input_sizes=large.shape, filter=kernel, out_backprop=small, **options),
        lambda: tf.raw_ops.Conv3DBackpropFilterV2(input=large, filter_sizes=kernel.shape, out_backprop=small, **options),
    ]
    if isinstance(layer, keras.layers.Conv3DTranspose):
        passes[:2] = passes[1::-1]
    times = []
    for run in passes:
        compiled, each = tf.function(run), []
        for _ in range(REPEATS + 1):
            start = time.perf_counter()
            np.asarray(tf.reshape(compiled(), [-1])[0])
            each.append(time.perf_counter() - start)
        times.append(statistics.median(each[1:]))
    return times


if __name__ == "__main__":
    main(*sys.argv[1:2])
