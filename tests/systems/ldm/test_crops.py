import numpy as np

from keras_mri.systems.ldm.crops import cut, drawn_crops, positions


def test_crops_lie_in_their_runs_and_not_in_air_alone(rng):
    runs = [np.zeros((20, 20, 20, 1), np.float32), np.zeros((12, 30, 9, 50), np.float32)]
    runs[0][12:, 12:, 12:] = 1
    runs[1][...] = 1
    crops = drawn_crops(runs, (8, 8, 8), 50, rng)
    counts = np.bincount([crop.run for crop in crops])
    # A run of many frames counts as 24.
    np.testing.assert_array_equal(counts, [2, 48])
    for run, t, corner in crops:
        part = cut(runs[run][..., t], corner, (8, 8, 8))
        assert part.shape == (8, 8, 8) and part.mean() > 0
        assert all(0 <= start <= side - 8 for start, side in zip(corner, runs[run].shape))
    assert len({crop.time for crop in crops if crop.run == 1}) == 48


def test_a_small_volume_is_continued_by_its_outermost_voxels(rng):
    volume = rng.random((3, 5, 4)).astype(np.float32)
    part = cut(volume, (0, 1, 0), (4, 4, 6))
    np.testing.assert_array_equal(part, np.pad(volume[:, 1:], [(0, 1), (0, 0), (0, 2)], mode="edge"))
    assert {crop.corner[::2] for crop in drawn_crops([volume[..., None]], (4, 4, 6), 3, rng)} == {(0, 0)}


def test_positions_are_millimetres_from_the_centre_and_those_of_a_crop_are_part_of_the_whole():
    whole = positions((4, 2, 3), 4, (2.0, 3.0, 1.0), (16, 8, 12))
    assert whole.shape == (4, 2, 3, 3) and whole.dtype == np.float32
    # The first cell has its centre at voxel 1.5 of 0 … 15, whose middle is 7.5: 6 voxels of 2 mm to the left.
    np.testing.assert_allclose(whole[0, 0, 0], [-0.12, -0.06, -0.04], atol=1e-6)
    np.testing.assert_allclose(whole.mean(axis=(0, 1, 2)), 0, atol=1e-6)
    part = positions((2, 2, 1), 4, (2.0, 3.0, 1.0), (16, 8, 12), (8, 0, 4))
    np.testing.assert_allclose(part, whole[2:, :, 1:2])
