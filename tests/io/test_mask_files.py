import re

import numpy as np
import pytest

from keras_mri.errors import GridMismatchError, InputError
from keras_mri.io.mask_files import load_mask
from keras_mri.io.volumes import Volume

_SHAPE = (9, 8, 7)
_RUN = (9, 8, 7, 4)


@pytest.fixture
def volume(rng, affine):
    return Volume.from_array(rng.integers(0, 200, _RUN), affine, name="scan.nii")


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
@pytest.mark.parametrize("inside", [1, 255])
@pytest.mark.parametrize("shape", [_SHAPE, (*_SHAPE, 1)])
def test_a_mask_is_true_inside_whatever_its_type_and_value(write_nifti, volume, rng, dtype, inside, shape):
    expected = rng.random(_SHAPE) > 0.6
    mask = load_mask(write_nifti((inside * expected.astype(dtype)).astype(dtype).reshape(shape)), volume)
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("value", [0, 1])
def test_a_mask_of_one_value_is_refused(write_nifti, volume, value):
    path = write_nifti(np.full(_SHAPE, value, np.uint8))
    with pytest.raises(InputError, match=f"the mask {path} is empty, or full: all its voxels have one value. Expected 0 outside and 1"):
        load_mask(path, volume)


@pytest.mark.parametrize(
    ("values", "shown"), [((0, 1, 2), "0, 1, 2"), ((1, 2), "1, 2"), ((-1, 0.5), "-1, 0.5"), (range(9), "0, 1, 2, 3, 4, …")]
)
def test_a_mask_that_is_not_binary_is_refused_with_its_values(write_nifti, volume, values, shown):
    data = np.resize(np.float32(values), _SHAPE)
    with pytest.raises(InputError, match=f"must be binary: 0 outside, one other value inside. Received the values {re.escape(shown)}.$"):
        load_mask(write_nifti(data), volume)


def test_a_4d_mask_is_refused(write_nifti, volume, rng):
    with pytest.raises(InputError, match=r"the mask .*scan.nii.gz must be 3D. Received: shape \(9, 8, 7, 4\)."):
        load_mask(write_nifti(rng.integers(0, 2, _RUN, dtype=np.uint8)), volume)


@pytest.mark.parametrize(("shape", "origin"), [((9, 8, 6), 31.0), (_SHAPE, 33.0)])
def test_a_mask_on_another_grid_is_refused_and_both_grids_are_printed(write_nifti, volume, affine, rng, shape, origin):
    moved = affine.copy()
    moved[0, 3] = origin
    path = write_nifti(rng.integers(0, 2, shape, dtype=np.uint8), "mask.nii", moved)
    with pytest.raises(GridMismatchError, match="^the mask must lie on the grid of the image.\n") as caught:
        load_mask(path, volume)
    assert r"  scan.nii  shape (9, 8, 7)  zooms (2.0, 2.5, 3.0) mm  origin (31.0, -17.5, 4.25) mm  axes LAS" in str(caught.value)
    assert f"  {path}  shape {shape}  zooms (2.0, 2.5, 3.0) mm  origin ({origin}, -17.5, 4.25) mm  axes LAS" in str(caught.value)
