"""MGH files are written as FreeSurfer reads them: nibabel's own reader is the oracle, and the format's layout."""

import gzip
import struct

import nibabel
import numpy as np
import pytest

from keras_mri.errors import InputError, remarks_kept
from keras_mri.io import nifti_writing
from keras_mri.io.nifti_headers import on_finer_grid
from keras_mri.io.nifti_reading import open_image
from keras_mri.io.volumes import Volume

_RUN = (9, 8, 7, 4)


@pytest.fixture
def run(rng):
    return rng.integers(0, 200, _RUN).astype(np.float32)


@pytest.fixture
def scan(tmp_path, run, affine):
    """Return the path of an MGH file whose header says more than a grid."""
    image = nibabel.MGHImage(run, affine)
    image.header["tr"], image.header["te"], image.header["ti"], image.header["flip_angle"] = 1500, 30, 900, 0.7
    image.to_filename(tmp_path / "scan.mgz")
    return tmp_path / "scan.mgz"


@pytest.mark.parametrize("name", ["out.mgz", "out.mgh"])
@pytest.mark.parametrize("shape", [_RUN, _RUN[:3]])
def test_a_nifti_run_becomes_mgh_with_grid_and_repetition_time(write_nifti, tmp_path, run, affine, name, shape):
    header = nibabel.Nifti1Header()
    header.set_data_shape(shape)
    header.set_zooms((2.0, 2.5, 3.0, 1.25)[: len(shape)])
    header.set_xyzt_units("mm", "sec")
    data = run.reshape(9, 8, 7, 4)[..., : shape[3] if len(shape) == 4 else 1].reshape(shape)
    nifti_writing.save(open_image(write_nifti(data, header=header)), tmp_path / name)
    saved = nibabel.load(tmp_path / name)
    assert type(saved) is nibabel.MGHImage and saved.shape == shape and saved.get_data_dtype() == ">f4"
    np.testing.assert_array_equal(saved.get_fdata(), data)
    np.testing.assert_allclose(saved.affine, affine, atol=1e-5)
    assert float(saved.header["tr"]) == (1250 if len(shape) == 4 else 0)


def test_the_layout_is_that_of_the_format(tmp_path, run, affine):
    nifti_writing.save(Volume.from_array(run, affine), tmp_path / "out.mgz")
    content = gzip.decompress((tmp_path / "out.mgz").read_bytes())
    # FreeSurfer's mri.h: version, four sides, type (3: float), degrees of freedom, the flag of a valid grid; big-endian, data at 284.
    assert struct.unpack_from(">7ih", content) == (1, *_RUN, 3, 0, 1)
    assert content[284 : 284 + 4 * run.size] == run.astype(">f4").tobytes(order="F")
    # Four numbers follow at least: TR, flip angle, TE, TI.
    assert len(content) >= 284 + 4 * run.size + 16


def test_mgh_in_and_out_keeps_the_whole_header(scan, tmp_path):
    volume = open_image(scan)
    nifti_writing.save(volume.with_frames(lambda t: volume.frame(t) + 1), tmp_path / "out.mgz")
    before, after = nibabel.load(scan), nibabel.load(tmp_path / "out.mgz")
    assert after.header.binaryblock == before.header.binaryblock
    np.testing.assert_array_equal(after.get_fdata(), before.get_fdata() + 1)


def test_a_finer_grid_keeps_echo_and_flip_angle(scan, tmp_path):
    volume = open_image(scan)
    first = Volume(volume.frame, volume.shape[:3], volume.affine, volume.header, source=volume)
    finer = on_finer_grid(first, (18, 8, 7), np.diag([0.5, 1, 1, 1]), lambda t: np.ones((18, 8, 7), np.float32))
    nifti_writing.save(finer, tmp_path / "out.mgh")
    saved = nibabel.load(tmp_path / "out.mgh")
    np.testing.assert_allclose(saved.affine, finer.affine, atol=1e-5)
    assert saved.shape == (18, 8, 7)
    assert [float(saved.header[name]) for name in ("te", "ti", "flip_angle")] == pytest.approx([30, 900, 0.7])


@pytest.mark.parametrize("dtype", ["int16", "uint8"])
def test_integers_are_the_rounded_intensities_because_mgh_has_no_slope(tmp_path, affine, dtype):
    data = np.linspace(-40.2, 300.4, 504, dtype=np.float32).reshape(9, 8, 7)
    with remarks_kept() as remarks:
        nifti_writing.save(Volume.from_array(data, affine), tmp_path / "out.mgz", dtype)
    saved, limits = nibabel.load(tmp_path / "out.mgz"), np.iinfo(dtype)
    assert saved.get_data_dtype() == np.dtype(dtype).newbyteorder(">")
    np.testing.assert_array_equal(saved.get_fdata(), np.clip(np.rint(data), limits.min, limits.max))
    cut = int(((np.rint(data) < limits.min) | (np.rint(data) > limits.max)).sum())
    beyond = f", and {cut} voxels beyond the range of {dtype} were set to its end" if cut else ""
    assert remarks == [f"out.mgz: MGH has no slope: intensities were rounded to whole numbers{beyond}"]
    assert bool(cut) == (dtype == "uint8")


@pytest.mark.parametrize("dtype", ["float64", "uint16"])
def test_types_that_mgh_lacks_are_refused_before_anything_is_read(tmp_path, affine, dtype):
    volume = Volume(lambda t: 1 / 0, _RUN, affine)
    with pytest.raises(
        InputError, match=f"`dtype` of an MGH file must be one of float32, int16, uint8. Received: {dtype}. For {dtype}, write"
    ):
        volume.save(tmp_path / "out.mgz", dtype=dtype)
    assert list(tmp_path.iterdir()) == []


def test_a_block_that_fails_leaves_no_file(tmp_path, affine):
    with pytest.raises(ZeroDivisionError):
        nifti_writing.save(Volume(lambda t: 1 / 0, _RUN, affine), tmp_path / "out.mgz")
    assert list(tmp_path.iterdir()) == []


def test_residuals_are_appended_to_mgh_too(tmp_path, run, affine):
    with nifti_writing.appending(Volume.from_array(run, affine), tmp_path / "residual.mgz") as append:
        for t in range(4):
            append(run[..., t])
    np.testing.assert_array_equal(nibabel.load(tmp_path / "residual.mgz").get_fdata(), run)


def test_two_repetition_times_leave_the_headers_own_with_a_remark(tmp_path):
    run = Volume.from_array(np.random.default_rng(0).random((4, 4, 3, 5)), np.eye(4), name="bold.nii")
    run.header = nibabel.Nifti1Image(run.data, np.eye(4)).header
    run.header["pixdim"][4] = 1.0
    run.file = tmp_path / "bold.nii"
    (tmp_path / "bold.json").write_text('{"RepetitionTime": 8.4}')
    with remarks_kept() as kept:
        run.save(tmp_path / "out.mgz")
    assert kept and kept[0].startswith("bold.nii: no repetition time is written: ") and "8.4 s" in kept[0]
    assert nibabel.load(tmp_path / "out.mgz").shape == (4, 4, 3, 5)
