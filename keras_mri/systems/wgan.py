"""Denoise fMRI: a 3D U-Net trained from one scan, first on the mean absolute error, then against a Wasserstein critic.

References
----------
Gulrajani et al., NeurIPS 2017 (WGAN-GP). arXiv:1704.00028
"""

import logging
import math

import keras
import numpy as np

from keras_mri.adversarial import AdversarialModel, wasserstein_adversarial_loss, wasserstein_critic_loss
from keras_mri.callbacks import FollowPace, KeepBest, Pace, StopOnNonFinite
from keras_mri.datasets import Corruption, PatchSource, activated, flipped, listed_patches, noisy_pairs, random_patches
from keras_mri.errors import InputError
from keras_mri.inference import predictor
from keras_mri.intensity import fit_scaling
from keras_mri.networks.blocks import check_sides
from keras_mri.networks.dense_unet import dense_critic, dense_unet, published_levels
from keras_mri.networks.encoder_critic import encoder_critic
from keras_mri.networks.precision import hidden_layers_in
from keras_mri.networks.residual_unet import residual_unet
from keras_mri.nifti import as_volume, load_mask
from keras_mri.noise import add_gaussian_noise, add_rician_noise, estimate_sigma
from keras_mri.patches import check_patch_fits, foreground, foreground_corners, lattice_corners
from keras_mri.settings.wgan import PRESETS, Config, PredictConfig
from keras_mri.splits import hold_out

__all__ = ["PRESETS", "Config", "PredictConfig", "example", "predict", "train"]

_LOGGER = logging.getLogger(__name__)
_MOST_FRAMES = 5
_PATCH_SHAPE = (32, 32, 16)
_VALIDATION_PATCHES = 24
_STEPS_PER_EPOCH = 100
_SKEW_OF_FRAMES = 3.0
# Frames from which intensities are scaled: enough for a percentile, few enough to be read at once.
_SCALING_FRAMES = 16
# The published sampling: time points per file, patches per file and in all, lowest mean of a patch, share that trains.
_LATTICE_FRAMES, _LATTICE_PER_FILE, _LATTICE_TOTAL, _LATTICE_MEAN, _LATTICE_SHARE = 30, 500, 2000, 0.01, 0.8


def train(images, config, callbacks=()):
    """Train a denoiser on the scans themselves.

    Parameters
    ----------
    images : sequence of str, path-like or Volume
        3D or 4D, any shapes.
    config : Config
    callbacks : sequence of keras.callbacks.Callback
        Added to every fit.

    Returns
    -------
    keras.Model
        Functional, float32, from (batch, x, y, z, frames) to (batch, x, y, z, 1), in network units.

    Raises
    ------
    InputError
        If an image cannot be used, a patch does not fit, or training diverges.
    """
    if config.patch_shape:
        check_sides(config.patch_shape, _levels(config, config.patch_shape))
    keras.utils.set_random_seed(config.seed)
    volumes = [as_volume(image) for image in images]
    frames = config.frames or (_MOST_FRAMES if max(volume.n_frames for volume in volumes) >= 2 * _MOST_FRAMES else 1)
    training, validation, steps, patch_shape = _data(volumes, config, frames)
    pace = Pace(config.epochs * steps, config.time_budget)

    with hidden_layers_in(config.precision) as precision:
        network = _generator(config, frames, patch_shape)
        critic = _critic(config, patch_shape)
    _LOGGER.info("%d parameters, %d frame(s), patches of %s voxels, %s", network.count_params(), frames, patch_shape, precision)

    adversarial = config.adversarial_weight > 0
    best = KeepBest(network)
    common = [StopOnNonFinite(best), best, *callbacks]
    options = dict(validation_data=validation, steps_per_epoch=steps, epochs=10**6, verbose=0, shuffle=False)
    try:
        warm_up = config.warm_up if adversarial else 1.0
        if warm_up > 0:
            optimizer = _adam(config, config.learning_rate)
            network.compile(optimizer, loss="mae", metrics=[keras.metrics.MeanAbsoluteError(name="l1")], jit_compile=False)
            schedule = [(optimizer, config.learning_rate)] if config.anneal else []
            network.fit(training, callbacks=[FollowPace(pace, warm_up, schedule), *common], **options)
            best.restore()
        if warm_up < 1:
            _play(network, critic, training, config, pace, best, common, options)
            best.restore()
    except KeyboardInterrupt:
        best.restore()
        _LOGGER.warning("interrupted: keeping the best network so far (epoch %d)", best.epoch)
    with hidden_layers_in("float32"):
        restored = _generator(config, frames, patch_shape)
    restored.set_weights(network.get_weights())
    return restored


def predict(checkpoint, images, options):
    """Denoise a scan, frame by frame and only when a frame is asked for.

    Parameters
    ----------
    checkpoint : keras_mri.checkpoints.Checkpoint
    images : sequence of one str, path-like or Volume
    options : PredictConfig

    Returns
    -------
    Volume
        On the same grid, with the same header, in the same unit.

    Raises
    ------
    InputError
        If there is not exactly one image, or its run is shorter than the network's window.
    """
    if len(images) != 1:
        raise InputError(f"this network denoises one image at a time. Received: {len(images)} images.")
    volume = as_volume(images[0])
    frames = checkpoint.network.input_shape[-1]
    if volume.n_frames < (frames + 1) // 2 or (frames > 1 and volume.n_frames < 2):
        raise InputError(
            f"this network looks at {frames} neighbouring frames. Received: {volume.name} with {volume.n_frames} frame(s). "
            "Use a network trained with --frames 1."
        )
    scaling = fit_scaling(volume.sample_frames(_SCALING_FRAMES), checkpoint.config["scaling"])
    restore = predictor(checkpoint.network, volume.shape[:3], options.tile, options.mirror)
    mask = load_mask(options.mask, volume) if options.mask else None
    magnitude = volume.extremes[0] >= 0

    def restored_frame(t):
        window = np.stack([volume.frame(neighbour) for neighbour in _neighbours(t, frames, volume.n_frames)], axis=-1)
        restored = scaling.invert(restore(scaling.apply(window)))
        restored = np.maximum(restored, 0) if magnitude else restored
        return restored if mask is None else np.where(mask, restored, volume.frame(t))

    return volume.with_frames(restored_frame)


def example(checkpoint, images, config):
    """Make the panel that shows what the network does: noise of half the trained strength on a scan, and its removal.

    Parameters
    ----------
    checkpoint : keras_mri.checkpoints.Checkpoint
    images : sequence of str, path-like or Volume
    config : Config

    Returns
    -------
    dict of str to ndarray of float32, shape (x, y, z)
    """
    volume = as_volume(images[-1])
    frames = checkpoint.network.input_shape[-1]
    shown = range(max(0, volume.n_frames - frames), volume.n_frames)
    clean = np.stack([volume.frame(t) for t in shown], axis=-1)
    sigma = sum(config.noise_range) / 2 * fit_scaling(clean, config.scaling).scale
    add_noise = add_rician_noise if config.noise == "rician" else add_gaussian_noise
    noisy = add_noise(np.maximum(clean, 0) if config.noise == "rician" else clean, sigma, np.random.default_rng(config.seed))
    middle = len(shown) // 2
    run = volume.from_array(noisy, volume.affine)
    denoised = predict(checkpoint, [run], PredictConfig()).frame(middle)
    return {f"noisy (SD {sigma:.3g})": noisy[..., middle], "denoised": denoised, "clean (as measured)": clean[..., middle]}


def _data(volumes, config, frames):
    """Return training batches without end, validation batches, the steps of an epoch, and the shape of a patch."""
    window = frames + (config.target == "neighbour")
    runs = [_network_units(volume, config) for volume in volumes]
    if config.sampling == "lattice":
        patch_shape = validation_shape = config.patch_shape or _fitting(_PATCH_SHAPE, runs, config)
        training, held_out = _lattice(runs, patch_shape, config.seed)
        steps = config.steps_per_epoch or max(1, sum(len(source.corners) for source in training) // config.batch_size)
        patches = listed_patches(training, patch_shape, window, config.seed)
    else:
        parts = [[_thick(run, config) for run in part] for part in hold_out(runs, window)]
        patch_shape = config.patch_shape or _fitting(_PATCH_SHAPE, parts[0], config)
        # A held-out slab may be thinner than a patch; the network takes any shape.
        validation_shape = _fitting(patch_shape, parts[1], config)
        training = [_source(run, patch_shape) for run in parts[0]]
        held_out = [_source(run, validation_shape) for run in parts[1]]
        held_out = [_listed(source, window, k, len(held_out), config.seed) for k, source in enumerate(held_out)]
        steps = config.steps_per_epoch or _STEPS_PER_EPOCH
        patches = random_patches(training, patch_shape, window, config.seed)
    patches = flipped(patches, config.seed) if config.flips else patches
    if config.activation and frames > 1:
        patches = activated(patches, config.seed, frames, config.activation)
    # Several frames show what changes in time, which only weak noise leaves visible: that is where care is due.
    skew = config.noise_skew or (_SKEW_OF_FRAMES if frames > 1 else 1.0)
    pairs = dict(
        batch_size=config.batch_size,
        corruption=Corruption(model=config.noise, low=config.noise_range[0], high=config.noise_range[1], skew=skew),
        frames=frames,
        target_weights=_target_weights(config, frames),
    )
    validation = noisy_pairs(listed_patches(held_out, validation_shape, window), seed=config.seed + 1, evenly=True, **pairs)
    return noisy_pairs(patches, seed=config.seed, **pairs), validation.cache(), steps, patch_shape


def _play(network, critic, training, config, pace, best, common, options):
    """Go on training the network against the critic, until the pace says stop."""
    model = AdversarialModel(
        network,
        critic,
        critic_loss=wasserstein_critic_loss(config.gradient_penalty),
        adversarial_loss=wasserstein_adversarial_loss,
        critic_steps=config.critic_steps,
        l1_weight=config.l1_weight,
        adversarial_weight=config.adversarial_weight,
        seed=config.seed,
    )
    optimizer, critic_optimizer = _adam(config, config.learning_rate), _adam(config, config.critic_learning_rate)
    model.compile(optimizer, critic_optimizer, jit_compile=False)
    # Only the network anneals: a critic that stands still stops telling anything.
    schedule = [(optimizer, config.learning_rate)] if config.anneal else []
    best.start_again()
    model.fit(training, callbacks=[FollowPace(pace, 1.0, schedule), *common], **options)


def _generator(config, frames, patch_shape):
    shape = (None, None, None, frames)
    # What the target leaves out by a fixed filter, the network need not learn.
    weights = _target_weights(config, frames) if frames > 1 and config.target == "frame" else None
    if config.generator == "residual_unet":
        return residual_unet(shape, config.filters, config.depths, config.noise_scale, weights)
    levels = _levels(config, patch_shape)
    return dense_unet(shape, config.growth_rate, config.normalization, config.residual, levels, config.noise_scale, weights)


def _critic(config, patch_shape):
    shape = (*patch_shape, 1)
    if config.critic == "encoder":
        return encoder_critic(shape, noise_scale=config.noise_scale)
    return dense_critic(shape, config.growth_rate, config.normalization)


def _adam(config, learning_rate):
    return keras.optimizers.Adam(learning_rate, beta_1=config.beta_1, beta_2=config.beta_2, epsilon=1e-7, clipnorm=config.clip_norm)


def _network_units(volume, config):
    """Load the frames that train and scale them; say how noisy the scan itself is."""
    published = config.sampling == "lattice"
    if config.scaling == "minmax":
        scaling = fit_scaling(np.array(volume.extremes, np.float32), "minmax")
    else:
        scaling = fit_scaling(volume.sample_frames(_SCALING_FRAMES), config.scaling)
    run = volume.sample_frames(_LATTICE_FRAMES if published else volume.n_frames)
    sigma = estimate_sigma(run[..., :10])
    _LOGGER.info(
        "%s: shape %s, estimated noise SD %.4g (%.1f %% of the range)", volume.name, volume.shape, sigma, 100 * sigma / scaling.scale
    )
    return scaling.apply(run)


def _fitting(patch_shape, runs, config):
    """Cut a patch to what fits every scan and the network's halvings."""
    factor = 2 ** _levels(config, patch_shape)
    sides = np.min([run.shape[:3] for run in runs], axis=0)
    return tuple(int(max(factor, min(size, side) // factor * factor)) for size, side in zip(patch_shape, sides))


def _thick(run, config):
    """Repeat the outermost voxels of a scan that is thinner than one block of the network."""
    missing = [max(0, 2 ** _levels(config, config.patch_shape or _PATCH_SHAPE) - side) for side in run.shape[:3]]
    return np.pad(run, [(0, pad) for pad in missing] + [(0, 0)], mode="edge") if any(missing) else run


def _levels(config, patch_shape):
    """Return how often the generator halves the grid."""
    return len(config.filters) - 1 if config.generator == "residual_unet" else published_levels(patch_shape)


def _source(run, patch_shape):
    check_patch_fits(patch_shape, run.shape)
    return PatchSource(run, foreground_corners(foreground(run.mean(axis=3)), patch_shape))


def _listed(source, window, number, n_sources, seed):
    """Choose the fixed patches by which the networks of all epochs are compared."""
    rng = np.random.default_rng([seed, number])
    count = max(1, _VALIDATION_PATCHES // n_sources)
    corners = source.corners[rng.integers(len(source.corners), size=count)]
    times = rng.integers(source.run.shape[3] - window + 1, size=(count, 1))
    return PatchSource(source.run, np.hstack([corners, times]).astype(np.int32))


def _target_weights(config, frames):
    """Return the filter in time that makes the target from the frames of a window.

    What a haemodynamic response cannot do, the fastest fluctuations, is taken to be noise: with k neighbouring frames the
    frequency f (cycles per frame) passes with the gain 1 - s · sin(πf)^(k - 1), s the temporal smoothing.
    """
    if config.target == "neighbour":
        return [0.0] * frames + [1.0]
    differences = np.array([(-1.0) ** (frames // 2 + k) * math.comb(frames - 1, k) for k in range(frames)]) / 2.0 ** (frames - 1)
    return list(np.eye(frames)[frames // 2] - (config.temporal_smoothing if frames > 1 else 0.0) * differences)


def _lattice(runs, patch_shape, seed):
    """Choose patches as published: at half-patch steps, at most 500 of a file, four fifths of them for training."""
    rng = np.random.default_rng(seed)
    most = min(_LATTICE_PER_FILE, max(1, _LATTICE_TOTAL // len(runs)))
    training, validation = [], []
    for run in runs:
        listed = [np.insert(lattice_corners(run[..., t], patch_shape, _LATTICE_MEAN), 3, t, axis=1) for t in range(run.shape[3])]
        corners = rng.permutation(np.concatenate(listed))[:most]
        cut = round(_LATTICE_SHARE * len(corners))
        training.append(PatchSource(run, corners[:cut]))
        validation.append(PatchSource(run, corners[cut:]))
    return training, validation


def _neighbours(t, frames, n_frames):
    """Return the window's frames; beyond the ends of the run time is mirrored (0 1 2 → 2 1 0 1 2)."""
    half = frames // 2
    return [n_frames - 1 - abs(n_frames - 1 - abs(i)) for i in range(t - half, t + half + 1)]
