"""A restored volume: its unit, its lowest intensity, its mask, and what stays as measured."""

import numpy as np
import pytest

from keras_mri.imaging.intensity import Scaling
from keras_mri.inference.restoring import lowest_intensity, restored, restored_frames
from keras_mri.io.volumes import Volume

SCALING = Scaling(offset=10.0, scale=4.0)


@pytest.fixture
def run4d(rng, affine):
    return Volume.from_array(rng.uniform(10, 20, (5, 4, 3, 2)), affine, name="run.nii")


def test_frames_come_back_in_the_unit_of_the_volume(run4d):
    result = restored(run4d, SCALING, lambda t: SCALING.apply(run4d.frame(t)) + np.float32(t))
    assert result.shape == run4d.shape and result.name == "run.nii" and result.source is run4d
    # One network unit is 4 of the image's.
    np.testing.assert_allclose(result.data, run4d.data + [0, 4], rtol=1e-6)
    assert result.frame(0).dtype == np.float32


@pytest.mark.parametrize(("darkest", "lowest"), [(0.0, 0.0), (-3.0, -6.0)])
def test_magnitude_data_stay_at_or_above_zero_and_others_may_fall_below(affine, darkest, lowest):
    volume = Volume.from_array(np.full((5, 4, 3), darkest), affine)
    # -4 network units: 10 - 16 = -6.
    result = restored(volume, SCALING, lambda t: np.full((5, 4, 3), -4, np.float32))
    np.testing.assert_array_equal(result.data, np.full((5, 4, 3), lowest))
    assert lowest_intensity(volume) == (0 if lowest == 0 else -np.inf)


def test_voxels_outside_the_mask_are_as_measured(run4d):
    mask = np.zeros((5, 4, 3), bool)
    mask[1:3, 2, 1] = True
    result = restored(run4d, SCALING, lambda t: np.zeros((5, 4, 3), np.float32), mask)
    np.testing.assert_array_equal(result.data, np.where(mask[..., None], 10.0, run4d.data))


def test_each_frame_may_have_a_mask_of_its_own_and_one_without_is_not_computed(run4d):
    masks, asked = np.zeros((5, 4, 3, 2), bool), []
    masks[0, 0, 0, 1] = True

    def run(t):
        asked.append(t)
        return np.zeros((5, 4, 3), np.float32)

    result = restored(run4d, SCALING, run, lambda t: masks[..., t])
    np.testing.assert_array_equal(result.data, np.where(masks, 10.0, run4d.data))
    assert asked == [1]


def test_frames_on_a_finer_grid_take_the_shape_that_was_computed(run4d):
    frame = restored_frames(run4d, SCALING, lambda t: np.ones((10, 8, 6), np.float32))
    np.testing.assert_array_equal(frame(0), np.full((10, 8, 6), 14.0))
