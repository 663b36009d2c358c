"""keras-mri check: what it prints, what it exits with, and the proof that saving keeps headers, over a zoo of them."""

import itertools
import json

import nibabel
import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Extension

from keras_mri import check
from keras_mri.io import nifti_reading, nifti_writing

_SHAPE = (4, 3, 5, 2)
_KINDS = {"nifti1.nii": nibabel.Nifti1Image, "nifti1.nii.gz": nibabel.Nifti1Image, "pair1.hdr": nibabel.Nifti1Pair,
          "nifti2.nii": nibabel.Nifti2Image, "pair2.img": nibabel.Nifti2Pair}  # fmt: skip
_ORDERS = list(itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)))
_STORAGE = {"datatype", "bitpix", "vox_offset", "magic", "scl_slope", "scl_inter"}


def oriented(order=(0, 1, 2), signs=(1, 1, 1), angle=0.0, shear=0.0):
    """Return an affine whose voxel axes run along these world axes, turned about x, then sheared."""
    affine = np.eye(4)
    axes = np.zeros((3, 3))
    axes[list(order), range(3)] = signs
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine[:3, :3] = (turn @ axes * (2.0, 2.5, 3.1)) @ (np.eye(3) + shear * np.eye(3, k=1))
    affine[:3, 3] = (31.25, -17.5, 4.125)
    return affine


def write(path, kind=nibabel.Nifti1Image, endianness="<", qform=None, sform=None, codes=(1, 1), dtype=np.int16, slope=(1, 0), units=None):
    """Write a small run whose header says all this."""
    header = kind.header_class(endianness=endianness)
    header.set_data_dtype(dtype)
    image = kind(np.arange(np.prod(_SHAPE)).reshape(_SHAPE).astype(dtype), None, header)
    image.header.set_zooms((2.0, 2.5, 3.1, 1.5))
    image.set_qform(oriented() if qform is None else qform, codes[0])
    image.set_sform(oriented() if sform is None else sform, codes[1])
    image.header.set_xyzt_units("mm", units)
    image.header.set_slope_inter(*slope)
    image.header["descrip"], image.header["intent_name"], image.header["toffset"] = b"a scan", b"contrast", 7.5
    image.header["cal_max"], image.header["slice_code"], image.header["slice_duration"] = 90, 3, 0.25
    image.header.extensions.append(Nifti1Extension("comment", b"acquired on a Tuesday"))
    image.to_filename(path)
    return path


def proven(source, out, capsys):
    """Write a scan as predictions are written, and return the names of the fields that differ."""
    nifti_writing.save(nifti_reading.open_image(source), out)
    status = check.main([str(source), str(out), "--json"])
    differing = {field["name"] for field in json.loads(capsys.readouterr().out)}
    assert status == (1 if differing else 0)
    assert check.main([str(source), str(out), "--ignore-storage"]) == (1 if differing - _STORAGE else 0)
    capsys.readouterr()
    return differing


# --- the command -------------------------------------------------------------------------------------------------------


def test_equal_headers_exit_0(tmp_path, capsys):
    paths = [str(write(tmp_path / name)) for name in ("a.nii", "b.nii.gz")]
    assert check.main(paths) == 0
    assert capsys.readouterr().out == "45 of 45 fields are equal\n"


def test_a_difference_is_printed_with_both_values_and_exits_1(tmp_path, capsys):
    first, second = write(tmp_path / "a.nii"), tmp_path / "b.nii"
    content = bytearray(first.read_bytes())
    # The offset of `descrip` in the NIfTI-1 standard.
    content[148:154] = b"A SCAN"
    second.write_bytes(content)
    assert check.main([str(first), str(second)]) == 1
    assert capsys.readouterr().out == "descrip  a scan  →  A SCAN\n1 of 45 fields differ\n"
    assert check.main([str(first), str(second), "--ignore-storage"]) == 1


def test_how_numbers_are_stored_is_a_difference_unless_it_is_to_be_ignored(tmp_path, capsys):
    first, second = str(write(tmp_path / "a.nii")), str(write(tmp_path / "b.nii", dtype=np.float32, slope=(2, 1)))
    assert check.main([first, second]) == 1
    text = capsys.readouterr().out
    assert "datatype   4 (int16)  →  16 (float32)   (numbers are written in another type (--dtype))" in text
    assert text.splitlines()[-1] == "4 of 45 fields differ"
    assert check.main([first, second, "--ignore-storage"]) == 0
    assert capsys.readouterr().out == "41 of 45 fields are equal; 4 fields of number storage were ignored\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.nii", None, "missing.nii is not a file"),
        ("text.nii", b"hello", "cannot be read as an image"),
        ("short.nii", b"\x5c\x01\0\0" + 100 * b"\0", "cannot be read as an image"),
    ],
)
def test_a_file_that_cannot_be_compared_exits_2(tmp_path, capsys, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert check.main([str(write(tmp_path / "a.nii")), str(tmp_path / name)]) == 2
    captured = capsys.readouterr()
    assert message in captured.err and captured.out == ""


def test_an_extension_that_lies_about_its_size_exits_2(tmp_path, capsys):
    path = write(tmp_path / "a.nii")
    content = bytearray(path.read_bytes())
    content[352:356] = (2**30).to_bytes(4, "little")
    (tmp_path / "b.nii").write_bytes(content)
    assert check.main([str(path), str(tmp_path / "b.nii")]) == 2
    assert "b.nii" in capsys.readouterr().err


# --- other formats -----------------------------------------------------------------------------------------------------


def _mgh(path, dtype=np.float32, **fields):
    data = np.arange(120).reshape(_SHAPE).astype(dtype)
    image = nibabel.MGHImage(data, np.diag([-2.0, 2.5, 3.0, 1.0]))
    image.header["tr"] = 1500
    for name, value in fields.items():
        image.header[name] = value
    image.to_filename(path)
    return str(path)


def test_two_mgh_files_are_compared_field_by_field(tmp_path, capsys):
    first = _mgh(tmp_path / "a.mgz")
    assert check.main([first, _mgh(tmp_path / "b.mgh")]) == 0
    assert capsys.readouterr().out == "13 of 13 fields are equal\n"
    assert check.main([first, _mgh(tmp_path / "c.mgz", flip_angle=1)]) == 1
    assert capsys.readouterr().out == "flip_angle  0.0  →  1.0\n1 of 13 fields differ\n"
    integers = _mgh(tmp_path / "d.mgz", np.int16)
    assert check.main([first, integers]) == 1 and check.main([first, integers, "--ignore-storage"]) == 0


def test_files_of_two_formats_are_compared_in_what_both_hold(tmp_path, capsys):
    first = _mgh(tmp_path / "a.mgz")
    nifti_writing.save(nifti_reading.open_image(first), tmp_path / "b.nii.gz")
    for pair in ([first, str(tmp_path / "b.nii.gz")], [str(tmp_path / "b.nii.gz"), first]):
        assert check.main(pair) == 1
        assert capsys.readouterr().out.splitlines()[1:] == ["1 of 6 fields differ"]
        assert check.main([*pair, "--ignore-storage"]) == 0
        assert capsys.readouterr().out == "5 of 6 fields are equal; 1 fields of number storage were ignored\n"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda image: image.header.set_zooms((2, 2.5, 3, 2.0)), {"repetition time (s)"}),
        (lambda image: image.set_sform(np.diag([-2.0, 2.5, 3.2, 1]), 1), {"zooms (mm)", "affine"}),
        (lambda image: image.set_sform(np.diag([-2.0, 2.5, 3.0, 1]) + np.eye(4, k=3), 1), {"affine"}),
        (lambda image: image.set_data_dtype(np.int16), {"data type"}),
    ],
)
def test_what_differs_between_two_formats_is_named(tmp_path, capsys, change, field):
    first = _mgh(tmp_path / "a.mgz")
    image = nibabel.Nifti1Image(np.arange(120, dtype=np.float32).reshape(_SHAPE), np.diag([-2.0, 2.5, 3.0, 1.0]))
    image.header.set_zooms((2, 2.5, 3, 1.5))
    image.header.set_xyzt_units("mm", "sec")
    change(image)
    nibabel.save(image, tmp_path / "b.nii")
    assert check.main([first, str(tmp_path / "b.nii"), "--json"]) == 1
    assert {row["name"] for row in json.loads(capsys.readouterr().out)} == field | {"format"}


# --- the proof ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signs", list(itertools.product((1, -1), repeat=3)))
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_all_48_orders_of_axes_survive_straight_oblique_and_with_a_sheared_sform(tmp_path, capsys, order, signs):
    for number, (angle, shear) in enumerate(((0, 0), (0.3, 0), (0.3, 0.2))):
        rigid, any_affine = oriented(order, signs, angle), oriented(order, signs, angle, shear)
        source = write(tmp_path / f"{number}.nii", qform=rigid, sform=any_affine)
        np.testing.assert_allclose(nibabel.load(source).affine, any_affine, atol=1e-5)
        assert proven(source, tmp_path / f"out{number}.nii", capsys) == {"datatype", "bitpix"}


@pytest.mark.parametrize("codes", list(itertools.product(range(5), repeat=2)))
def test_both_forms_survive_with_their_codes_where_they_disagree(tmp_path, capsys, codes):
    source = write(tmp_path / "scan.nii", qform=oriented(angle=0.2), sform=oriented((1, 0, 2), (-1, 1, 1), 0.1, 0.1), codes=codes)
    assert proven(source, tmp_path / "out.nii", capsys) == {"datatype", "bitpix"}


@pytest.mark.parametrize("units", ["sec", "msec", "usec", "unknown"])
@pytest.mark.parametrize("endianness", "<>")
@pytest.mark.parametrize("name", _KINDS)
def test_versions_pairs_byte_orders_and_units_of_time_survive(tmp_path, capsys, name, endianness, units):
    source = write(tmp_path / name, _KINDS[name], endianness, units=units)
    # A pair has no offset; its slope and intercept, 1 and 0, are what is written.
    expected = {"datatype", "bitpix"} | ({"magic", "vox_offset"} if "pair" in name else set())
    assert proven(source, tmp_path / "out.nii", capsys) == expected


@pytest.mark.parametrize("slope", [(0.5, -20.0), (4.0076, 0.0)])
def test_slope_and_intercept_become_intensities(tmp_path, capsys, slope):
    source = write(tmp_path / "scan.nii", slope=slope)
    expected = {"datatype", "bitpix", "scl_slope"} | ({"scl_inter"} if slope[1] else set())
    assert proven(source, tmp_path / "out.nii", capsys) == expected
    np.testing.assert_allclose(nibabel.load(tmp_path / "out.nii").get_fdata(), nibabel.load(source).get_fdata(), rtol=1e-6)


@pytest.mark.parametrize("slope", [0.0, np.nan])
def test_a_slope_that_says_nothing_becomes_one(tmp_path, capsys, slope):
    content = bytearray(write(tmp_path / "scan.nii").read_bytes())
    # The offset of `scl_slope` in the NIfTI-1 standard; 0 means that intensities are as they are written.
    content[112:116] = np.float32(slope).tobytes()
    (tmp_path / "scan.nii").write_bytes(content)
    assert proven(tmp_path / "scan.nii", tmp_path / "out.nii", capsys) == {"datatype", "bitpix", "scl_slope"}
    np.testing.assert_array_equal(nibabel.load(tmp_path / "out.nii").get_fdata().ravel("F")[:3], [0, 30, 60])


def test_a_float_scan_survives_whole(tmp_path, capsys):
    assert proven(write(tmp_path / "scan.nii", dtype=np.float32), tmp_path / "out.nii.gz", capsys) == set()
