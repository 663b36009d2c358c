"""Building and saving with Keras, guarded: no more numbers than the file holds, no remarks, one thread at a time."""

import contextlib
import logging
import math
import threading

from keras_mri.errors import CheckpointError, first_line

# `add_weight` and the logger's level belong to the whole process: two threads that changed them at once would not restore them.
_LOCK = threading.RLock()


def built(path, numbers):
    """Build the network of a file that was checked before.

    Parameters
    ----------
    path : pathlib.Path
        Ends in `.h5` or `.keras`: Keras chooses the reader by the ending.
    numbers : int
        Numbers in all arrays of the file. Layers may not claim more.

    Returns
    -------
    keras.Model

    Raises
    ------
    CheckpointError
        If Keras cannot build it, or its layers claim more numbers.
    """
    import keras

    try:
        with quiet(), at_most(numbers, path):
            return keras.models.load_model(path, compile=False)
    except CheckpointError:
        raise
    except Exception as error:  # whatever Keras raises, the file is at fault: its layers were checked before
        raise CheckpointError(f"{path} does not hold a network that Keras can build: {first_line(error)}.") from error


@contextlib.contextmanager
def at_most(count, path):
    """Limit the weights that layers add, before there is memory for them: a description can claim any shape.

    Keras offers no hook, so `keras.layers.Layer.add_weight` is replaced for the time of the block. A lock admits one thread at a
    time, and only layers that this thread builds are counted: other threads build theirs as ever.

    Parameters
    ----------
    count : int
        Numbers in all weights together.
    path : str or path-like
        The file, for the message.

    Raises
    ------
    CheckpointError
        Out of the layer that exceeds it.
    """
    import keras

    with _LOCK:
        left, owner, add_weight = [count], threading.get_ident(), keras.layers.Layer.add_weight

        def add_counted(layer, *arguments, **options):
            if threading.get_ident() == owner:
                shape = options.get("shape", arguments[0] if arguments else ()) or ()
                left[0] -= math.prod(shape) if isinstance(shape, (tuple, list)) else shape
                if left[0] < 0:
                    raise CheckpointError(
                        f"{path} is refused: with {layer.name!r}, of shape {shape}, its layers claim more numbers than the {count:,} "
                        "it holds. Use only files whose origin you know."
                    )
            return add_weight(layer, *arguments, **options)

        keras.layers.Layer.add_weight = add_counted
        try:
            yield
        finally:
            keras.layers.Layer.add_weight = add_weight


@contextlib.contextmanager
def quiet():
    """Hold back Keras' remark that `.h5` is a legacy format: it is the one that will still open in ten years."""
    logger = logging.getLogger("absl")
    with _LOCK:
        level = logger.level
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)
