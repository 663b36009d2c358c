"""What Keras computes with: on any backend a network is used, on TensorFlow it is trained."""

import contextlib
import gc
import os

from keras_mri.errors import InputError, first_line


def check_usable():
    """Import Keras.

    Raises
    ------
    InputError
        If the backend that it is told to use is not installed.
    """
    _, reason = _backend()
    if reason:
        raise InputError(
            f"Keras cannot be imported with {_told()}: {reason}. Install what it computes with, tensorflow, jax or torch, and set "
            "KERAS_BACKEND to that name."
        )


def check_trains():
    """Import Keras, to train with it.

    Raises
    ------
    InputError
        If its backend is not TensorFlow, or TensorFlow is not installed.
    """
    name, reason = _backend()
    if name != "tensorflow":
        received = f"{_told()}: {reason}" if reason else f"the backend {name!r}"
        raise InputError(
            f"training needs Keras on TensorFlow. Received: {received}. Unset KERAS_BACKEND and pip install tensorflow; the trained "
            "network can then be used on any backend."
        )


def _backend():
    """Return the name of Keras's backend, None if it cannot be imported, and then why."""
    try:
        with _collecting_nothing():
            import keras
    except (ImportError, ValueError) as error:  # a backend that is not installed; one that Keras does not know
        return None, first_line(error)
    return keras.backend.backend(), None


@contextlib.contextmanager
def _collecting_nothing():
    """Let the garbage collector rest: an import makes a million objects and no garbage, and looking them through takes a sixth of it."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _told():
    """Return what the user has told Keras, as it is typed."""
    return f"KERAS_BACKEND={os.environ['KERAS_BACKEND']}" if os.environ.get("KERAS_BACKEND") else "KERAS_BACKEND not set"
