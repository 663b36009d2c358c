"""Name what a file is if it is no image that can be read: another format, compressed otherwise than its ending says, or not there."""

import gzip
import itertools
import os
import pathlib
import zlib

from keras_mri.errors import InputError

_GZIP = b"\x1f\x8b"
_GZIPPED = (".gz", ".mgz")
# Other programs' containers by their first bytes.
_ARCHIVES = {
    b"PK\x03\x04": "a zip archive",
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ": "compressed with xz",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
}
_BY_NAME = {b"BZh": ".bz2", b"\x28\xb5\x2f\xfd": ".zst"}
# The first four bytes of NIfTI-1 and Analyze, NIfTI-2, and MGH.
_NIFTI = tuple(size.to_bytes(4, order) for size in (348, 540) for order in ("little", "big"))
_MGH = b"\0\0\0\1"
# Formats by their endings, each with what turns it into NIfTI.
_OTHERS = {
    (".dcm", ".dicom", ".ima"): ("DICOM", "dcm2niix -z y -o OUT_FOLDER {folder}"),
    (".par", ".rec", ".xml.par"): ("Philips PAR/REC", "dcm2niix -z y -o OUT_FOLDER {folder}"),
    (".mnc", ".mnc.gz"): ("MINC", "mnc2nii {name} scan.nii"),
    (".head", ".brik", ".brik.gz"): ("AFNI", "3dAFNItoNIFTI -prefix scan.nii.gz {name}"),
    (".nrrd", ".nhdr", ".mha", ".mhd"): ("NRRD or MetaImage", "c3d {name} -o scan.nii.gz"),
    (".gii", ".gii.gz"): ("GIfTI, a surface", None),
    (".npy", ".npz"): ("NumPy, which says nothing of voxel sizes", "Volume.from_array(data, affine) in Python"),
    (".h5", ".keras"): ("a network", None),
}
# Files of a folder that are looked into for DICOM.
_MOST_LOOKED_AT = 50
_ENOUGH = 512


def existing(path):
    """Return a path if an image's file is there, or raise InputError that says what is there instead.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    pathlib.Path

    Raises
    ------
    InputError
        If there is no file: with the converter's command for a folder of DICOM, and datalad's for a link into an annex.
    """
    path = pathlib.Path(path)
    if os.path.isfile(path):  # unlike Path.is_file, it takes names that no file can have
        return path
    check_no_dicom(path)
    if os.path.islink(path):
        raise InputError(f"{path} is a link to a file that is not here. If it belongs to a data set of datalad, get it: datalad get {path}")
    raise InputError(f"{path} is not a file. Expected a NIfTI image (.nii or .nii.gz); check the path.")


def check_no_dicom(path):
    """Raise InputError if a path is a folder of DICOM files, with the command that converts it."""
    if os.path.isdir(path) and _holds_dicom(pathlib.Path(path)):
        raise InputError(f"{path} is a folder of DICOM files. Expected NIfTI; convert it: dcm2niix -z y -o OUT_FOLDER {path}")


def check_kind(path):
    """Raise InputError if a file is of a known kind that cannot be read, or is compressed otherwise than its ending says.

    Parameters
    ----------
    path : pathlib.Path

    Raises
    ------
    InputError
        With the command that converts it, or the name that it should have. Any other file passes: its reader says what is wrong.
    """
    start = _start(path)
    _check_format(path, start)
    _check_compression(path, start)
    for magic, kind in _ARCHIVES.items():
        if start.startswith(magic) and path.suffix.lower() != _BY_NAME.get(magic):
            raise InputError(f"{path} is {kind}. Expected NIfTI (.nii or .nii.gz): unpack it first.")
    text = start.lstrip().lower()
    if text.startswith((b"version https://git-lfs", b"/annex/objects")):
        raise InputError(f"{path} is a pointer of Git LFS or git-annex, not an image. Get it: git lfs pull, or datalad get {path.name}")
    if text.startswith((b"<!doctype html", b"<html")):
        raise InputError(f"{path} is a web page, not an image. Download the image again.")


def _check_format(path, start):
    """Raise InputError if a file is of another format by its content or its ending."""
    name = path.name.lower()
    found = next((entry for endings, entry in _OTHERS.items() if name.endswith(endings)), None)
    if start[128:132] == b"DICM":
        found = _OTHERS[".dcm", ".dicom", ".ima"]
    if found is None or start.startswith(_NIFTI):
        return
    kind, command = found
    remedy = f"; convert it: {command.format(name=path.name, folder=path.parent)}" if command else "."
    raise InputError(f"{path} cannot be read as an image: it is {kind}. Expected NIfTI (.nii, .nii.gz), Analyze or MGH{remedy}")


def _check_compression(path, start):
    """Raise InputError unless a file is compressed with gzip exactly if its ending says so."""
    named = path.suffix.lower() in _GZIPPED
    if start.startswith(_GZIP) and not named:
        right = path.with_suffix(".mgz") if path.suffix.lower() == ".mgh" else path.with_name(f"{path.name}.gz")
        raise InputError(f"{path} is compressed with gzip, and its ending does not say so. Rename it to {right.name}, or decompress it.")
    if named and start.startswith((*_NIFTI, _MGH)):
        right = path.with_suffix(".mgh") if path.suffix.lower() == ".mgz" else path.with_suffix("")
        raise InputError(f"{path} is not compressed with gzip, though its ending says so. Rename it to {right.name}, or compress it.")
    if not (named and start.startswith(_GZIP)):
        return
    inner = _start(path, gzip.open)
    if inner.startswith(_GZIP):
        raise InputError(
            f"{path} is compressed with gzip twice. Decompress it once: gunzip {path.name}, then add .gz to the result's name."
        )
    if inner[128:132] == b"DICM":
        _check_format(path, inner)


def _start(path, opened=open):
    """Return the first bytes of a file; none where it cannot be read, which its reader will say."""
    try:
        with opened(path, "rb") as file:
            return file.read(_ENOUGH)
    except (OSError, EOFError, zlib.error):
        return b""


def _holds_dicom(folder):
    """Whether one of a folder's first files, or of its folders', is DICOM; a BIDS folder may keep some in `sourcedata`, and is none."""
    try:
        if any(folder.glob("sub-*")):
            return False
        files = [path for path in itertools.islice(folder.rglob("*"), _MOST_LOOKED_AT) if path.is_file()]
    except OSError:
        return False
    return any(path.suffix.lower() in (".dcm", ".ima") or _start(path)[128:132] == b"DICM" for path in files)
