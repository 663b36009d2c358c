"""A toy system: one convolution of 3 x 3 x 3 voxels, trained on a scan and its noisy copy."""

import typing

import keras
import numpy as np

from keras_mri.imaging.intensity import fit_image_scaling
from keras_mri.io.nifti_reading import open_image
from keras_mri.systems.records import Outcome, System
from keras_mri.training.callbacks import FollowPace, KeepBest
from keras_mri.training.pace import Pace
from tests.sixth_system.settings import SETTINGS


class Batches(typing.NamedTuple):
    """Batches and steps of an epoch."""

    training: typing.Any
    validation: typing.Any
    steps: int


def train(data, config, callbacks=()):
    """Train one convolution."""
    import tensorflow as tf

    from keras_mri.training.fit import fit, keeping_best

    keras.utils.set_random_seed(config.seed)
    scan = fit_image_scaling(data[0]).apply(data[0].frame(0))[None, ..., None]
    noisy = scan + config.noise_range[1] * np.random.default_rng(config.seed).standard_normal(scan.shape, dtype=np.float32)
    batch = tf.data.Dataset.from_tensors((noisy, scan))
    inputs = keras.Input((None, None, None, 1))
    network = keras.Model(inputs, keras.layers.Conv3D(1, 3, padding="same")(inputs), name="toy")
    optimizer = keras.optimizers.Adam(config.learning_rate)
    network.compile(optimizer, loss="mae", metrics=[keras.metrics.MeanAbsoluteError(name="error")], jit_compile=False)
    best = KeepBest(network)
    pace = Pace(config.epochs * config.steps_per_epoch, config.time_budget)
    with keeping_best(best, callbacks):
        fit(network, Batches(batch.repeat(), batch, config.steps_per_epoch), [FollowPace(pace), best, *callbacks])
    return network


def predict(checkpoint, images, options):
    """Mix the scan with its smooth form."""
    volume = open_image(images[0])
    scaling = fit_image_scaling(volume)

    def restored_frame(t):
        data = scaling.apply(volume.frame(t))
        smooth = np.asarray(checkpoint.network.predict_on_batch(data[None, ..., None]))[0, ..., 0]
        return scaling.invert((1 - options.strength) * data + options.strength * smooth)

    return volume.with_frames(restored_frame)


def outcome(checkpoint, data, config):
    """Show the scan before and after."""
    return Outcome({"restored": predict(checkpoint, data, SETTINGS.PredictConfig()).frame(0), "scan": data[0].frame(0)})


SYSTEM = System(settings=SETTINGS, train=train, predict=predict, outcome=outcome)
