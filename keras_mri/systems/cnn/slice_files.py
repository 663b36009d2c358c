"""The one door to `.npz` files: data sets of clean and noisy slices, ours or from elsewhere."""

import pathlib
import zipfile

import numpy as np

from keras_mri.errors import InputError
from keras_mri.io.whole_files import replacing
from keras_mri.systems.cnn.slices import Slices

# Intensities of a data set from elsewhere: [0, 1], with room for noise and for bright vessels.
_LOWEST, _HIGHEST = -1.0, 3.0
# The arrays of a file of ours beside `clean` and `noisy`.
_OURS = ("sigma", "places", "zooms", "axis", "percentiles")


def save_slices(slices, noisy, path):
    """Write a data set of clean and noisy slices to an `.npz` file.

    Parameters
    ----------
    slices : Slices
    noisy : ndarray of float32, shape (slices, x, y)
        From `with_noise`.
    path : str or path-like

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    facts = dict(sigma=slices.sigma, zooms=np.array(slices.zooms).reshape(-1, 3), percentiles=np.array(slices.percentiles or (), float))
    facts.update({} if slices.places is None else dict(places=slices.places), **({} if slices.axis is None else dict(axis=slices.axis)))
    with replacing(pathlib.Path(path)) as temporary:
        np.savez_compressed(temporary, clean=slices.clean, noisy=noisy, **facts)


def load_slices(path):
    """Read a data set of clean and noisy slices, from `save_slices` or from elsewhere.

    Parameters
    ----------
    path : str or path-like
        An `.npz` file with the arrays `clean` and `noisy`, shape (slices, x, y) or with one channel, in [0, 1].

    Returns
    -------
    Slices

    Raises
    ------
    InputError
        If it cannot be read or holds something else.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"{path} is not a file. Expected a data set of slices (.npz); check the path.")
    try:
        # No pickles: those could run code.
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ("clean", "noisy", *_OURS) if name in file.files}
            names = list(file.files)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        raise InputError(
            f"{path} cannot be read as a data set of slices. Expected an .npz file with the arrays clean and noisy."
        ) from error
    if not {"clean", "noisy"} <= set(arrays):
        raise InputError(f"{path} must hold the arrays clean and noisy. Received: {', '.join(names) or 'no array'}.")
    clean, noisy = (_stack(arrays[name], name, path) for name in ("clean", "noisy"))
    if clean.shape != noisy.shape:
        raise InputError(f"the arrays clean and noisy of {path} must have one shape. Received: {clean.shape} and {noisy.shape}.")
    if clean.min() < _LOWEST or clean.max() > _HIGHEST:
        extremes = f"{clean.min():g} to {clean.max():g}"
        raise InputError(f"the slices of {path} must be scaled to [0, 1]. Received: intensities from {extremes}.")
    sigma = np.broadcast_to(np.float32(np.std(noisy - clean, dtype=np.float64)), len(clean))
    percentiles = tuple(float(value) for value in arrays.get("percentiles", ())) or None
    zooms = tuple(tuple(float(side) for side in row) for row in arrays.get("zooms", ()))
    axis = int(arrays["axis"]) if "axis" in arrays else None
    return Slices(clean, arrays.get("sigma", sigma), noisy, arrays.get("places"), zooms, axis, percentiles)


def _stack(array, name, path):
    """Return an array as float32 of shape (slices, x, y)."""
    for channel in (-1, 1):
        if array.ndim == 4 and array.shape[channel] == 1:
            array = np.squeeze(array, axis=channel)
    if array.ndim != 3 or 0 in array.shape or array.dtype.kind not in "fiub":
        raise InputError(
            f"the array {name} of {path} must hold numbers of shape (slices, x, y). Received: {array.dtype}, shape {array.shape}."
        )
    array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise InputError(f"the array {name} of {path} has NaN or infinity. Repair it, e.g. with numpy.nan_to_num.")
    return array
