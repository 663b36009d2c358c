"""Networks in files: a functional Keras network plus one JSON attribute, checked before and after it is written."""

import contextlib
import dataclasses
import json
import logging
import math
import pathlib
import shutil

import numpy as np

import keras_mri
from keras_mri.errors import CheckpointError, ForeignNetworkError, InputError, first_line
from keras_mri.io.whole_files import replacing
from keras_mri.saving import h5_guard as h5_files

ATTRIBUTE = "keras_mri"
_FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A trained network and what must be known to use it.

    Parameters
    ----------
    network : keras.Model
        Functional, float32.
    system : str
        Name of the system that trained it.
    config : dict
        Settings of the training, as the system's Config gives them to JSON.
    training : dict
        Facts of the training data: `zooms` (a list of mm for each scan), `sigma` (range of noise SD in network units).
    """

    network: "keras.Model"  # noqa: F821 - Keras is imported only to build one
    system: str
    config: dict
    training: dict
    inference: dict | None = None


def save(checkpoint, path):
    """Write a Checkpoint to a temporary file, load that again, compare, and rename it.

    Parameters
    ----------
    checkpoint : Checkpoint
    path : str or path-like
        Ends in `.h5`.

    Raises
    ------
    CheckpointError
        If the file does not give back the same network.
    InputError
        If it cannot be written.
    """
    path = pathlib.Path(path)
    facts = {
        "format": _FORMAT,
        "version": keras_mri.__version__,
        "system": checkpoint.system,
        "config": checkpoint.config,
        "training": checkpoint.training,
    }
    _check_space(checkpoint.network, path)
    with replacing(path) as temporary:
        with _quiet():
            checkpoint.network.save(temporary, include_optimizer=False)
        h5_files.write_attribute(temporary, ATTRIBUTE, json.dumps(facts))
        _verify(checkpoint.network, temporary)


def load(path, system=None):
    """Load a Checkpoint; nothing in the file is run or built before its layers have been checked.

    Parameters
    ----------
    path : str or path-like
    system : str, optional
        The system whose network is expected.

    Returns
    -------
    Checkpoint

    Raises
    ------
    CheckpointError
        If the file is missing, truncated, no HDF5, holds no network, one with layers that are not Keras' own, or one of
        another system.
    """
    path = pathlib.Path(path)
    facts = inspect(path)
    if system and facts["system"] != system:
        raise CheckpointError(f"{path} holds a network of the system {facts['system']!r}. Expected: {system!r}.")
    import keras

    with h5_files.opened(path) as file:
        stored = h5_files.count_numbers(file, "model_weights")
    try:
        with _quiet(), _at_most(stored, path):
            network = keras.models.load_model(path, compile=False)
    except CheckpointError:
        raise
    except Exception as error:  # whatever Keras raises, the file is at fault: its layers were checked above
        raise CheckpointError(f"{path} does not hold a network that Keras can build: {first_line(error)}.") from error
    return Checkpoint(network, facts["system"], facts["config"], facts["training"])


def inspect(path):
    """Read what a `.h5` file says about itself, and check its layers, without building anything.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    dict
        format, version, system, config, training.

    Raises
    ------
    CheckpointError
        As `load`, but for what only building would show.
    """
    path = pathlib.Path(path)
    if path.suffix != ".h5":
        # Keras chooses the reader by the ending: under another one it would read what was not checked here.
        raise CheckpointError(f"{path} must end in .h5. Expected a network trained by keras_mri.")
    with h5_files.opened(path) as file:
        attributes = {name: h5_files.text(file.attrs.get(name)) for name in ("model_config", ATTRIBUTE)}
        h5_files.check_contents(file, path)
    if attributes["model_config"] is None:
        raise ForeignNetworkError(
            f"{path} holds no network (no `model_config`): weights alone are not enough. Expected a file from keras_mri.train."
        )
    h5_files.checked_config(attributes["model_config"], path)
    if attributes[ATTRIBUTE] is None:
        raise ForeignNetworkError(
            f"{path} was not written by keras_mri: its network has no `{ATTRIBUTE}` attribute. Load it with keras.models.load_model."
        )
    facts = h5_files.parsed(attributes[ATTRIBUTE], path)
    kinds = {"format": int, "version": str, "system": str, "config": dict, "training": dict}
    missing = [name for name, kind in kinds.items() if not isinstance(facts, dict) or not isinstance(facts.get(name), kind)]
    if missing:
        raise CheckpointError(f"{path} has a damaged `{ATTRIBUTE}` attribute: no {', '.join(sorted(missing))}.")
    if facts["format"] != _FORMAT:
        raise CheckpointError(f"{path} has format {facts['format']}; this version reads {_FORMAT}. Update keras_mri (pip install -U).")
    return facts


def outline(path):
    """Describe the network of a `.h5` file without building it.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    dict
        name (str), input_shape (list of int or None, without the batch), parameters (int).

    Raises
    ------
    CheckpointError
        As `inspect`, for what concerns the network.
    """
    with h5_files.opened(path) as file:
        config = h5_files.checked_config(file.attrs.get("model_config"), path)["config"]
        h5_files.check_contents(file, path)
        parameters = h5_files.count_numbers(file, "model_weights")
    return {"name": str(config.get("name")), "input_shape": _input_shape(config, path), "parameters": parameters}


def _input_shape(config, path):
    """Return the sides of a network's first input, without the batch; none if it does not tell."""
    try:
        inputs = [layer["config"].get("batch_shape") for layer in config.get("layers", ()) if layer.get("class_name") == "InputLayer"]
        return [None if side is None else int(side) for side in (inputs[0] if inputs and inputs[0] else ())[1:]]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CheckpointError(f"{path} is damaged: its description does not say what its layers are.") from error


def _check_space(network, path):
    """Raise while there is still nothing to clean up: HDF5 does not survive a disk that fills under it."""
    needed = 2 * sum(weight.nbytes for weight in network.get_weights()) + 1_000_000
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise InputError(
            f"{path} needs {needed / 1e6:.0f} MB; the disk has {free / 1e6:.0f} MB left. Free some space or choose another folder."
        )


def _verify(network, path):
    """Raise CheckpointError unless the file gives back every weight and the same output."""
    import keras

    with _quiet():
        again = keras.models.load_model(path, compile=False)
    same = all(np.array_equal(a, b, equal_nan=True) for a, b in zip(network.get_weights(), again.get_weights(), strict=True))
    if not (same and same_output(network, again)):
        raise CheckpointError(f"{path.name} does not give back the network that was saved. This is a defect: please report it.")


def same_output(first, second, tolerance=1e-5):
    """Tell whether two networks say the same of one random example, whatever their inputs and outputs.

    Parameters
    ----------
    first, second : keras.Model
        Functional.
    tolerance : float

    Returns
    -------
    bool
    """
    rng = np.random.default_rng(0)
    # Whatever counts something, a label or a step, has a 0.
    examples = [
        rng.random([1, *(side or 16 for side in tensor.shape[1:])], dtype=np.float32)
        if "float" in tensor.dtype
        else np.zeros([1, *(side or 1 for side in tensor.shape[1:])], np.int32)
        for tensor in first.inputs
    ]
    examples = examples[0] if len(examples) == 1 else examples
    outputs = [network.predict_on_batch(examples) for network in (first, second)]
    outputs = [output if isinstance(output, list) else [output] for output in outputs]
    return all(np.allclose(a, b, atol=tolerance, equal_nan=True) for a, b in zip(*outputs, strict=True))


@contextlib.contextmanager
def _at_most(count, path):
    """Have Keras refuse a network of more numbers than its file holds, before there is memory for them: layers can claim any size."""
    import keras

    left, add_weight = [count], keras.layers.Layer.add_weight

    def add_counted(layer, *arguments, **options):
        shape = options.get("shape", arguments[0] if arguments else ()) or ()
        left[0] -= math.prod(shape) if isinstance(shape, (tuple, list)) else shape
        if left[0] < 0:
            raise CheckpointError(
                f"{path} is refused: with {layer.name!r}, of shape {shape}, its layers claim more numbers than the {count:,} it holds. "
                "Use only files whose origin you know."
            )
        return add_weight(layer, *arguments, **options)

    keras.layers.Layer.add_weight = add_counted
    try:
        yield
    finally:
        keras.layers.Layer.add_weight = add_weight


@contextlib.contextmanager
def _quiet():
    """Hold back Keras' remark that `.h5` is a legacy format: it is the one that will still open in ten years."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
