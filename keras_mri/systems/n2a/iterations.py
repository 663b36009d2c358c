"""Noise2Average's iterations: the others' average is the first target, what the network makes of the average the next one.

References
----------
Li et al., Proc ISMRM 2022 (Noise2Average).
"""

import logging

import keras
import numpy as np

from keras_mri.data.pipelines import Batches
from keras_mri.training import optimizers
from keras_mri.training.callbacks import FollowPace, Pace, StopOnNonFinite
from keras_mri.training.fit import fit

_LOGGER = logging.getLogger(__name__)
# Without a number of iterations: no more than this, and no further one unless the score falls by this share.
_MOST_ITERATIONS, _LEAST_GAIN = 3, 1e-3
# Of the time that is left, what the next iteration takes, because the first target teaches most; the last takes all.
_TIME_SHARE = 0.75


def iterate(network, blocks, best, config, callbacks, denoised):
    """Train towards the first target, then towards the denoised average, and say which iteration was best.

    Parameters
    ----------
    network : keras.Model
        Trained in place.
    blocks : keras_mri.systems.n2a.data.RepetitionBlocks
    best : keras_mri.training.callbacks.KeepBest
        Keeps the network's best weights by `val_loss`: at the end those of all iterations, the initial weights included.
    config : keras_mri.systems.n2a.settings.Config
    callbacks : sequence of keras.callbacks.Callback
        Added to every fit.
    denoised : callable
        Returns the average as the network restores it: ndarray of float32, shape (x, y, z, frames), network units.

    Raises
    ------
    InputError
        If training diverges.
    """
    start, validation = network.get_weights(), blocks.validation()
    network.compile(loss="mse", jit_compile=False)
    best.offer(network.evaluate(validation, verbose=0))
    kept = 0
    measured = float(np.mean([np.mean(mask[..., None] * (image - target) ** 2) for image, target, mask in validation.as_numpy_iterator()]))
    _LOGGER.info("held-out score before training: %.6f (nothing restored: %.6f)", best.best, measured)
    most = config.iterations or _MOST_ITERATIONS
    target = None
    for iteration in range(1, most + 1):
        before = best.best
        pace = Pace(config.epochs * blocks.steps, config.time_budget, 1.0 if iteration == most else _TIME_SHARE)
        # It is the first iteration that a small budget says little of.
        pace.told = iteration > 1
        if config.restart:
            network.set_weights(start)
        batches = Batches(blocks.training(target, config.seed + 1000 * iteration), validation, blocks.steps)
        numbered = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs, number=iteration: logs.update(iteration=number))
        _fit(network, batches, pace, config, [numbered, StopOnNonFinite(best), best, *callbacks])
        kept = iteration if best.best < before else kept
        _LOGGER.info("iteration %d: best held-out score so far %.6f (before: %.6f)", iteration, best.best, before)
        done = config.iterations is None and not best.best < before * (1 - _LEAST_GAIN)
        if iteration == most or done or not pace.has_time_for_another_fit():
            break
        best.restore()
        target = denoised()
    _LOGGER.info("kept: the network of %s", f"iteration {kept}" if kept else "the start, which training did not improve")
    if best.best >= measured:
        # Never worse than the average: without a residual the network gives back what it gets.
        head = network.get_layer("residual")
        best.restore()
        head.set_weights([np.zeros_like(weight) for weight in head.get_weights()])
        best.adopt()
        _LOGGER.warning("on the held-out blocks no network was better than restoring nothing, so this one restores nothing; train longer")


def _fit(network, batches, pace, config, callbacks):
    """Run one iteration with an annealing of its own."""
    optimizer = optimizers.Adam(config.learning_rate, beta_2=config.beta_2, clipnorm=config.clip_norm)
    network.compile(optimizer, loss="mse", weighted_metrics=[keras.metrics.MeanAbsoluteError(name="error")], jit_compile=False)
    schedule = [(optimizer, config.learning_rate)] if config.anneal else []
    fit(network, batches, [FollowPace(pace, 1.0, schedule), *callbacks])
