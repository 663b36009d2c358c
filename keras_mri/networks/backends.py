"""What Keras computes with: on any backend a network is used, on TensorFlow it is trained."""

import contextlib
import gc
import importlib.util
import json
import os
import pathlib
import sys

from keras_mri.errors import InputError, first_line

_BACKENDS = ("tensorflow", "jax", "torch")


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
    _take_what_is_there()
    try:
        with _collecting_nothing():
            import keras
    except (ImportError, ValueError) as error:  # a backend that is not installed; one that Keras does not know
        return None, first_line(error)
    return keras.backend.backend(), None


def _take_what_is_there():
    """Let Keras compute with JAX or PyTorch where nobody names a backend and the one that it would take is not installed."""
    if "keras" in sys.modules or os.environ.get("KERAS_BACKEND"):
        return
    # Keras writes this file by itself, so what stands there may be nobody's wish.
    settings = pathlib.Path(os.environ.get("KERAS_HOME", pathlib.Path.home() / ".keras"), "keras.json")
    try:
        wanted = json.loads(settings.read_text(encoding="utf-8"))["backend"]
    except (OSError, ValueError, LookupError, TypeError):
        wanted = "tensorflow"
    if wanted in _BACKENDS and not _is_installed(wanted):
        taken = next(filter(_is_installed, _BACKENDS), None)
        os.environ.update({"KERAS_BACKEND": taken} if taken else {})


def _is_installed(library):
    return importlib.util.find_spec(library) is not None


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
