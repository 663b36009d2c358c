"""The two stages of a latent diffusion pair: an autoencoder whose latents get unit variance, then a denoiser of those."""

import logging

import keras
import numpy as np

from keras_mri.io.grids import left_right_axis
from keras_mri.networks.latent_diffusion import Parts, assembled, latent_only
from keras_mri.networks.latent_prior import linear_of, prior_of
from keras_mri.networks.latent_unet import latent_unet
from keras_mri.networks.latent_view import view_rates
from keras_mri.networks.precision import hidden_layers_in, in_float32
from keras_mri.networks.volume_autoencoder import set_latent_scale, volume_decoder, volume_encoder
from keras_mri.systems.ldm.conditions import EXTRA_CHANNELS
from keras_mri.systems.ldm.crops import POSITION_CHANNELS
from keras_mri.systems.ldm.data import crop_batches, denoising_batches, volume_batches
from keras_mri.systems.ldm.diffusion.schedules import schedule
from keras_mri.systems.ldm.encoding import MOMENT_FRAMES, encoded, moments
from keras_mri.systems.ldm.latent_space import LatentSpace
from keras_mri.systems.ldm.models import LatentDenoising, LossWeights, VolumeAutoencoder
from keras_mri.systems.ldm.settings import shorter
from keras_mri.training import optimizers
from keras_mri.training.callbacks import FollowPace, KeepBest, StopOnNonFinite
from keras_mri.training.clock import current
from keras_mri.training.fit import fit, keeping_best
from keras_mri.training.pace import Pace

_LOGGER = logging.getLogger(__name__)
_LATENT_WEIGHTS = {"kl": 1e-4, "vq": 1.0}
# Whose latents tell what mean and SD are.
_LEAST_MOMENT_FRAMES = 4
# Of a time budget, what the latents may take after the autoencoder: their moments alone, or also encoding frames that train and validate.
_MOMENTS, _ENCODING, _OF_TRAINING, _OF_HELD_OUT = 0.03, 0.2, 0.13, 0.04
# Of a time budget, what the picture may take after the training, and its least, s.
_PICTURE, _LEAST_PICTURE = 0.06, 8.0


def fit_autoencoder(training, held_out, config, callbacks=()):
    """Fit encoder and decoder, then scale the latents to unit variance.

    Parameters
    ----------
    training, held_out : keras_mri.systems.ldm.labelled_runs.LabelledRuns
    config : keras_mri.systems.ldm.settings.Config
    callbacks : sequence of keras.callbacks.Callback

    Returns
    -------
    keras_mri.networks.latent_diffusion.Parts
        float32, without a denoiser; the epoch with the best held-out error.

    Raises
    ------
    InputError
        If a patch does not fit, or training diverges.
    """
    vq = config.latent == "vq"
    with hidden_layers_in(config.precision) as precision:
        encoder = volume_encoder(config.filters, config.depth, config.latent_channels, not vq, config.shortcut)
        decoder = volume_decoder(config.filters, config.depth, config.latent_channels, config.shortcut)
    weight = _LATENT_WEIGHTS[config.latent] if config.latent_weight is None else config.latent_weight
    weights = LossWeights(config.l1_weight, config.mse_weight, weight)
    model = VolumeAutoencoder(encoder, decoder, weights, (config.codebooks, config.codes) if vq else None, config.seed)
    data = _images(training, held_out, config, LatentSpace(Parts(encoder, decoder, None, None), config))
    _LOGGER.info("autoencoder: %d parameters, %s", encoder.count_params() + decoder.count_params(), precision)
    optimizer = optimizers.Adam(config.learning_rate, epsilon=1e-7, global_clipnorm=config.clip_norm)
    model.compile(optimizer, jit_compile=False)
    both = config.stage == "both"
    share, after = (config.autoencoder_share, _ENCODING) if both else (1.0, _MOMENTS)
    _expect_picture(config)
    pace = Pace(max(1, round(share * config.epochs * data.steps)), config.time_budget, share, after * (config.time_budget or 0))
    pace.fits_after = int(both)
    following = FollowPace(pace, 1.0, [(optimizer, config.learning_rate)] if config.anneal else [])
    _fit(model, data, following, "val_error", [_numbered(1), *callbacks])

    encoder, decoder = in_float32(latent_only(encoder)), in_float32(decoder)
    codebooks = model.quantizer.tables() if vq else None
    count = shorter(MOMENT_FRAMES, _LEAST_MOMENT_FRAMES, config.time_budget)
    mean, deviation = moments(LatentSpace(Parts(encoder, decoder, codebooks, None), config), training.runs, count)
    set_latent_scale(encoder, decoder, mean, deviation)
    spread = (len(mean), mean.min(), mean.max(), deviation.min(), deviation.max())
    _LOGGER.info("latent of %d channels: means %.3g to %.3g, SD %.3g to %.3g, scaled to 0 and 1", *spread)
    if vq:
        # The first codes latents, the others differences of latents.
        codebooks[0] -= mean
        codebooks /= deviation
    return Parts(encoder, decoder, codebooks, None)


def _images(training, held_out, config, space):
    """Return the batches that train the autoencoder."""
    if config.any_grid:
        return crop_batches((training.runs, held_out.runs), config, config.mirror_training)
    axis = left_right_axis(training.grid.affine) if config.mirror_training else None
    return volume_batches((training.runs, held_out.runs), config, space.padded, axis)


def fit_denoiser(start, training, held_out, config, callbacks=()):
    """Fit the denoiser on the latents of the training, their labels and conditions.

    Parameters
    ----------
    start : keras_mri.networks.latent_diffusion.Parts
        The autoencoder; a denoiser of the same sizes is trained further.
    training, held_out : keras_mri.systems.ldm.labelled_runs.LabelledRuns
    config : keras_mri.systems.ldm.settings.Config
    callbacks : sequence of keras.callbacks.Callback

    Returns
    -------
    keras.Model
        float32, with averaged weights; the epoch with the best held-out error.

    Raises
    ------
    InputError
        If training diverges.
    """
    labels, extra = len(training.names), EXTRA_CHANNELS + config.latent_channels if config.condition else 0
    extra += POSITION_CHANNELS if config.any_grid else 0
    space = LatentSpace(start, config, labels)
    latents = [
        encoded(space, part, np.random.default_rng([config.seed, k]), config.time_budget and share * config.time_budget)
        for k, (part, share) in enumerate(((training, _OF_TRAINING), (held_out, _OF_HELD_OUT)))
    ]
    plan = schedule(config.schedule, config.diffusion_steps)
    linear = _linear(latents[0], labels, config, plan)
    with hidden_layers_in(config.precision) as precision:
        denoiser = latent_unet(
            config.latent_channels, labels, config.diffusion_steps, config.unet_filters, config.unet_depth, extra, linear
        )  # fmt: skip
    _LOGGER.info("denoiser: %d parameters, latents of %s, %s", denoiser.count_params(), latents[0].clean.shape[1:], precision)
    if start.denoiser is not None:
        denoiser.set_weights(start.denoiser.get_weights())
    model = LatentDenoising(denoiser, lambda trained: assembled(*start._replace(denoiser=trained)))
    data = denoising_batches(*latents, plan, config, labels)
    optimizer = _adam(config)
    model.compile(optimizer, loss="mse", metrics=[keras.metrics.MeanSquaredError(name="error")], jit_compile=False)
    swap = [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if config.ema > 0 else []
    share = 1 - config.autoencoder_share if config.stage == "both" else 1.0
    pace = Pace(max(1, round(share * config.epochs * data.steps)), config.time_budget)
    following = FollowPace(pace, 1.0, [(optimizer, config.diffusion_learning_rate)] if config.anneal else [])
    _fit(model, data, following, "val_loss", [_numbered(2), *callbacks], swap)
    return in_float32(denoiser)


def _linear(latents, labels, config, plan):
    """Return the best linear denoiser, for a start; None if none is wanted or there is nothing to know it from."""
    if not config.prior:
        return None
    if config.any_grid:
        return None if latents.views is None else view_rates(latents.clean, latents.views, config.prediction, plan)
    prior = prior_of(latents.clean, latents.codes, labels)
    if prior:
        _LOGGER.info("the file will hold the mean latent of each label, %.1f MB (without `prior` it holds none)", prior.means.nbytes / 1e6)
    return prior and linear_of(prior, config.prediction, plan)


def _adam(config):
    options = dict(epsilon=1e-7, global_clipnorm=config.clip_norm, use_ema=config.ema > 0, ema_momentum=config.ema or 0.99)
    if config.weight_decay:
        return optimizers.AdamW(config.diffusion_learning_rate, config.weight_decay, **options)
    return optimizers.Adam(config.diffusion_learning_rate, **options)


def _expect_picture(config):
    """Keep time of a budget for the sample in the picture: its graph, and its steps."""
    clock = current()
    if clock and clock.writes:
        clock.following = max(_LEAST_PICTURE, _PICTURE * config.time_budget)


def _numbered(stage):
    """Return a callback that logs the number of the stage with each epoch."""
    return keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(stage=stage))


def _fit(model, data, following, monitor, callbacks, first=()):
    """Fit until the pace or Ctrl-C ends it, and leave the model with its best weights."""
    best = KeepBest(model, monitor)
    with keeping_best(best, callbacks):
        fit(model, data, [*first, following, StopOnNonFinite(best), best, *callbacks])
