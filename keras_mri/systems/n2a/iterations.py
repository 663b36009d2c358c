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
from keras_mri.training.callbacks import FollowPace, StopOnNonFinite, WatchesPace
from keras_mri.training.fit import fit, untuned
from keras_mri.training.pace import Pace

_LOGGER = logging.getLogger(__name__)
# Without a number of iterations: no more than this, and no further one unless the score falls by this share.
_MOST_ITERATIONS, _LEAST_GAIN = 3, 1e-3
# Of the time that is left, what the next iteration takes, because the first target teaches most; the last takes all.
_TIME_SHARE = 0.75
# Share of the robust maximum below which the noise of a repetition may be too weak for a network to gain anything on the average (ge-seepi,
# 1.3 %: nothing in three trainings); the share of a training after which that shows, and the share of the score that counts as a gain.
WEAK_NOISE, _EARLY, _LEAST_EARLY_GAIN = 0.02, 0.1, 0.01


def iterate(network, blocks, best, config, callbacks, denoised):
    """Train towards the first target, then towards the denoised average, and say whether that was better than restoring nothing.

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

    Returns
    -------
    bool

    Raises
    ------
    InputError
        If training diverges.
    """
    start, validation = network.get_weights(), untuned(blocks.validation())
    network.compile(loss="mse", jit_compile=False)
    best.offer(network.evaluate(validation, verbose=0))
    kept = 0
    measured = held_out_score(validation, lambda image: image)
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
    return best.best < measured


def restore_nothing(network, best):
    """Make the best network give back what it gets, so that the result is the average: it has no residual any more.

    Parameters
    ----------
    network : keras.Model
    best : keras_mri.training.callbacks.KeepBest
        Keeps it.
    """
    best.restore()
    head = network.get_layer("residual")
    head.set_weights([np.zeros_like(weight) for weight in head.get_weights()])
    best.adopt()


def held_out_score(validation, restore):
    """Return the mean squared error of held-out blocks inside the mask.

    Parameters
    ----------
    validation : tf.data.Dataset
        Batches of (input, target, mask).
    restore : callable
        From a batch of inputs to what is compared with the targets.

    Returns
    -------
    float
    """
    batches = validation.as_numpy_iterator()
    return float(np.mean([np.mean(mask[..., None] * (restore(image) - target) ** 2) for image, target, mask in batches]))


class NothingToGainError(Exception):
    """Raised in a training that can end: the average of the repetitions is the best there is."""


class EndWithoutGain(WatchesPace):
    """Raise NothingToGainError after the first tenth of a training that has gained nothing on the average of the repetitions.

    Parameters
    ----------
    network : keras.Model
    best : keras_mri.training.callbacks.KeepBest
    blocks : keras_mri.systems.n2a.data.RepetitionBlocks
    """

    def __init__(self, network, best, blocks):
        super().__init__()
        self.network, self.best, self.blocks, self.looked = network, best, blocks, False

    def on_train_batch_end(self, batch, logs=None):
        """Look once, as soon as the tenth is over: iterations begin with it, so that it is no more than a tenth of all."""
        # Only here: it needs TensorFlow, and whoever only uses a network has none.
        from keras_mri.training.machines import agreed

        if self.looked or self.pace is None or agreed(self.pace.progress()) < _EARLY:
            return
        self.looked, validation = True, self.blocks.validation()
        score = held_out_score(validation, lambda image: np.asarray(self.network(image, training=False), np.float32))
        gained = min(self.best.best, score) < (1 - _LEAST_EARLY_GAIN) * held_out_score(validation, lambda image: image)
        if not agreed(float(gained)):
            raise NothingToGainError


def _fit(network, batches, pace, config, callbacks):
    """Run one iteration with an annealing of its own."""
    optimizer = optimizers.Adam(config.learning_rate, beta_2=config.beta_2, clipnorm=config.clip_norm)
    network.compile(optimizer, loss="mse", weighted_metrics=[keras.metrics.MeanAbsoluteError(name="error")], jit_compile=False)
    schedule = [(optimizer, config.learning_rate)] if config.anneal else []
    fit(network, batches, [FollowPace(pace, 1.0, schedule), *callbacks])
