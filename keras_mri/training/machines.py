"""Several machines that train together: they wait for each other, agree on what clocks decide, and notice when one has gone."""

import contextlib
import json
import logging
import signal
import threading
import zlib

import keras
import tensorflow as tf

from keras_mri.errors import InputError
from keras_mri.io import memory

_LOGGER = logging.getLogger(__name__)
# What TensorFlow raises when a machine has gone, depending on what this one was at. Internal errors have other causes, too.
_NAMES = ("Unavailable", "Aborted", "Cancelled", "DeadlineExceeded", "FailedPrecondition")
_LOST = tuple(getattr(tf.errors, f"{name}Error") for name in _NAMES)
_TALKING = ("ollective", "onnect", "RPC", "eartbeat")
# Ctrl-C was heard; what it raised may have been lost on the way, where Python was at a destructor or a callback of TensorFlow.
_HEARD = threading.Event()
_GO_ON = "Start all machines again, with `resume` to go on from the last state that the first one saved."


def strategy_across(workers):
    """Return the strategy that trains on all devices of several machines; waits until all are there.

    Parameters
    ----------
    workers : keras_mri.training.workers.Workers

    Returns
    -------
    tf.distribute.Strategy
        Build, compile and fit in its `scope`. To be made before TensorFlow has computed anything.

    Raises
    ------
    InputError
        If the machines cannot reach each other.
    """
    _LOGGER.info("machine %d of %d, %s: waiting for the others", workers.index + 1, len(workers.addresses), ", ".join(workers.addresses))
    # TensorFlow waits without listening to Ctrl-C, and for an hour; nothing is lost yet if that ends the process.
    listened = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        with _lost_machine_explained():
            return _AcrossMachines()
    except tf.errors.UnknownError as error:
        raise InputError(
            f"this machine could not listen at {workers.addresses[workers.index]}, the address that TF_CONFIG gives it: {_told(error)}. "
            "Is it this machine's own, and the port free?"
        ) from error
    finally:
        signal.signal(signal.SIGINT, listened)


@contextlib.contextmanager
def scope(strategy):
    """Let the block build and train networks with a strategy.

    Parameters
    ----------
    strategy : tf.distribute.Strategy

    Raises
    ------
    InputError
        Of several machines: if another one has gone, or Ctrl-C ends this one.
    """
    with strategy.scope():
        if not several():
            yield
            return
        # Neither the others without this one, nor this one without them, could go on to what comes next.
        _HEARD.clear()
        listened = signal.signal(signal.SIGINT, _interrupted)
        try:
            with _lost_machine_explained(), memory.agreed_on(_least(memory.available_bytes())):
                yield
        except BaseException:
            _release_threads()
            raise
        finally:
            signal.signal(signal.SIGINT, listened)


def several():
    """Tell whether other machines train with this one: bool."""
    return isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy)


def agreed(value):
    """Return what the first machine says of a number that clocks decide, so that all do the same at the same step: float."""
    return float(_of_the_first(tf.constant(value, tf.float32))) if several() else value


def agreed_on(choice, choices):
    """Return what the first machine chose: one of `choices`."""
    return choices[round(agreed(choices.index(choice)))]


def check_same(facts):
    """Raise unless all machines have been told the same.

    Parameters
    ----------
    facts : dict
        What JSON can hold.

    Raises
    ------
    InputError
    """
    if not several():
        return
    number = zlib.crc32(json.dumps(facts, sort_keys=True).encode())
    # In halves, which float32 holds exactly.
    if any(float(_deviation(tf.constant(half, tf.float32))) > 0 for half in divmod(number, 2**16)):
        raise InputError(
            "the machines would not do the same training. Give all of them the same command, and with `resume` a folder that all can "
            "read: the first one's state is what each goes on from."
        )


@contextlib.contextmanager
def _lost_machine_explained():
    try:
        yield
    except (*_LOST, tf.errors.InternalError) as error:
        if isinstance(error, tf.errors.InternalError) and not any(word in str(error) for word in _TALKING):
            raise
        raise InputError(f"another machine of this training has gone, or cannot be reached ({_told(error)}). {_GO_ON}") from error


class EndWhenInterrupted(keras.callbacks.Callback):
    """End a training after the step in which Ctrl-C was heard, if it has not ended before."""

    def on_train_batch_end(self, batch, logs=None):
        """Raise InputError if so."""
        if _HEARD.is_set():
            _interrupted()


def _interrupted(*_):
    _HEARD.set()
    raise InputError(f"interrupted. {_GO_ON}")


def _release_threads():
    """Let TensorFlow's threads of replicas end: one that was interrupted as it started waits for ever, and with it the process."""
    for thread in threading.enumerate():
        if hasattr(thread, "should_run") and hasattr(thread, "coord"):
            thread.coord.request_stop()
            thread.should_run.set()


def _told(error):
    """Return the line of an error of TensorFlow that tells most."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if any(word in line for word in _TALKING)), lines[0] if lines else type(error).__name__)[:200]


class _AcrossMachines(tf.distribute.MultiWorkerMirroredStrategy):
    """TensorFlow's strategy, but that `reduce` takes what Keras gives it: whole batches, and running means (keras-team/keras#20585)."""

    def reduce(self, reduce_op, value, axis=None):
        """Reduce every tensor of a structure over all devices, and those that have an axis along it too."""
        reduce = super().reduce

        def reduced(part):
            one, *_ = self.experimental_local_results(part)
            return reduce(reduce_op, part, axis=None if one.shape.rank == 0 else axis)

        return tf.nest.map_structure(reduced, value)


@tf.function
def _of_the_first(value):
    def own(value):
        return tf.where(tf.equal(tf.distribute.get_replica_context().replica_id_in_sync_group, 0), value, 0.0)

    return _sum(own, value)


@tf.function
def _deviation(value):
    first = _of_the_first(value)
    return _sum(lambda part: tf.abs(part - first), value)


@tf.function
def _least_of(value):
    def own(value):
        return tf.reduce_min(tf.distribute.get_replica_context().all_gather(value[None], axis=0)) / strategy.num_replicas_in_sync

    strategy = tf.distribute.get_strategy()
    return _sum(own, value)


def _least(value):
    return float(_least_of(tf.constant(value, tf.float32)))


def _sum(function, value):
    strategy = tf.distribute.get_strategy()
    return strategy.reduce(tf.distribute.ReduceOp.SUM, strategy.run(function, (value,)), axis=None)
