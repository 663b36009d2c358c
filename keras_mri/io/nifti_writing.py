"""Write images: frame by frame, header fields intact, and atomically (a file appears only when it is complete)."""

import contextlib
import pathlib
import tempfile

import nibabel
import numpy as np

from keras_mri.errors import InputError, remark
from keras_mri.io import mgh_writing
from keras_mri.io.nifti_headers import plain_header, run_shape
from keras_mri.io.whole_files import explained, replacing

SUFFIXES = (".nii.gz", ".nii", *mgh_writing.SUFFIXES)
DTYPES = ("float32", "float64", "int16", "uint16", "uint8")


def save(volume, path, dtype="float32"):
    """Write a Volume frame by frame, under a temporary name until it is complete.

    Parameters
    ----------
    volume : Volume
    path : str or path-like
        Ends in `.nii` or `.nii.gz`, or in `.mgz` or `.mgh` for MGH.
    dtype : {"float32", "float64", "int16", "uint16", "uint8"}
        Floating-point data have slope 1 and intercept 0; integers get those that spread them over their range. MGH has neither: its
        integers are the rounded intensities.

    Raises
    ------
    InputError
        If `dtype` is another, the disk is full, or writing fails otherwise.
    """
    path = pathlib.Path(path)
    dtype = check_dtype(dtype, path)
    if mgh_writing.is_mgh(path) and dtype.kind != "f":
        _save_rounded(volume, path, dtype)
        return
    if dtype.kind == "f":
        with replacing(path) as temporary:
            _write(temporary, volume, volume.frames(), dtype, slope=1.0, intercept=0.0)
        return
    # The range is known only when every frame has been computed: keep them on disk meanwhile.
    with contextlib.ExitStack() as stack:
        with explained(path):
            spool = stack.enter_context(tempfile.TemporaryFile(dir=path.parent))
            low, high, kept = _spool(volume.frames(), spool)
        limits = np.iinfo(dtype)
        slope = (high - low) / (limits.max - limits.min) or 1.0
        temporary = stack.enter_context(replacing(path))
        _write(temporary, volume, _unspool(spool, volume, kept), dtype, slope, intercept=low - slope * limits.min)


@contextlib.contextmanager
def appending(volume, path):
    """Yield a function that appends the next frame to a float32 file, which appears at the end of the block.

    So one pass over the frames can fill several files.

    Parameters
    ----------
    volume : Volume
        Its shape and header; its frames are not read.
    path : str or path-like
        Ends in `.nii` or `.nii.gz`.

    Yields
    ------
    callable
        Takes an ndarray of shape (x, y, z).

    Raises
    ------
    InputError
        If the disk is full, or writing fails otherwise.
    """
    with replacing(pathlib.Path(path)) as temporary, _opened(temporary, volume, np.dtype(np.float32), 1.0, 0.0) as append:
        yield append


def check_dtype(dtype, path=None):
    """Return the data type of a file that is to be written.

    Parameters
    ----------
    dtype : str or numpy.dtype
    path : str or path-like, optional
        Its ending tells the format.

    Returns
    -------
    numpy.dtype

    Raises
    ------
    InputError
        If the format, or what is written here, does not know it.
    """
    try:
        checked = np.dtype(dtype)
    except TypeError:
        checked = None
    if checked is None or checked.name not in DTYPES:
        raise InputError(f"`dtype` must be one of {', '.join(DTYPES)}. Received: {dtype}.")
    if path is not None and mgh_writing.is_mgh(pathlib.Path(path)) and checked.name not in mgh_writing.DTYPES:
        known = ", ".join(mgh_writing.DTYPES)
        raise InputError(f"`dtype` of an MGH file must be one of {known}. Received: {dtype}. For {dtype}, write NIfTI (.nii.gz).")
    return checked


def to_nibabel(volume):
    """Return a Volume as a nibabel image in memory.

    Parameters
    ----------
    volume : Volume

    Returns
    -------
    nibabel.Nifti1Image or nibabel.Nifti2Image
        float32, with the header that the file written by `save` has when nibabel has loaded it.
    """
    header = _header(volume, np.dtype(np.float32))
    # As nibabel loads a file: slope, intercept and offset belong to the numbers in a file.
    header["scl_slope"], header["scl_inter"] = np.nan, np.nan
    header.set_data_offset(0)
    kind = nibabel.Nifti2Image if isinstance(header, nibabel.Nifti2Header) else nibabel.Nifti1Image
    # The header's own affine: given another, rounded in another way, nibabel would overwrite qform and sform.
    return kind(volume.data.reshape(header.get_data_shape()), header.get_best_affine(), header)


def _header(volume, dtype):
    """Return the header with which a Volume is written, but for what depends on the numbers: slope, intercept and offset."""
    header = volume.header.copy() if volume.header is not None else plain_header(volume.shape, volume.affine)
    held = header.get_data_shape()
    # A run of the shape (x, y, z, 1, t) keeps its sides.
    if len(held) < 3 or sum(side > 1 for side in held[3:]) > 1 or run_shape(held) != volume.shape:
        header.set_data_shape(volume.shape)
    header.set_data_dtype(dtype)
    return header


def _save_rounded(volume, path, dtype):
    """Write integers that are the rounded intensities, with a remark on what rounding takes."""
    cut = 0
    with replacing(path) as temporary, mgh_writing.opened(temporary, volume, dtype) as append:
        for frame in volume.frames():
            rounded, beyond = mgh_writing.whole_numbers(frame, dtype)
            append(rounded)
            cut += beyond
    beyond = f", and {cut} voxels beyond the range of {dtype} were set to its end" if cut else ""
    remark(path, f"MGH has no slope: intensities were rounded to whole numbers{beyond}")


def _write(path, volume, frames, dtype, slope, intercept):
    with _opened(path, volume, dtype, slope, intercept) as append:
        for frame in frames:
            append(frame)


def _opened(path, volume, dtype, slope, intercept):
    """Return a context manager that writes what surrounds the frames, and yields what writes a frame."""
    return mgh_writing.opened(path, volume, dtype) if mgh_writing.is_mgh(path) else _nifti(path, volume, dtype, slope, intercept)


@contextlib.contextmanager
def _nifti(path, volume, dtype, slope, intercept):
    """Write header and extensions; yield what writes a frame. NIfTI data are in Fortran order, so one frame simply follows another."""
    header = _header(volume, dtype)
    header["scl_slope"], header["scl_inter"] = slope, intercept
    extensions = header.extensions.get_sizeondisk() if len(header.extensions) else 0
    offset = header.single_vox_offset + extensions
    header.set_data_offset(offset + -offset % 16)
    options = {"compresslevel": 6} if path.name.endswith(".gz") else {}
    with nibabel.openers.ImageOpener(str(path), "wb", **options) as file:
        header.write_to(file)
        nibabel.volumeutils.seek_tell(file, header.get_data_offset(), write0=True)
        yield lambda frame: file.write(_encoded(frame, header).tobytes(order="F"))


def _encoded(frame, header):
    """Return a frame's numbers in the file; for integers by slope and intercept as the header holds them, rounded to float32."""
    dtype = header.get_data_dtype()
    if dtype.kind == "f":
        return frame.astype(dtype)
    limits = np.iinfo(dtype)
    codes = (frame.astype(np.float64) - float(header["scl_inter"])) / float(header["scl_slope"])
    return np.clip(np.rint(codes), limits.min, limits.max).astype(dtype)


def _spool(frames, file):
    """Append every frame to an open file, as float64 if the first is, else float32; return the lowest and highest value and the type."""
    extremes, kept = [], None
    for frame in frames:
        extremes += [float(frame.min()), float(frame.max())]
        kept = kept or np.dtype(np.float64 if frame.dtype == np.float64 else np.float32)
        file.write(frame.astype(kept).tobytes())
    file.seek(0)
    return min(extremes), max(extremes), kept


def _unspool(file, volume, kept):
    shape = volume.shape[:3]
    for _ in range(volume.n_frames):
        yield np.frombuffer(file.read(kept.itemsize * int(np.prod(shape))), kept).reshape(shape)
