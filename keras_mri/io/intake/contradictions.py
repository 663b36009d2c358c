"""A NIfTI header's numbers against one another: zooms, qform and sform, units. What is doubtful is settled with a remark, or refused."""

import itertools

import numpy as np

from keras_mri.errors import InputError, remark
from keras_mri.io import grids
from keras_mri.io.intake import header_checks

# mm; corners of an image that its two forms place further apart than this are a remark.
_FAR = 5.0
# Share of a voxel's side by which zooms and form may differ.
_ALIKE = 0.05
# mm; sides of a voxel that an MR scan of a person or of a small animal can have.
_PLAUSIBLE = (0.01, 50.0)
# Units of length by NIfTI's codes: name, and millimetres.
_LENGTHS = {1: ("metre", 1000.0), 3: ("micrometre", 0.001)}


def check_numbers(header, path):
    """Raise InputError if a header's offset is no number, or its slope is one and its intercept is not.

    Parameters
    ----------
    header : nibabel.Nifti1Header
        As it lies in the file.
    path : pathlib.Path
    """
    offset, slope, intercept = (float(header[name]) for name in ("vox_offset", "scl_slope", "scl_inter"))
    damaged = f"{path} cannot be read as an image: the header is damaged, it says"
    first = header.single_vox_offset if header.is_single else 0
    # nibabel takes 0 in a single file to mean the first place after the header.
    if not (np.isfinite(offset) and (offset == 0 or offset >= first)):
        raise InputError(
            f"{damaged} vox_offset = {offset:g}, where the voxels should begin. Expected {first} or more. Copy or download the file again."
        )
    if slope != 0 and np.isfinite(slope) and not np.isfinite(intercept):
        raise InputError(f"{damaged} scl_slope = {slope:g} and scl_inter = {intercept:g}. Set scl_inter, e.g. to 0.")
    if not np.isfinite(slope):
        remark(path, f"its scl_slope is {slope:g}; its numbers are taken as they are stored")


def settle(header, path):
    """Make zooms, qform and sform of a header usable where one of them gives what another lacks, with a remark for each change.

    Parameters
    ----------
    header : nibabel.Nifti1Header
        As it lies in the file; changed.
    path : str or path-like
        For messages.

    Raises
    ------
    InputError
        If its only form is a qform that is not a rotation.
    """
    sform = header.get_sform() if header["sform_code"] > 0 else None
    _settle_zooms(header, path, sform if _usable(sform) else None)
    qform = _qform(header) if header["qform_code"] > 0 else None
    if sform is not None and not _usable(sform) and _usable(qform):
        header["sform_code"] = 0
        remark(path, "its sform is singular or not finite; its qform is used, and the code of the sform is set to 0")
    elif header["qform_code"] > 0 and not _usable(qform):
        if not _usable(sform):
            raise InputError(
                f"{path} cannot be read as an image: it must say where its voxels lie, and its only form, the qform, is not a rotation. "
                "Set the sform of its header, e.g. from a scan of the same session."
            )
        header["qform_code"] = 0
        remark(path, "its qform is not a rotation; its sform is used, and the code of the qform is set to 0")
    elif sform is not None and qform is not None:
        _compare_forms(header, path, qform, sform)
    if _usable(sform):
        _compare_zooms(header, path, grids.zooms(sform))


def affine_in_millimetres(affine, header, name):
    """Return an affine in millimetres, with a remark if the header's unit is another one, or cannot be right.

    Parameters
    ----------
    affine : ndarray of float64, shape (4, 4)
        In the header's unit.
    header : nibabel.spatialimages.SpatialHeader
        Its own numbers stay as they are.
    name : str

    Returns
    -------
    ndarray of float64, shape (4, 4)
    """
    code = int(header["xyzt_units"]) & 7 if "xyzt_units" in header.keys() else 0
    unit, factor = _LENGTHS.get(code, ("millimetre", 1.0))
    sides = grids.zooms(affine)
    if factor == 1:
        if not _plausible(sides):
            remark(name, f"its voxels are {_listed(sides)} mm; check the unit of length in its header")
        return affine
    converted = [side * factor for side in sides]
    if not _plausible(converted):
        remark(name, f"its unit of length is the {unit}, which would make voxels of {_listed(converted)} mm; its numbers are taken as mm")
        return affine
    remark(name, f"its unit of length is the {unit}; its voxels are taken as {_listed(converted)} mm")
    return np.diag([factor, factor, factor, 1.0]) @ affine


def _settle_zooms(header, path, sform):
    """Replace zooms that are 0, negative or not finite by those of a usable sform, by their absolute values, or by 1."""
    zooms = np.array(header["pixdim"][1:4], np.float64)
    wrong = ~(np.isfinite(zooms) & (zooms > 0))
    if not wrong.any():
        return
    said = f"its zooms (pixdim) are {_listed(zooms)} mm"
    if sform is not None:
        header["pixdim"][1:4] = grids.zooms(sform)
        remark(path, f"{said}; those of its sform are used, {_listed(grids.zooms(sform))} mm")
        return
    header["pixdim"][1:4] = np.where(np.isfinite(zooms) & (zooms != 0), np.abs(zooms), 1.0)
    remark(path, f"{said}; taken as {_listed(header['pixdim'][1:4])} mm, because its sform is not set")


def _qform(header):
    try:
        return header.get_qform()
    except ValueError:  # nibabel's error for a quaternion longer than 1
        return None


def _usable(form):
    return form is not None and header_checks.is_usable(form)


def _compare_forms(header, path, qform, sform):
    """Make a remark if the two forms place the image's corners far apart, or swap its sides."""
    corners = np.array([(*corner, 1) for corner in itertools.product(*((0, int(side) - 1) for side in header["dim"][1:4]))])
    apart = np.linalg.norm((corners @ (qform - sform).T)[:, :3], axis=1).max()
    if apart > _FAR:
        swapped = np.linalg.det(qform[:3, :3]) * np.linalg.det(sform[:3, :3]) < 0
        mirrored = ", and one mirrors the other" if swapped else ""
        remark(path, f"its qform and its sform place voxels up to {apart:.0f} mm apart{mirrored}; its sform is used")


def _compare_zooms(header, path, sides):
    """Make a remark if a sform has other voxel sides than the zooms say."""
    zooms = np.array(header["pixdim"][1:4], np.float64)
    if (np.abs(zooms - sides) > _ALIKE * np.array(sides)).any():
        remark(path, f"its zooms (pixdim) are {_listed(zooms)} mm, and the voxels of its sform {_listed(sides)} mm; its sform is used")


def _plausible(sides):
    return min(sides) >= _PLAUSIBLE[0] and max(sides) <= _PLAUSIBLE[1]


def _listed(sides):
    return " × ".join(f"{side:.4g}" for side in sides)
