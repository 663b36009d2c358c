"""The one door to HDF5, and its guard: nothing is built of a file that names a class which is not one of ours."""

import contextlib
import json
import pathlib

import h5py

from keras_mri.errors import CheckpointError, InputError

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
    config = parsed(text(model_config), path)
    _check_layers(config, path)
    return config


def text(value):
    """Return an HDF5 attribute as str: older files hold bytes. Anything else is returned as it is."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def write_attribute(path, name, value):
    """Add an attribute to an HDF5 file that exists; `value` is a str."""
    with h5py.File(path, "r+") as file:
        file.attrs[name] = value


def count_numbers(group):
    """Return how many numbers all arrays below an HDF5 group hold together: int."""
    sizes = []
    group.visititems(lambda name, entry: sizes.append(entry.size) if isinstance(entry, h5py.Dataset) else None)
    return sum(sizes)


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
        Where it was read, for the message.

    Returns
    -------
    dict, list, str, float, int, bool or None

    Raises
    ------
    CheckpointError
        If it is none.
    """
    try:
        return json.loads(written)
    except (TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged: its description is no JSON.") from error
