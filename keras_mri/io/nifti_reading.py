"""The way in from NIfTI files: images checked once and read frame by frame, header fields intact."""

import functools
import os.path
import pathlib
import zlib

import nibabel
import numpy as np

from keras_mri.errors import InputError, first_line
from keras_mri.io import header_checks as image_claims
from keras_mri.io.nifti_headers import single_file_header
from keras_mri.io.volumes import Volume

_READ_ERRORS = (OSError, EOFError, MemoryError, OverflowError, ValueError, zlib.error)
# What nibabel would also open is left out: other files that a format names, XML and what else HDF5 holds.
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
# Bytes; SPM keeps an affine in the .mat file beside its images, and nothing else.
_LONGEST_MAT = 100_000


class ConstantImageError(InputError):
    """All voxels of an image have one value."""


class NoNiftiError(InputError):
    """An image of another format, where a NIfTI header is asked for."""


def open_image(path, replace_nonfinite=False):
    """Open an image and check all of it once, without keeping more than a few frames in memory.

    Parameters
    ----------
    path : str or path-like
        NIfTI-1 or -2 (`.nii`, `.nii.gz`, `.hdr` with `.img`), Analyze or MGH; or `sample`, the EPI that nibabel ships.
    replace_nonfinite : bool
        Read NaN and infinity as 0 instead of refusing them.

    Returns
    -------
    Volume
        Intensities after the file's slope and intercept; its `header` is a single-file NIfTI header.

    Raises
    ------
    InputError
        If the file is missing, no image, shorter than its header claims, neither 3D nor 4D, not of real numbers, not finite,
        constant, or says no place for its voxels.
    """
    path = _existing(path)
    image = _load(path)
    _check_dtype(image.get_data_dtype(), path)
    _check_claims(image, path)
    read = functools.partial(_read_frame, image, path, replace_nonfinite)
    volume = Volume(read, image.shape, image.affine, single_file_header(image, path), path)
    _check_values(volume)
    return volume


def read_header(path):
    """Return a header as it lies in the file; what nibabel loads has lost slope, intercept and the offset of the data.

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
        raise InputError(f"the header of {path} is damaged: {first_line(error)}. Copy or download it again.") from error


def as_volume(image, replace_nonfinite=False):
    """Return `image`, a path or a Volume, as a Volume."""
    return image if isinstance(image, Volume) else open_image(image, replace_nonfinite)


def _existing(path):
    path = _sample_path() if str(path) == "sample" else pathlib.Path(path)
    if not os.path.isfile(path):  # unlike Path.is_file, it takes names that no file can have
        raise InputError(f"{path} is not a file. Expected a NIfTI image (.nii or .nii.gz); check the path.")
    return path


def _load(path):
    # An open handle lets a compressed run be read forward frame by frame, instead of from its start for each frame.
    options = {"keep_file_open": True} if path.name.endswith(".gz") else {}
    try:
        kind = _kind(path)
        _check_header(kind, path)
        return kind.from_filename(path, **options)
    except InputError:
        raise
    except Exception as error:  # whatever nibabel raises, the file is at fault
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
    """Raise InputError if what lies beside the fields of a header would take up memory: extensions, or SPM's own affine."""
    files = kind.filespec_to_file_map(path)
    mat = pathlib.Path(files["mat"].filename) if "mat" in files else None
    if mat and mat.is_file() and mat.stat().st_size > _LONGEST_MAT:
        raise InputError(f"{mat} should hold the affine of {path}. Received: {mat.stat().st_size} bytes. Move it away, or mend it.")
    if not issubclass(kind, nibabel.Nifti1Pair):
        return
    with files.get("header", files["image"]).get_prepare_fileobj("rb") as file:
        header = kind.header_class(file.read(kind.header_class.sizeof_hdr), check=False)
        end = None if "header" in files else header.get_data_offset()
        image_claims.check_extensions(path, file, end, header.endianness)


def _check_claims(image, path):
    """Raise InputError unless the file can hold what its header claims, at a place that it tells."""
    holder, data = image.file_map["image"], image.dataobj
    open_file = functools.partial(holder.get_prepare_fileobj, "rb")
    image_claims.check_data(pathlib.Path(holder.filename), open_file, data.offset, data.shape, data.dtype.itemsize)
    image_claims.check_affine(path, image.affine)


def _read_frame(image, path, replace_nonfinite, t):
    try:
        data = image.dataobj[..., t] if len(image.shape) == 4 else image.dataobj[...]
    except _READ_ERRORS as error:
        raise InputError(f"{path} is truncated or damaged: {first_line(error)}. Copy or download it again.") from error
    data = np.asarray(data, dtype=np.float32)
    return np.nan_to_num(data, nan=0.0, posinf=0.0, neginf=0.0) if replace_nonfinite else data


def _check_dtype(dtype, name):
    if dtype.kind in "iufb":
        return
    kind = {"c": "complex numbers", "V": "colours (RGB)", "S": "text"}.get(dtype.kind, "other data")
    remedy = "Save the magnitude, e.g. with numpy.abs." if dtype.kind == "c" else "Save one intensity per voxel."
    raise InputError(f"{name} must hold real numbers. Received: {kind} ({dtype}). {remedy}")


def _check_values(volume):
    """Read every frame once: refuse what is not finite or constant."""
    count, first, extremes = 0, None, []
    for t, frame in enumerate(volume.frames()):
        bad = ~np.isfinite(frame)
        if bad.any():
            count += int(bad.sum())
            index = (*np.unravel_index(np.argmax(bad), frame.shape), t)[: len(volume.shape)]
            first = first or tuple(int(i) for i in index)
        extremes += [float(frame.min()), float(frame.max())]
    if count:
        raise InputError(
            f"{volume.name} has NaN or infinity in {count} voxels, the first at {first}. "
            "Repair the image, or read them as 0 with --replace-nonfinite."
        )
    volume.extremes = min(extremes), max(extremes)
    if volume.extremes[0] == volume.extremes[1]:
        raise ConstantImageError(f"{volume.name} is constant or empty: every voxel is {extremes[0]:g}. There is nothing to work on.")


def _sample_path():
    return pathlib.Path(nibabel.__file__).parent / "tests" / "data" / "example4d.nii.gz"
