"""Metrics of a run against a reference, and the images that cannot be compared."""

import math

import numpy as np
import pytest

from keras_mri.errors import GridMismatchError, InputError, remarks_kept
from keras_mri.imaging.evaluation import evaluate, region_and_peak
from keras_mri.io.volumes import Volume


def test_a_run_is_compared_with_a_run_frame_by_frame(rng, affine):
    reference = rng.uniform(50, 100, (9, 8, 7, 3)).astype(np.float32)
    # Errors of 1, 2 and 2 in the three frames: a mean square of 3.
    image = reference + np.float32([1, 2, -2])
    row = evaluate(*(Volume.from_array(d, affine) for d in (reference, image)), np.ones((9, 8, 7), bool), 100.0)
    assert row["psnr"] == pytest.approx(20 * math.log10(100 / math.sqrt(3)), abs=1e-4)
    assert "psnr_out" not in row


def test_runs_of_different_length_are_refused(rng, affine):
    reference, image = (Volume.from_array(rng.random((9, 8, 7, t)), affine, name=f"{t}.nii") for t in (3, 4))
    message = "one volume or have as many frames as the image. Received: 3 frames in 3.nii, 4 in 4.nii."
    with pytest.raises(InputError, match=message):
        evaluate(reference, image, np.ones((9, 8, 7), bool), 1.0)


def test_images_on_another_grid_are_refused(rng, affine):
    reference, image = (Volume.from_array(rng.random(shape), affine) for shape in ((9, 8, 7), (9, 8, 6)))
    with pytest.raises(GridMismatchError, match="the images must lie on one grid"):
        evaluate(reference, image, np.ones((9, 8, 7), bool), 1.0)


def test_a_data_range_that_a_hot_voxel_sets_is_said(affine, rng):
    data = rng.uniform(100, 1000, (9, 8, 7)).astype(np.float32)
    hot = data.copy()
    hot[4, 4, 4] = 1e6
    with remarks_kept() as remarks:
        assert region_and_peak(Volume.from_array(hot, affine, name="hot.nii"))[1] == 1e6
    assert remarks == ["hot.nii: its maximum, 1e+06, is an outlier, and metrics are relative to it: state `data_range`"]
    with remarks_kept() as remarks:
        region_and_peak(Volume.from_array(hot, affine), data_range=1000)
        region_and_peak(Volume.from_array(data, affine))
    assert remarks == []
