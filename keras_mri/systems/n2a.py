"""Denoise a scan from its repetitions: a residual network whose target is, again and again, the denoised average.

References
----------
Li et al., Proc ISMRM 2022 (Noise2Average).
Lehtinen et al., ICML 2018 (Noise2Noise). arXiv:1803.04189
"""

import logging

import keras
import numpy as np

from keras_mri import checkpoints, pretrained
from keras_mri.callbacks import FollowPace, KeepBest, Pace, StopOnNonFinite
from keras_mri.datasets import PatchSource, flipped, listed_patches, random_patches, repetition_pairs
from keras_mri.errors import InputError
from keras_mri.inference import predictor
from keras_mri.intensity import Scaling, fit_scaling
from keras_mri.networks.munet import munet, munet_diffusion
from keras_mri.networks.precision import hidden_layers_in, in_float32
from keras_mri.published import is_published_munet, load_published_munet
from keras_mri.repetitions import Repetitions, bring_together
from keras_mri.settings.n2a import PRESETS, Config, PredictConfig
from keras_mri.splits import hold_out_blocks
from keras_mri.volumes import left_right_axis

__all__ = ["PRESETS", "Config", "PredictConfig", "example", "predict", "prepare", "results", "train"]

_LOGGER = logging.getLogger(__name__)
# Without a number of iterations: no more than this, and no further one unless the score falls by this share.
_MOST_ITERATIONS, _LEAST_GAIN = 3, 1e-3
_DEFAULT_FILTERS = {"munet": 32, "munet_diffusion": 64}
_STEPS_PER_EPOCH = 50


def prepare(images, config):
    """Bring the repetitions together once, for all that follows.

    Parameters
    ----------
    images : sequence of str, path-like or Volume, or Repetitions
        Two or more images of one shape, or one 4D image.
    config : Config

    Returns
    -------
    keras_mri.repetitions.Repetitions

    Raises
    ------
    InputError
        If the images do not fit together.
    """
    if isinstance(images, Repetitions):
        return images
    return bring_together(images, config, _match(config))


def train(images, config, callbacks=()):
    """Train on the repetitions themselves.

    Parameters
    ----------
    images : sequence of str, path-like or Volume, or Repetitions
        As for `prepare`.
    config : Config
    callbacks : sequence of keras.callbacks.Callback
        Added to every fit.

    Returns
    -------
    keras.Model
        Functional, float32, from (batch, x, y, z, channels) to the same, in network units.

    Raises
    ------
    InputError
        If the repetitions do not fit together, the initial weights cannot be used, or training diverges.
    """
    keras.utils.set_random_seed(config.seed)
    scan = prepare(images, config)
    scaling = _scaling(scan, config)
    units = scaling.apply(scan.data)
    with hidden_layers_in(config.precision) as precision:
        network = _network(config, units.shape[-1])
    channels = network.input_shape[-1]
    blocks = _Blocks(units, scan, channels, config)
    _LOGGER.info(
        "%d repetitions of %s voxels, %d parameters, blocks of %s voxels, %d held out, %s",
        len(units), units.shape[1:4], network.count_params(), blocks.shape, len(blocks.held_out), precision,
    )  # fmt: skip

    start = network.get_weights()
    best, best_iteration = KeepBest(network, "val_loss"), 0
    validation = blocks.validation()
    network.compile(loss="mse", jit_compile=False)
    best.on_epoch_end(-1, {"val_loss": network.evaluate(validation, verbose=0)})
    best.epochs = 0
    _LOGGER.info("before training: held-out score %.5f", best.best)
    most = config.iterations or _MOST_ITERATIONS
    pace = Pace(most * config.epochs * blocks.steps, config.time_budget)
    target = None
    try:
        for iteration in range(1, most + 1):
            before = best.best
            if config.restart:
                network.set_weights(start)
            optimizer = keras.optimizers.Adam(config.learning_rate, clipnorm=config.clip_norm)
            network.compile(optimizer, loss="mse", weighted_metrics=[keras.metrics.MeanAbsoluteError(name="l1")], jit_compile=False)
            network.fit(
                blocks.training(target, iteration),
                validation_data=validation,
                steps_per_epoch=blocks.steps,
                epochs=10**6 if config.time_budget else config.epochs,
                callbacks=[
                    FollowPace(pace, iteration / most, [(optimizer, config.learning_rate)] if config.anneal else []),
                    StopOnNonFinite(best), best, *callbacks,
                ],
                verbose=0,
                shuffle=False,
            )  # fmt: skip
            best_iteration = iteration if best.best < before else best_iteration
            _LOGGER.info("iteration %d: held-out score %.5f (before: %.5f)", iteration, best.best, before)
            if config.iterations is None and not best.best < before * (1 - _LEAST_GAIN):
                break
            if not config.restart:
                best.restore()
            if iteration < most:
                target = scaling.apply(_restored(network, scan, scaling, config.restore))
        best.restore()
    except KeyboardInterrupt:
        best.restore()
        _LOGGER.warning("interrupted: keeping the best network so far (epoch %d)", best.epoch)
    _LOGGER.info(
        "the best network is that of %s", f"iteration {best_iteration}" if best_iteration else "the start: training did not improve it"
    )
    return in_float32(network)


def predict(checkpoint, images, options):
    """Denoise repetitions: their average, or each of them before they are averaged, as the network was trained for.

    Parameters
    ----------
    checkpoint : keras_mri.checkpoints.Checkpoint
    images : sequence of str, path-like or Volume
        The repetitions, as in training.
    options : PredictConfig

    Returns
    -------
    Volume
        On the first repetition's grid, with its header, in its unit. Outside the mask it is the average.

    Raises
    ------
    InputError
        If the repetitions do not fit together, or the network sees another number of channels.
    """
    config = Config.from_json(checkpoint.config)
    scan = bring_together(images, options, _match(config))
    return _denoised(checkpoint.network, scan, config, options.tile, options.mirror)


def results(checkpoint, images, config):
    """Return what training writes besides the network: the repetitions, denoised.

    Parameters
    ----------
    checkpoint : keras_mri.checkpoints.Checkpoint
    images : sequence of str, path-like or Volume, or Repetitions
    config : Config

    Returns
    -------
    dict of str to Volume
        By the ending of the file's name.
    """
    scan = prepare(images, config)
    return {"_denoised.nii.gz": _denoised(checkpoint.network, scan, config)}


def example(checkpoint, images, config):
    """Make the panel that shows what the network does to the first frame, and where.

    Parameters
    ----------
    checkpoint : keras_mri.checkpoints.Checkpoint
    images : sequence of str, path-like or Volume, or Repetitions
    config : Config

    Returns
    -------
    dict of str to ndarray of float32, shape (x, y, z)
    """
    scan = prepare(images, config)
    average = scan.average[..., 0]
    denoised = _denoised(checkpoint.network, scan, config).frame(0)
    return {
        "first repetition": scan.data[0, ..., 0],
        f"average of {len(scan.data)}": average,
        "mask (estimated)" if scan.estimated else "mask (given)": np.where(scan.mask, average, 0.25 * average),
        "removed × 5": np.abs(5 * (average - denoised)),
        "denoised": denoised,
    }


class _Blocks:
    """The training blocks of a scan: where they are, and the batches made of them."""

    def __init__(self, units, scan, channels, config):
        self.units, self.mask, self.channels, self.config = units, scan.mask, channels, config
        self.shape, self.corners, self.held_out = hold_out_blocks(scan.mask, config.patch_shape, config.seed, config.blocks == "covering")
        every = len(units) * units.shape[-1] // channels
        covered = max(1, 2 * every * len(self.corners) // config.batch_size)
        self.steps = config.steps_per_epoch or (covered if config.blocks == "covering" else _STEPS_PER_EPOCH)
        self.axes = {"all": (0, 1, 2), "left-right": (left_right_axis(scan.reference.affine),), "none": ()}[config.mirror_training]

    def training(self, target, iteration):
        """Return batches of (repetition, target, mask): at first other repetitions, then the denoised average."""
        count = len(self.units)
        inputs = np.eye(count, count + 1)
        if target is not None:
            targets = np.eye(count + 1)[[count] * count]
        elif self.config.target == "average":
            targets = np.full((count, count + 1), 1 / count) * (np.arange(count + 1) < count)
        else:
            targets = _others(count)
        seed = self.config.seed + 1000 * iteration
        patches = random_patches(self._sources(target, self.corners), self.shape, self._width, seed)
        return repetition_pairs(flipped(patches, seed, self.axes), self.config.batch_size, self.channels, inputs, targets)

    def validation(self):
        """Return the held-out blocks: every repetition against the others, whose noise is independent."""
        count = len(self.units)
        listed = [
            PatchSource(source.run, np.insert(np.repeat(source.corners, count, axis=0), 3, 0, axis=1))
            for source in self._sources(None, self.held_out)
        ]
        patches = listed_patches(listed, self.shape, self._width)
        batch = min(self.config.batch_size, sum(len(source.corners) for source in listed))
        return repetition_pairs(patches, batch, self.channels, np.eye(count, count + 1), _others(count)).cache()

    @property
    def _width(self):
        return (len(self.units) + 1) * self.channels + 1

    def _sources(self, target, corners):
        """Return one source for each group of frames that the network sees together."""
        sources = []
        for first in range(0, self.units.shape[-1], self.channels):
            frames = slice(first, first + self.channels)
            members = [*self.units[..., frames], np.zeros_like(self.units[0, ..., frames]) if target is None else target[..., frames]]
            run = np.concatenate([*members, self.mask[..., None].astype(np.float32)], axis=-1)
            sources.append(PatchSource(run, corners))
        return sources


def _others(count):
    """Return the weights of each repetition's target: the average of all the others."""
    return np.insert((1 - np.eye(count)) / (count - 1), count, 0, axis=1)


def _network(config, frames):
    """Build the network that the options name, with its initial weights."""
    channels = frames if config.network == "munet_diffusion" else 1
    if config.initial == "none":
        filters = config.filters or _DEFAULT_FILTERS[config.network]
        return munet_diffusion(channels, filters) if config.network == "munet_diffusion" else munet(1, filters, config.noise_scale)
    path = pretrained.path_of("n2a_t1w.h5") if config.initial == "pretrained" else config.initial
    initial = load_published_munet(path) if is_published_munet(path) else checkpoints.load(path, "n2a").network
    # Same layers, in the precision at hand.
    network = keras.models.clone_model(initial, clone_function=_in_this_precision)
    network.set_weights(initial.get_weights())
    if config.filters not in (None, network.get_layer("c1_1").filters):
        raise InputError(
            f"{path} has {network.get_layer('c1_1').filters} filters. Received: --filters {config.filters}. Use --initial none."
        )
    if network.input_shape[-1] not in (1, frames):
        raise InputError(f"{path} sees {network.input_shape[-1]} frames together. Received: repetitions of {frames}. Use --initial none.")
    return network


def _in_this_precision(layer):
    options = layer.get_config()
    if layer.name not in _FLOAT32_LAYERS:
        options["dtype"] = keras.config.dtype_policy()
    return type(layer).from_config(options)


# What works on intensities rather than on features stays in float32, as the builder has it.
_FLOAT32_LAYERS = ("noisy", "noise_units", "local_mean", "local_contrast", "residual", "image_units", "restored")


def _match(config):
    return "mean and SD" if config.scaling == "zscore" else "mean"


def _scaling(scan, config):
    if config.scaling == "zscore":
        inside = scan.average[scan.mask]
        return Scaling(float(inside.mean()), float(inside.std()) or 1.0)
    return fit_scaling(scan.average)


def _denoised(network, scan, config, tile=None, mirror=False):
    """Return the denoised scan as a Volume shaped like its reference."""
    restored = _restored(network, scan, _scaling(scan, config), config.restore, tile, mirror)
    magnitude = scan.data.min() >= 0
    restored = np.maximum(restored, 0) if magnitude else restored
    return scan.reference.with_frames(lambda t: restored[..., t])


def _restored(network, scan, scaling, restore, tile=None, mirror=False):
    """Return the average of the repetitions with the mask's inside denoised, shape (x, y, z, frames)."""
    average = scan.average
    inside = np.argwhere(scan.mask)
    box = tuple(slice(low, high + 1) for low, high in zip(inside.min(axis=0), inside.max(axis=0)))
    channels = network.input_shape[-1]
    if average.shape[-1] % channels:
        raise InputError(f"this network sees {channels} frames together. Received: repetitions of {average.shape[-1]} frame(s).")
    run = predictor(network, average[box].shape[:3], tile, mirror)
    members = [average] if restore == "average" else scan.data
    denoised = np.zeros_like(average[box])
    for member in members:
        for first in range(0, average.shape[-1], channels):
            frames = slice(first, first + channels)
            result = scaling.invert(run(scaling.apply(member[box][..., frames])))
            denoised[..., frames] += result.reshape(denoised[..., frames].shape) / np.float32(len(members))
    average[box] = np.where(scan.mask[box][..., None], denoised, average[box])
    return average
