import numpy as np

from keras_mri.imaging.run_repair.relaxation import filled_in_space
from keras_mri.systems.ldm.imputation import best_reach, filled_frame, random_hole

SHAPE = (9, 8, 7)


def test_a_missing_frame_lies_on_the_line_between_its_neighbours(rng):
    start, slope = rng.random((2, *SHAPE)).astype(np.float32)
    run = [start + slope * t for t in range(6)]
    missing = [np.full(SHAPE, t in (2, 3)) for t in range(6)]
    for t in range(6):
        np.testing.assert_allclose(filled_frame(run.__getitem__, missing.__getitem__, 6, t), run[t], rtol=1e-5)


def test_each_voxel_finds_its_own_neighbours_in_time():
    """One voxel is missing in frames 1 and 2 of 4, another only in frame 1: lines over three and over two intervals."""
    run = [np.full(SHAPE, value, np.float32) for value in (0, 9, 5, 6)]
    missing = [np.zeros(SHAPE, bool) for _ in range(4)]
    missing[1][0, 0, :2] = missing[2][0, 0, 0] = True
    filled = filled_frame(run.__getitem__, missing.__getitem__, 4, 1)
    np.testing.assert_allclose(filled[0, 0, :3], [2.0, 2.5, 9.0])


def test_at_the_ends_of_a_run_the_nearest_frame_stays(rng):
    run = rng.random((3, *SHAPE)).astype(np.float32)
    missing = [np.full(SHAPE, t == 0) for t in range(3)]
    np.testing.assert_array_equal(filled_frame(lambda t: run[t], lambda t: missing[t], 3, 0), run[1])


def test_an_average_over_frames_has_gaussian_weights_and_leaves_out_what_is_missing():
    run = [np.full(SHAPE, value, np.float32) for value in (9, 1, 50, 3, 70)]
    missing = [np.full(SHAPE, t in (2, 4)) for t in range(5)]
    weights = np.exp(-0.5 * np.array([2, 1, 1]) ** 2 / 1.5**2)
    filled = filled_frame(run.__getitem__, missing.__getitem__, 5, 2, reach=1.5)
    np.testing.assert_allclose(filled, weights @ [9, 1, 3] / weights.sum(), rtol=1e-6)


def test_where_no_frame_within_reach_knows_a_voxel_the_line_stays():
    run = [np.full(SHAPE, t, np.float32) for t in range(20)]
    missing = [np.full(SHAPE, 0 < t < 19) for t in range(20)]
    np.testing.assert_allclose(filled_frame(run.__getitem__, missing.__getitem__, 20, 10, reach=1.5), 10, rtol=1e-6)


def test_known_frames_choose_the_line_where_all_is_change_and_the_average_where_all_is_noise(rng):
    never = np.zeros(SHAPE, bool)
    ramp = [np.full(SHAPE, t**2, np.float32) for t in range(40)]
    assert best_reach(ramp.__getitem__, lambda t: never, 40) == 0
    noise = rng.normal(size=(40, *SHAPE)).astype(np.float32)
    assert best_reach(noise.__getitem__, lambda t: never, 40) == 12
    assert best_reach(noise.__getitem__, lambda t: never, 1) == 0


def test_a_slab_that_no_frame_knows_is_a_line_in_space():
    frame = np.broadcast_to(np.arange(8, dtype=np.float32)[:, None], SHAPE).copy()
    missing = np.zeros(SHAPE, bool)
    missing[:, 3:6] = True
    damaged = np.where(missing, np.float32(-50), frame)
    filled = filled_frame(lambda t: damaged, lambda t: missing, 1, 0)
    np.testing.assert_allclose(filled, frame, atol=1e-3)


def test_a_hole_gets_no_new_extremes_and_what_is_known_stays(rng):
    frame = rng.random(SHAPE).astype(np.float32)
    missing = rng.random(SHAPE) < 0.4
    filled = filled_in_space(np.where(missing, np.float32(7), frame), missing)
    np.testing.assert_array_equal(filled[~missing], frame[~missing])
    assert filled.min() >= frame[~missing].min() and filled.max() <= frame[~missing].max()


def test_the_input_is_not_changed(rng):
    frame = rng.random(SHAPE).astype(np.float32)
    missing, before = frame < 0.5, frame.copy()
    filled_frame(lambda t: frame, lambda t: missing, 1, 0)
    np.testing.assert_array_equal(frame, before)


def test_holes_are_whole_frames_or_slabs_of_at_most_a_third():
    holes = [random_hole((12, 9, 5), np.random.default_rng(seed)) for seed in range(200)]
    assert 20 < sum(hole.all() for hole in holes) < 90
    for hole in holes:
        if hole.all():
            continue
        places = np.argwhere(hole)
        sides = places.max(axis=0) + 1 - places.min(axis=0)
        assert hole.sum() == np.prod(sides) and 0 < min(sides / (12, 9, 5)) <= 1 / 3
