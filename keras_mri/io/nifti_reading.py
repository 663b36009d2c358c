"""Read NIfTI and related images: each is checked once and read frame by frame, header fields intact."""

import functools
import os
import pathlib

import nibabel
import numpy as np

from keras_mri.errors import InputError, first_line
from keras_mri.io.frame_store import FrameStore
from keras_mri.io.intake import contradictions, header_checks, label_maps
from keras_mri.io.intake.loading import READ_ERRORS, NoNiftiError, load, raise_if_refused, read_header
from keras_mri.io.nifti_headers import run_shape, single_file_header
from keras_mri.io.volumes import Volume

__all__ = ["ConstantImageError", "Image", "NoNiftiError", "name_of", "open_image", "open_scan", "read_header"]
# A file, or an image in memory.
Image = str | os.PathLike | Volume | nibabel.spatialimages.SpatialImage

# Of the range of intensities, that float32 should tell apart; and voxels by which the range is known.
_FINEST, _ENOUGH = 1e-4, 100_000


class ConstantImageError(InputError):
    """All voxels of an image have one value."""


def open_image(image: Image, replace_nonfinite: bool = False) -> Volume:
    """Open an image and check all of it once, without keeping more than a few frames in memory.

    Parameters
    ----------
    image : str, path-like, nibabel.spatialimages.SpatialImage or Volume
        A file: NIfTI-1 or -2 (`.nii`, `.nii.gz`, `.hdr` with `.img`), Analyze or MGH; or `sample`, the EPI that nibabel ships.
        An image of nibabel's, in memory or with its voxels still in a file, is checked like a file. A Volume is returned as it is.
    replace_nonfinite : bool
        Read NaN and infinity as 0 instead of refusing them.

    Returns
    -------
    Volume
        Intensities after slope and intercept; its `header` is a single-file NIfTI header.

    Raises
    ------
    InputError
        If `image` is of another type, or the image is missing, damaged, shorter than its header claims, neither 3D nor 4D, not of
        real numbers, not finite, constant, or has no usable affine.

    Examples
    --------
    >>> import nibabel, numpy as np
    >>> image = nibabel.Nifti1Image(np.arange(60.0).reshape(5, 4, 3), np.diag([2.0, 2.0, 3.0, 1.0]))
    >>> open_image(image)
    Volume(shape=(5, 4, 3), zooms=(2.0, 2.0, 3.0), axes='RAS', name='image in memory')
    """
    if isinstance(image, Volume):
        return image
    if isinstance(image, nibabel.spatialimages.SpatialImage):
        name = name_of(image)
        return _beside(image.get_filename(), _checked(_with_current_header(image, name), name, replace_nonfinite))
    if not isinstance(image, (str, os.PathLike)):
        raise InputError(
            f"`image` must be a path, a nibabel image of voxels or a Volume. Received: {type(image).__name__}. "
            "For an array: Volume.from_array(data, affine)."
        )
    loaded = load(image)
    path = str(loaded.get_filename())
    return _beside(pathlib.Path(path), _checked(loaded, path, replace_nonfinite))


def open_scan(image, replace_nonfinite=False):
    """Open an image as `open_image` does, and refuse one that holds labels, a mask or vectors instead of intensities.

    Parameters
    ----------
    image : str, path-like, nibabel.spatialimages.SpatialImage or Volume
    replace_nonfinite : bool

    Returns
    -------
    Volume

    Raises
    ------
    InputError
        As `open_image`; or if the image is no scan. A Volume from an array, without a header, always passes.
    """
    volume = open_image(image, replace_nonfinite)
    label_maps.check_scan(volume)
    return volume


def name_of(image):
    """Return the name of an image in messages: its path, the name of a Volume, or "image in memory"."""
    if isinstance(image, Volume):
        return image.name
    if isinstance(image, nibabel.spatialimages.SpatialImage):
        return image.get_filename() or "image in memory"
    return str(image)


def _beside(path, volume):
    """Return a Volume that knows its file, beside which its side-cars lie."""
    volume.file = path
    return volume


def _checked(image, name, replace_nonfinite):
    """Return an image of nibabel's as a Volume, or raise InputError."""
    header_checks.check_numbers(name, getattr(image.dataobj, "dtype", image.get_data_dtype()))
    _check_claims(image, name)
    shape = run_shape(image.shape, name)
    data = _read_forward(image.dataobj, shape)
    dtype = _float_type(data, name)
    read = functools.partial(_read_frame, data, name, replace_nonfinite, dtype)
    affine = contradictions.affine_in_millimetres(np.array(image.affine), image.header, name)
    facts = affine, single_file_header(image, name), name
    if _is_compressed_run(shape, data):
        # Decompressed once: the check of the values goes through all frames, and keeps them.
        store = FrameStore(shape[:3], shape[3], dtype)
        checked = Volume(functools.partial(_stored, store, read), shape, *facts)
        _check_values(checked)
        volume = Volume(store.frame, shape, *facts)
        volume.extremes = checked.extremes
    else:
        volume = Volume(read, shape, *facts)
        _check_values(volume)
    if isinstance(image, nibabel.MGHImage):
        volume.foreign_header = image.header.copy()
    return volume


def _is_compressed_run(shape, data):
    """Whether frames of a file can be reached only by decompressing those before them."""
    return len(shape) == 4 and shape[3] > 1 and str(getattr(data, "file_like", "")).endswith((".gz", ".bz2", ".mgz", ".zst"))


def _stored(store, read, t):
    frame = read(t)
    store.write(t, frame)
    return frame


def _with_current_header(image, name):
    """Return a copy of an image, voxels shared, whose header has its shape and affine: nibabel updates a header only when it writes it."""
    if not isinstance(image.header, nibabel.Nifti1Header):
        return image
    header = image.header.copy()
    contradictions.settle(header, name)
    affine = header.get_best_affine() if image.affine is None or _is_of_header(image) else image.affine
    header_checks.check_affine(name, affine)
    return type(image)(image.dataobj, affine, header)


def _is_of_header(image):
    """Whether an image in memory still has the affine that its header says."""
    return np.array_equal(image.affine, image.header.get_best_affine(), equal_nan=True)


def _read_forward(data, shape):
    """Return an image's data with the shape of a volume or run; of a compressed run as a proxy that keeps its file open.

    The run is then read forward frame by frame, instead of from its start for each frame. A single frame is read at once, and its file
    closed: a process may hold few open.
    """
    if type(data) is not nibabel.arrayproxy.ArrayProxy or data.order != "F":
        return data.reshape(shape) if tuple(data.shape) != shape else data
    reshaped = functools.partial(nibabel.arrayproxy.ArrayProxy, data.file_like, (shape, data.dtype, data.offset, data.slope, data.inter))
    # None: as nibabel is set.
    return reshaped(keep_file_open=True if _is_compressed_run(shape, data) else None)


def _check_claims(image, name):
    """Raise InputError unless the image's file, if it has one, can hold what its header claims, and its affine can be used."""
    data = image.dataobj
    if isinstance(data, nibabel.arrayproxy.ArrayProxy) and isinstance(data.file_like, (str, os.PathLike)):
        path = pathlib.Path(data.file_like)
        if not path.is_file():
            raise InputError(f"the voxels of {name} should be in {path}, which is not a file. Check the path.")
        open_file = functools.partial(nibabel.openers.ImageOpener, path, "rb")
        header_checks.check_data(path, open_file, data.offset, data.shape, data.dtype.itemsize)
    header_checks.check_affine(name, image.affine)


def _float_type(data, name):
    """Return the type in which frames are read: float64 where a pedestal leaves float32 too few digits for what lies on it."""
    stored = getattr(data, "dtype", None)
    short = stored is not None and (stored.itemsize <= 2 or stored == np.float32) and not getattr(data, "inter", 0)
    if short:
        return np.float32
    frame = _read_frame(data, name, True, np.float64, 0)
    values = frame[frame != 0][:: 1 + frame.size // _ENOUGH]
    if not values.size or np.abs(values).max() > np.finfo(np.float32).max:
        return np.float32
    low, high = np.percentile(values, (2, 98))
    digits = np.spacing(np.float32(max(abs(low), abs(high))))
    return np.float64 if high > low and digits > _FINEST * (high - low) else np.float32


def _read_frame(data, name, replace_nonfinite, dtype, t):
    try:
        data = data[..., t] if len(data.shape) == 4 else data[...]
    except READ_ERRORS as error:
        raise_if_refused(name, error)
        raise InputError(f"{name} is truncated or damaged: {first_line(error)}. Copy or download it again.") from error
    with np.errstate(all="ignore"):  # numbers beyond float32 become infinite, which is found below
        # A copy of what is mapped into memory, whose file would stay open as long as the frame is kept.
        data = np.array(data, dtype=dtype) if isinstance(data, np.memmap) else np.asarray(data, dtype=dtype)
    return np.nan_to_num(data, nan=0.0, posinf=0.0, neginf=0.0) if replace_nonfinite else data


def _check_values(volume):
    """Raise InputError unless all voxels are finite and not all are equal; every frame is read once, which fills `extremes`."""
    low, high = volume.extremes
    if not np.isfinite([low, high]).all():
        count, first = _not_finite(volume)
        raise InputError(
            f"{volume.name} has NaN or infinity in {count} voxels, the first at {first}. "
            "Repair the image, or read them as 0 with `replace_nonfinite`."
        )
    if low == high:
        raise ConstantImageError(f"{volume.name} is constant or empty: every voxel is {low:g}. There is nothing to work on.")


def _not_finite(volume):
    """Return how many voxels of a Volume are NaN or infinite, and the index of the first."""
    count, first = 0, None
    for t, frame in enumerate(volume.frames()):
        bad = ~np.isfinite(frame)
        if bad.any():
            index = (*np.unravel_index(np.argmax(bad), frame.shape), t)[: len(volume.shape)]
            count, first = count + int(bad.sum()), first or tuple(int(i) for i in index)
    return count, first
