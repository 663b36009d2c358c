"""Arithmetic of the hidden layers: bfloat16 where the processor has it, float32 in everything that is saved."""

import contextlib
import pathlib

import keras


@contextlib.contextmanager
def hidden_layers_in(precision):
    """Build the networks of the block with this precision; layers that name a dtype keep theirs.

    Parameters
    ----------
    precision : {"auto", "float32", "bfloat16"}

    Yields
    ------
    str
        The precision chosen.
    """
    if precision == "auto":
        precision = "bfloat16" if has_bfloat16() else "float32"
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    try:
        yield precision
    finally:
        keras.config.set_dtype_policy(previous)


def in_float32(network):
    """Return a copy of a network, weights included, whose every layer computes in float32.

    Parameters
    ----------
    network : keras.Model
        Functional.

    Returns
    -------
    keras.Model
    """
    copy = keras.models.clone_model(
        network, clone_function=lambda layer: type(layer).from_config({**layer.get_config(), "dtype": "float32"})
    )
    copy.set_weights(network.get_weights())
    return copy


def has_bfloat16():
    """Tell whether this processor multiplies bfloat16 in hardware (Linux on x86 tells; elsewhere: False)."""
    try:
        flags = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
