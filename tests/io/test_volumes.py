"""Volumes read their frames when asked, and carry grid, header and name along."""

import doctest

import nibabel
import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.io import nifti_reading, volumes
from keras_mri.io.volumes import Volume


@pytest.fixture
def run(rng):
    return rng.normal(100, 10, (9, 8, 7, 5)).astype(np.float32)


def test_a_3d_array_is_one_frame(run, affine):
    volume = Volume.from_array(run[..., 0], affine)
    assert (volume.shape, volume.n_frames) == ((9, 8, 7), 1)
    np.testing.assert_array_equal(volume.frame(0), run[..., 0])
    np.testing.assert_array_equal(volume.data, run[..., 0])


def test_a_4d_array_gives_its_frames_in_order(run, affine):
    volume = Volume.from_array(run, affine)
    assert (volume.shape, volume.n_frames) == ((9, 8, 7, 5), 5)
    for t, frame in enumerate(volume.frames()):
        np.testing.assert_array_equal(frame, run[..., t])
    np.testing.assert_array_equal(volume.data, run)


def test_a_run_of_one_frame_keeps_its_fourth_axis(run, affine):
    assert Volume.from_array(run[..., :1], affine).data.shape == (9, 8, 7, 1)


def test_from_array_takes_any_real_type_as_float32(affine):
    data = np.arange(9 * 8 * 7, dtype=np.int16).reshape(9, 8, 7)
    volume = Volume.from_array(data, affine)
    assert volume.data.dtype == np.float32
    np.testing.assert_array_equal(volume.data, data)


def test_frames_are_read_only_when_asked_for_and_neighbours_only_once(run, affine):
    asked = []
    volume = Volume(lambda t: asked.append(t) or run[..., t], run.shape, affine)
    assert asked == []
    for t in (2, 1, 2, 3, 1):
        volume.frame(t)
    assert asked == [2, 1, 3]


def test_not_every_frame_of_a_long_run_is_kept_in_memory(affine):
    asked = []
    volume = Volume(lambda t: asked.append(t) or np.zeros((3, 2, 1), np.float32), (3, 2, 1, 100), affine)
    list(volume.frames())
    volume.frame(0)
    assert asked == [*range(100), 0]


def test_extremes_are_those_of_all_frames(run, affine):
    assert Volume.from_array(run, affine).extremes == (run.min(), run.max())


@pytest.mark.parametrize(("most", "chosen"), [(1, [0]), (2, [0, 4]), (3, [0, 2, 4]), (5, [0, 1, 2, 3, 4]), (9, [0, 1, 2, 3, 4])])
def test_sample_frames_spreads_them_from_the_first_to_the_last(run, affine, most, chosen):
    np.testing.assert_array_equal(Volume.from_array(run, affine).sample_frames(most), run[..., chosen])


def test_with_frames_keeps_grid_header_and_name(run, affine):
    header = nibabel.Nifti1Header()
    scan = Volume.from_array(run, affine, header, "scan.nii")
    doubled = scan.with_frames(lambda t: 2 * run[..., t])
    assert doubled.source is scan and scan.source is None
    np.testing.assert_array_equal(doubled.data, 2 * run)
    assert (doubled.shape, doubled.affine, doubled.header, doubled.name) == (run.shape, affine, header, "scan.nii")


def test_zooms_are_the_lengths_of_the_oblique_axes(affine):
    volume = Volume.from_array(np.zeros((9, 8, 7), np.float32), affine)
    assert volume.zooms == pytest.approx((2.0, 2.5, 3.0))


@pytest.mark.parametrize("shape", [(9,), (9, 8), (9, 8, 7, 5, 3), (9, 0, 7)])
def test_shapes_that_are_no_volume_are_refused(shape, affine):
    with pytest.raises(InputError, match=r"scan.nii must be a 3D volume \(x, y, z\) or a 4D run \(x, y, z, t\). Received: ") as caught:
        Volume.from_array(np.zeros(shape), affine, name="scan.nii")
    assert str(caught.value).endswith(f"Received: {len(shape)}D, shape {shape}.")


def test_the_examples_of_the_docstrings_run():
    for module in (volumes, nifti_reading):
        failed, tried = doctest.testmod(module)
        assert tried > 0 and failed == 0


def test_a_volume_shows_its_grid_its_time_and_its_name(run, affine):
    header = nibabel.Nifti1Image(run, affine).header
    header.set_xyzt_units("mm", "msec")
    header.set_zooms((2.0, 2.5, 3.0, 1500.0))
    volume = Volume.from_array(run, affine, header, "scan.nii")
    assert repr(volume) == "Volume(shape=(9, 8, 7, 5), zooms=(2.0, 2.5, 3.0), axes='LAS', TR=1.5 s, name='scan.nii')"
    assert repr(Volume.from_array(run[..., 0], affine)) == "Volume(shape=(9, 8, 7), zooms=(2.0, 2.5, 3.0), axes='LAS', name='image')"
    for broken in (np.zeros((4, 4)), np.full((4, 4), np.nan)):
        assert repr(Volume(lambda t: run[..., t], run.shape, broken)).startswith("Volume(shape=(9, 8, 7, 5), zooms=(")


@pytest.mark.parametrize(
    ("unit", "step", "seconds"),
    [("sec", 2.5, 2.5), ("msec", 2500.0, 2.5), ("usec", 2.5e6, 2.5), ("unknown", 2.5, 2.5), ("sec", 0, None), ("sec", np.nan, None)],
)
def test_the_repetition_time_is_in_seconds_or_not_known(run, affine, unit, step, seconds):
    header = nibabel.Nifti1Image(run, affine).header
    header.set_xyzt_units("mm", unit)
    header["pixdim"][4] = step
    assert Volume.from_array(run, affine, header).repetition_time == seconds
    assert Volume.from_array(run[..., 0], affine, header).repetition_time is None
    assert Volume.from_array(run, affine).repetition_time is None


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_extremes_that_are_not_finite_are_not_hidden_by_later_frames(run, affine, bad):
    run[3, 2, 1, 0] = bad
    assert not np.isfinite(Volume(lambda t: run[..., t], run.shape, affine).extremes).all()


@pytest.mark.parametrize(("dtype", "within"), [("float32", 0), ("int16", 0.002)])
def test_a_volume_is_saved_with_its_values_and_place(tmp_path, run, affine, dtype, within):
    Volume.from_array(run, affine).save(str(tmp_path / "out.nii.gz"), dtype=dtype)
    saved = nibabel.load(tmp_path / "out.nii.gz")
    assert saved.get_data_dtype() == dtype
    np.testing.assert_allclose(saved.get_fdata(), run, atol=within)
    np.testing.assert_allclose(saved.affine, affine, atol=1e-6)


@pytest.mark.parametrize(
    ("data", "affine", "header", "said"),
    [
        (np.ones((3, 3, 3), complex), np.eye(4), None, "must hold real numbers. Received: complex numbers"),
        (np.full((3, 3, 3), "1"), np.eye(4), None, "must hold real numbers. Received: text"),
        ([[1, 2], [3]], np.eye(4), None, "must be an array of numbers"),
        (np.full((3, 3, 3), np.nan), np.eye(4), None, "has NaN or infinity in 27 voxels"),
        (np.full((3, 3, 3), 1e300), np.eye(4), None, "has NaN or infinity in 27 voxels"),
        (np.ones((3, 3)), np.eye(4), None, "must be a 3D volume"),
        (np.ones((3, 3, 3)), np.zeros((4, 4)), None, "must say where its voxels lie"),
        (np.ones((3, 3, 3)), None, None, "must say where its voxels lie"),
        (np.ones((3, 3, 3)), np.eye(3), None, "`affine` of scan must be 4 × 4 numbers"),
        (np.ones((3, 3, 3)), np.eye(4), {"dim": 3}, "`header` of scan must be a NIfTI header of nibabel's"),
        (np.ones((3, 3, 3)), np.eye(4), "damaged", "`header` of scan is damaged"),
    ],
)
def test_an_array_that_is_no_scan_is_refused(data, affine, header, said):
    if header == "damaged":
        header = nibabel.Nifti1Header()
        header["magic"] = b"xyz"
    with pytest.raises(InputError, match=said):
        Volume.from_array(data, affine, header, "scan")


def test_a_file_that_exists_is_replaced_only_on_request(tmp_path, run, affine):
    path = tmp_path / "out.nii"
    path.write_text("precious")
    with pytest.raises(InputError, match="out.nii exists. Name another file with `path`, or replace it with `overwrite`.$"):
        Volume.from_array(run, affine).save(path)
    assert path.read_text() == "precious"
    Volume.from_array(run, affine).save(path, overwrite=True)
    np.testing.assert_array_equal(nibabel.load(path).get_fdata(), run)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("out.h5", {}, "`path` must end in .nii.gz or .nii or .mgz or .mgh. Received: .*out.h5"),
        ("nowhere/out.nii", {}, "the output folder .*nowhere does not exist. Create it, or choose another with `path`"),
        ("out.nii", {"dtype": "int8"}, "`dtype` must be one of float32, float64, int16, uint16, uint8. Received: int8"),
        ("out.nii", {"dtype": "integers"}, "`dtype` must be one of float32, .* Received: integers"),
    ],
)
def test_arguments_of_save_that_cannot_be_used_are_named(tmp_path, run, affine, name, options, message):
    with pytest.raises(InputError, match=message):
        Volume.from_array(run, affine).save(tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("endianness", "<>")
def test_the_nibabel_image_is_what_nibabel_loads_from_the_saved_file(tmp_path, run, affine, kind, endianness):
    header = kind.header_class(endianness=endianness)
    header.set_data_shape(run.shape)
    # qform and sform differ, and the affine's numbers are not those of float32.
    header.set_qform(affine + np.diag([0.1, 0.2, 0.3, 0.0]), code=1)
    header.set_sform(affine, code=4)
    header["descrip"] = b"a scan"
    header["scl_slope"], header["scl_inter"] = 0.5, 3
    header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"acquired on a Tuesday"))
    volume = Volume.from_array(run, affine + 1e-9, header)
    volume.save(tmp_path / "out.nii")
    image, loaded = volume.to_nibabel(), nibabel.load(tmp_path / "out.nii")
    assert type(image) is type(loaded) is kind
    assert image.header.endianness == loaded.header.endianness == endianness
    for field in loaded.header:
        np.testing.assert_array_equal(image.header[field], loaded.header[field], err_msg=field)
    assert image.header.extensions == loaded.header.extensions
    np.testing.assert_array_equal(image.affine, loaded.affine)
    np.testing.assert_array_equal(image.get_fdata(), loaded.get_fdata())
    assert image.get_data_dtype().newbyteorder("=") == np.float32 and header["scl_slope"] == 0.5
    image.to_filename(tmp_path / "again.nii")
    np.testing.assert_array_equal(nibabel.load(tmp_path / "again.nii").get_fdata(), run)


def test_a_volume_without_header_becomes_a_nibabel_image_in_millimetres_and_seconds(run, affine):
    image = Volume.from_array(run[..., 0], affine).to_nibabel()
    assert image.header.get_xyzt_units() == ("mm", "sec") and image.shape == (9, 8, 7)
    np.testing.assert_allclose(image.affine, affine, atol=1e-6)
