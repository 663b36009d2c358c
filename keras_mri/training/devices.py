"""Several devices, of one machine or of many, that train together: each has its share of every batch, and all agree on the rest.

What is drawn at random is drawn for the whole batch, so the losses are those of one device with that batch.
"""

import tensorflow as tf

from keras_mri.errors import InputError
from keras_mri.training import machines


def strategy_for(devices):
    """Return the strategy that trains on some devices of this machine: its GPUs, or its processors where there are none.

    Parameters
    ----------
    devices : int or "all"

    Returns
    -------
    tf.distribute.Strategy
        Build, compile and fit in `keras_mri.training.machines.scope` of it.

    Raises
    ------
    InputError
        If there are fewer.
    """
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    found = [device.name for device in tf.config.list_logical_devices(kind)]
    wanted = len(found) if devices == "all" else devices
    if wanted > len(found):
        raise InputError(f"`devices` must be at most {len(found)}, the {kind}s that TensorFlow finds here, or all. Received: {wanted}.")
    return tf.distribute.MirroredStrategy(found[:wanted]) if wanted > 1 else tf.distribute.get_strategy()


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
            f"{count()} devices cannot share batches of {size} evenly. Choose a multiple of {count()} with `batch_size` "
            "(ldm: also `diffusion_batch_size`), or other `devices`."
        )
    devices = count()
    if machines.several():
        training, validation = (_divided_by_examples(part) for part in (training, validation))
    repeated = validation.map(lambda *batch: tf.nest.map_structure(lambda part: tf.concat([part] * devices, axis=0), batch))
    return training, repeated


def _divided_by_examples(data):
    """Let every machine make all batches and take its part of each: they come from memory, not from files that could be divided."""
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return data.with_options(options)


def _alone():
    """Whether there is one device, or this code speaks for all of them: as when Keras builds a model before it trains."""
    return count() == 1 or tf.distribute.in_cross_replica_context()
