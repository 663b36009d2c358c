"""What happens around the training steps: learning rate, the end in time, keeping the best, history."""

import logging
import math
import time

import keras
import numpy as np

from keras_mri.errors import InputError
from keras_mri.io.tables import write_rows

_LOGGER = logging.getLogger(__name__)
# The learning rate climbs over the first twentieth and ends at a fiftieth.
_CLIMB, _FLOOR = 0.05, 0.02


class FollowPace(keras.callbacks.Callback):
    """Count steps, set the learning rates, and stop when a share of the training is done.

    Parameters
    ----------
    pace : Pace
    until : float
        Share of the whole training at which to stop.
    schedules : sequence of (keras.optimizers.Optimizer, float)
        Optimizers with their highest learning rate, annealed by a cosine; empty leaves them alone.
    """

    STATE = ("pace_state",)

    def __init__(self, pace, until=1.0, schedules=()):
        super().__init__()
        self.pace, self.until, self.schedules = pace, until, schedules
        self._tested = 0.0

    @property
    def pace_state(self):
        """What the pace knows."""
        return self.pace.state

    @pace_state.setter
    def pace_state(self, state):
        self.pace.state = state

    def on_train_begin(self, logs=None):
        """Begin a fit."""
        self.pace.begin_fit()

    def on_train_batch_begin(self, batch, logs=None):
        """Set the learning rates for this step."""
        self.pace.begin_step()
        share = self._agreed(self.pace.progress())
        factor = min(1.0, 0.05 + share / _CLIMB) * (_FLOOR + (1 - _FLOOR) * (1 + math.cos(math.pi * share)) / 2)
        for optimizer, highest in self.schedules:
            optimizer.learning_rate.assign(highest * factor)

    def on_train_batch_end(self, batch, logs=None):
        """Count the step and stop in time."""
        self.pace.end_step()
        over = self._agreed(float(self.pace.over(self.until))) > 0
        if over:
            self.model.stop_training = True
        if self.pace.time_budget and not self.pace.told and (over or self.pace.step > 1):
            self._tell()

    def on_test_begin(self, logs=None):
        """Note when a validation begins."""
        self._tested = self.pace.elapsed()

    def on_test_end(self, logs=None):
        """Note how long a validation took."""
        self.pace.end_validation(self.pace.elapsed() - self._tested)

    def _tell(self):
        """Say once if the budget is too small for an epoch, or for anything."""
        self.pace.told = True
        epoch, fitting = (self.params or {}).get("steps") or 1, self.pace.step + int(self.pace.steps_to_come())
        if fitting < epoch:
            _LOGGER.warning(
                "warning: `time_budget`: of the %d steps of an epoch, about %d fit into it; this training ends after about %.0f s",
                epoch, fitting, max(self.pace.time_budget, self.pace.least()),
            )  # fmt: skip

    def _agreed(self, value):
        # Only here: it needs TensorFlow, and whoever only uses a network has none.
        from keras_mri.training.machines import agreed

        return agreed(value) if self.pace.time_budget else value


class WatchesPace(keras.callbacks.Callback):
    """Base of callbacks that show how far a training is; `keras_mri.training.fit.fit` gives them the Pace of the fit.

    Attributes
    ----------
    pace : Pace or None
        None before the first fit.
    """

    pace = None


class KeepBest(keras.callbacks.Callback):
    """Keep in memory the weights of the epoch with the lowest validation error, and its number through every fit.

    Parameters
    ----------
    network : keras.Model
        What will be saved.
    monitor : str
        The logged number that should fall.
    """

    STATE = ("best", "weights", "epochs", "epoch")

    def __init__(self, network, monitor="val_error"):
        super().__init__()
        self.network, self.monitor = network, monitor
        self.best, self.weights = math.inf, None
        self.epochs, self.epoch = 0, 0

    def on_epoch_end(self, epoch, logs=None):
        """Compare this epoch with the best one."""
        self.epochs += 1
        self.offer((logs or {}).get(self.monitor, math.nan))

    def offer(self, score):
        """Keep the network's present weights if their validation error, `score`, is the lowest so far."""
        if score < self.best:
            self.best, self.epoch, self.weights = float(score), self.epochs, self.network.get_weights()

    def adopt(self):
        """Keep the network's present weights, whatever their validation error."""
        self.weights = self.network.get_weights()

    def start_again(self):
        """Forget the lowest error (the loss changes here) but keep its weights as a fallback."""
        self.best = math.inf

    def restore(self):
        """Give the network its best weights; without a finished epoch it keeps what it has."""
        if self.weights is not None:
            self.network.set_weights(self.weights)


class KeepLast(keras.callbacks.Callback):
    """Keep in memory the weights of the last epoch that ended with finite ones, through every fit of a training."""

    STATE = ("weights",)

    def __init__(self):
        super().__init__()
        self.weights = None

    def on_epoch_end(self, epoch, logs=None):
        """Take the network's weights."""
        weights = getattr(self.model, "network", self.model).get_weights()
        if all(np.isfinite(weight).all() for weight in weights):
            self.weights = weights

    def network_like(self, network):
        """Return a copy of a network with the weights kept."""
        copy = keras.models.clone_model(network)
        copy.set_weights(self.weights)
        return copy


class StopOnNonFinite(keras.callbacks.Callback):
    """Stop as soon as any logged number is NaN or infinite; `TerminateOnNaN` looks only at `loss`.

    Parameters
    ----------
    best : KeepBest
        If it holds a network, training ends with that one.

    Raises
    ------
    InputError
        If there is no network to keep yet.
    """

    def __init__(self, best):
        super().__init__()
        self.best = best

    def on_train_batch_end(self, batch, logs=None):
        """Look at the numbers of this step."""
        self._look(logs)

    def on_epoch_end(self, epoch, logs=None):
        """Look at the numbers on held-out data, which alone tell of the epoch's last step."""
        self._look(logs)

    def _look(self, logs):
        bad = sorted(name for name, value in (logs or {}).items() if not math.isfinite(float(value)))
        if not bad:
            return
        if self.best.weights is None:
            raise InputError(
                f"training diverged: {', '.join(bad)} became NaN or infinite in the first epoch. "
                "Lower `learning_rate`, or set `precision` to float32."
            )
        _LOGGER.warning("training diverged (%s not finite); keeping the best network so far", ", ".join(bad))
        self.model.stop_training = True


class EpochLog(keras.callbacks.Callback):
    """Keep one row for each epoch, through every fit of a training.

    Parameters
    ----------
    path : pathlib.Path, optional
        A CSV file that holds the rows so far.
    """

    STATE = ("rows", "seconds")

    def __init__(self, path=None):
        super().__init__()
        self.path, self.rows, self.start = path, [], time.monotonic()
        # Whether the file is this training's own.
        self.written = False

    @property
    def seconds(self):
        """Seconds since training began."""
        return time.monotonic() - self.start

    @seconds.setter
    def seconds(self, seconds):
        self.start = time.monotonic() - seconds

    def on_epoch_end(self, epoch, logs=None):
        """Add this epoch's row, and rewrite the file."""
        row = {"epoch": len(self.rows) + 1, "seconds": round(self.seconds, 1)}
        row.update({name: float(value) for name, value in (logs or {}).items()})
        self.rows.append(row)
        if self.path:
            write_rows(self.rows, self.path)
            self.written = True


class EveryEpochs(keras.callbacks.Callback):
    """Call a function with the network every so many epochs, counted through every fit of a training.

    Parameters
    ----------
    every : int
        Epochs.
    act : callable
        `act(network, epoch)`.
    """

    STATE = ("epoch",)

    def __init__(self, every, act):
        super().__init__()
        self.every, self.act, self.epoch = every, act, 0

    def on_epoch_end(self, epoch, logs=None):
        """Count, and act when it is time."""
        self.epoch += 1
        if self.epoch % self.every == 0:
            self.act(getattr(self.model, "network", self.model), self.epoch)
