"""What dim[0], dim[4] and the file's length say of a shape: the file decides, in a remark, or the image is refused."""

import nibabel
import numpy as np
import pytest

from keras_mri.errors import InputError, remarks_kept
from keras_mri.io import nifti_writing
from keras_mri.io.nifti_reading import open_image

_RUN = (6, 5, 4, 3)


@pytest.fixture
def run(rng):
    return rng.integers(0, 500, _RUN).astype(np.float32)


def _opened(path):
    with remarks_kept() as remarks:
        return open_image(path), remarks


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("name", ["run.nii", "run.nii.gz"])
def test_frames_that_dim_0_does_not_count_are_read_if_the_file_holds_them(altered, run, tmp_path, name, kind):
    volume, remarks = _opened(altered(run, name, kind, dim={0: 3}))
    assert remarks == [
        f"{name}: its header says dim[0] = 3, which makes the shape (6, 5, 4), and sides beyond it make (6, 5, 4, 3); "
        "the file holds the latter, which is read"
    ]
    np.testing.assert_array_equal(volume.data, run)
    nifti_writing.save(volume, tmp_path / "out.nii")
    np.testing.assert_array_equal(nibabel.load(tmp_path / "out.nii").get_fdata(), run)


@pytest.mark.parametrize("padding", [b"", bytes(400)])
def test_sides_beyond_dim_0_mean_nothing_if_the_file_holds_one_volume(altered, run, padding):
    volume, remarks = _opened(altered(run[..., 0], dim={4: 3}, rest=padding))
    assert volume.shape == _RUN[:3] and len(remarks) == 1
    assert remarks[0].endswith("(6, 5, 4), and sides beyond it make (6, 5, 4, 3); the file holds the former, which is read")
    np.testing.assert_array_equal(volume.data, run[..., 0])


@pytest.mark.parametrize("name", ["run.nii", "run.nii.gz"])
def test_a_file_between_the_two_shapes_is_refused_with_both(altered, run, name):
    message = (
        r"contradicts itself: .* the shape \(6, 5, 4\), .* make \(6, 5, 4, 9\). The file holds 1440 bytes .* need 480 and 4320. Set dim"
    )
    with pytest.raises(InputError, match=message):
        open_image(altered(run, name, dim={0: 3, 4: 9}))


def test_a_slice_whose_dim_0_is_2_may_be_a_volume(altered, run):
    volume, remarks = _opened(altered(run[..., 0], dim={0: 2}))
    assert volume.shape == _RUN[:3] and "dim[0] = 2" in remarks[0]


def test_no_frames_are_one_if_the_file_holds_one(altered, run):
    volume, remarks = _opened(altered(run[..., 0], dim={0: 4, 4: 0}))
    assert volume.shape == (6, 5, 4, 1)
    assert remarks == ["scan.nii: its header says dim[4] = 0; the file holds one volume, which is read"]


def test_no_frames_are_refused_if_the_file_holds_several(altered, run):
    with pytest.raises(
        InputError, match=r"contradicts its file: dim\[4\] is 0, and the file holds more than one volume of \(6, 5, 4\). Correct"
    ):
        open_image(altered(run, dim={4: 0}))


@pytest.mark.parametrize("number", [0, 8, -3])
def test_a_number_of_dimensions_that_is_none_is_named(altered, run, number):
    with pytest.raises(InputError, match=rf"it says dim\[0\] = {number}, the number of its dimensions, and has the sides \(6, 5, 4, 3, 1"):
        open_image(altered(run, dim={0: number}))


@pytest.mark.parametrize("name", ["run.nii", "run.nii.gz"])
@pytest.mark.parametrize(("fields", "rest", "what"), [(dict(dim={4: 2}), b"", "1 volumes"), ({}, b"footer", "some bytes")])
def test_what_lies_after_the_voxels_is_remarked_on(altered, run, name, fields, rest, what):
    volume, remarks = _opened(altered(run, name, rest=rest, **fields))
    shape = _RUN if rest else (6, 5, 4, 2)
    assert volume.shape == shape
    assert remarks == [f"{name}: its file holds {what} more than its header says, ({', '.join(map(str, shape))}); these are not read"]


@pytest.mark.parametrize("name", ["run.nii", "run.nii.gz", "run.nii.bz2", "run.img"])
def test_a_header_that_agrees_with_its_file_is_no_remark(run, name, tmp_path):
    kind = nibabel.Nifti1Pair if name.endswith("img") else nibabel.Nifti1Image
    nibabel.save(kind(run, np.diag([3.0, 3.0, 3.0, 1.0])), tmp_path / name)
    assert _opened(tmp_path / name)[1] == []


@pytest.mark.parametrize(
    "shape", [(6, 5, 4, 1, 3), (6, 5, 4, 3, 1), (6, 5, 4, 1, 1), (6, 5, 4, 1, 1, 3), (6, 5, 1, 3), (6, 5, 4, 1), (6, 5, 1)]
)
@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
@pytest.mark.parametrize("in_memory", [False, True])
def test_sides_of_length_one_are_read_and_written_again(altered, rng, tmp_path, shape, name, in_memory):
    data = rng.integers(0, 500, shape).astype(np.float32)
    path = altered(data, name)
    volume, remarks = _opened(nibabel.load(path) if in_memory else path)
    expected = data.reshape(shape if len(shape) < 5 else (*shape[:3], -1))
    assert volume.shape == expected.shape and remarks == []
    np.testing.assert_array_equal(volume.data, expected)
    halved = volume.with_frames(lambda t: volume.frame(t) / 2)
    nifti_writing.save(halved, tmp_path / "out.nii.gz")
    for saved in (nibabel.load(tmp_path / "out.nii.gz"), halved.to_nibabel()):
        assert saved.shape == shape and saved.header["dim"].tolist() == nibabel.load(path).header["dim"].tolist()
        np.testing.assert_array_equal(saved.get_fdata(), data / 2)
