"""Run `Model.fit` until a callback stops it, resuming from a saved state if there is one."""

import contextlib
import logging
import math

import keras
import tensorflow as tf

from keras_mri.training import devices, machines
from keras_mri.training.callbacks import FollowPace, WatchesPace
from keras_mri.training.resuming import TrainingState

_LOGGER = logging.getLogger(__name__)


def fit(model, batches, callbacks):
    """Fit a compiled model until a callback stops it.

    Parameters
    ----------
    model : keras.Model
    batches : NamedTuple
        `training` and `validation`, tf.data.Dataset: batches without end, the same at every call, and the held-out ones; `steps`, the
        updates of an epoch.
    callbacks : sequence of keras.callbacks.Callback
        A TrainingState among them saves the fit now and then, and resumes it. A WatchesPace learns the Pace of a FollowPace.

    Raises
    ------
    InputError
        If several devices train and cannot share the batches evenly.
    KeyboardInterrupt
        After Ctrl-C; the saved state stays.
    """
    training, validation = map(untuned, devices.shared(batches.training, batches.validation))
    states = _of_kind(callbacks, TrainingState)
    # Last, so that it saves what the others have done.
    callbacks = [callback for callback in callbacks if callback not in states] + states
    callbacks += [machines.EndWhenInterrupted()] if machines.several() else []
    _show_pace(callbacks)
    _show_work(callbacks, batches)
    done = states[0].enter(model, batches.steps, callbacks) if states else 0
    if done is None:
        return
    try:
        model.fit(
            training.skip(batches.steps * (done // batches.steps)) if done else training,
            validation_data=validation,
            steps_per_epoch=batches.steps,
            initial_epoch=done // batches.steps,
            epochs=10**6,
            callbacks=callbacks,
            verbose=0,
            shuffle=False,
        )
    except KeyboardInterrupt:
        remember_interruption(callbacks)
        raise
    if states:
        states[0].leave(model)


def untuned(data):
    """Return a tf.data.Dataset without the thread by which TensorFlow tunes it: that sleeps up to a minute, and delays whoever is done."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return data.with_options(options)


@contextlib.contextmanager
def keeping_best(best, callbacks=()):
    """Leave a network with its best weights at the end of the block, which Ctrl-C may end early.

    Parameters
    ----------
    best : keras_mri.training.callbacks.KeepBest
    callbacks : sequence of keras.callbacks.Callback
        Those of the fits in the block: Ctrl-C may come between two of them.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C, if no epoch has ended: random weights are no network to keep.
    """
    try:
        yield
    except KeyboardInterrupt:
        remember_interruption(callbacks)
        if best.weights is None:
            _LOGGER.warning("interrupted before the first epoch ended: there is no network yet")
            raise
        _LOGGER.warning("interrupted: keeping the best network so far (epoch %d)", best.epoch)
    best.restore()


class NoticesInterruption(keras.callbacks.Callback):
    """Whether Ctrl-C has ended a fit; among the callbacks of a training of several fits, so that those that follow are left out.

    Attributes
    ----------
    interrupted : bool
    """

    def __init__(self):
        super().__init__()
        self.interrupted = False


def remember_interruption(callbacks):
    """Tell those callbacks that ask: the state of the training, which is then kept when the training ends, and NoticesInterruption."""
    for asking in _of_kind(callbacks, (TrainingState, NoticesInterruption)):
        asking.interrupted = True


def compute_deterministically(wanted=True):
    """Let TensorFlow use only operations that give the same bits every time; only once per process, and before it computes."""
    if wanted:
        tf.config.experimental.enable_op_determinism()


def _show_pace(callbacks):
    for watching in _of_kind(callbacks, WatchesPace):
        watching.pace = next((following.pace for following in _of_kind(callbacks, FollowPace)), None)


def _show_work(callbacks, batches):
    """Let the paces of time budgets know how much work a validation is."""
    for pace in {following.pace for following in _of_kind(callbacks, FollowPace) if following.pace.time_budget}:
        usual = _first_shape(batches.training)[0] or 1
        # A number below 0 says that nobody knows.
        count = max(1, int(batches.validation.cardinality()))
        pace.validation_steps = count * _values(_first_shape(batches.validation), usual) / _values(_first_shape(batches.training), usual)


def _first_shape(batches):
    return tuple(tf.nest.flatten(batches.element_spec)[0].shape)


def _values(shape, usual):
    """Return the number of values of an array, whose first side, the batch, or others may not be known."""
    return math.prod(side or 1 for side in (shape[0] or usual, *shape[1:]))


def _of_kind(callbacks, kind):
    return [callback for callback in callbacks if isinstance(callback, kind)]
