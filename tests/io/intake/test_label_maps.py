"""Label maps and masks are told from scans, of 8 bits too; the regions are drawn, the scans are phantoms with noise."""

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from keras_mri.errors import InputError
from keras_mri.imaging import phantoms
from keras_mri.io.intake.label_maps import count_of_labels
from keras_mri.io.nifti_reading import open_image, open_scan
from keras_mri.io.volumes import Volume

_SHAPE = (40, 36, 30)


@pytest.fixture(scope="module")
def regions():
    """Return a function that draws this many regions of voxels around random centres, in a ball."""
    places = np.stack(np.meshgrid(*map(np.arange, _SHAPE), indexing="ij"), axis=-1)

    def draw(count):
        centres = np.random.default_rng(count).uniform(0, _SHAPE, (count, 3))
        nearest = np.argmin(((places[..., None, :] - centres) ** 2).sum(axis=-1), axis=-1) + 1
        inside = (((places - np.array(_SHAPE) / 2) / (np.array(_SHAPE) / 2)) ** 2).sum(axis=-1) < 0.9
        return np.where(inside, nearest, 0).astype(np.float32)

    return draw


def _scan(levels, noise=0.02, smooth=0.0):
    clean = ndimage.gaussian_filter(phantoms.head(_SHAPE, 0)[0].astype(np.float64), 1.0)
    noisy = np.abs(clean / clean.max() + np.random.default_rng(0).normal(0, noise, _SHAPE))
    return np.rint(np.clip(ndimage.gaussian_filter(noisy, smooth) if smooth else noisy, 0, 1) * levels).astype(np.float32)


@pytest.mark.parametrize(("count", "factor"), [(2, 1.0), (4, 1000.0), (4, 0.5), (60, 1.0)])
def test_regions_of_one_value_are_labels_whatever_the_values(regions, count, factor):
    drawn = regions(count)
    assert count_of_labels(np.float32(factor) * drawn) == len(np.unique(drawn)) > count / 2


def test_two_values_are_a_mask(regions, rng):
    assert count_of_labels((regions(4) > 0).astype(np.float32)) == 2
    assert count_of_labels(rng.integers(0, 2, _SHAPE).astype(np.float32)) == 2


@pytest.mark.parametrize("levels", [255, 200, 60])
@pytest.mark.parametrize("smooth", [0.0, 1.0])
@pytest.mark.parametrize("stripped", [False, True])
@pytest.mark.parametrize("doubled", [1, 2, 3])
def test_scans_of_few_grey_levels_are_scans(levels, smooth, stripped, doubled):
    data = _scan(levels, smooth=smooth)
    data = np.where(phantoms.head(_SHAPE, 0)[1] if stripped else True, data, 0)
    for axis in range(3):
        data = data.repeat(doubled, axis)
    assert count_of_labels(data) == 0


def test_a_scan_of_many_values_and_a_constant_one_have_no_labels(rng):
    assert count_of_labels(rng.normal(size=_SHAPE).astype(np.float32)) == 0
    assert count_of_labels(np.zeros(_SHAPE, np.float32)) == 0


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_a_label_map_is_refused_as_a_scan_and_opened_as_an_image(write_nifti, regions, dtype):
    path = write_nifti(regions(5).astype(dtype), "dseg.nii.gz")
    message = (
        f"^{path} looks like a label map: it has 6 values, in regions of one value each. .* Name the scan instead; .* Volume.from_array"
    )
    with pytest.raises(InputError, match=message):
        open_scan(path)
    with pytest.raises(InputError, match="looks like a mask: it has two values"):
        open_scan(nibabel.Nifti1Image((regions(5) > 2).astype(dtype), np.eye(4)))
    assert open_image(path).shape == _SHAPE


def test_the_intent_of_the_header_decides_before_the_values(write_nifti, affine, rng):
    header = nibabel.Nifti1Header()
    header["intent_code"] = 1002
    path = write_nifti(rng.normal(size=_SHAPE).astype(np.float32), header=header)
    with pytest.raises(InputError, match="is a label map: the intent code of its header is 1002. .* set its intent code to 0"):
        open_scan(path)


def test_a_field_of_vectors_is_no_run(write_nifti, rng):
    header = nibabel.Nifti1Header()
    header["intent_code"] = 1007
    data = rng.normal(size=(6, 5, 4, 1, 3)).astype(np.float32)
    with pytest.raises(InputError, match="holds a field of vectors: the intent code of its header is 1007"):
        open_scan(write_nifti(data, header=header))
    # Programs write runs so as well, of more frames than a vector has numbers.
    assert open_scan(write_nifti(np.concatenate([data, data], axis=4), "run.nii", header=header)).n_frames == 6


def test_what_was_made_in_python_passes(regions):
    volume = Volume.from_array(regions(5), np.eye(4))
    assert open_scan(volume) is volume
