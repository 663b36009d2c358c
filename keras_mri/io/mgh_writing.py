"""Write FreeSurfer's MGH files (.mgh, .mgz), frame by frame."""

import contextlib

import nibabel
import numpy as np

from keras_mri.errors import InputError, remark

SUFFIXES = (".mgz", ".mgh")
# Of what is written elsewhere: MGH knows no float64, and FreeSurfer before version 8 no uint16.
DTYPES = ("float32", "int16", "uint8")


def is_mgh(path):
    """Return whether a file's ending is one of MGH's: bool."""
    return path.suffix in SUFFIXES


@contextlib.contextmanager
def opened(path, volume, dtype):
    """Write header and footer around the frames that the block appends.

    Parameters
    ----------
    path : pathlib.Path
        Ends in `.mgh`, or `.mgz` to be compressed.
    volume : Volume
        Its shape, affine, repetition time, and the further values of the MGH file that it came from, if it did.
    dtype : numpy.dtype

    Yields
    ------
    callable
        Takes an ndarray of shape (x, y, z), whose values are written as they are: MGH has no slope.
    """
    header = _header(volume, dtype)
    options = {"compresslevel": 6} if path.suffix == ".mgz" else {}
    with nibabel.openers.ImageOpener(str(path), "wb", **options) as file:
        header.writehdr_to(file)
        nibabel.volumeutils.seek_tell(file, header.get_data_offset(), write0=True)
        yield lambda frame: file.write(frame.astype(header.get_data_dtype().newbyteorder(">")).tobytes(order="F"))
        header.writeftr_to(file)


def whole_numbers(frame, dtype):
    """Round a frame to what an integer type holds.

    Parameters
    ----------
    frame : ndarray of float32, shape (x, y, z)
    dtype : numpy.dtype

    Returns
    -------
    rounded : ndarray of dtype, shape (x, y, z)
    cut : int
        Voxels that lay outside the type's range, and were set to its end.
    """
    limits = np.iinfo(dtype)
    rounded = np.rint(frame)
    cut = int(((rounded < limits.min) | (rounded > limits.max)).sum())
    return np.clip(rounded, limits.min, limits.max).astype(dtype), cut


def _header(volume, dtype):
    """Return the header of an MGH file for a Volume."""
    origin = volume
    while origin.source is not None:
        origin = origin.source
    header = nibabel.MGHImage.header_class() if origin.foreign_header is None else origin.foreign_header.copy()
    delta, same = np.array(header["delta"]), tuple(header["dims"][:3]) == volume.shape[:3]
    header.set_data_dtype(dtype)
    header.set_data_shape(volume.shape)
    header["delta"] = delta
    if not (same and np.allclose(header.get_affine(), volume.affine, atol=1e-4)):
        # The fields from which FreeSurfer computes the affine; "c" is the centre of the volume.
        sides = nibabel.affines.voxel_sizes(volume.affine)
        header["goodRASFlag"], header["delta"] = 1, sides
        header["Mdc"] = (volume.affine[:3, :3] / sides).T
        header["Pxyz_c"] = (volume.affine @ [*(side / 2 for side in volume.shape[:3]), 1])[:3]
    try:
        seconds = volume.repetition_time
    except InputError as error:  # header and side-car state two
        remark(volume.name, f"no repetition time is written: {error}".rstrip("."))
        return header
    if seconds is not None:
        header["tr"] = 1000 * seconds  # ms
    return header
