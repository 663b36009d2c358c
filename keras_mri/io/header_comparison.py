"""Compare two headers field by field; of two formats, what both hold."""

import io
import typing

import nibabel
import numpy as np

from keras_mri.io.intake import contradictions
from keras_mri.io.intake.loading import load, read_header
from keras_mri.io.nifti_headers import run_shape, single_file_header
from keras_mri.io.volumes import Volume

# How numbers are stored: these fields may differ although every intensity and every position is the same.
STORAGE = {
    "sizeof_hdr": "the other version of NIfTI",
    "eol_check": "the other version of NIfTI",
    "magic": "header and data lie in one file",
    "vox_offset": "the data follow header and extensions",
    "datatype": "numbers are written in another type (--dtype)",
    "bitpix": "follows datatype",
    "scl_slope": "belongs to the numbers written: 1 for floating point, else it spreads them over their range",
    "scl_inter": "belongs to the numbers written: 0 for floating point, else it spreads them over their range",
    "byte order": "written in the other byte order",
    "type": "numbers are written in another type (--dtype)",
    "data type": "numbers are written in another type (--dtype)",
    "format": "the same numbers in another format",
}
# Fields of the grid: they differ when the result has other voxels or fewer frames.
_GRID = {"dim", "pixdim", "qform_code", "sform_code", "dims", "delta", "Pxyz_c"}
_GRID_STARTS = ("quatern_", "qoffset_", "srow_")
# The meaning of the codes of `datatype`.
_DATATYPES = {2: "uint8", 4: "int16", 8: "int32", 16: "float32", 64: "float64", 256: "int8", 512: "uint16", 768: "uint32"}


class Field(typing.NamedTuple):
    """One field of two headers, in words.

    Parameters
    ----------
    name : str
        As in the NIfTI standard, or "byte order" or "extensions".
    before, after : str
        "–" where a version of NIfTI has no such field.
    equal : bool
    why : str
        The reason why a field differs; empty if there is no known reason.
    """

    name: str
    before: str
    after: str
    equal: bool
    why: str


def compare_files(first, second):
    """Compare the headers of two files.

    Parameters
    ----------
    first, second : str or path-like
        NIfTI, MGH or Analyze. Two NIfTI files, and two MGH files, are compared in every field of their header; files of two formats
        in what both hold: shape, affine, zooms, repetition time, type of the numbers.

    Returns
    -------
    list of Field

    Raises
    ------
    InputError
        If a file cannot be read.
    """
    images = [load(path, consistent=False) for path in (first, second)]
    if all(isinstance(image.header, nibabel.Nifti1Header) for image in images):
        return compare(read_header(first), read_header(second))
    if all(isinstance(image, nibabel.MGHImage) for image in images):
        before, after = (image.header for image in images)
        reshaped = not np.array_equal(before["dims"], after["dims"])
        rows = [(name, _text(name, before[name]), _text(name, after[name]), _equal(before[name], after[name])) for name in before.keys()]
        return [Field(*row, "" if row[3] else _why(row[0], reshaped)) for row in rows]
    return _compare_contents(*(_content(path) for path in (first, second)))


def _content(path):
    """Return what every format holds: a text and a value by each name."""
    image = load(path)
    affine = contradictions.affine_in_millimetres(image.affine, image.header, path)
    volume = Volume(lambda t: None, run_shape(image.shape, path), affine, single_file_header(image, path), path)
    step = volume.repetition_time
    kind, numbers = type(image).__name__.removesuffix("Image").removesuffix("Pair"), image.get_data_dtype().name
    return {
        "format": (kind, kind),
        "shape": (" ".join(map(str, volume.shape)), volume.shape),
        "zooms (mm)": (" ".join(f"{zoom:.4g}" for zoom in volume.zooms), volume.zooms),
        "affine": (np.array2string(affine[:3], precision=4, suppress_small=True).replace("\n", ""), affine),
        "repetition time (s)": ("–", 0.0) if step is None else (f"{step:g}", step),
        "data type": (numbers, numbers),
    }


def _compare_contents(before, after):
    reshaped = before["shape"][1] != after["shape"][1]
    fields = []
    for name, (said, value) in before.items():
        says, other = after[name]
        # Formats round positions differently: to 1e-4 mm, and MGH repetition times to float32 milliseconds.
        equal = value == other if isinstance(value, str) or name == "shape" else np.allclose(value, other, rtol=1e-5, atol=1e-3)
        why = STORAGE.get(name, "the result has other voxels or frames than the input" if reshaped else "")
        fields.append(Field(name, said, says, bool(equal), "" if equal else why))
    return fields


def compare(before, after):
    """Compare two NIfTI headers.

    Parameters
    ----------
    before, after : nibabel.Nifti1Header
        From `keras_mri.io.nifti_reading.read_header`; of NIfTI-1 or -2.

    Returns
    -------
    list of Field
        In the order of `before`; then the fields that only `after` has, the byte order and the extensions.
    """
    names = [*before.keys(), *(name for name in after.keys() if name not in before.keys())]
    reshaped = not np.array_equal(before["dim"], after["dim"])
    rows = [(name, *(header[name] if name in header.keys() else None for header in (before, after))) for name in names]
    fields = [(name, _text(name, first), _text(name, second), _equal(first, second)) for name, first, second in rows]
    for name, describe in (("byte order", _byte_order), ("extensions", _extensions)):
        (first, said), (second, says) = describe(before), describe(after)
        fields.append((name, said, says, first == second))
    return [Field(*field, "" if field[3] else _why(field[0], reshaped)) for field in fields]


def _why(name, reshaped):
    if name in STORAGE:
        return STORAGE[name]
    grid = name in _GRID or name.startswith(_GRID_STARTS)
    return "the result has other voxels or frames than the input" if reshaped and grid else ""


def _equal(first, second):
    if first is None or second is None:
        # NIfTI-2 dropped seven unused fields and added some; a field that is absent equals one that is empty.
        present = second if first is None else first
        return not np.any(present) if present.dtype.kind in "iuf" else not bytes(present).strip(b"\0 r")
    if first.dtype.kind == "f":
        # NIfTI-2 has more digits than NIfTI-1 can hold.
        digits = min(first.dtype.newbyteorder("="), second.dtype.newbyteorder("="))
        return np.array_equal(first.astype(digits), second.astype(digits), equal_nan=True)
    return np.array_equal(first, second)


def _text(name, value):
    if value is None:
        return "–"
    if name == "datatype":
        return f"{value} ({_DATATYPES.get(int(value), 'other')})"
    if value.dtype.kind in "SV":
        return bytes(value).rstrip(b"\0").decode("latin-1")
    return " ".join(str(entry) for entry in np.ravel(value))


def _byte_order(header):
    return header.endianness, {"<": "little-endian", ">": "big-endian"}[header.endianness]


def _extensions(header):
    """Return the bytes of all extensions, and a description."""
    stream = io.BytesIO()
    header.extensions.write_to(stream, False)
    codes = [str(code) for code in header.extensions.get_codes()]
    described = f"{len(codes)}, code {', '.join(codes)}, {len(stream.getvalue())} bytes" if codes else "none"
    return stream.getvalue(), described
