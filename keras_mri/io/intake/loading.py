"""Load an image's file with nibabel: the right format is chosen, the header is made consistent, and remarks carry the file's name."""

import contextlib
import logging
import pathlib
import warnings
import zlib

import nibabel

from keras_mri.errors import InputError, first_line, refused_by_system, remark
from keras_mri.io.intake import contradictions, endings, header_checks, sides

READ_ERRORS = (OSError, EOFError, MemoryError, OverflowError, ValueError, zlib.error)
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
# Bytes; the .mat file beside an image of SPM's holds its affine and nothing else.
_LONGEST_MAT = 100_000


class NoNiftiError(InputError):
    """An image has another format than NIfTI where a NIfTI header is needed."""


def load(path, consistent=True):
    """Load an image with nibabel; its voxels stay in the file.

    Parameters
    ----------
    path : str or path-like
        NIfTI-1 or -2, Analyze or MGH; or `sample`, the EPI that nibabel ships.
    consistent : bool
        Resolve contradictions of the header, with a remark for each.

    Returns
    -------
    nibabel.spatialimages.SpatialImage

    Raises
    ------
    InputError
        If the file is missing or no such image, or its header is damaged or contradicts itself beyond repair.
    """
    path = existing(path)
    endings.check_kind(path)
    try:
        # nibabel takes a file that the system does not open for one of another format.
        open(path, "rb").close()
        with _remarks_of_nibabel(path if consistent else None):
            kind = _kind(path)
            header = _check_header(kind, path)
            settled = _settled(header, path, kind.filespec_to_file_map(path)) if consistent and header is not None else None
            image = kind.from_filename(path)
            return image if settled is None else _with_fields(image, header, settled)
    except InputError:
        raise
    except Exception as error:  # for any other error of nibabel's, the file is at fault
        raise_if_refused(path, error)
        raise InputError(
            f"{path} cannot be read as an image: {first_line(error)}. Expected NIfTI (.nii, .nii.gz), Analyze or MGH."
        ) from error


def existing(path):
    """Return the path of an image's file, which must be there; of the word `sample`, that of the EPI that nibabel ships."""
    if str(path) == "sample":
        return pathlib.Path(nibabel.__file__).parent / "tests" / "data" / "example4d.nii.gz"
    return endings.existing(path)


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
    path = existing(path)
    image = load(path, consistent=False)
    if not isinstance(image.header, nibabel.Nifti1Header):
        raise NoNiftiError(f"{path} is no NIfTI file but {type(image).__name__}. Expected .nii, .nii.gz, or .hdr with .img.")
    holder = image.file_map.get("header", image.file_map["image"])
    try:
        with holder.get_prepare_fileobj("rb") as file:
            return type(image.header).from_fileobj(file, check=False)
    except READ_ERRORS as error:
        raise_if_refused(path, error)
        raise InputError(f"the header of {path} is damaged: {first_line(error)}. Copy or download it again.") from error


def raise_if_refused(path, error):
    """Raise InputError if an exception says that the operating system does not give a file, whatever its content."""
    reason = refused_by_system(error)
    if reason:
        raise InputError(f"{path} could not be read: {reason}.") from error


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
    """Return the header of a NIfTI file as it lies there, None of another format.

    Raises InputError if extensions of the header, or SPM's .mat file, are so large that reading them would fill the memory.
    """
    files = kind.filespec_to_file_map(path)
    mat = pathlib.Path(files["mat"].filename) if "mat" in files else None
    if mat and mat.is_file() and mat.stat().st_size > _LONGEST_MAT:
        raise InputError(f"{mat} should hold the affine of {path}. Received: {mat.stat().st_size} bytes. Move it away, or correct it.")
    if not issubclass(kind, nibabel.Nifti1Pair):
        return None
    with files.get("header", files["image"]).get_prepare_fileobj("rb") as file:
        header = _parsed(kind.header_class, file.read(kind.header_class.sizeof_hdr))
        contradictions.check_numbers(header, path)
        end = None if "header" in files else header.get_data_offset()
        header_checks.check_extensions(path, file, end, header.endianness)
    return header


def _parsed(kind, block):
    """Return a header of bytes in the byte order of its size; nibabel takes a wrong dim[0] for one in the other order."""
    header = kind(block, check=False)
    if int(header["sizeof_hdr"]) == kind.sizeof_hdr:
        return header
    other = kind(block, endianness="<" if header.endianness == ">" else ">", check=False)
    return other if int(other["sizeof_hdr"]) == kind.sizeof_hdr else header


def _settled(header, path, files):
    """Return a copy of a header whose contradictions are resolved."""
    settled = header.copy()
    data = pathlib.Path(files["image"].filename)
    if data.is_file():
        sides.settle(settled, path, data)
    contradictions.settle(settled, path)
    return settled


def _with_fields(image, before, after):
    """Return an image whose header and grid have the fields that were changed from `before` to `after`."""
    changed = [name for name in before if before[name].tobytes() != after[name].tobytes()]
    if not changed:
        return image
    header, data = image.header.copy(), image.dataobj
    for name in changed:
        header[name] = after[name]
    data = type(data)(data.file_like, (header.get_data_shape(), data.dtype, data.offset, data.slope, data.inter))
    return type(image)(data, header.get_best_affine(), header, file_map=image.file_map)


@contextlib.contextmanager
def _remarks_of_nibabel(path):
    """Make remarks on a file of what nibabel logs and warns of within the block, None: drop it; nothing is printed."""
    logger, said = nibabel.imageglobals.logger, []
    keeper = logging.Handler(logging.WARNING)
    keeper.emit = lambda record: said.append(record.getMessage())
    handlers, propagate = logger.handlers[:], logger.propagate
    logger.handlers, logger.propagate = [keeper], False
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    finally:
        logger.handlers, logger.propagate = handlers, propagate
    said += [str(warning.message) for warning in caught if issubclass(warning.category, (UserWarning, RuntimeWarning))]
    for sentence in dict.fromkeys(said):
        # What is wrong with its zooms has been said with what was done about it.
        if path is not None and not sentence.startswith("pixdim[1,2,3]"):
            remark(path, sentence.rstrip("."))
