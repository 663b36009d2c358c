import numpy as np
import pytest

from keras_mri.imaging.run_repair.guess import RunGuess
from tests.imaging.run_repair.low_rank_runs import SHAPE, low_rank_run, slab


def guess_of(run, missing, **more):
    """What stands in the holes must not matter."""
    damaged = np.where(missing, np.float32(-7e4), run)
    return RunGuess(damaged.__getitem__, missing.__getitem__, len(run))


def rms(values):
    return np.sqrt(np.mean(np.square(values, dtype=np.float64)))


@pytest.mark.parametrize(("first", "last"), [(5, 6), (4, 9)])
def test_missing_slices_follow_the_known_part_of_their_frame(first, last):
    """Three maps have courses without any order in time: only the known slices tell where the frame is."""
    run = low_rank_run(24, 3)
    missing = slab(first, last, [7, 15], 24)
    guess = guess_of(run, missing)
    for t in (7, 15):
        filled = guess.filled(t)
        error = rms((filled - run[t])[missing[t]])
        assert error < 0.05 and error < 0.03 * rms((run.mean(axis=0) - run[t])[missing[t]])
        np.testing.assert_array_equal(filled[~missing[t]], run[t][~missing[t]])


@pytest.mark.parametrize("gone", [[9], [8, 9, 10]])
def test_missing_frames_lie_on_a_straight_drift(gone, rng):
    start, slope = 100 + 10 * rng.random(SHAPE), 0.5 * rng.random(SHAPE)
    run = np.float32([start + slope * t for t in range(20)])
    guess = guess_of(run, slab(0, SHAPE[2], gone, 20))
    for t in gone:
        np.testing.assert_allclose(guess.filled(t), run[t], atol=0.02)


def test_noise_alone_is_best_guessed_by_the_mean(rng):
    run = (100 + rng.standard_normal((30, *SHAPE))).astype(np.float32)
    missing = slab(0, SHAPE[2], [12], 30)
    mean = np.delete(run, 12, axis=0).mean(axis=0)
    assert rms(guess_of(run, missing).filled(12) - run[12]) < 1.01 * rms(mean - run[12])


def test_breathing_that_alternates_from_frame_to_frame_is_foreseen(rng):
    """The line between neighbours would be wrong by twice the amplitude, the mean by once."""
    run = (100 + 3 * (-1.0) ** np.arange(40)[:, None, None, None] + 0.3 * rng.standard_normal((40, *SHAPE))).astype(np.float32)
    assert rms(guess_of(run, slab(0, SHAPE[2], [20], 40)).filled(20) - run[20]) < 0.45


def test_a_brighter_frame_is_brighter_in_the_hole_too():
    run = low_rank_run(24, 2)
    run[5] *= np.float32(1.08)
    missing = slab(4, 7, [5], 24)
    assert rms((guess_of(run, missing).filled(5) - run[5])[missing[5]]) < 0.1


def test_points_share_the_noise_of_their_neighbours(rng):
    from scipy import ndimage

    noise = ndimage.gaussian_filter(rng.standard_normal((30, *SHAPE)), (0, 1, 1, 1))
    run = (100 + noise / noise.std()).astype(np.float32)
    missing = rng.random(run.shape) < 0.003
    guess = guess_of(run, missing)
    error = np.concatenate([(guess.filled(t) - run[t])[missing[t]] for t in range(30)])
    assert rms(error) < 0.4


def test_what_no_frame_knows_is_a_line_between_the_slices_beside():
    ramp = 100 + 10 * np.arange(SHAPE[2], dtype=np.float32)
    run = np.broadcast_to(ramp, (6, *SHAPE)).copy()
    missing = slab(5, 7, range(6), 6)
    np.testing.assert_allclose(guess_of(run, missing).filled(2), run[2], atol=0.05)


def test_a_curve_across_slices_is_followed_where_the_line_is_not():
    """A cubic through four slices is exact; the slices around prove that."""
    curve = 100 + np.linspace(-4, 4, SHAPE[2], dtype=np.float32) ** 3
    run = np.broadcast_to(curve, (1, *SHAPE)).copy()
    missing = slab(6, 7, [0], 1)
    np.testing.assert_allclose(guess_of(run, missing).filled(0), run[0], atol=0.3)
    line = (curve[5] + curve[7]) / 2
    assert np.abs(guess_of(run, missing).filled(0)[..., 6] - curve[6]).max() < 0.5 * abs(line - curve[6]) + 0.01


def test_a_trial_hole_counts_as_missing_in_its_frame_or_in_all():
    run = low_rank_run(12, 2)
    missing = slab(3, 4, [2], 12)
    hole = np.zeros(SHAPE, bool)
    hole[:, :, 7:9] = True
    guess = guess_of(run, missing)
    known = guess.filled(6, hole)
    assert rms((known - run[6])[hole]) < 0.2
    np.testing.assert_array_equal(known[~hole], run[6][~hole])
    from_space = guess.filled(6, hole, always=True)
    assert rms((from_space - run[6])[hole]) > 10 * rms((known - run[6])[hole])


def test_every_voxel_may_have_its_own_gaps(rng):
    run = low_rank_run(20, 2, noise=0.2)
    missing = rng.random(run.shape) < 0.1
    guess = guess_of(run, missing)
    for t in (0, 11, 19):
        filled = guess.filled(t)
        assert rms((filled - run[t])[missing[t]]) < 1.0
        np.testing.assert_array_equal(filled[~missing[t]], run[t][~missing[t]])


@pytest.mark.parametrize("n_frames", [2, 3, 5])
def test_few_frames_are_enough(n_frames):
    run = low_rank_run(n_frames, 1)
    for missing in (slab(4, 6, [0], n_frames), slab(0, SHAPE[2], [n_frames - 1], n_frames)):
        guess, t = guess_of(run, missing), int(np.flatnonzero(missing.any(axis=(1, 2, 3)))[0])
        assert rms((guess.filled(t) - run[t])[missing[t]]) < 15


def test_constant_and_empty_runs_are_no_trouble():
    for value in (0, 5):
        run = np.full((8, *SHAPE), value, np.float32)
        missing = slab(4, 6, [3], 8)
        np.testing.assert_allclose(guess_of(run, missing).filled(3), run[3], atol=1e-3)
