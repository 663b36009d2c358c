"""Check an image's header against its file before any voxel is read: a damaged header of a few bytes can ask for terabytes."""

import functools
import io
import math
import struct
import zlib

import nibabel
import numpy as np

from keras_mri.errors import InputError, first_line
from keras_mri.io import grids
from keras_mri.io.memory import available_bytes

# Up to this ratio of compression (scans reach 3, masks 100) a header is believed; beyond, the file is decompressed to count its bytes.
_RATIO = 16
_COMPRESSED = (".gz", ".mgz", ".bz2", ".zst")
_BLOCK = 1 << 20
# Bytes of all extensions of a header; the reader takes each into memory whole.
_MOST_EXTENSIONS = 1 << 26
# mm, with room for headers in other units: a voxel of 1e30 mm is a damaged header.
_SIDES = (1e-6, 1e6)
# Volume of a voxel over the product of its sides; 1 where they are perpendicular.
_FLATTEST = 1e-4


def check_data(path, open_file, offset, shape, itemsize):
    """Raise unless a file holds the voxels that its header claims, and one frame of them fits in memory.

    Parameters
    ----------
    path : pathlib.Path
        The file with the voxels.
    open_file : callable
        Returns a context manager that yields the file's content, decompressed, as a binary stream.
    offset : int
        Bytes before the first voxel.
    shape : tuple of int
    itemsize : int
        Bytes per voxel.

    Raises
    ------
    InputError
        If a side is not positive, the file is too short, or a frame is too large.
    """
    shape = tuple(int(side) for side in shape)
    if min(shape, default=0) < 1 or offset < 0:
        raise InputError(f"the header of {path} is damaged: it claims the shape {shape}, {offset} bytes into the file. Copy it again.")
    end = int(offset) + math.prod(shape) * int(itemsize)
    held = path.stat().st_size
    if end > held and path.suffix.lower() in _COMPRESSED:
        held = held * _RATIO if end <= held * _RATIO else _length(open_file, end)
    if end > held:
        claimed, found = (_size(end), _size(held)) if _size(end) != _size(held) else (f"{end} bytes", f"{held} bytes")
        raise InputError(
            f"{path} is truncated or damaged: its header claims the shape {shape}, {claimed}, and the file holds {found}. "
            "Copy or download it again."
        )
    # Three copies: as stored in the file, scaled (float64), and as returned (float32).
    needed = math.prod(shape[:3]) * (int(itemsize) + 8 + 4)
    if needed > available_bytes():
        raise InputError(
            f"{path} is too large: a volume of the shape {shape[:3]} needs {_size(needed)} of memory, and {_size(available_bytes())} are "
            "free. Crop or resample it, or use a machine with more memory."
        )


def check_extensions(path, file, end=None, byte_order="<"):
    """Raise unless the extensions of a NIfTI header lie within it.

    Parameters
    ----------
    path : pathlib.Path
    file : binary stream
        At the four bytes after the header's fields, which say whether there are extensions.
    end : int, optional
        Offset of the first voxel; by default the extensions reach to the end of the file.
    byte_order : {"<", ">"}

    Raises
    ------
    InputError
        If an extension claims more bytes than there is room for, or all together more than 64 MB.
    """
    if not file.read(4)[:1].strip(b"\0"):
        return
    room = _MOST_EXTENSIONS if end is None else min(end - file.tell(), _MOST_EXTENSIONS)
    while room >= 16:
        start = file.read(8)
        if len(start) < 8 and end is None:
            return
        size = struct.unpack(byte_order + "i", start[:4])[0] if len(start) == 8 else -1
        if not 8 <= size <= room or len(file.read(size - 8)) < size - 8:
            raise InputError(
                f"the header of {path} is damaged: an extension claims {size} bytes where there is room for {room}. Copy it again."
            )
        room -= size


def check_affine(path, affine):
    """Raise InputError unless an affine, array of shape (4, 4) or None, gives every voxel a place and a volume."""
    affine = np.full((4, 4), np.nan) if affine is None else np.asarray(affine)
    if affine.shape != (4, 4) or affine.dtype.kind not in "iuf":
        raise InputError(f"`affine` of {path} must be 4 × 4 numbers, voxel indices to RAS+ millimetres. Received: {_short(affine)}.")
    if not is_usable(affine):
        rows = np.array2string(np.asarray(affine)[:3], precision=4).replace("\n", "")
        raise InputError(
            f"{path} must say where its voxels lie. Received: an affine that is not finite, or gives voxels no volume, {rows}. "
            "Set the sform of its header, e.g. from a scan of the same session."
        )


def check_header(name, header):
    """Raise InputError unless a header is a NIfTI header of nibabel's that can be written, or None; `name` of the image."""
    if header is None:
        return
    if not isinstance(header, nibabel.Nifti1Header):
        raise InputError(f"`header` of {name} must be a NIfTI header of nibabel's, or None. Received: {type(header).__name__}.")
    try:
        type(header).from_header(header)
    except nibabel.spatialimages.HeaderDataError as error:
        raise InputError(f"`header` of {name} is damaged: {first_line(error)}. Take it from an image that nibabel loads.") from error


def check_numbers(name, dtype):
    """Raise InputError unless an array of this type holds real numbers; `name` of the image, `dtype` of NumPy."""
    if dtype.kind in "iufb":
        return
    kind = {"c": "complex numbers", "V": "colours (RGB)", "S": "text", "U": "text"}.get(dtype.kind, "other data")
    remedy = "Save the magnitude, e.g. with numpy.abs." if dtype.kind == "c" else "Save one intensity per voxel."
    raise InputError(f"{name} must hold real numbers. Received: {kind} ({dtype}). {remedy}")


def is_usable(affine):
    """Return whether an affine, ndarray of shape (4, 4), gives every voxel a place and a volume: bool."""
    with np.errstate(all="ignore"):
        zooms = np.array(grids.zooms(affine))
        usable = np.isfinite(affine).all() and (zooms > _SIDES[0]).all() and (zooms < _SIDES[1]).all()
        return bool(usable and abs(np.linalg.det(affine[:3, :3] / zooms)) > _FLATTEST)


def content_length(path, expected):
    """Return how many bytes a file holds once it is decompressed.

    Parameters
    ----------
    path : pathlib.Path
    expected : int
        Of a compressed file no more than twice as many are counted, and none if the file itself says that there are as many.

    Returns
    -------
    int
    """
    if path.suffix.lower() not in _COMPRESSED:
        return path.stat().st_size
    if path.suffix.lower() in (".gz", ".mgz"):
        with path.open("rb") as file:
            file.seek(-4, io.SEEK_END)
            # RFC 1952: a gzip file ends with the length of its content, modulo 2**32.
            if int.from_bytes(file.read(), "little") == expected % 2**32:
                return expected
    return _length(functools.partial(nibabel.openers.ImageOpener, path, "rb"), 2 * expected)


def _length(open_file, most):
    """Return the length of a file's decompressed content, counted block by block and no further than `most`."""
    count = 0
    try:
        with open_file() as file:
            while count < most:
                block = file.read(_BLOCK)
                if not block:
                    break
                count += len(block)
    except (OSError, EOFError, zlib.error):
        pass  # the bytes before the damage count
    return count


def _short(array):
    """Return shape and type of an array, for messages."""
    return f"shape {array.shape}, {array.dtype}"


def _size(count):
    """Return a number of bytes with a unit, for messages."""
    steps = next((number for number in range(4) if count < 1000 ** (number + 1)), 4)
    return f"{count / 1000**steps:.3g} {('bytes', 'kB', 'MB', 'GB', 'TB')[steps]}"
