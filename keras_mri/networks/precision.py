"""Arithmetic of the hidden layers: bfloat16 where the processor is faster in it, float32 in everything that is saved."""

import contextlib
import functools
import pathlib
import time

import keras
import numpy as np

# Channels of the convolution that is timed, as of the default networks' widest; blocks of 16³ take some 10 ms.
_CHANNELS, _SIDE, _ROUNDS = 64, 16, 5
# Where Linux lists what the processor can do.
_CPUINFO = pathlib.Path("/proc/cpuinfo")


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
    precision = chosen_precision(precision)
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    try:
        yield precision
    finally:
        keras.config.set_dtype_policy(previous)


def chosen_precision(precision):
    """Return what "auto" means on this machine, found by timing a convolution; anything else as it is: str."""
    if precision != "auto":
        return precision
    return "bfloat16" if has_bfloat16() and _faster_in_bfloat16() else "float32"


@contextlib.contextmanager
def without_optimizer(network):
    """Let copies made in the block be of the network alone: Keras would copy the optimizer too, which takes seconds.

    Parameters
    ----------
    network : keras.Model
    """
    compiled, network.compiled = network.compiled, False
    try:
        yield
    finally:
        network.compiled = compiled


def in_float32(network):
    """Return a copy of a network, weights included, whose every layer computes in float32.

    Parameters
    ----------
    network : keras.Model
        Functional; so are the networks that it may be made of.

    Returns
    -------
    keras.Model
    """

    def in_float32_too(layer):
        if isinstance(layer, keras.Model):
            return in_float32(layer)
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    with without_optimizer(network):
        copy = keras.models.clone_model(network, clone_function=in_float32_too)
    copy.set_weights(network.get_weights())
    return copy


def with_hidden_layers_in(network, precision):
    """Return a network whose hidden layers, between the first and the last convolution, compute in this precision.

    Parameters
    ----------
    network : keras.Model
        Functional.
    precision : {"auto", "float32", "bfloat16"}

    Returns
    -------
    keras.Model
        A copy with the same weights; the network itself if it computes so already.
    """
    if precision == "float32" and all(layer.compute_dtype == "float32" for layer in network.layers):
        return network
    with hidden_layers_in(precision) as chosen:
        hidden = _hidden_layers(network) if chosen == "bfloat16" else ()
        policy = keras.config.dtype_policy()

    def in_its_precision(layer):
        return type(layer).from_config({**layer.get_config(), "dtype": policy if layer.name in hidden else "float32"})

    with without_optimizer(network):
        copy = keras.models.clone_model(network, clone_function=in_its_precision)
    copy.set_weights(network.get_weights())
    return copy


def _hidden_layers(network):
    """Return the names of the layers from the first convolution to the one before the last: the others work on intensities."""
    behind, kept = {}, []

    def follow(layer, *inputs, **options):
        outputs = layer(*inputs, **options)
        kept.append(outputs)  # identifiers stay unique while the tensors live
        earlier = [behind.get(id(tensor), {}) for tensor in keras.tree.flatten(inputs)]
        convolved = "Conv" in type(layer).__name__ or any(convolved for layers in earlier for convolved in layers.values())
        behind[id(outputs)] = {**{name: flag for layers in earlier for name, flag in layers.items()}, layer.name: convolved}
        return outputs

    with without_optimizer(network):
        keras.models.clone_model(network, call_function=follow, clone_function=lambda layer: layer)
    convolutions = {layer.name for layer in network.layers if "Conv" in type(layer).__name__}
    # The last convolution is the one with most behind it; a filter over frames that by-passes the network is none.
    chains = [layers for layers in behind.values() if next(reversed(layers)) in convolutions]
    *chain, _ = max(chains, key=len).items()
    return {name for name, convolved in chain if convolved}


def has_bfloat16():
    """Tell whether this processor multiplies bfloat16 in hardware (Linux on x86 tells; elsewhere: False)."""
    try:
        flags = _CPUINFO.read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


@functools.cache
def _faster_in_bfloat16():
    """Time one convolution both ways: some processors, and some virtual machines, have bfloat16 but compute slower in it."""
    data = np.ones((1, _SIDE, _SIDE, _SIDE, _CHANNELS), np.float32)
    layers = {dtype: keras.layers.Conv3D(_CHANNELS, 3, padding="same", dtype=dtype) for dtype in ("float32", "mixed_bfloat16")}
    seconds = {dtype: [] for dtype in layers}
    # The first round is for building; then both in turn, so that other work on the machine meets both.
    for number in range(1 + _ROUNDS):
        for dtype, layer in layers.items():
            start = time.perf_counter()
            keras.ops.convert_to_numpy(layer(data))
            if number:
                seconds[dtype].append(time.perf_counter() - start)
    return np.median(seconds["mixed_bfloat16"]) < np.median(seconds["float32"])
