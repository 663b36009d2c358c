"""Train the network of runs from the noisy runs alone: recorrupted targets and simulated activations, then, on request, a critic."""

import functools
import logging
import math

import keras
import numpy as np

from keras_mri.data.patches import fitting_patch
from keras_mri.errors import InputError
from keras_mri.inference.timing import expect_pictures
from keras_mri.networks.blocks import check_sides
from keras_mri.networks.encoder_critic import encoder_critic
from keras_mri.networks.precision import hidden_layers_in, in_float32
from keras_mri.networks.run_unet import run_unet
from keras_mri.saving import checkpoints, pretrained
from keras_mri.systems.wgan.run_channels import CHANNELS, LEAST_FRAMES
from keras_mri.systems.wgan.run_copies import MOST_FRAMES, recorrupted_copy, training_run
from keras_mri.systems.wgan.run_data import run_batches
from keras_mri.systems.wgan.run_model import RunModel, RunRules
from keras_mri.systems.wgan.run_prediction import look_at, remark_if_smoothed, spaced
from keras_mri.systems.wgan.settings import DEPTHS_OF_RUNS, FILTERS_OF_RUNS, PATCH_SHAPE, SHOWN_FRAMES, SHOWN_SLICES
from keras_mri.training.adversarial import wasserstein_losses
from keras_mri.training.callbacks import FollowPace, KeepBest, StopOnNonFinite
from keras_mri.training.clock import PREPARATION, clock_of, in_time
from keras_mri.training.fit import fit, keeping_best
from keras_mri.training.pace import Pace
from keras_mri.training.two_phases import critic_has_time

_LOGGER = logging.getLogger(__name__)
# Recorrupted copies in all, and of each condition of a run; updates of an epoch, unless the options say.
_COPIES, _MOST_COPIES, _STEPS_PER_EPOCH = 4, 2, 50
# Patches per update.
_BATCH_SIZE = 2
# Options of the network of volumes alone.
_OF_VOLUMES = ("noise", "noise_range", "noise_skew", "scaling", "activation", "generator", "growth_rate", "noise_scale", "l1_weight")


def train_on_runs(volumes, config, callbacks=()):
    """Train a network of runs.

    Parameters
    ----------
    volumes : sequence of Volume
        Each of ten frames or more.
    config : Config
    callbacks : sequence of keras.callbacks.Callback
        Added to every fit.

    Returns
    -------
    keras.Model
        Functional, float32, from (batch, x, y, z, 5) to (batch, x, y, z, 1), in units of the noise.

    Raises
    ------
    InputError
        If a run cannot be used, or training diverges.
    """
    _remark_on_options(config)
    steps = config.steps_per_epoch or _STEPS_PER_EPOCH
    pace = Pace(config.epochs * steps, config.time_budget)
    keras.utils.set_random_seed(config.seed)
    parts = [part for volume in in_time(volumes, [volume.name for volume in volumes]) for part in _parts(volume)]
    copies = _copies(parts, np.random.default_rng(config.seed), config.time_budget)
    filters, depths = _levels(config)
    factor = 2 ** (len(filters) - 1)
    copies = [copy.thickened(factor) for copy in copies]
    patch_shape = config.patch_shape or fitting_patch(PATCH_SHAPE, [copy.tissue for copy in copies], factor)
    check_sides(patch_shape, len(filters) - 1)
    batches = run_batches(copies, patch_shape, config.batch_size or _BATCH_SIZE, steps, config.seed)

    with hidden_layers_in(config.precision) as precision:
        network = run_unet(filters, depths)
        critic = encoder_critic((*patch_shape, 1), noise_scale=1.0)
    _start(network, config)
    _LOGGER.info("%d parameters, maps of %d run(s), patches of %s voxels, %s", network.count_params(), len(parts), patch_shape, precision)
    rules = RunRules(config.keep, config.response_weight, config.adversarial_weight or 0.0, config.critic_steps)
    model = RunModel(network, rules, critic, wasserstein_losses(config.gradient_penalty), config.seed)
    shape = max((volume.shape for volume in volumes), key=math.prod)
    expect_pictures(network, math.prod(shape[:2]) * SHOWN_SLICES * min(shape[3], SHOWN_FRAMES))
    _fit(model, batches, pace, config, callbacks)
    return in_float32(network)


def _remark_on_options(config):
    """Say which options were chosen that the network of runs does not have."""
    usual = vars(type(config)())
    chosen = [name for name in _OF_VOLUMES if vars(config)[name] != usual[name]]
    if chosen:
        _LOGGER.warning("`%s` has no meaning for a run and is ignored; `frames` 1 trains on single frames", "`, `".join(chosen))


def _parts(volume):
    """Yield the part that trains of each condition of a run; conditions of few frames are left out."""
    for frames in look_at(volume).conditions:
        if len(frames) >= LEAST_FRAMES:
            _LOGGER.info("%s: shape %s, %d frames", volume.name, volume.shape, len(frames))
            run = np.stack([volume.frame(t) for t in frames[:MOST_FRAMES]], axis=-1)
            part = training_run(run, spaced(volume.repetition_time, frames))
            if not part.tissue.any():
                raise InputError(f"{volume.name} has no tissue with noise: its frames do not differ there. There is nothing to learn.")
            remark_if_smoothed(part.noise, volume.name)
            yield part


def _copies(parts, rng, time_budget):
    """Return recorrupted copies of all parts: fewer of each where preparation would take too long for the budget."""
    each, clock = int(np.clip(_COPIES // len(parts), 1, _MOST_COPIES)), clock_of(time_budget)
    copies, began = [], clock and clock.elapsed()
    for part in (part for _ in range(each) for part in parts) if clock else (part for part in parts for _ in range(each)):
        if clock and len(copies) >= len(parts):
            mean = (clock.elapsed() - began) / len(copies)
            if clock.elapsed() + mean > PREPARATION * time_budget:
                break
        copies.append(recorrupted_copy(part, rng))
    return copies


def _levels(config):
    filters = config.filters or FILTERS_OF_RUNS
    usual = DEPTHS_OF_RUNS if len(filters) == len(DEPTHS_OF_RUNS) else (1,) * (len(filters) - 1) + DEPTHS_OF_RUNS[-1:]
    return filters, config.depths or usual


def _start(network, config):
    """Give the network the weights of the one it starts from, if there is one and its layers are the same."""
    path = _initial(config)
    if path is None:
        return
    start = checkpoints.load(path, "wgan").network
    if [weight.shape for weight in start.get_weights()] != [weight.shape for weight in network.get_weights()]:
        raise InputError(f"{path} has other layers than `filters` and `depths` name ({CHANNELS} channels). Use `initial` none.")
    network.set_weights(start.get_weights())
    _LOGGER.info("starting from %s", path)


def _initial(config):
    """Return the path of the network to start from, None for random weights."""
    if config.initial in (None, "pretrained"):
        if config.initial is None and (config.filters or config.depths):
            return None
        try:
            return pretrained.path_of("wgan_run.h5")
        except InputError:
            if config.initial:
                raise
            return None
    return None if config.initial == "none" else config.initial


def _fit(model, batches, pace, config, callbacks):
    """Fit without the critic, and then, for the rest of the training, with it."""
    best = KeepBest(model.network)
    first = config.warm_up if config.adversarial_weight else 1.0

    def followed(until, optimizer):
        schedule = [(optimizer, config.learning_rate)] if config.anneal else []
        return [FollowPace(pace, until, schedule), StopOnNonFinite(best), best, *callbacks]

    new = functools.partial(_adam, config)
    with keeping_best(best, callbacks):
        if first > 0:
            optimizer = new(config.learning_rate)
            model.compile(optimizer, jit_compile=False)
            fit(model, batches, followed(first, optimizer))
            best.restore()
        if first < 1 and critic_has_time(pace):
            optimizer = new(config.learning_rate)
            model.compile(optimizer, new(config.critic_learning_rate), jit_compile=False)
            best.start_again()
            fit(model, batches, followed(1.0, optimizer))


def _adam(config, learning_rate):
    from keras_mri.training import optimizers

    return optimizers.Adam(learning_rate, beta_1=config.beta_1, beta_2=config.beta_2, epsilon=1e-7, clipnorm=config.clip_norm)
