"""The middle slices of a scan and of what it was computed from, by slices of NumPy."""

import numpy as np

from keras_mri.imaging import phantoms
from keras_mri.inference.central_part import central_part
from keras_mri.io.volumes import Volume


def test_a_small_scan_is_taken_whole_in_its_middle_frame(rng):
    data = rng.random((5, 6, 7, 4), dtype=np.float32)
    part = central_part(Volume.from_array(data, phantoms.oblique_affine(), name="scan"))
    assert part.name == "scan" and part.shape == (5, 6, 7)
    np.testing.assert_array_equal(part.data, data[..., 2])


def test_of_a_large_scan_the_middle_slices_stay_where_they_are_and_their_source_comes_along(rng):
    data = rng.random((256, 257, 40), dtype=np.float32)
    affine = phantoms.oblique_affine()
    before = Volume.from_array(data, affine)
    part = central_part(before.with_frames(lambda t: data + 1))
    # 2**20 voxels are 15 slices of that size: slices 12 to 26.
    assert part.shape == (256, 257, 15)
    np.testing.assert_array_equal(part.data, data[..., 12:27] + 1)
    np.testing.assert_array_equal(part.source.data, data[..., 12:27])
    np.testing.assert_allclose(part.affine @ [3, 4, 0, 1], affine @ [3, 4, 12, 1])


def test_chosen_frames_come_in_their_order(rng):
    data = rng.random((5, 6, 7, 4), dtype=np.float32)
    part = central_part(Volume.from_array(data, np.eye(4)), (3, 1))
    np.testing.assert_array_equal(part.data, data[..., [3, 1]])
