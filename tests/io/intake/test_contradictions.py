"""Zooms, forms and units that contradict one another: which is used is said, and right against grids made by hand."""

import nibabel
import numpy as np
import pytest

from keras_mri.errors import InputError, remarks_kept
from keras_mri.io import nifti_writing
from keras_mri.io.nifti_headers import on_finer_grid
from keras_mri.io.nifti_reading import open_image

_DATA = np.arange(120, dtype=np.float32).reshape(6, 5, 4)
_GRID = np.diag([-3.0, 3.0, 3.0, 1.0])
_ZEROS = dict.fromkeys(("srow_x", "srow_y", "srow_z"), 0.0)


def _opened(path):
    with remarks_kept() as remarks:
        return open_image(path), [remark.partition(": ")[2] for remark in remarks]


@pytest.mark.parametrize("version", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("zooms", [(0, 0, 0), (np.nan, 3, 3), (-3, -3, 3), (np.inf, 3, 0)])
def test_zooms_that_are_none_are_those_of_the_sform(altered, tmp_path, zooms, version):
    volume, remarks = _opened(altered(_DATA, kind=version, pixdim=dict(enumerate(zooms, start=1)), qform_code=0))
    shown = " × ".join(f"{zoom:g}" for zoom in zooms)
    assert remarks == [f"its zooms (pixdim) are {shown} mm; those of its sform are used, 3 × 3 × 3 mm"]
    np.testing.assert_allclose(volume.affine, _GRID)
    nifti_writing.save(volume, tmp_path / "out.nii")
    assert nibabel.load(tmp_path / "out.nii").header.get_zooms() == (3, 3, 3)


def test_without_a_sform_zooms_are_positive_and_not_0(altered):
    volume, remarks = _opened(altered(_DATA, pixdim={1: -2, 2: 2, 3: 0}, sform_code=0, qform_code=1))
    assert remarks == ["its zooms (pixdim) are -2 × 2 × 0 mm; taken as 2 × 2 × 1 mm, because its sform is not set"]
    assert volume.zooms == (2, 2, 1)


def test_zooms_that_are_not_those_of_the_sform_are_remarked_on_and_kept(altered, tmp_path):
    volume, remarks = _opened(altered(_DATA, pixdim={1: 2, 2: 2}))
    assert remarks == ["its zooms (pixdim) are 2 × 2 × 3 mm, and the voxels of its sform 3 × 3 × 3 mm; its sform is used"]
    nifti_writing.save(volume, tmp_path / "out.nii")
    assert nibabel.load(tmp_path / "out.nii").header.get_zooms() == (2, 2, 3)


@pytest.mark.parametrize("broken", [_ZEROS, dict(srow_y=(3, 0, 0, 0)), dict(srow_x=(np.nan, 0, 0, 0))])
def test_a_sform_that_places_nothing_gives_way_to_the_qform(altered, tmp_path, broken):
    volume, remarks = _opened(altered(_DATA, sform_code=1, qform_code=1, qoffset_y=7, **broken))
    assert remarks == ["its sform is singular or not finite; its qform is used, and the code of the sform is set to 0"]
    expected = _GRID.copy()
    expected[1, 3] = 7
    np.testing.assert_allclose(volume.affine, expected, atol=1e-6)
    nifti_writing.save(volume, tmp_path / "out.nii")
    for saved in (nibabel.load(tmp_path / "out.nii"), volume.to_nibabel()):
        np.testing.assert_allclose(saved.affine, expected, atol=1e-6)


def test_a_sform_of_zeros_in_memory_gives_way_too(altered):
    image = nibabel.load(altered(_DATA, sform_code=1, qform_code=1, **_ZEROS))
    volume, remarks = _opened(image)
    np.testing.assert_allclose(volume.affine, _GRID, atol=1e-6)
    assert len(remarks) == 1 and not image.affine[:3].any()


def test_a_sform_that_places_nothing_and_stands_alone_is_refused(altered):
    with pytest.raises(InputError, match="must say where its voxels lie. Received: an affine .* Set the sform"):
        open_image(altered(_DATA, sform_code=1, qform_code=0, **_ZEROS))


def test_a_qform_that_is_no_rotation_gives_way_to_the_sform(altered):
    volume, remarks = _opened(altered(_DATA, sform_code=2, qform_code=1, quatern_b=5))
    assert remarks == ["its qform is not a rotation; its sform is used, and the code of the qform is set to 0"]
    assert (int(volume.header["qform_code"]), int(volume.header["sform_code"])) == (0, 2)
    with pytest.raises(InputError, match="its only form, the qform, is not a rotation"):
        open_image(altered(_DATA, sform_code=0, qform_code=1, quatern_b=5))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ((-3, 0, 0, 40), ["its qform and its sform place voxels up to 40 mm apart; its sform is used"]),
        ((3, 0, 0, 0), ["its qform and its sform place voxels up to 30 mm apart, and one mirrors the other; its sform is used"]),
        ((-3, 0, 0, 4), []),
    ],
)
def test_forms_that_differ_much_are_remarked_on(altered, row, said):
    volume, remarks = _opened(altered(_DATA, sform_code=1, qform_code=1, srow_x=row))
    assert remarks == said and volume.affine[0].tolist() == [*row]


@pytest.mark.parametrize(
    ("scale", "unit", "said"),
    [
        (1e-3, 1, "its unit of length is the metre; its voxels are taken as 3 × 3 × 3 mm"),
        (1e3, 3, "its unit of length is the micrometre; its voxels are taken as 3 × 3 × 3 mm"),
        (1, 1, "its unit of length is the metre, which would make voxels of 3000 × 3000 × 3000 mm; its numbers are taken as mm"),
        (1, 3, "its unit of length is the micrometre, which would make voxels of 0.003 × 0.003 × 0.003 mm; its numbers are taken as mm"),
        (1, 0, None),
    ],
)
@pytest.mark.parametrize("in_memory", [False, True])
def test_lengths_are_millimetres_whatever_the_unit(altered, tmp_path, scale, unit, said, in_memory):
    place = np.array([[0, -3.0, 0, 12], [3, 0, 0, -6], [0, 0, 3, 9], [0, 0, 0, 1]])
    path = altered(_DATA, affine=np.diag([scale, scale, scale, 1]) @ place, xyzt_units=unit)
    volume, remarks = _opened(nibabel.load(path) if in_memory else path)
    assert remarks == ([said] if said else [])
    np.testing.assert_allclose(volume.affine, place, atol=1e-6)
    # The header's own numbers and unit stay: the result lies on its input in any viewer.
    finer = on_finer_grid(volume, (12, 5, 4), np.diag([0.5, 1, 1, 1]), lambda t: np.ones((12, 5, 4), np.float32))
    for image, step in ((volume, 1), (finer, 2)):
        nifti_writing.save(image, tmp_path / "out.nii")
        saved = nibabel.load(tmp_path / "out.nii")
        assert int(saved.header["xyzt_units"]) == unit
        np.testing.assert_allclose(saved.affine, np.diag([scale, scale, scale, 1]) @ place @ np.diag([1 / step, 1, 1, 1]), rtol=1e-5)
        np.testing.assert_allclose(saved.header.get_zooms(), scale * np.array([3 / step, 3, 3]), rtol=1e-5)


def test_voxels_that_nobody_scans_are_remarked_on(altered):
    volume, remarks = _opened(altered(_DATA, affine=np.diag([0.002, 0.002, 0.002, 1]), xyzt_units=0))
    assert remarks == ["its voxels are 0.002 × 0.002 × 0.002 mm; check the unit of length in its header"]
    assert volume.zooms == pytest.approx((0.002, 0.002, 0.002))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (dict(vox_offset=100), r"vox_offset = 100, where the voxels should begin. Expected 352 or more"),
        (dict(vox_offset=np.nan), "vox_offset = nan"),
        (dict(scl_slope=2, scl_inter=np.inf), "scl_slope = 2 and scl_inter = inf. Set scl_inter, e.g. to 0"),
    ],
)
def test_offsets_and_intercepts_that_are_none_are_named(altered, fields, said):
    with pytest.raises(InputError, match=f"cannot be read as an image: the header is damaged, it says {said}"):
        open_image(altered(_DATA, **fields))


@pytest.mark.parametrize(("slope", "said"), [(np.nan, ["its scl_slope is nan; its numbers are taken as they are stored"]), (0, [])])
def test_a_slope_that_is_no_number_is_remarked_on(altered, slope, said):
    volume, remarks = _opened(altered(_DATA, scl_slope=slope))
    assert remarks == said
    np.testing.assert_array_equal(volume.data, _DATA)
