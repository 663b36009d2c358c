"""Denoise fMRI: a 3D U-Net trained from one scan, first on the mean absolute error, then against a Wasserstein critic.

References
----------
Gulrajani et al., NeurIPS 2017 (WGAN-GP). arXiv:1704.00028
"""

import dataclasses
import functools
import logging
import math

import keras
import numpy as np

from keras_mri.errors import InputError, remark
from keras_mri.imaging.acquisition.noise_colour import Colour
from keras_mri.imaging.intensity import fit_image_scaling
from keras_mri.imaging.noise import add_gaussian_noise, add_rician_noise
from keras_mri.inference.central_part import central_part
from keras_mri.inference.extremes import as_seen
from keras_mri.inference.fitting_precision import FittingPrecision, trial_of
from keras_mri.inference.magnitude import bias_removal
from keras_mri.inference.measured_grid import colour_of, on_measured_grid, to_measured_grid
from keras_mri.inference.restoring import restored
from keras_mri.inference.tiles import predictor
from keras_mri.inference.timing import affordable_box, affordable_voxels, expect_pictures
from keras_mri.io.grids import mirror_axes
from keras_mri.io.mask_files import load_mask
from keras_mri.io.nifti_reading import open_image
from keras_mri.networks.backends import check_trains
from keras_mri.networks.blocks import check_sides
from keras_mri.networks.dense_unet import dense_critic, dense_unet, published_levels
from keras_mri.networks.encoder_critic import encoder_critic
from keras_mri.networks.precision import hidden_layers_in, in_float32
from keras_mri.networks.residual_unet import residual_unet
from keras_mri.systems.records import Outcome, System, as_volumes, visible_factor
from keras_mri.systems.wgan.run_prediction import denoised_run, is_of_runs
from keras_mri.systems.wgan.settings import FILTERS, LEAST_FRAMES, PATCH_SHAPE, SETTINGS, SHOWN_FRAMES, SHOWN_SLICES, PredictConfig, as_runs
from keras_mri.training.pace import Pace

__all__ = ["SYSTEM", "facts", "outcome", "predict", "prepare", "train"]

_LOGGER = logging.getLogger(__name__)
# Weight of the critic for volumes.
_ADVERSARIAL_WEIGHT = 0.1
# More at full resolution keeps a run sharp (FWHM + 1 % instead of + 5 %); more on the halved grid suits single, noisier frames.
_DEPTHS_OF_FRAMES, _DEPTHS_OF_ONE = (2, 4), (1, 5)


def train(data, config, callbacks=()):
    """Train a denoiser on the scans themselves.

    Parameters
    ----------
    data : sequence of Volume
        3D or 4D, any shapes.
    config : Config
    callbacks : sequence of keras.callbacks.Callback
        Added to every fit.

    Returns
    -------
    keras.Model
        Functional, float32, from (batch, x, y, z, frames) to (batch, x, y, z, 1), in network units; of runs, from maps and anatomy
        (batch, x, y, z, 5) to maps, in units of the noise.

    Raises
    ------
    InputError
        If an image cannot be used, a patch does not fit, or training diverges.
    """
    check_trains()
    data = [as_seen(volume).volume for volume in data]
    # Only here: they need TensorFlow, and using a network does not.
    if as_runs(data, config):
        from keras_mri.systems.wgan.run_training import train_on_runs

        return train_on_runs(data, config, callbacks)
    _remark_on_volumes(data, config)
    weight = _ADVERSARIAL_WEIGHT if config.adversarial_weight is None else config.adversarial_weight
    config = dataclasses.replace(config, adversarial_weight=weight, filters=config.filters or FILTERS)
    from keras_mri.systems.wgan.data import denoising_data
    from keras_mri.training.adversarial import AdversarialModel, Rules, wasserstein_losses
    from keras_mri.training.two_phases import NewOptimizers, fit_in_two_phases

    levels = _levels(config, config.patch_shape or PATCH_SHAPE)
    check_sides(config.patch_shape or PATCH_SHAPE, levels)
    keras.utils.set_random_seed(config.seed)
    frames = config.frames or 1
    batches = denoising_data(data, config, frames, factor=2**levels)
    pace = Pace(config.epochs * batches.steps, config.time_budget)

    with hidden_layers_in(config.precision) as precision:
        network = _generator(config, frames, levels)
        critic = _critic(config, batches.patch_shape)
    _LOGGER.info("%d parameters, %d frame(s), patches of %s voxels, %s", network.count_params(), frames, batches.patch_shape, precision)

    rules = Rules(config.critic_steps, config.l1_weight, config.adversarial_weight)
    model = AdversarialModel(network, critic, wasserstein_losses(config.gradient_penalty), rules, config.seed)
    new = NewOptimizers(*(functools.partial(_adam, config, rate) for rate in (config.learning_rate, config.critic_learning_rate)))
    expect_pictures(network, math.prod(data[-1].shape[:3]))
    fit_in_two_phases(model, batches, pace, config, new, callbacks)
    return in_float32(network)


def predict(checkpoint, images, options):
    """Denoise a scan, frame by frame and only when a frame is asked for.

    Parameters
    ----------
    checkpoint : keras_mri.saving.checkpoints.Checkpoint
    images : sequence of one str, path-like or Volume
    options : PredictConfig

    Returns
    -------
    Volume
        On the same grid, with the same header, in the same unit.

    Raises
    ------
    InputError
        If the run is shorter than the network's window.
    """
    volume = open_image(images[0]).with_repetition_time(options.tr)
    mask = load_mask(options.mask, volume) if options.mask is not None else None
    if is_of_runs(checkpoint.network):
        return denoised_run(checkpoint, volume, options, mask)
    if options.tr is not None:
        remark(volume.name, "`tr` has no meaning for a network of single volumes and is ignored")
    frames = checkpoint.network.input_shape[-1]
    if volume.n_frames < (frames + 1) // 2 or (frames > 1 and volume.n_frames < 2):
        raise InputError(
            f"this network looks at {frames} neighbouring frames. Received: {volume.name} with {volume.n_frames} frame(s). "
            "Use a network trained with `frames` 1."
        )
    seen = as_seen(volume)
    scaling = fit_image_scaling(seen.volume, checkpoint.inference["scaling"])
    colour = colour_of(seen.volume) if checkpoint.inference.get("measured_grid") else Colour()
    shape, axes = colour.measured_shape(volume.shape[:3]), mirror_axes(volume.affine, options.mirror)
    facts = {}
    fitting = FittingPrecision(checkpoint.network, options.precision, math.prod(shape) * volume.n_frames, volume.name, facts)

    def window(t):
        around = _neighbours(t, frames, volume.n_frames)
        return scaling.apply(np.stack([seen.volume.frame(neighbour) for neighbour in around], axis=-1))

    @functools.cache
    def run():
        network = fitting.network(lambda: trial_of(to_measured_grid(window(volume.n_frames // 2), colour)))
        return on_measured_grid(predictor(network, shape, options.tile, axes, progress=volume.n_frames == 1), colour)

    def denoised(t):
        return run()(window(t))

    # A network that was trained on Rician noise takes the bias away itself.
    keeps = options.keep_bias or checkpoint.inference.get("noise") == "rician"
    result = restored(volume, scaling, denoised, mask, seen, None if keeps else bias_removal(seen.volume, facts))
    # Filled while frames are computed.
    result.facts = facts
    return result


def outcome(checkpoint, data, config):
    """Show what the network does: noise of the trained range's mean strength is added to a scan, and removed.

    Parameters
    ----------
    checkpoint : keras_mri.saving.checkpoints.Checkpoint
    data : sequence of Volume
    config : Config

    Returns
    -------
    keras_mri.systems.records.Outcome
    """
    volume = as_seen(data[-1]).volume
    if is_of_runs(checkpoint.network):
        return _outcome_of_run(checkpoint, volume)
    frames = checkpoint.network.input_shape[-1]
    shown = range(max(0, volume.n_frames - frames), volume.n_frames)
    box = affordable_box(volume.shape[:3])
    clean = np.stack([volume.frame(t)[box] for t in shown], axis=-1)
    sigma = sum(config.noise_range) / 2 * fit_image_scaling(volume, config.scaling).scale
    add_noise = add_rician_noise if config.noise == "rician" else add_gaussian_noise
    noisy = add_noise(np.maximum(clean, 0) if config.noise == "rician" else clean, sigma, np.random.default_rng(config.seed))
    middle = len(shown) // 2
    run = volume.from_array(noisy, volume.affine)
    run.facts.update(volume.facts)
    denoised = predict(checkpoint, [run], PredictConfig()).frame(middle)
    panels = {f"noise of SD {sigma:.3g} added": noisy[..., middle], "denoised": denoised, "as measured": clean[..., middle]}
    judged = predict(checkpoint, [central_part(volume, shown)], PredictConfig())
    return Outcome(panels, affine=volume.affine, judged=judged)


def prepare(images, config):
    """Return images (paths or Volumes) as a list of Volume, with the repetition time that the options name."""
    return [volume.with_repetition_time(config.tr) for volume in as_volumes(images, config)]


def facts(network, data, config):
    """Return facts of a training: what its network's input is, and what was found in its runs."""
    if not is_of_runs(network):
        return {}
    return {"input": "maps", "runs": [volume.facts["inspection"] for volume in data if "inspection" in volume.facts]}


def _outcome_of_run(checkpoint, volume):
    """Show one frame of a few slices and what was removed from it."""
    middle, half = volume.shape[2] // 2, SHOWN_SLICES // 2
    slices = slice(max(0, middle - half), middle + half)
    conditions = volume.facts.get("inspection", {}).get("conditions") or [range(volume.n_frames)]
    voxels = volume.shape[0] * volume.shape[1] * 2 * half
    shown = max(conditions, key=len)[: int(min(SHOWN_FRAMES, max(LEAST_FRAMES, affordable_voxels() / voxels)))]
    run = np.stack([volume.frame(t)[:, :, slices] for t in shown], axis=-1)
    part = volume.from_array(run, volume.affine, volume.header, volume.name).with_repetition_time(volume.repetition_time)
    part.facts.update(volume.facts)
    restored = denoised_run(checkpoint, part, PredictConfig())
    noisy, denoised = run[..., run.shape[3] // 2], restored.frame(run.shape[3] // 2)
    removed = np.abs(noisy - denoised)
    times = visible_factor(removed[noisy != 0], noisy[noisy != 0]) if noisy.any() else 1
    panels = {f"removed × {times}": times * removed, "as measured": noisy, "denoised": denoised}
    return Outcome(panels, affine=volume.affine, judged=restored)


def _generator(config, frames, levels):
    shape, weights = (None, None, None, frames), None
    if config.generator == "residual_unet":
        depths = config.depths or (_DEPTHS_OF_FRAMES if frames > 1 else _DEPTHS_OF_ONE)
        return residual_unet(shape, config.filters, depths, config.noise_scale, weights)
    return dense_unet(shape, config.growth_rate, config.normalization, config.residual, levels, config.noise_scale, weights)


def _critic(config, patch_shape):
    shape = (*patch_shape, 1)
    if config.critic == "encoder":
        return encoder_critic(shape, noise_scale=config.noise_scale)
    return dense_critic(shape, config.growth_rate, config.normalization)


def _adam(config, learning_rate):
    from keras_mri.training import optimizers

    return optimizers.Adam(learning_rate, beta_1=config.beta_1, beta_2=config.beta_2, epsilon=1e-7, clipnorm=config.clip_norm)


def _neighbours(t, frames, n_frames):
    """Return the window's frames; beyond the ends of the run time is mirrored (0 1 2 → 2 1 0 1 2)."""
    half = frames // 2
    return [n_frames - 1 - abs(n_frames - 1 - abs(i)) for i in range(t - half, t + half + 1)]


def _remark_on_volumes(volumes, config):
    """Say which scans of several frames are not denoised as runs, and why."""
    for volume in volumes:
        if 1 < volume.n_frames < LEAST_FRAMES and config.frames is None:
            remark(volume.name, f"{volume.n_frames} frames, fewer than {LEAST_FRAMES}: each is denoised by itself")


def _levels(config, patch_shape):
    """Return how often the generator halves the grid."""
    return len(config.filters) - 1 if config.generator == "residual_unet" else published_levels(patch_shape)


SYSTEM = System(settings=SETTINGS, train=train, predict=predict, prepare=prepare, outcome=outcome, facts=facts)
