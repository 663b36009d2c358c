"""What a training needs to go on after its process has died: everything that changes from step to step."""

import logging
import time

import keras
import numpy as np

from keras_mri.errors import InputError
from keras_mri.training import machines
from keras_mri.training.state_files import save_state

_LOGGER = logging.getLogger(__name__)


class TrainingState(keras.callbacks.Callback):
    """Save the state of a training now and then, before a step, and take it up again.

    A training is one fit or several. Of those that have ended, the weights they ended with are kept, so that what is computed
    between two fits is computed again; of the one that runs, also optimizers, random generators and running means. What other
    callbacks know is kept too: those attributes that they name in STATE.

    Parameters
    ----------
    path : pathlib.Path
        The state's file.
    every : float or None
        Seconds between two states; None saves nothing.
    facts : dict
        Stored with the state, to tell the training from others.
    resumed : dict, optional
        The state to take up, as `keras_mri.training.state_files.load_state` returns it.
    """

    def __init__(self, path, every, facts, resumed=None):
        super().__init__()
        self.path, self.every, self.facts = path, every, facts
        self._resumed = resumed or {"ended": [], "fit": -1, "step": 0}
        # Of the fits that have ended: what they left.
        self._ended, self._fit, self._step = [], -1, 0
        self._others, self._steps = [], 1
        self._saved, self._waiting = time.monotonic(), False
        self.interrupted = False

    @property
    def seconds_before(self):
        """Seconds that the training had taken when the state that is taken up was saved."""
        return self._resumed.get("seconds", 0.0)

    def enter(self, model, steps, callbacks):
        """Begin the next fit; called before it.

        Parameters
        ----------
        model : keras.Model
        steps : int
            Updates of an epoch.
        callbacks : sequence of keras.callbacks.Callback
            All those of the fit.

        Returns
        -------
        int or None
            Steps of this fit that are done already; None if all are, and model and callbacks are as the fit left them.
        """
        self._fit, self._steps = self._fit + 1, steps
        self._others = [callback for callback in callbacks if hasattr(callback, "STATE")]
        self._waiting = False
        if self._fit < len(self._resumed["ended"]):
            left = self._resumed["ended"][self._fit]
            _assign(model.variables, left["variables"])
            self._restore_others(left["callbacks"])
            self._ended.append(left)
            return None
        self._waiting = self._fit == self._resumed["fit"]
        self._step = self._resumed["step"] if self._waiting else 0
        return self._step

    def leave(self, model):
        """End the fit; called after it."""
        self._ended.append({"variables": _values(model.variables), "callbacks": self._states()})

    def on_epoch_begin(self, epoch, logs=None):
        """At the start of a fit that is taken up: let its first steps pass, then put everything where it was."""
        if not self._waiting:
            return
        train, passed, done = self.model.train_function, [], self._step % self._steps

        def take_up(iterator):
            # The steps of this epoch that were done already. The first is done again, because only a step makes Keras build the
            # running means; what it changes is put right below. The examples of the others are drawn and left alone.
            if len(passed) < done:
                _ = iterator.get_next() if passed else train(iterator)
                passed.append(True)
                return {}
            _assign(_changing(self.model), self._resumed["variables"])
            if done:
                _assign(self.model.metrics_variables, self._resumed["means"])
            self._restore_others(self._resumed["callbacks"])
            self.model.train_function, self._waiting = train, False
            return train(iterator)

        self.model.train_function = take_up

    def on_train_batch_begin(self, batch, logs=None):
        """Save the state if it is time; this callback is the last, so the others have prepared the step."""
        if self.every is None or self._waiting or machines.agreed(time.monotonic() - self._saved) < self.every:
            return
        self._saved = time.monotonic()
        running = {"variables": _values(_changing(self.model)), "callbacks": self._states()}
        running["means"] = _values(self.model.metrics_variables)
        seconds = self.seconds_before + time.monotonic() - self._begun
        running |= {"fit": self._fit, "step": self._step, "ended": self._ended, "seconds": seconds}
        try:
            save_state(self.path, {**running, **self.facts})
        except InputError as error:
            # What is in memory is worth more than what could not be written.
            _LOGGER.warning("the state of the training could not be saved; it goes on without: %s", error)

    def on_train_batch_end(self, batch, logs=None):
        """Count the step."""
        if not self._waiting:
            self._step += 1

    def on_train_begin(self, logs=None):
        """Start the clock at the first fit."""
        self._begun = getattr(self, "_begun", time.monotonic())

    def _states(self):
        return [{name: getattr(callback, name) for name in callback.STATE} for callback in self._others]

    def _restore_others(self, states):
        for callback, state in zip(self._others, states, strict=True):
            for name, value in state.items():
                setattr(callback, name, value)


def _changing(model):
    """Return the variables that a step changes, but for running means: weights, random generators, optimizers."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    optimizers = [optimizer for optimizer in (model.optimizer, getattr(model, "critic_optimizer", None)) if optimizer is not None]
    return [*model.variables, *(variable for optimizer in optimizers for variable in optimizer.variables)]


def _values(variables):
    return [np.array(variable) for variable in variables]


def _assign(variables, values):
    if [tuple(variable.shape) for variable in variables] != [value.shape for value in values]:
        raise InputError("the saved state is that of another network. Train from the start, with `overwrite`.")
    for variable, value in zip(variables, values):
        variable.assign(value)
