"""Several devices, of one machine or of many, that train together: each has its share of every batch, and all agree on the rest.

What is drawn at random is drawn for the whole batch, so the losses are those of one device with that batch.
"""

import contextlib
import logging
import signal

import tensorflow as tf

from keras_mri.errors import InputError

_LOGGER = logging.getLogger(__name__)
# What TensorFlow raises when a machine has gone, depending on what this one was at.
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)


def strategy_for(devices):
    """Return the strategy that trains on some devices of this machine: its GPUs, or its processors where there are none.

    Parameters
    ----------
    devices : int or "all"

    Returns
    -------
    tf.distribute.Strategy
        Build, compile and fit in its `scope`.

    Raises
    ------
    InputError
        If there are fewer.
    """
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    found = [device.name for device in tf.config.list_logical_devices(kind)]
    wanted = len(found) if devices == "all" else devices
    if wanted > len(found):
        raise InputError(f"--devices {wanted}: TensorFlow sees {len(found)} {kind}(s) here. Choose at most that many, or all.")
    return tf.distribute.MirroredStrategy(found[:wanted]) if wanted > 1 else tf.distribute.get_strategy()


def strategy_across(workers):
    """Return the strategy that trains on all devices of several machines; waits until all are there.

    Parameters
    ----------
    workers : keras_mri.workers.Workers

    Returns
    -------
    tf.distribute.Strategy
        As for `strategy_for`; before TensorFlow has computed anything.
    """
    _LOGGER.info("machine %d of %d, %s: waiting for the others", workers.index + 1, len(workers.addresses), ", ".join(workers.addresses))
    # TensorFlow waits without listening to Ctrl-C, and for an hour; nothing is lost yet if that ends the process.
    listened = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        with explained_loss():
            return _AcrossMachines()
    finally:
        signal.signal(signal.SIGINT, listened)


@contextlib.contextmanager
def scope(strategy):
    """Let the block build and train networks with a strategy, and explain what TensorFlow raises when another machine has gone.

    Parameters
    ----------
    strategy : tf.distribute.Strategy

    Raises
    ------
    InputError
    """
    with strategy.scope(), explained_loss() if several_machines() else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def explained_loss():
    """Turn what TensorFlow raises when another machine has gone into an InputError."""
    try:
        yield
    except _LOST as error:
        raise InputError(
            "another machine of this training has gone, or cannot be reached. Start all of them again, with --resume to go on from the "
            f"last state that was saved ({type(error).__name__})."
        ) from error


def agreed(value):
    """Return what the first machine says of a number that clocks decide, so that all do the same at the same step: float."""
    return float(_of_the_first(tf.constant(value, tf.float32))) if several_machines() else value


def agreed_on(choice, choices):
    """Return what the first machine chose: one of `choices`."""
    return choices[round(agreed(choices.index(choice)))]


def check_same_start(seconds):
    """Raise unless all machines go on from the same moment of a training.

    Parameters
    ----------
    seconds : float
        How long this machine's training had taken; 0 at the beginning.

    Raises
    ------
    InputError
    """
    if several_machines() and float(_deviation(tf.constant(seconds, tf.float32))) > 0:
        raise InputError(
            "the machines would not go on from the same state. Give all of them the same options and a folder that all can read: "
            "the first one's state is what each goes on from."
        )


def several_machines():
    """Tell whether other machines train with this one: bool."""
    return isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy)


def count():
    """Return how many devices train together: int."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def own_share(draw, size):
    """Return this device's part of what is drawn for a whole batch.

    Parameters
    ----------
    draw : callable
        From a number of examples to a tensor of them.
    size : scalar tensor of int
        Examples of this device's part of the batch.

    Returns
    -------
    tensor
    """
    if _alone():
        return draw(size)
    first = tf.distribute.get_replica_context().replica_id_in_sync_group * size
    return draw(size * count())[first : first + size]


def own_noise(tensor, seed, number):
    """Return this device's part of standard normal noise for a whole batch.

    Parameters
    ----------
    tensor : tensor, shape (batch, …)
        What the noise is for.
    seed : int
    number : scalar tensor of int
        Another one at every draw.

    Returns
    -------
    tensor of float32, shape as `tensor`
    """
    pair = numbered_seed(seed, number)
    return own_share(lambda size: tf.random.stateless_normal([size, *tensor.shape[1:]], pair), tf.shape(tensor)[0])


def picks(count, most, seed, number):
    """Return numbers from 0 up to `most`, that one not included, the same on every device: tensor of int32, shape (count,)."""
    return tf.random.stateless_uniform([count], numbered_seed(seed, number), maxval=most, dtype=tf.int32)


def numbered_seed(seed, number):
    """Return the user's seed and a running number as the two numbers of a stateless draw: tensor of int32, shape (2,)."""
    return tf.stack([seed, tf.cast(number, tf.int32)])


def together(part):
    """Return what all devices have, one after the other along the first axis: tensor, the same on each."""
    return part if _alone() else tf.distribute.get_replica_context().all_gather(part, axis=0)


def added_up(gradients):
    """Return the sums over the devices of a list of tensors, the same on each."""
    return gradients if _alone() else tf.distribute.get_replica_context().all_reduce("sum", gradients)


def shared(training, validation):
    """Make batches that all devices get equal parts of; on one device they stay as they are.

    Parameters
    ----------
    training, validation : tf.data.Dataset

    Returns
    -------
    tf.data.Dataset, tf.data.Dataset
        The held-out batches are repeated within, so that every device scores the whole of each: few have equal parts.

    Raises
    ------
    InputError
        If the training's batches have no equal parts.
    """
    if count() == 1:
        return training, validation
    size = tf.nest.flatten(training.element_spec)[0].shape[0]
    if size % count():
        raise InputError(
            f"{count()} devices cannot share batches of {size} evenly. Choose a multiple of {count()} with --batch-size "
            "(ldm: also --diffusion-batch-size), or other --devices."
        )
    devices = count()
    if several_machines():
        training, validation = (_divided_by_examples(part) for part in (training, validation))
    repeated = validation.map(lambda *batch: tf.nest.map_structure(lambda part: tf.concat([part] * devices, axis=0), batch))
    return training, repeated


class _AcrossMachines(tf.distribute.MultiWorkerMirroredStrategy):
    """TensorFlow's strategy, but that `reduce` takes what Keras gives it: whole batches, and running means (keras-team/keras#20585)."""

    def reduce(self, reduce_op, value, axis=None):
        """Reduce every tensor of a structure over all devices, and those that have an axis along it too."""
        reduce = super().reduce

        def reduced(part):
            one, *_ = self.experimental_local_results(part)
            return reduce(reduce_op, part, axis=None if one.shape.rank == 0 else axis)

        return tf.nest.map_structure(reduced, value)


def _divided_by_examples(data):
    """Let every machine make all batches and take its part of each: they come from memory, not from files that could be divided."""
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return data.with_options(options)


@tf.function
def _of_the_first(value):
    def own(value):
        return tf.where(tf.equal(tf.distribute.get_replica_context().replica_id_in_sync_group, 0), value, 0.0)

    return _sum(own, value)


@tf.function
def _deviation(value):
    first = _of_the_first(value)
    return _sum(lambda part: tf.abs(part - first), value)


def _sum(function, value):
    strategy = tf.distribute.get_strategy()
    return strategy.reduce(tf.distribute.ReduceOp.SUM, strategy.run(function, (value,)), axis=None)


def _alone():
    """Whether there is one device, or this code speaks for all of them: as when Keras builds a model before it trains."""
    return count() == 1 or tf.distribute.in_cross_replica_context()
