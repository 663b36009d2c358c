"""From volumes and latents to the batches that train the two halves of a latent diffusion pair."""

import typing

import numpy as np
import tensorflow as tf

from keras_mri.data.patches import check_patch_fits, foreground_corners
from keras_mri.data.pipelines import Batches, PatchSource, draw_seed, listed_patches, random_patches, with_random_flips
from keras_mri.data.run_cache import RunCache
from keras_mri.imaging.foreground import patch_foreground
from keras_mri.systems.ldm.crops import cut, drawn_crops
from keras_mri.systems.ldm.diffusion.schedules import loss_weights, target
from keras_mri.systems.ldm.settings import shorter

_STEPS_PER_EPOCH = 50
_VALIDATION_VOLUMES, _VALIDATION_DRAWS = 16, 64
_LEAST_VOLUMES, _LEAST_DRAWS = 2, 16
# Streams of random numbers beside those of keras_mri.data.pipelines.
_CHOICE, _NOISE, _CROPS = 9, 10, 11
# Patches of scans on any grid: their shape, and how many are drawn ahead, as far as a share of the cache takes them.
_PATCH, _MOST_PATCHES, _OF_CACHE = (32, 32, 32), 4000, 0.25
# Shares of the denoiser's examples without a condition, with a coarse view, with a damaged view.
_CONDITIONED = (0.4, 0.3, 0.3)
# Of examples with a condition, the share that is taken from the last step, with weight 1.
_RESTORING = 0.5


class Latents(typing.NamedTuple):
    """The training data of the denoiser, one entry for each frame.

    Parameters
    ----------
    clean : ndarray of float32, shape (frames, x', y', z', channels)
    codes : ndarray of int32, shape (frames,)
    views : ndarray of float32, shape (frames, views, x', y', z', channels + 2), or None
        Conditions: the first view is the coarse one.
    positions : ndarray of float32, shape (frames, x', y', z', 3), or None
        Where the cells lie, for a network of any grid: it is told that in any case.
    """

    clean: np.ndarray
    codes: np.ndarray
    views: np.ndarray | None
    positions: np.ndarray | None = None


def volume_batches(parts, config, padded, mirror_axis=None):
    """Make the batches of (image, image) that train the autoencoder, of whole volumes or of patches of one grid.

    Parameters
    ----------
    parts : pair of list of ndarray of float32, shape (x, y, z, t)
        Training and held out, in network units.
    config : keras_mri.systems.ldm.settings.Config
    padded : callable
        Makes the sides of a volume such as the network takes.
    mirror_axis : int, optional
        Mirror at random along it.

    Returns
    -------
    keras_mri.data.pipelines.Batches

    Raises
    ------
    InputError
        If a patch does not fit.
    """
    held = sum(run.nbytes for part in parts for run in part if not isinstance(run, np.memmap))
    cache = RunCache(config.cache - held / 1e9)
    runs, held_out = ([_padded(run, padded, cache) for run in part] for part in parts)
    patch_shape = config.patch_shape or runs[0].shape[:3]
    for run in runs:
        check_patch_fits(patch_shape, run.shape)
    sources = [PatchSource(run, foreground_corners(patch_foreground(run.mean(axis=3)), patch_shape)) for run in runs]
    patches = random_patches(sources, patch_shape, 1, config.seed)
    if mirror_axis is not None:
        patches = with_random_flips(patches, config.seed, (mirror_axis,))
    each = -(-shorter(_VALIDATION_VOLUMES, _LEAST_VOLUMES, config.time_budget) // len(held_out))
    chosen = [_spread(run, each) for run in held_out]
    # Held-out slabs may be smaller than a volume; the network takes any shape.
    validation = listed_patches(chosen, held_out[0].shape[:3], 1).batch(1)
    training = patches.batch(config.batch_size, drop_remainder=True)
    pairs = [data.map(lambda image: (image, image)) for data in (training, validation)]
    return Batches(pairs[0].prefetch(tf.data.AUTOTUNE), pairs[1].cache(), config.steps_per_epoch or _STEPS_PER_EPOCH)


def crop_batches(parts, config, mirrored=False):
    """Make the batches of (image, image) that train the autoencoder on scans of any grid, of patches drawn ahead.

    Parameters
    ----------
    parts : pair of list of ndarray of float32, shape (x, y, z, t)
        Training and held out, in network units; shapes may differ, first axes run from left to right.
    config : keras_mri.systems.ldm.settings.Config
    mirrored : bool
        Mirror at random from left to right.

    Returns
    -------
    keras_mri.data.pipelines.Batches
    """
    shape = config.patch_shape or _PATCH
    held = shorter(_VALIDATION_VOLUMES, _LEAST_VOLUMES, config.time_budget)
    most = max(1, min(_MOST_PATCHES, int(_OF_CACHE * config.cache * 1e9 / (4 * np.prod(shape)))))
    images = []
    for number, (runs, count) in enumerate(zip(parts, (most, held))):
        crops = drawn_crops(runs, shape, count, np.random.default_rng([config.seed, _CROPS, number]))
        images.append(np.stack([cut(runs[crop.run][..., crop.time], crop.corner, shape) for crop in crops])[..., None])
    ahead = tf.constant(images[0])

    def draw(number):
        return ahead[_one_of(tf.random.stateless_uniform([], draw_seed([config.seed, 0], number, _CROPS)), len(images[0]))]

    patches = tf.data.Dataset.range(np.iinfo(np.int64).max).map(draw, num_parallel_calls=tf.data.AUTOTUNE)
    patches = with_random_flips(patches, config.seed, (0,)) if mirrored else patches
    training = patches.batch(config.batch_size, drop_remainder=True)
    validation = tf.data.Dataset.from_tensor_slices(images[1]).batch(1)
    pairs = [data.map(lambda image: (image, image)) for data in (training, validation)]
    return Batches(pairs[0].prefetch(tf.data.AUTOTUNE), pairs[1].cache(), config.steps_per_epoch or _STEPS_PER_EPOCH)


def _padded(run, padded, cache):
    if padded(run[..., 0]).shape == run.shape[:3]:
        return run
    return cache.keep(np.stack([padded(frame) for frame in np.moveaxis(run, 3, 0)], axis=3))


def denoising_batches(training, held_out, plan, config, labels):
    """Make the batches of (inputs, prediction target, weight) that train the denoiser; the inputs are the noisy latent and its conditions.

    Parameters
    ----------
    training, held_out : Latents
    plan : keras_mri.systems.ldm.diffusion.schedules.Schedule
    config : keras_mri.systems.ldm.settings.Config
    labels : int
        Number of classes; this number itself stands for none.

    Returns
    -------
    keras_mri.data.pipelines.Batches
    """
    examples = _noisy(training, plan, config, labels, config.seed).batch(config.diffusion_batch_size, drop_remainder=True)
    batch = min(config.diffusion_batch_size, _VALIDATION_DRAWS)
    # The same draws at every epoch.
    draws = shorter(_VALIDATION_DRAWS, _LEAST_DRAWS, config.time_budget)
    validation = _noisy(held_out, plan, config, labels, config.seed + 1).take(max(draws, batch)).batch(batch, drop_remainder=True)
    return Batches(examples.prefetch(tf.data.AUTOTUNE), validation.cache(), config.steps_per_epoch or _STEPS_PER_EPOCH)


def _noisy(latents, plan, config, labels, seed):
    clean, codes = tf.constant(latents.clean), tf.constant(latents.codes)
    views, places = (None if values is None else tf.constant(values) for values in (latents.views, latents.positions))
    signal, noise_rates = tf.constant(plan.signal_rates, tf.float32), tf.constant(plan.noise_rates, tf.float32)
    restoring = _RESTORING if views is not None and config.prediction == "velocity" else 0.0
    weights = tf.constant(loss_weights(plan, config.prediction, config.min_snr), tf.float32)

    def draw(number):
        share = tf.random.stateless_uniform([6], draw_seed([seed, 0], number, _CHOICE))
        index, step = _one_of(share[0], tf.shape(clean)[0]), _one_of(share[1], plan.steps)
        # Restoring begins, and mostly ends, at the last step, from noise alone.
        first = (share[3] >= _CONDITIONED[0]) & (share[5] < restoring)
        step = tf.where(first, plan.steps - 1, step)
        noise = tf.random.stateless_normal(clean.shape[1:], draw_seed([seed, 0], number, _NOISE))
        rates = signal[step], noise_rates[step]
        noisy = rates[0] * clean[index] + rates[1] * noise
        inputs = {"noisy": noisy, "time": step, "label": tf.where(share[2] < config.label_drop, labels, codes[index])}
        if views is not None:
            # View 0 is the coarse one; any other is damaged.
            view = tf.where(share[3] < _CONDITIONED[0] + _CONDITIONED[1], 0, 1 + _one_of(share[4], views.shape[1] - 1))
            inputs["condition"] = tf.where(share[3] < _CONDITIONED[0], 0.0, views[index, view])
        if places is not None:
            told = [inputs["condition"]] if views is not None else []
            inputs["condition"] = tf.concat([*told, places[index]], axis=-1)
        # As many axes as the error has, so that it meets the right ones.
        weight = tf.reshape(tf.where(first, 1.0, weights[step]), [1, 1, 1])
        return inputs, target(config.prediction, clean[index], noise, *rates), weight

    return tf.data.Dataset.range(np.iinfo(np.int64).max).map(draw, num_parallel_calls=tf.data.AUTOTUNE)


def _one_of(share, count):
    """Turn a uniform number below 1 into one of 0 … count - 1."""
    return tf.minimum(tf.cast(share * tf.cast(count, tf.float32), tf.int32), count - 1)


def _spread(run, count):
    times = np.unique(np.linspace(0, run.shape[3] - 1, min(count, run.shape[3])).round().astype(np.int32))
    return PatchSource(run, np.array([[0, 0, 0, t] for t in times], np.int32))
