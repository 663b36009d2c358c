"""From scans to the batches of a denoiser: intensities, held-out part, patches, noise and target."""

import dataclasses
import logging

import numpy as np

from keras_mri.data.corruption import Corruption, noisy_pairs
from keras_mri.data.patches import check_patch_fits, fitting_patch, foreground_corners, lattice_corners, thickened
from keras_mri.data.pipelines import Batches, PatchSource, listed_patches, random_patches, with_random_flips, with_simulated_activation
from keras_mri.data.run_cache import RunCache
from keras_mri.data.splits import hold_out
from keras_mri.errors import InputError
from keras_mri.imaging.foreground import patch_foreground
from keras_mri.imaging.intensity import fit_image_scaling
from keras_mri.imaging.noise import estimate_sigma
from keras_mri.systems.wgan.settings import PATCH_SHAPE
from keras_mri.training.clock import in_time

_LOGGER = logging.getLogger(__name__)
# Held-out patches, and how many share a batch, in which the noise levels are spread evenly.
_VALIDATION_PATCHES, _VALIDATION_BATCH = 24, 4
_STEPS_PER_EPOCH = 100
_SKEW_OF_FRAMES, _SKEW_OF_ONE = 3.0, 1.5
_BATCH_OF_FRAMES, _BATCH_OF_ONE = 4, 2
# The published sampling: time points per file, patches per file and in all, lowest mean of a patch, share that trains.
_LATTICE_FRAMES, _LATTICE_PER_FILE, _LATTICE_TOTAL, _LATTICE_MEAN, _LATTICE_SHARE = 30, 500, 2000, 0.01, 0.8


def denoising_data(volumes, config, frames, factor):
    """Make the batches that train and validate a denoiser.

    Parameters
    ----------
    volumes : sequence of Volume
    config : keras_mri.systems.wgan.settings.Config
        Or any other with its fields about patches and noise.
    frames : int
        Neighbouring frames the network sees.
    factor : int
        The sides of a patch are multiples of this.

    Returns
    -------
    keras_mri.data.pipelines.Batches
        Elements (noisy frames, target): float32, shapes (batch, x, y, z, frames) and (batch, x, y, z, 1).

    Raises
    ------
    InputError
        If a patch does not fit a scan, or a run is too short.
    """
    window = frames + (config.target == "neighbour")
    batch_size = config.batch_size or (_BATCH_OF_FRAMES if frames > 1 else _BATCH_OF_ONE)
    cache = RunCache(config.cache)
    runs = [cache.keep(_network_units(volume, config)) for volume in in_time(volumes, [volume.name for volume in volumes])]
    if config.sampling == "lattice":
        patch_shape = validation_shape = config.patch_shape or fitting_patch(PATCH_SHAPE, runs, factor)
        training, held_out = _lattice(runs, patch_shape, config.seed)
        steps = config.steps_per_epoch or max(1, sum(len(source.corners) for source in training) // batch_size)
        patches = listed_patches(training, patch_shape, window, config.seed)
    else:
        parts = [[thickened(run, factor) for run in part] for part in hold_out(runs, window)]
        patch_shape = config.patch_shape or fitting_patch(PATCH_SHAPE, parts[0], factor)
        # A held-out slab may be thinner than a patch; the network takes any shape.
        validation_shape = fitting_patch(patch_shape, parts[1], factor)
        training = [_source(run, patch_shape) for run in parts[0]]
        held_out = [_source(run, validation_shape) for run in parts[1]]
        held_out = [_listed(source, window, k, len(held_out), config.seed) for k, source in enumerate(held_out)]
        steps = config.steps_per_epoch or _STEPS_PER_EPOCH
        patches = random_patches(training, patch_shape, window, config.seed)
    patches = with_random_flips(patches, config.seed) if config.flips else patches
    if config.activation and frames > 1:
        patches = with_simulated_activation(patches, config.seed, frames, config.activation)
    # Several frames show what changes in time, which only weak noise leaves visible: that is where care is due.
    skew = config.noise_skew or (_SKEW_OF_FRAMES if frames > 1 else _SKEW_OF_ONE)
    pairs = dict(
        batch_size=batch_size,
        corruption=Corruption(model=config.noise, low=config.noise_range[0], high=config.noise_range[1], skew=skew),
        frames=frames,
        # One frame of the window: the last, a neighbour, or the middle one.
        target_weights=np.eye(window)[-1 if config.target == "neighbour" else frames // 2],
    )
    # Fewer held-out patches than a batch would give no batch, and with it no best network.
    batch = min(_VALIDATION_BATCH, sum(len(source.corners) for source in held_out))
    pairs_held_out = {**pairs, "batch_size": batch, "corruption": dataclasses.replace(pairs["corruption"], evenly=True)}
    validation = noisy_pairs(listed_patches(held_out, validation_shape, window), seed=config.seed + 1, **pairs_held_out)
    return Batches(noisy_pairs(patches, seed=config.seed, **pairs), validation.cache(), steps)


def _network_units(volume, config):
    """Load the frames that train and scale them; say how noisy the scan itself is."""
    published = config.sampling == "lattice"
    scaling = fit_image_scaling(volume, config.scaling)
    run = volume.sample_frames(_LATTICE_FRAMES if published else volume.n_frames)
    sigma = estimate_sigma(run[..., :10])
    _LOGGER.info(
        "%s: shape %s, estimated noise SD %.4g (%.1f %% of the range)", volume.name, volume.shape, sigma, 100 * sigma / scaling.scale
    )
    return scaling.apply(run)


def _source(run, patch_shape):
    check_patch_fits(patch_shape, run.shape)
    return PatchSource(run, foreground_corners(patch_foreground(run.mean(axis=3)), patch_shape))


def _listed(source, window, number, n_sources, seed):
    """Choose the fixed patches by which the networks of all epochs are compared."""
    rng = np.random.default_rng([seed, number])
    count = -(-_VALIDATION_PATCHES // n_sources)
    corners = source.corners[rng.integers(len(source.corners), size=count)]
    times = rng.integers(source.run.shape[3] - window + 1, size=(count, 1))
    return PatchSource(source.run, np.hstack([corners, times]).astype(np.int32))


def _lattice(runs, patch_shape, seed):
    """Choose patches as published: at half-patch steps, at most 500 of a file, four fifths of them for training."""
    rng = np.random.default_rng(seed)
    most = min(_LATTICE_PER_FILE, max(1, _LATTICE_TOTAL // len(runs)))
    training, validation = [], []
    for run in runs:
        listed = [np.insert(lattice_corners(run[..., t], patch_shape, _LATTICE_MEAN), 3, t, axis=1) for t in range(run.shape[3])]
        corners = rng.permutation(np.concatenate(listed))[:most]
        cut = round(_LATTICE_SHARE * len(corners))
        if not 0 < cut < len(corners):
            raise InputError(
                f"a scan gives {len(corners)} patches of {tuple(patch_shape)} voxels with a mean above {_LATTICE_MEAN} of its range; "
                "at least 3 are needed. Use a smaller `patch_shape`, or `sampling` random."
            )
        training.append(PatchSource(run, corners[:cut]))
        validation.append(PatchSource(run, corners[cut:]))
    return training, validation
