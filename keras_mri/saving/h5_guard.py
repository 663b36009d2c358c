"""The one door to HDF5, and its guard: nothing is built of a file that names a foreign class or points to data outside the file."""

import contextlib
import io
import json
import math
import os.path
import typing

import h5py

from keras_mri.errors import CheckpointError, ForeignNetworkError, InputError

# The attribute that holds the facts.
FACTS = "keras_mri"

_LAYERS = (
    "Activation Add Average AveragePooling2D AveragePooling3D BatchNormalization Concatenate Conv2D Conv2DTranspose Conv3D "
    "Conv3DTranspose Cropping2D Cropping3D Dense Dropout ELU Embedding Flatten Functional GaussianNoise GlobalAveragePooling2D "
    "GlobalAveragePooling3D GroupNormalization InputLayer LayerNormalization LeakyReLU MaxPooling2D MaxPooling3D Maximum Model "
    "MultiHeadAttention Multiply PReLU Permute ReLU Rescaling Reshape Sequential SpatialDropout3D SpectralNormalization "
    "Softmax Subtract UpSampling2D UpSampling3D ZeroPadding2D ZeroPadding3D"
).split()
_OTHERS = (
    "Constant DTypePolicy GlorotNormal GlorotUniform HeNormal HeUniform L2 Ones RandomNormal RandomUniform TruncatedNormal "
    "VarianceScaling Zeros __keras_tensor__ __tuple__"
).split()
# Characters and levels of a description in JSON; the largest of our networks has 0.1 million and 20.
_LONGEST, _DEEPEST = 4_000_000, 100
# Bytes of all arrays, in memory over in the file: trained weights hardly compress. Less than the second number is always taken.
_RATIO, _HARMLESS = 32, 100_000_000


class Stored(typing.NamedTuple):
    """Content of a network's file: its description, checked; its facts, not yet parsed; how many numbers its weights are."""

    description: dict
    facts: str
    numbers: int


def read(path):
    """Read an `.h5` file's description and facts, and check its arrays; nothing is built.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    Stored

    Raises
    ------
    CheckpointError
        If the file is missing, truncated, no HDF5, names a class that is not on the list, or its arrays lie elsewhere or claim too much.
    ForeignNetworkError
        If it holds no network, or one that keras_mri did not write.
    """
    with opened(path) as file:
        description, facts = (text(file.attrs.get(name)) for name in ("model_config", FACTS))
        check_contents(file, path)
        numbers = count_numbers(file, "model_weights")
    if description is None:
        raise ForeignNetworkError(
            f"{path} holds no network (no `model_config`): weights alone are not enough. Expected a file from keras_mri.train."
        )
    description = checked_config(description, path)
    if facts is None:
        raise ForeignNetworkError(
            f"{path} was not written by keras_mri: its network has no `{FACTS}` attribute. Load it with keras.models.load_model."
        )
    return Stored(description, facts, numbers)


@contextlib.contextmanager
def opened(path, expected="a network trained by keras_mri (.h5)", content=None):
    """Open a file for reading.

    Parameters
    ----------
    path : str or path-like
    expected : str
        Description of the right file, for the message.
    content : bytes, optional
        Content of the HDF5 file, if it lies inside the file at `path`.

    Yields
    ------
    h5py.File
        For reading.

    Raises
    ------
    CheckpointError
        If the file is missing, is no HDF5, or breaks off while the block reads it.
    """
    if content is None and not os.path.isfile(path):
        raise CheckpointError(f"{path} is not a file. Expected {expected}; check the path.")
    try:
        with h5py.File(path if content is None else io.BytesIO(content), "r") as file:
            yield file
    except InputError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} is not an HDF5 file, or is truncated. Expected {expected}.") from error


def checked_config(model_config, path):
    """Parse the description of a network, and refuse it if it names any class but the built-in ones of keras_mri networks.

    Parameters
    ----------
    model_config : str or bytes
        JSON, as Keras writes it.
    path : str or path-like
        The file, for the message.

    Returns
    -------
    dict

    Raises
    ------
    CheckpointError
        With the name of the class.
    """
    config = parsed(text(model_config), path)
    _check_layers(config, path)
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        raise CheckpointError(f"{path} is damaged: its description is of no network. Expected a file from keras_mri.train.")
    return config


def text(value):
    """Return an HDF5 attribute as str: older files hold bytes. Anything else is returned as it is."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def write_attribute(path, name, value):
    """Add an attribute to an HDF5 file that exists; `value` is a str."""
    with h5py.File(path, "r+") as file:
        file.attrs[name] = value


def check_contents(file, path):
    """Refuse a file whose arrays lie elsewhere, or claim more memory than a file of its size can fill; none of them is read.

    HDF5 may point to any other file that the reader can open, and claim any shape for data that were never written.

    Parameters
    ----------
    file : h5py.File
    path : str or path-like
        Its place, for the message.

    Raises
    ------
    CheckpointError
        With the name of the array or link.
    """
    names, total = [], 0
    file.visit_links(names.append)
    most = max(_HARMLESS, _RATIO * os.path.getsize(path))
    for name in names:
        entry = file[name] if isinstance(file.get(name, getlink=True), h5py.HardLink) else None
        if entry is None or (isinstance(entry, h5py.Dataset) and (entry.external or entry.is_virtual)):
            raise CheckpointError(
                f"{path} is refused: its {name!r} points elsewhere. Expected arrays that lie in the file itself. "
                "Use only files whose origin you know."
            )
        if isinstance(entry, h5py.Dataset):
            if entry.dtype.kind not in "fiub":
                raise CheckpointError(f"{path} is refused: its {name!r} holds {entry.dtype}. Expected weights: numbers.")
            # A chunk is read whole, however little of it is asked for.
            total += max(_count(entry.shape), _count(entry.chunks)) * entry.dtype.itemsize
        if total > most:
            raise CheckpointError(
                f"{path} is refused: up to its {name!r} of shape {entry.shape} it claims {total / 1e6:.4g} MB of numbers, "
                f"and has {os.path.getsize(path) / 1e6:.4g} MB. Use only files whose origin you know."
            )


def count_numbers(file, name):
    """Return how many numbers all weights below a group of an HDF5 file hold together: int."""
    shapes = []

    def add(name, entry):
        # Keras' own format also keeps the state of a layer's random numbers.
        if isinstance(entry, h5py.Dataset) and "seed_generator" not in name.split("/"):
            shapes.append(entry.shape)

    group = file.get(name)
    if isinstance(group, h5py.Group):
        group.visititems(add)
    return sum(map(_count, shapes))


def _count(shape):
    """Return the product of a shape, however large; no shape holds nothing."""
    return 0 if shape is None else math.prod(map(int, shape))


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


def parsed(written, path):
    """Parse JSON that a file holds.

    Parameters
    ----------
    written : str
    path : str or path-like
        The file, for the message.

    Returns
    -------
    dict, list, str, float, int, bool or None

    Raises
    ------
    CheckpointError
        If it is none.
    """
    if isinstance(written, str) and len(written) > _LONGEST:
        raise CheckpointError(f"{path} is refused: its description has {len(written):,} characters. Expected at most {_LONGEST:,}.")
    try:
        value = json.loads(written)
    except (TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged: its description is no JSON.") from error
    if _is_deep(value):
        raise CheckpointError(f"{path} is damaged: its description is nested more than {_DEEPEST} levels deep.")
    return value


def _is_deep(value):
    """Return True if a value from JSON is nested deeper than any description of a network: later readers may recurse."""
    level = [value]
    for _ in range(_DEEPEST):
        parts = [part.values() if isinstance(part, dict) else part for part in level if isinstance(part, (dict, list))]
        level = [inner for part in parts for inner in part]
    return bool(level)
