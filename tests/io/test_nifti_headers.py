"""What single-file headers other formats get is tested with their reading, in tests/test_nifti.py; here is the other grid."""

import nibabel
import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.io import nifti_reading, nifti_writing
from keras_mri.io.nifti_headers import on_finer_grid, plain_header
from keras_mri.io.volumes import Volume

_SHAPE = (9, 8, 7)
_TURNED = np.array([[0, -2.0, 0, 5], [2.5, 0, 0, -6], [0, 0, 3.0, 7], [0, 0, 0, 1]])


@pytest.fixture
def integers(rng):
    """Values that every format holds exactly."""
    return rng.integers(0, 200, (*_SHAPE, 5))


def test_a_finer_grid_carries_each_form_over_by_itself(tmp_path, integers, affine):
    image = nibabel.Nifti1Image(integers[..., 0].astype(np.int16), affine)
    image.set_qform(_TURNED, 1)
    image.set_sform(affine, 3)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = b"kept"
    nibabel.save(image, tmp_path / "scan.nii.gz")
    step = np.diag([0.5, 1 / 3, 1, 1])
    step[:3, 3] = (-0.25, -1 / 3, 0)
    finer = on_finer_grid(nifti_reading.open_image(tmp_path / "scan.nii.gz"), (18, 24, 7), step, lambda t: np.ones((18, 24, 7), np.float32))
    nifti_writing.save(finer, tmp_path / "finer.nii.gz")
    after = nibabel.load(tmp_path / "finer.nii.gz")
    assert after.shape == finer.shape == (18, 24, 7)
    np.testing.assert_allclose(after.affine, affine @ step, atol=1e-5)
    np.testing.assert_allclose(after.get_sform(), affine @ step, atol=1e-5)
    np.testing.assert_allclose(after.get_qform(), _TURNED @ step, atol=1e-5)
    assert (int(after.header["qform_code"]), int(after.header["sform_code"])) == (1, 3)
    np.testing.assert_allclose(after.header.get_zooms(), np.linalg.norm((_TURNED @ step)[:3, :3], axis=0), rtol=1e-5)
    assert after.header["descrip"] == b"kept" and after.header.get_xyzt_units()[0] == "mm"


def test_a_header_without_forms_keeps_its_field_of_view_around_the_origin(tmp_path, integers):
    image = nibabel.Nifti1Image(integers[..., 0].astype(np.int16), None)
    image.header.set_zooms((2, 3, 4))
    image.set_qform(None, 0)
    image.set_sform(None, 0)
    nibabel.save(image, tmp_path / "scan.nii")
    volume = nifti_reading.open_image(tmp_path / "scan.nii")
    step = np.diag([0.5, 0.5, 1, 1])
    step[:3, 3] = (-0.25, -0.25, 0)
    finer = on_finer_grid(volume, (18, 16, 7), step, lambda t: np.ones((18, 16, 7), np.float32))
    nifti_writing.save(finer, tmp_path / "finer.nii")
    np.testing.assert_allclose(nibabel.load(tmp_path / "finer.nii").affine, finer.affine, atol=1e-5)


def test_a_volume_without_a_header_gets_a_plain_one_of_the_finer_grid(tmp_path, affine):
    volume = Volume.from_array(np.ones(_SHAPE), affine)
    finer = on_finer_grid(volume, (18, 8, 7), np.diag([0.5, 1, 1, 1]), lambda t: np.ones((18, 8, 7), np.float32))
    nifti_writing.save(finer, tmp_path / "finer.nii")
    np.testing.assert_allclose(nibabel.load(tmp_path / "finer.nii").affine, finer.affine, atol=1e-5)


def test_a_plain_header_says_a_grid_and_its_units(affine):
    header = plain_header((4, 5, 6, 7), affine)
    assert header.get_data_shape() == (4, 5, 6, 7) and header.get_xyzt_units() == ("mm", "sec")
    np.testing.assert_allclose(header.get_best_affine(), affine, atol=1e-5)


@pytest.mark.parametrize("shape", [(3, 0, 3), (3, 3, 3, 0), (3, 3, 3, 1, 0)])
def test_an_image_in_memory_without_voxels_is_refused(shape):
    with pytest.raises(InputError, match="A side of length 0 holds no voxel"):
        nifti_reading.open_image(nibabel.Nifti1Image(np.zeros(shape), np.eye(4)))
