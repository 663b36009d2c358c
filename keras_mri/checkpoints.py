"""The one door to `.h5`: a functional Keras network plus one JSON attribute, checked before and after it is written."""

import contextlib
import dataclasses
import json
import logging
import pathlib
import shutil

import h5py
import numpy as np

import keras_mri
from keras_mri.errors import CheckpointError, ForeignNetworkError, InputError
from keras_mri.outputs import replacing

ATTRIBUTE = "keras_mri"
_FORMAT = 1
_LAYERS = (
    "Activation Add Average AveragePooling2D AveragePooling3D BatchNormalization Concatenate Conv2D Conv2DTranspose Conv3D "
    "Conv3DTranspose Cropping2D Cropping3D Dense Dropout ELU Embedding Flatten Functional GaussianNoise GlobalAveragePooling2D "
    "GlobalAveragePooling3D GroupNormalization InputLayer LayerNormalization LeakyReLU MaxPooling2D MaxPooling3D Maximum Model "
    "MultiHeadAttention Multiply PReLU Permute ReLU Rescaling Reshape Sequential SpatialDropout3D SpectralNormalization Subtract "
    "UpSampling2D UpSampling3D ZeroPadding2D ZeroPadding3D"
).split()
_OTHERS = (
    "Constant DTypePolicy GlorotNormal GlorotUniform HeNormal HeUniform L2 Ones RandomNormal RandomUniform TruncatedNormal "
    "VarianceScaling Zeros __keras_tensor__ __tuple__"
).split()


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
        with h5py.File(temporary, "r+") as file:
            file.attrs[ATTRIBUTE] = json.dumps(facts)
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

    try:
        with _quiet():
            network = keras.models.load_model(path, compile=False)
    except Exception as error:  # whatever Keras raises, the file is at fault: its layers were checked above
        raise CheckpointError(f"{path} does not hold a network that Keras can build: {_first_line(error)}.") from error
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
    with opened(path) as file:
        attributes = {name: text(file.attrs.get(name)) for name in ("model_config", ATTRIBUTE)}
    if attributes["model_config"] is None:
        raise ForeignNetworkError(
            f"{path} holds no network (no `model_config`): weights alone are not enough. Expected a file from keras_mri.train."
        )
    checked_config(attributes["model_config"], path)
    if attributes[ATTRIBUTE] is None:
        raise ForeignNetworkError(
            f"{path} was not written by keras_mri: its network has no `{ATTRIBUTE}` attribute. Load it with keras.models.load_model."
        )
    facts = _json(attributes[ATTRIBUTE], path)
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
    sizes = []
    with opened(path) as file:
        config = checked_config(file.attrs.get("model_config"), path)["config"]
        file["model_weights"].visititems(lambda name, entry: sizes.append(entry.size) if isinstance(entry, h5py.Dataset) else None)
    inputs = [layer["config"].get("batch_shape") for layer in config.get("layers", ()) if layer.get("class_name") == "InputLayer"]
    return {"name": str(config.get("name")), "input_shape": list(inputs[0][1:]) if inputs and inputs[0] else [], "parameters": sum(sizes)}


@contextlib.contextmanager
def opened(path, expected="a network trained by keras_mri (.h5)"):
    """Open a file to look into it, and only that.

    Parameters
    ----------
    path : str or path-like
    expected : str
        What the file should be, for the message.

    Yields
    ------
    h5py.File
        For reading.

    Raises
    ------
    CheckpointError
        If the file is missing, is no HDF5, or breaks off while the block reads it.
    """
    if not pathlib.Path(path).is_file():
        raise CheckpointError(f"{path} is not a file. Expected {expected}; check the path.")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except InputError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} is not an HDF5 file, or is truncated. Expected {expected}.") from error


def checked_config(model_config, path):
    """Parse the description of a network, and refuse it if it names a class that keras_mri networks are not made of.

    Parameters
    ----------
    model_config : str or bytes
        JSON, as Keras writes it.
    path : str or path-like
        Where it was read, for the message.

    Returns
    -------
    dict

    Raises
    ------
    CheckpointError
        With the name of the class.
    """
    config = _json(text(model_config), path)
    _check_layers(config, path)
    return config


def text(value):
    """Return an HDF5 attribute as str: older files hold bytes. Anything else is returned as it is."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


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


def _check_layers(config, path):
    """Raise CheckpointError if any class named in the network's JSON is not on the list of Keras' own that we use."""
    stack = [config]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            name = part.get("class_name")
            module = part.get("module") or "keras"
            if "class_name" in part and (name not in (*_LAYERS, *_OTHERS) or not str(module).split(".")[0] == "keras"):
                raise CheckpointError(
                    f"{path} is refused: it holds a {name!r}, which is not one of the built-in layers that keras_mri networks are made of "
                    "and could run code. Use only files whose origin you know."
                )
            stack.extend(part.values())
        elif isinstance(part, list):
            stack.extend(part)


def _json(written, path):
    try:
        return json.loads(written)
    except (TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged: its description is no JSON.") from error


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


def _first_line(error):
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
