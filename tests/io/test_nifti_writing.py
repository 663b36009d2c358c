import struct

import nibabel
import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.io import nifti_reading, nifti_writing
from keras_mri.io.volumes import Volume

_SHAPE = (9, 8, 7)
_RUN = (9, 8, 7, 4)


@pytest.fixture
def integers(rng):
    """Values that every format holds exactly."""
    return rng.integers(0, 200, _RUN)


def test_a_volume_without_header_is_written_in_millimetres_and_seconds(tmp_path, rng, affine):
    data = rng.normal(size=_RUN).astype(np.float32)
    nifti_writing.save(Volume.from_array(data, affine), tmp_path / "out.nii")
    saved = nibabel.load(tmp_path / "out.nii")
    np.testing.assert_array_equal(saved.get_fdata(), data)
    np.testing.assert_allclose(saved.affine, affine, atol=1e-6)
    assert saved.header.get_zooms()[:3] == pytest.approx((2.0, 2.5, 3.0))
    assert saved.header.get_xyzt_units() == ("mm", "sec")


def test_a_saved_float_file_has_the_plain_layout_of_the_standard(tmp_path, rng, affine):
    data = rng.normal(size=_SHAPE).astype(np.float32)
    nifti_writing.save(Volume.from_array(data, affine), tmp_path / "out.nii")
    content = (tmp_path / "out.nii").read_bytes()
    assert struct.unpack_from("<3f", content, 108) == (352.0, 1.0, 0.0)  # vox_offset, scl_slope, scl_inter
    assert content[352:] == data.tobytes(order="F")


@pytest.mark.parametrize("low", [-300.0, 0.0, 1000.0])
@pytest.mark.parametrize("dtype", nifti_writing.DTYPES)
@pytest.mark.parametrize("name", ["out.nii", "out.nii.gz"])
def test_each_dtype_gives_the_data_back_within_a_quantisation_step(tmp_path, rng, affine, dtype, low, name):
    data = rng.uniform(low, low + 1, _RUN).astype(np.float32)
    nifti_writing.save(Volume.from_array(data, affine), tmp_path / name, dtype)
    saved = nibabel.load(tmp_path / name)
    assert saved.get_data_dtype() == np.dtype(dtype)
    if np.dtype(dtype).kind == "f":
        np.testing.assert_array_equal(saved.get_fdata(), data)
    else:
        # Half a step, and the rounding of float32 intensities, slope and intercept.
        step = (data.max() - data.min()) / (np.iinfo(dtype).max - np.iinfo(dtype).min)
        np.testing.assert_allclose(saved.get_fdata(), data, rtol=0, atol=0.51 * step + 2 * np.spacing(np.abs(data).max()))


def test_a_constant_result_is_written_as_integers_too(tmp_path, affine):
    nifti_writing.save(Volume.from_array(np.full(_SHAPE, 7.5), affine), tmp_path / "out.nii", "int16")
    np.testing.assert_allclose(nibabel.load(tmp_path / "out.nii").get_fdata(), 7.5)


@pytest.mark.parametrize("dtype", nifti_writing.DTYPES)
def test_every_frame_is_computed_once_and_in_order(tmp_path, integers, affine, dtype):
    asked = []
    long = np.tile(integers, 3)
    nifti_writing.save(Volume(lambda t: asked.append(t) or np.float32(long[..., t]), long.shape, affine), tmp_path / "out.nii.gz", dtype)
    assert asked == list(range(12))
    np.testing.assert_allclose(nibabel.load(tmp_path / "out.nii.gz").get_fdata(), long, atol=0.5)


@pytest.mark.parametrize("dtype", nifti_writing.DTYPES)
def test_a_frame_that_fails_leaves_no_file(tmp_path, affine, dtype):
    def read(t):
        if t == 2:
            raise InputError("frame 2 is damaged")
        return np.full(_SHAPE, t, np.float32)

    with pytest.raises(InputError, match="^frame 2 is damaged$"):
        nifti_writing.save(Volume(read, _RUN, affine), tmp_path / "out.nii.gz", dtype)
    assert list(tmp_path.iterdir()) == []


def test_an_image_may_be_replaced_by_its_own_result(write_nifti, integers):
    path = write_nifti(integers.astype(np.float32))
    volume = nifti_reading.open_image(path)
    nifti_writing.save(volume.with_frames(lambda t: volume.frame(t) + 1), path)
    np.testing.assert_array_equal(nibabel.load(path).get_fdata(), integers + 1)


def test_two_files_are_filled_in_one_pass(tmp_path, integers, affine):
    volume = Volume.from_array(integers, affine)
    with nifti_writing.appending(volume, tmp_path / "a.nii.gz") as first, nifti_writing.appending(volume, tmp_path / "b.nii") as second:
        for frame in volume.frames():
            first(frame)
            second(2 * frame)
        assert not {"a.nii.gz", "b.nii"} & {path.name for path in tmp_path.iterdir()}
    for name, factor in (("a.nii.gz", 1), ("b.nii", 2)):
        np.testing.assert_array_equal(nibabel.load(tmp_path / name).get_fdata(), factor * integers)


def test_a_block_that_fails_leaves_no_file(tmp_path, affine):
    with pytest.raises(ZeroDivisionError), nifti_writing.appending(Volume.from_array(np.ones(_SHAPE), affine), tmp_path / "a.nii"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
