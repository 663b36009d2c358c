"""Make NIfTI headers: for images of other formats, for arrays, and for another grid."""

import math

import nibabel
import numpy as np

from keras_mri.errors import InputError, first_line
from keras_mri.io import grids
from keras_mri.io.intake import header_checks
from keras_mri.io.volumes import Volume


def single_file_header(image, path):
    """Return a copy of an image's header as a single-file NIfTI header, extensions included.

    Parameters
    ----------
    image : nibabel.spatialimages.SpatialImage
        NIfTI, Analyze or MGH.
    path : str or path-like
        The image's name in messages.

    Returns
    -------
    nibabel.Nifti1Header or nibabel.Nifti2Header

    Raises
    ------
    InputError
        If the shape does not fit into NIfTI-1.
    """
    header = image.header
    if isinstance(header, nibabel.Nifti1Header):
        single = nibabel.Nifti2Header if isinstance(header, nibabel.Nifti2Header) else nibabel.Nifti1Header
        if type(header) is single:
            return header.copy()
        copied = single(header.binaryblock, endianness=header.endianness, check=False)
        copied["magic"] = single.single_magic
        copied.extensions.extend(header.extensions)
        return copied
    try:
        plain = plain_header(image.shape, image.affine)
    except nibabel.spatialimages.HeaderDataError as error:
        raise InputError(f"{path} does not fit into a NIfTI header: {first_line(error)}. Save it as NIfTI-2.") from error
    if len(image.shape) == 4:
        # MGH keeps the repetition time in milliseconds. The header of an image in memory may know nothing of its frames.
        step = float((*header.get_zooms(), 0, 0, 0, 0)[3])
        plain["pixdim"][4] = step / 1000 if isinstance(image, nibabel.MGHImage) else step
    return plain


def run_shape(shape, name="image"):
    """Return the shape of a volume or run: of more than four dimensions, those of length one after the third are left out.

    Parameters
    ----------
    shape : sequence of int
        (x, y, z[, t]), with sides of length one anywhere after z, for example (x, y, z, 1, t).
    name : str
        For the message.

    Returns
    -------
    tuple of int, (x, y, z) or (x, y, z, t)

    Raises
    ------
    InputError
        If there are two dimensions, two after the third that are longer than one, or a side of length 0.
    """
    shape = tuple(int(side) for side in shape)
    expected = f"{name} must be a 3D volume (x, y, z) or a 4D run (x, y, z, t). Received: {len(shape)}D, shape {shape}."
    if len(shape) < 3:
        raise InputError(f"{expected} Give it a third side, of length one for a single slice.")
    if min(shape) < 1:
        raise InputError(f"{expected} A side of length 0 holds no voxel.")
    if len(shape) <= 4:
        return shape
    if sum(side > 1 for side in shape[3:]) > 1:
        raise InputError(f"{expected} Save its parts, for example its echoes or components, as files of their own.")
    return (*shape[:3], math.prod(shape[3:]))


def plain_header(shape, affine):
    """Return a header that holds only a grid, in millimetres and seconds.

    Parameters
    ----------
    shape : tuple of int, (x, y, z) or (x, y, z, t)
    affine : ndarray of float64, shape (4, 4)
        Voxel indices to RAS+ millimetres.

    Returns
    -------
    nibabel.Nifti1Header
    """
    header = nibabel.Nifti1Image(np.zeros((1, 1, 1), np.float32), affine).header.copy()
    header.set_data_shape(shape)
    header.set_xyzt_units("mm", "sec")
    return header


def on_finer_grid(volume, shape, step, read_frame):
    """Return a Volume on another grid, with its header changed accordingly.

    Parameters
    ----------
    volume : Volume
    shape : tuple of int, (x, y, z) or (x, y, z, t)
        The shape of the new grid.
    step : ndarray of float64, shape (4, 4)
        Voxel indices of the new grid to those of the old one.
    read_frame : callable
        As for `Volume`.

    Returns
    -------
    Volume
        qform and sform keep their codes and are changed separately, because they may differ.
    """
    affine, header = volume.affine @ step, None
    if volume.header is not None:
        header = volume.header.copy()
        # Millimetres in the header's unit of length, which its own numbers keep.
        unit = grids.zooms(volume.affine)[0] / grids.zooms(header.get_best_affine())[0]
        unit = next((factor for factor in (1000.0, 0.001) if np.isclose(unit, factor)), 1.0)
        forms = {name: _form(header, name) for name in ("qform", "sform")}
        header.set_data_shape(shape)
        header.set_zooms([*(side / unit for side in grids.zooms(affine)), *header.get_zooms()[3:]])
        for name, (form, code) in forms.items():
            if form is not None:
                getattr(header, f"set_{name}")(form @ step, int(code))
    return Volume(read_frame, shape, affine, header, volume.name, source=volume)


def _form(header, name):
    """Return a header's qform or sform and its code; a damaged one is dropped, because the other can be used."""
    try:
        form, code = getattr(header, f"get_{name}")(coded=True)
        if form is not None:
            header_checks.check_affine(name, form)
        return form, code
    except ValueError:
        header[f"{name}_code"] = 0
        return None, 0
