"""Read NIfTI and related images: each is checked once and read frame by frame, header fields intact."""

import functools
import os
import pathlib
import zlib

import nibabel
import numpy as np

from keras_mri.errors import InputError, first_line, refused_by_system
from keras_mri.io import header_checks
from keras_mri.io.frame_store import FrameStore
from keras_mri.io.nifti_headers import single_file_header
from keras_mri.io.volumes import Volume

_READ_ERRORS = (OSError, EOFError, MemoryError, OverflowError, ValueError, zlib.error)
# Other formats of nibabel's are left out: they name further files, or are XML or HDF5.
_KINDS = (
    nibabel.Nifti1Pair,
    nibabel.Nifti1Image,
    nibabel.Nifti2Pair,
    nibabel.Cifti2Image,
    nibabel.Nifti2Image,
    nibabel.Spm2AnalyzeImage,
    nibabel.Spm99AnalyzeImage,
    nibabel.AnalyzeImage,
    nibabel.MGHImage,
)
# A file, or an image in memory.
Image = str | os.PathLike | Volume | nibabel.spatialimages.SpatialImage
# Bytes; the .mat file beside an image of SPM's holds its affine and nothing else.
_LONGEST_MAT = 100_000


class ConstantImageError(InputError):
    """All voxels of an image have one value."""


class NoNiftiError(InputError):
    """An image has another format than NIfTI where a NIfTI header is needed."""


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
        return _checked(_with_current_header(image, name), name, replace_nonfinite)
    if not isinstance(image, (str, os.PathLike)):
        raise InputError(
            f"`image` must be a path, a nibabel image of voxels or a Volume. Received: {type(image).__name__}. "
            "For an array: Volume.from_array(data, affine)."
        )
    path = _existing(image)
    return _checked(_load(path), path, replace_nonfinite)


def read_header(path):
    """Return a header as it is stored in the file: nibabel's loaded header lacks slope, intercept and the offset of the data.

    Parameters
    ----------
    path : str or path-like
        NIfTI-1 or -2, or `sample`.

    Returns
    -------
    nibabel.Nifti1Header
        Extensions included.

    Raises
    ------
    InputError
        If the file is missing, cannot be read, or is no NIfTI.
    """
    path = _existing(path)
    image = _load(path)
    if not isinstance(image.header, nibabel.Nifti1Header):
        raise NoNiftiError(f"{path} is no NIfTI file but {type(image).__name__}. Expected .nii, .nii.gz, or .hdr with .img.")
    holder = image.file_map.get("header", image.file_map["image"])
    try:
        with holder.get_prepare_fileobj("rb") as file:
            return type(image.header).from_fileobj(file, check=False)
    except _READ_ERRORS as error:
        _raise_if_refused(path, error)
        raise InputError(f"the header of {path} is damaged: {first_line(error)}. Copy or download it again.") from error


def name_of(image):
    """Return the name of an image in messages: its path, the name of a Volume, or "image in memory"."""
    if isinstance(image, Volume):
        return image.name
    if isinstance(image, nibabel.spatialimages.SpatialImage):
        return image.get_filename() or "image in memory"
    return str(image)


def _checked(image, name, replace_nonfinite):
    """Return an image of nibabel's as a Volume, or raise InputError."""
    _check_dtype(getattr(image.dataobj, "dtype", image.get_data_dtype()), name)
    _check_claims(image, name)
    read = functools.partial(_read_frame, _read_forward(image.dataobj), name, replace_nonfinite)
    facts = np.array(image.affine), single_file_header(image, name), name
    if _is_compressed_run(image.dataobj):
        # Decompressed once: the check of the values goes through all frames, and keeps them.
        store = FrameStore(image.shape[:3], image.shape[3])
        checked = Volume(functools.partial(_stored, store, read), image.shape, *facts)
        _check_values(checked)
        volume = Volume(store.frame, image.shape, *facts)
        volume.extremes = checked.extremes
        return volume
    volume = Volume(read, image.shape, *facts)
    _check_values(volume)
    return volume


def _is_compressed_run(data):
    """Whether frames of a file can be reached only by decompressing those before them."""
    return len(data.shape) == 4 and data.shape[3] > 1 and str(getattr(data, "file_like", "")).endswith((".gz", ".bz2", ".mgz", ".zst"))


def _stored(store, read, t):
    frame = read(t)
    store.write(t, frame)
    return frame


def _with_current_header(image, name):
    """Return a copy of an image, voxels shared, whose header has its shape and affine: nibabel updates a header only when it writes it."""
    if not isinstance(image.header, nibabel.Nifti1Header):
        return image
    affine = image.header.get_best_affine() if image.affine is None else image.affine
    header_checks.check_affine(name, affine)
    return type(image)(image.dataobj, affine, image.header)


def _read_forward(data):
    """Keep a compressed run open: it is then read forward frame by frame, instead of from its start for each frame.

    A single frame is read at once, and its file closed: a process may hold few open.
    """
    if len(data.shape) < 4 or data.shape[3] == 1:
        return data
    if type(data) is not nibabel.arrayproxy.ArrayProxy or not str(data.file_like).endswith(".gz") or data.order != "F":
        return data
    return nibabel.arrayproxy.ArrayProxy(data.file_like, (data.shape, data.dtype, data.offset, data.slope, data.inter), keep_file_open=True)


def _existing(path):
    path = _sample_path() if str(path) == "sample" else pathlib.Path(path)
    if not os.path.isfile(path):  # unlike Path.is_file, it takes names that no file can have
        raise InputError(f"{path} is not a file. Expected a NIfTI image (.nii or .nii.gz); check the path.")
    return path


def _load(path):
    try:
        # nibabel takes a file that the system does not open for one of another format.
        open(path, "rb").close()
        kind = _kind(path)
        _check_header(kind, path)
        return kind.from_filename(path)
    except InputError:
        raise
    except Exception as error:  # for any other error of nibabel's, the file is at fault
        _raise_if_refused(path, error)
        raise InputError(
            f"{path} cannot be read as an image: {first_line(error)}. Expected NIfTI (.nii, .nii.gz), Analyze or MGH."
        ) from error


def _kind(path):
    """Return the class of nibabel that reads a file, by its ending and its first bytes."""
    sniffed = None
    for kind in _KINDS:
        fits, sniffed = kind.path_maybe_image(path, sniffed)
        if fits and kind is nibabel.Cifti2Image:
            raise ValueError("Cifti2Image is no voxel grid")
        if fits:
            return kind
    raise ValueError("ending and content are those of none of these formats" if path.stat().st_size else "the file is empty")


def _check_header(kind, path):
    """Raise InputError if extensions of the header, or SPM's .mat file, are so large that reading them would fill the memory."""
    files = kind.filespec_to_file_map(path)
    mat = pathlib.Path(files["mat"].filename) if "mat" in files else None
    if mat and mat.is_file() and mat.stat().st_size > _LONGEST_MAT:
        raise InputError(f"{mat} should hold the affine of {path}. Received: {mat.stat().st_size} bytes. Move it away, or mend it.")
    if not issubclass(kind, nibabel.Nifti1Pair):
        return
    with files.get("header", files["image"]).get_prepare_fileobj("rb") as file:
        header = kind.header_class(file.read(kind.header_class.sizeof_hdr), check=False)
        end = None if "header" in files else header.get_data_offset()
        header_checks.check_extensions(path, file, end, header.endianness)


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


def _read_frame(data, name, replace_nonfinite, t):
    try:
        data = data[..., t] if len(data.shape) == 4 else data[...]
    except _READ_ERRORS as error:
        _raise_if_refused(name, error)
        raise InputError(f"{name} is truncated or damaged: {first_line(error)}. Copy or download it again.") from error
    # A copy of what is mapped into memory, whose file would stay open as long as the frame is kept.
    data = np.array(data, dtype=np.float32) if isinstance(data, np.memmap) else np.asarray(data, dtype=np.float32)
    return np.nan_to_num(data, nan=0.0, posinf=0.0, neginf=0.0) if replace_nonfinite else data


def _raise_if_refused(path, error):
    """Raise InputError if an exception says that the operating system does not give a file, whatever its content."""
    reason = refused_by_system(error)
    if reason:
        raise InputError(f"{path} could not be read: {reason}.") from error


def _check_dtype(dtype, name):
    if dtype.kind in "iufb":
        return
    kind = {"c": "complex numbers", "V": "colours (RGB)", "S": "text"}.get(dtype.kind, "other data")
    remedy = "Save the magnitude, e.g. with numpy.abs." if dtype.kind == "c" else "Save one intensity per voxel."
    raise InputError(f"{name} must hold real numbers. Received: {kind} ({dtype}). {remedy}")


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


def _sample_path():
    return pathlib.Path(nibabel.__file__).parent / "tests" / "data" / "example4d.nii.gz"
