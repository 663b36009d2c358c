"""Images are read with the right values or refused with a reason, and written with their header intact."""

import errno
import os
import pathlib
import re

import nibabel
import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Extension

from keras_mri.errors import InputError
from keras_mri.io import nifti_reading, nifti_writing

_SHAPE = (9, 8, 7)
_RUN = (9, 8, 7, 4)
_TURNED = np.array([[0, -2.0, 0, 5], [2.5, 0, 0, -6], [0, 0, 3.0, 7], [0, 0, 0, 1]])


@pytest.fixture
def integers(rng):
    """Values that every format holds exactly."""
    return rng.integers(0, 200, _RUN)


# --- what is refused ---------------------------------------------------------------------------------------------------


def test_a_missing_file_is_named(tmp_path):
    for path in (tmp_path / "nothing.nii.gz", tmp_path):
        with pytest.raises(InputError, match=f"^{re.escape(str(path))} is not a file. Expected a NIfTI image .* check the path"):
            nifti_reading.open_image(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("text.nii.gz", b"subject,age\n01,34\n"),
        ("text.txt", b"subject,age\n01,34\n"),
        ("noise.nii", np.random.default_rng(0).bytes(5000)),
        ("empty.nii", b""),
        ("empty.nii.gz", b""),
    ],
)
def test_a_file_that_is_no_image_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    message = rf"{name} cannot be read as an image: .+[^.]\. Expected NIfTI \(.nii, .nii.gz\), Analyze or MGH\.$"
    with pytest.raises(InputError, match=message):
        nifti_reading.open_image(tmp_path / name)


@pytest.mark.parametrize("shape", [_SHAPE, _RUN])
@pytest.mark.parametrize("name", ["scan.nii.gz", "scan.nii"])
def test_a_truncated_file_is_refused(write_nifti, rng, name, shape):
    path = write_nifti(rng.normal(size=shape).astype(np.float32), name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(InputError, match=rf"{name} is truncated or damaged: .+[^.]\. Copy or download it again\.$"):
        nifti_reading.open_image(path)


def test_a_damaged_compressed_file_is_refused(write_nifti, rng):
    path = write_nifti(rng.normal(size=_RUN).astype(np.float32))
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :: 7] = bytes(len(content[len(content) // 2 :: 7]))
    path.write_bytes(content)
    with pytest.raises(InputError, match="scan.nii.gz is truncated or damaged: "):
        nifti_reading.open_image(path)


@pytest.mark.parametrize(
    ("shape", "remedy"),
    [
        ((9, 8), "Give it a third side, of length one for a single slice."),
        ((9, 8, 7, 4, 2), "Save its parts, for example its echoes or components, as files of their own."),
    ],
)
def test_images_that_are_neither_3d_nor_4d_are_refused(write_nifti, rng, shape, remedy):
    path = write_nifti(rng.normal(size=shape).astype(np.float32))
    message = f"{path} must be a 3D volume (x, y, z) or a 4D run (x, y, z, t). Received: {len(shape)}D, shape {shape}. {remedy}"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        nifti_reading.open_image(path)


@pytest.mark.parametrize(
    ("dtype", "message"),
    [
        ("complex64", r"complex numbers \(complex64\). Save the magnitude, e.g. with numpy.abs."),
        ([("R", "u1"), ("G", "u1"), ("B", "u1")], r"colours \(RGB\) .*Save one intensity per voxel."),
    ],
)
def test_images_that_hold_no_real_numbers_are_refused(write_nifti, dtype, message):
    path = write_nifti(np.ones(_SHAPE, dtype))
    with pytest.raises(InputError, match="scan.nii.gz must hold real numbers. Received: " + message):
        nifti_reading.open_image(path)


@pytest.mark.parametrize(("shape", "places"), [(_SHAPE, [(1, 2, 3), (5, 0, 6)]), (_RUN, [(8, 0, 1, 1), (0, 0, 0, 3), (1, 1, 1, 3)])])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_counted_and_the_first_is_located(write_nifti, rng, shape, places, bad):
    data = rng.normal(size=shape).astype(np.float32)
    data[tuple(np.transpose(places))] = bad
    path = write_nifti(data)
    message = f"{path} has NaN or infinity in {len(places)} voxels, the first at {places[0]}. Repair the image, or read them as 0 with "
    with pytest.raises(InputError, match=f"^{re.escape(message)}`replace_nonfinite`.$"):
        nifti_reading.open_image(path)
    np.testing.assert_array_equal(nifti_reading.open_image(path, replace_nonfinite=True).data, np.where(np.isfinite(data), data, 0))


@pytest.mark.parametrize("value", [0, 7])
def test_a_constant_image_is_refused(write_nifti, value):
    path = write_nifti(np.full(_RUN, value, np.int16))
    with pytest.raises(
        nifti_reading.ConstantImageError, match=f"is constant or empty: every voxel is {value}. There is nothing to work on."
    ):
        nifti_reading.open_image(path)


# --- what is read ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz", "pair.img", "pair.hdr"])
@pytest.mark.parametrize("dtype", ["u1", "i1", "<i2", ">i2", "<u2", ">u2", "<i4", "<f4", ">f4", "<f8", ">f8"])
@pytest.mark.parametrize("version", [1, 2])
def test_every_nifti_is_read_with_its_values_and_place(tmp_path, integers, affine, name, dtype, version):
    data = (integers - (100 if np.dtype(dtype).kind != "u" else 0)).astype(dtype)
    kinds = {1: (nibabel.Nifti1Image, nibabel.Nifti1Pair), 2: (nibabel.Nifti2Image, nibabel.Nifti2Pair)}
    kind = kinds[version][name.startswith("pair")]
    image = kind(data, affine, kind.header_class(endianness=">" if dtype[0] == ">" else "<"))
    image.to_filename(tmp_path / name)
    volume = nifti_reading.open_image(tmp_path / name)
    assert volume.data.dtype == np.float32
    np.testing.assert_array_equal(volume.data, data)
    np.testing.assert_allclose(volume.affine, affine, atol=1e-5)
    assert volume.extremes == (data.min(), data.max())


def test_slope_and_intercept_of_integers_are_applied(tmp_path, integers, affine):
    image = nibabel.Nifti1Image(integers.astype(np.int16), affine)
    image.header.set_slope_inter(0.5, -20)
    image.to_filename(tmp_path / "scan.nii")
    # The file itself holds the integers: header of 348 bytes, four bytes for extensions, data in Fortran order.
    assert np.frombuffer((tmp_path / "scan.nii").read_bytes()[352:], "<i2")[:9].tolist() == integers[:, 0, 0, 0].tolist()
    np.testing.assert_array_equal(nifti_reading.open_image(tmp_path / "scan.nii").data, 0.5 * integers - 20)


@pytest.mark.parametrize(
    ("kind", "name"), [(nibabel.AnalyzeImage, "scan.img"), (nibabel.Spm99AnalyzeImage, "scan.hdr"), (nibabel.MGHImage, "scan.mgh"),
                       (nibabel.MGHImage, "scan.mgz")]
)  # fmt: skip
def test_analyze_and_mgh_are_read_and_written_as_nifti(tmp_path, integers, kind, name):
    affine = np.diag([-2.0, 2.5, 3.0, 1.0])
    image = kind(integers.astype(np.float32), affine)
    image.header.set_zooms((2.0, 2.5, 3.0, 1500.0 if kind is nibabel.MGHImage else 1.5))
    image.to_filename(tmp_path / name)
    volume = nifti_reading.open_image(tmp_path / name)
    np.testing.assert_array_equal(volume.data, integers)
    np.testing.assert_allclose(volume.affine, nibabel.load(tmp_path / name).affine)
    nifti_writing.save(volume, tmp_path / "out.nii.gz")
    saved = nibabel.load(tmp_path / "out.nii.gz")
    np.testing.assert_array_equal(saved.get_fdata(), integers)
    np.testing.assert_allclose(saved.affine, volume.affine)
    assert saved.header.get_zooms() == pytest.approx((2.0, 2.5, 3.0, 1.5))
    assert saved.header.get_xyzt_units() == ("mm", "sec")


def test_the_word_sample_is_the_run_that_nibabel_ships():
    volume = nifti_reading.open_image("sample")
    assert volume.shape == (128, 96, 24, 2)
    assert nifti_reading.open_image(volume) is volume


def test_a_path_becomes_a_volume(write_nifti, integers):
    np.testing.assert_array_equal(nifti_reading.open_image(str(write_nifti(integers.astype(np.int16)))).data, integers)


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image, nibabel.Nifti1Pair, nibabel.Nifti2Pair])
@pytest.mark.parametrize("endianness", "<>")
def test_a_header_is_read_as_it_lies_in_the_file(tmp_path, integers, affine, kind, endianness):
    path = tmp_path / ("scan.img" if "Pair" in kind.__name__ else "scan.nii.gz")
    header = kind.header_class(endianness=endianness)
    header.extensions.append(Nifti1Extension("comment", b"a word"))
    image = kind(integers.astype(np.int16), affine, header)
    image.header.set_slope_inter(0.5, -20)
    image.to_filename(path)
    read = nifti_reading.read_header(path)
    assert (float(read["scl_slope"]), float(read["scl_inter"])) == (0.5, -20)
    single = "Pair" not in kind.__name__
    assert int(read["vox_offset"]) == ((544 if "2" in kind.__name__ else 352) + 16 if single else 0)
    assert read.endianness == endianness and read.extensions.count("comment") == 1


def test_what_has_no_nifti_header_is_named(tmp_path):
    nibabel.MGHImage(np.ones((3, 4, 5), np.float32), np.eye(4)).to_filename(tmp_path / "scan.mgz")
    with pytest.raises(
        nifti_reading.NoNiftiError, match="scan.mgz is no NIfTI file but MGHImage. Expected .nii, .nii.gz, or .hdr with .img."
    ):
        nifti_reading.read_header(tmp_path / "scan.mgz")
    with pytest.raises(InputError, match="missing.nii is not a file"):
        nifti_reading.read_header(tmp_path / "missing.nii")


# --- what is written ---------------------------------------------------------------------------------------------------


def _full_header(kind, endianness, affine):
    """Return a header in which every field that a reader may care for has a value of its own."""
    header = kind.header_class(endianness=endianness)
    header.set_data_shape(_RUN)
    header.set_data_dtype(np.int16)
    header.set_qform(affine, code=1)
    header.set_sform(_TURNED, code=4)
    header.set_zooms((2.0, 2.5, 3.0, 1500.0))
    header.set_xyzt_units("mm", "msec")
    header.set_intent("t test", (10,), name="contrast")
    header.set_dim_info(freq=1, phase=0, slice=2)
    header["descrip"], header["aux_file"] = b"a scan", b"beside.txt"
    header["toffset"], header["cal_min"], header["cal_max"] = 7.5, 3.0, 190.0
    header["slice_start"], header["slice_end"], header["slice_code"], header["slice_duration"] = 0, 6, 3, 0.2
    header.extensions.append(Nifti1Extension("comment", b"acquired on a Tuesday"))
    header.extensions.append(Nifti1Extension("comment", b"x" * 100))
    return header


@pytest.mark.parametrize("endianness", "<>")
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image, nibabel.Nifti1Pair, nibabel.Nifti2Pair])
@pytest.mark.parametrize("out", ["out.nii", "out.nii.gz"])
def test_every_header_field_survives_except_those_of_the_encoding(tmp_path, integers, affine, kind, endianness, out):
    source = tmp_path / ("scan.img" if "Pair" in kind.__name__ else "scan.nii")
    kind(integers.astype(np.int16), None, _full_header(kind, endianness, affine)).to_filename(source)
    before = nibabel.load(source)
    assert before.header.endianness == endianness
    nifti_writing.save(nifti_reading.open_image(source), tmp_path / out)

    after = nibabel.load(tmp_path / out)
    changed = {"datatype", "bitpix", "vox_offset", "magic"}
    for field in set(before.header) - changed:
        np.testing.assert_array_equal(after.header[field], before.header[field], err_msg=field)
    np.testing.assert_array_equal(after.affine, _TURNED)
    np.testing.assert_allclose(after.get_qform(), affine, atol=1e-5)
    assert (int(after.header["qform_code"]), int(after.header["sform_code"])) == (1, 4)
    assert after.header.get_zooms() == pytest.approx((2.0, 2.5, 3.0, 1500.0))
    assert after.header.get_intent() == ("t test", (10.0,), "contrast")
    assert [e.get_content().rstrip(b"\0") for e in after.header.extensions] == [b"acquired on a Tuesday", b"x" * 100]
    np.testing.assert_array_equal(after.get_fdata(), integers)
    assert after.get_data_dtype().newbyteorder("=") == np.float32
    assert (after.dataobj.slope, after.dataobj.inter) == (1.0, 0.0)


# --- images of nibabel's -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [nibabel.Nifti1Image, nibabel.Nifti2Image, nibabel.Nifti1Pair, nibabel.MGHImage, nibabel.Spm99AnalyzeImage]
)
@pytest.mark.parametrize("shape", [_SHAPE, _RUN])
def test_an_image_in_memory_is_opened_with_its_values_and_place(integers, kind, shape):
    data, affine = integers[(..., *[0] * (4 - len(shape)))].astype(np.float32), np.diag([-2.0, 2.5, 3.0, 1.0])
    image = kind(data, affine)
    volume = nifti_reading.open_image(image)
    assert (volume.name, volume.shape, volume.extremes) == ("image in memory", shape, (data.min(), data.max()))
    np.testing.assert_array_equal(volume.data, data)
    np.testing.assert_array_equal(volume.affine, image.affine)
    np.testing.assert_allclose(volume.to_nibabel().affine, image.affine)
    image.affine[0, 0] = 77
    assert volume.affine[0, 0] != 77


@pytest.mark.parametrize("name", ["scan.nii.gz", "scan.nii", "scan.img"])
@pytest.mark.parametrize("kept", [False, True])
def test_an_image_that_nibabel_loaded_is_opened_like_its_file(tmp_path, integers, affine, name, kept):
    kind = nibabel.Nifti1Pair if name.endswith("img") else nibabel.Nifti1Image
    written = kind(integers.astype(np.int16), None, _full_header(kind, "<", affine))
    written.header.set_slope_inter(0.5, -20)
    written.to_filename(tmp_path / name)
    image = nibabel.load(tmp_path / name)
    if kept:
        # In memory, the numbers are those after slope and intercept; the header may still name both.
        image = kind(image.get_fdata(dtype=np.float32), image.affine, image.header)
        image.header.set_slope_inter(0.5, -20)
    volume, of_file = nifti_reading.open_image(image), nifti_reading.open_image(tmp_path / name)
    assert volume.name == ("image in memory" if kept else str(tmp_path / name))
    np.testing.assert_array_equal(volume.data, 0.5 * integers - 20)
    np.testing.assert_array_equal(volume.affine, of_file.affine)
    for one, out in ((volume, "one.nii"), (of_file, "other.nii")):
        nifti_writing.save(one, tmp_path / out)
    assert (tmp_path / "one.nii").read_bytes() == (tmp_path / "other.nii").read_bytes()


def test_an_affine_that_was_changed_in_memory_is_the_one_that_is_written(tmp_path, integers, affine):
    image = nibabel.Nifti1Image(integers.astype(np.float32), affine)
    image.affine[:3, 3] = (1, 2, 3)
    volume = nifti_reading.open_image(image)
    nifti_writing.save(volume, tmp_path / "out.nii")
    np.testing.assert_allclose(nibabel.load(tmp_path / "out.nii").affine[:3, 3], (1, 2, 3))
    # The user's own header is not changed.
    np.testing.assert_allclose(image.header.get_best_affine(), affine, atol=1e-5)


def test_an_image_without_an_affine_takes_that_of_its_header(integers, affine):
    header = nibabel.Nifti1Image(integers.astype(np.float32), affine).header
    image = nibabel.Nifti1Image(integers.astype(np.float32), None, header)
    np.testing.assert_allclose(nifti_reading.open_image(image).affine, affine, atol=1e-5)


@pytest.mark.parametrize("kind, name", [(nibabel.Nifti1Image, "run.nii.gz"), (nibabel.Nifti1Image, "run.nii.bz2"),
                                        (nibabel.MGHImage, "run.mgz")])  # fmt: skip
def test_a_compressed_run_that_nibabel_loaded_is_read_forward_once(tmp_path, integers, monkeypatch, kind, name):
    kind(np.tile(integers, 3).astype(np.int16), np.eye(4)).to_filename(tmp_path / name)
    image = nibabel.load(tmp_path / name)
    opened = []
    real = nibabel.openers.ImageOpener
    monkeypatch.setattr(nibabel.openers, "ImageOpener", lambda *rest, **options: opened.append(rest) or real(*rest, **options))
    nifti_reading.open_image(image)
    assert len(opened) == 1


def test_a_compressed_run_is_decompressed_once_however_often_it_is_read(write_nifti, rng, monkeypatch):
    data = rng.random((9, 8, 7, 20), dtype=np.float32)
    path, read = write_nifti(data, "run.nii.gz"), []
    whole = nifti_reading._read_frame
    monkeypatch.setattr(nifti_reading, "_read_frame", lambda *given: read.append(given[-1]) or whole(*given))
    volume = nifti_reading.open_image(path)
    assert read == [*range(20)]
    for t in (19, 0, 11, 3, *range(20), *range(20)):
        np.testing.assert_array_equal(volume.frame(t), data[..., t])
    assert volume.extremes == (data.min(), data.max()) and read == [*range(20)]
    # What was checked is what is read: a file that is replaced meanwhile changes nothing.
    path.unlink()
    np.testing.assert_array_equal(volume.frame(5), data[..., 5])


@pytest.mark.parametrize("name", ["run.nii", "run.nii.gz", "volume.nii.gz"])
def test_what_lies_on_a_pedestal_is_read_and_written_with_all_its_digits(write_nifti, tmp_path, rng, name):
    data = 1e8 + rng.uniform(0, 1000, (9, 8, 7, 12) if "run" in name else (9, 8, 7))
    volume = nifti_reading.open_image(write_nifti(data, name))
    np.testing.assert_array_equal(volume.data if "run" in name else volume.frame(0), data)
    # A header's intercept is float32, which has steps of 8 at that height.
    for dtype, error in (("float64", 0), ("int16", 4)):
        volume.save(tmp_path / "out.nii", dtype=dtype, overwrite=True)
        np.testing.assert_allclose(nibabel.load(tmp_path / "out.nii").get_fdata(), data, rtol=0, atol=error)


def test_doubles_that_need_no_more_digits_than_float32_has_are_read_as_such(write_nifti, rng):
    hot = rng.uniform(0, 1000, (9, 8, 7))
    hot[1, 2, 3] = 1e9
    for data in (hot, rng.uniform(0, 1000, (9, 8, 7)), 1e3 + rng.uniform(0, 1000, (9, 8, 7))):
        assert nifti_reading.open_image(write_nifti(data)).frame(0).dtype == np.float32


@pytest.mark.parametrize("name", ["run.nii", "volume.nii.gz"])
def test_what_is_reached_without_decompressing_needs_no_copy(write_nifti, rng, name, monkeypatch):
    monkeypatch.setattr(nifti_reading, "FrameStore", None)
    data = rng.random((9, 8, 7) if name.endswith("gz") else (9, 8, 7, 12), dtype=np.float32)
    np.testing.assert_array_equal(nifti_reading.open_image(write_nifti(data, name)).data, data)


def test_values_that_are_not_finite_are_replaced_in_a_compressed_run_too(write_nifti, rng):
    data = rng.random((9, 8, 7, 12), dtype=np.float32)
    data[1, 2, 3, 4] = np.nan
    volume = nifti_reading.open_image(write_nifti(data, "run.nii.gz"), replace_nonfinite=True)
    assert volume.frame(4)[1, 2, 3] == 0 and np.isfinite(volume.data).all()


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image, nibabel.MGHImage])
@pytest.mark.parametrize("entry", [(slice(3), 1), (0, 3)])
@pytest.mark.parametrize("value", [0.0, np.nan])
def test_an_image_whose_affine_places_no_voxel_is_refused(integers, kind, entry, value):
    image = kind(integers.astype(np.float32), np.diag([-2.0, 2.5, 3.0, 1.0]))
    image.affine[entry] = value
    if value == 0 and entry == (0, 3):
        assert nifti_reading.open_image(image).affine[0, 3] == 0
        return
    with pytest.raises(InputError, match=r"^image in memory must say where its voxels lie. Received: an affine that .* Set the sform"):
        nifti_reading.open_image(image)


def test_an_image_of_another_format_without_an_affine_is_refused(integers):
    image = nibabel.spatialimages.SpatialImage(integers.astype(np.float32), None)
    with pytest.raises(InputError, match="^image in memory must say where its voxels lie"):
        nifti_reading.open_image(image)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.ones((9, 8), np.float32), r"must be a 3D volume \(x, y, z\) or a 4D run \(x, y, z, t\). Received: 2D"),
        (np.ones((9, 8, 7, 4, 2), np.float32), "Received: 5D"),
        (np.ones(_SHAPE, np.complex64), "must hold real numbers. Received: complex numbers"),
        (
            np.where(np.arange(504).reshape(_SHAPE) == 9, np.nan, 1.5),
            r"NaN or infinity in 1 voxels, the first at \(0, 1, 2\).*`replace_nonfinite`",
        ),
        (np.full(_RUN, 7, np.int16), "is constant or empty: every voxel is 7"),
    ],
)
def test_an_image_in_memory_is_checked_like_a_file(data, message, affine):
    with pytest.raises(InputError, match="^image in memory .*" + message):
        nifti_reading.open_image(nibabel.Nifti1Image(data, affine))


def test_numbers_that_are_not_finite_are_replaced_on_request_and_not_in_the_image(affine):
    data = np.arange(504, dtype=np.float32).reshape(_SHAPE)
    data[0, 1, 2] = np.nan
    volume = nifti_reading.open_image(nibabel.Nifti1Image(data, affine), replace_nonfinite=True)
    assert volume.data[0, 1, 2] == 0 and np.isnan(data[0, 1, 2])


def test_a_loaded_image_whose_file_has_gone_or_shrunk_is_refused(write_nifti, rng):
    path = write_nifti(rng.normal(size=_RUN).astype(np.float32), "scan.nii")
    image = nibabel.load(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match=f"^{path} is truncated or damaged: its header claims the shape"):
        nifti_reading.open_image(image)
    path.unlink()
    with pytest.raises(InputError, match=f"^the voxels of {path} should be in {path}, which is not a file. Check the path.$"):
        nifti_reading.open_image(image)


@pytest.mark.parametrize("image", [np.ones(_SHAPE), None, 7, b"scan.nii", ["scan.nii"], nibabel.gifti.GiftiImage()])
def test_what_is_no_image_is_refused_with_what_is_expected(image):
    message = (
        f"`image` must be a path, a nibabel image of voxels or a Volume. Received: {type(image).__name__}. "
        "For an array: Volume.from_array(data, affine)."
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        nifti_reading.open_image(image)


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
@pytest.mark.parametrize("shape", [(5, 4, 3), (5, 4, 3, 2)])
def test_an_image_that_was_opened_keeps_no_file_open(tmp_path, name, shape):
    """But for the temporary one of a compressed run: a study has more scans than a process may hold files."""
    data = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    nibabel.save(nibabel.Nifti1Image(data, np.eye(4)), tmp_path / name)
    volume = nifti_reading.open_image(tmp_path / name)
    frame = volume.frame(0)
    links = [os.readlink(f"/dev/fd/{number}") for number in os.listdir("/dev/fd") if os.path.exists(f"/dev/fd/{number}")]
    maps = pathlib.Path("/proc/self/maps").read_text() if os.path.exists("/proc/self/maps") else ""
    assert str(tmp_path / name) not in links and str(tmp_path / name) not in maps
    np.testing.assert_array_equal(frame, data if len(shape) == 3 else data[..., 0])


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EACCES, errno.EIO])
def test_a_file_that_the_system_does_not_open_is_not_called_damaged(tmp_path, monkeypatch, number):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    path = tmp_path / "scan.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.arange(60.0).reshape(5, 4, 3), np.eye(4)), path)
    volume = nifti_reading.open_image(nibabel.load(path))
    read = nibabel.arrayproxy.ArrayProxy.__getitem__
    monkeypatch.setattr(nibabel.arrayproxy.ArrayProxy, "__getitem__", refuse)
    message = rf"scan.nii.gz could not be read: {os.strerror(number)}; .*\.$"
    with pytest.raises(InputError, match=message):
        nifti_reading.open_image(path)
    monkeypatch.setattr(nibabel.arrayproxy.ArrayProxy, "__getitem__", read)
    assert volume.frame(0).max() == 59
    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(InputError, match=message):
        nifti_reading.open_image(path)
