import numpy as np
import pytest

from keras_mri.imaging.run_repair.candidates import KRIGING, Candidates, line, regression
from keras_mri.imaging.run_repair.stacking import shares
from keras_mri.imaging.run_repair.trials import copies, trial_frames, trial_hole
from keras_mri.imaging.run_repair.variogram import kriging_weights, variogram


def gram_of(series):
    return series.T @ series / len(series)


def test_the_line_has_the_weights_of_the_nearest_frames():
    np.testing.assert_allclose(line(np.array([0, 2, 6, 9]), 3), [0, 3 / 4, 1 / 4, 0])
    np.testing.assert_allclose(line(np.array([0, 2]), 5), [0, 1])
    np.testing.assert_allclose(line(np.array([4, 5]), 0), [1, 0])


def test_regression_finds_the_sum_that_a_frame_is(rng):
    frames, mean = rng.standard_normal((500, 5)), 50 + 10 * rng.random(500)
    frames -= frames.mean(axis=1, keepdims=True)
    last = frames @ [0.5, -0.2, 0.3, 0, 0] + 0.1 * mean
    gram = gram_of(np.column_stack([frames, last, mean]))
    weights = regression(gram, np.arange(5), 5, 1e-9)
    np.testing.assert_allclose((frames + mean[:, None]) @ weights, last + mean, atol=1e-3)
    # With an enormous penalty only the mean is left, as bright as the frame.
    np.testing.assert_allclose(regression(gram, np.arange(5), 5, 1e9), 1.1 / 5, rtol=0.01)


def test_the_variogram_of_white_noise_is_flat_and_kriging_its_mean(rng):
    series = 2 * rng.standard_normal((20_000, 12))
    gamma = variogram(gram_of(series), np.arange(12))
    assert gamma[0] == 0
    np.testing.assert_allclose(gamma[1:], 4, rtol=0.05)
    np.testing.assert_allclose(kriging_weights(gamma, np.array([0, 1, 2, 4, 5]), 3), 0.2, atol=0.03)


def test_kriging_of_a_random_walk_is_the_line_through_the_neighbours():
    """The variogram of Brownian motion is linear in time; its best prediction is the straight line."""
    gamma = 0.5 * np.arange(12.0)
    np.testing.assert_allclose(kriging_weights(gamma, np.array([0, 2, 6, 9]), 3), [0, 3 / 4, 1 / 4, 0], atol=1e-9)


@pytest.mark.parametrize("partly", [True, False])
def test_every_way_is_a_row_of_weights(partly, rng):
    series = rng.standard_normal((400, 10)).astype(np.float32)
    ways = Candidates(series, np.full(400, 30, np.float32), np.arange(400) < 200, partly)
    frames = np.array([0, 1, 2, 5, 6, 9])
    rows = ways.rows(4, frames, frames)
    assert rows.shape == (ways.count, 10) and ways.count == KRIGING + 1 + (3 if partly else 0)
    assert not rows[:, [3, 4, 7, 8]].any()
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=0.02)
    np.testing.assert_allclose(rows[0, frames], 1 / 6)


def test_shares_are_those_of_least_squares_and_never_negative(rng):
    ways = rng.standard_normal((1000, 3))
    np.testing.assert_allclose(shares(ways.T @ ways, ways.T @ (ways @ [0.7, 0.3, 0])), [0.7, 0.3, 0], atol=1e-3)
    np.testing.assert_allclose(shares(ways.T @ ways, ways.T @ (ways @ [1.4, -0.4, 0])).min(), 0, atol=1e-9)
    assert shares(ways.T @ ways, ways.T @ (ways @ [1.4, -0.4, 0])).sum() == pytest.approx(1)
    np.testing.assert_allclose(shares(np.zeros((4, 4)), np.zeros(4)), 0.25)


def test_trials_have_the_same_frames_missing_around_them():
    frames = np.array([t for t in range(30) if t not in (10, 11)])
    trials = dict(trial_frames(10, frames, np.array([10, 11])))
    assert 10 not in trials and all(s not in others and s + 1 not in others for s, others in trials.items())
    assert 19 in trials[20] and 22 in trials[20]


def test_at_the_end_of_a_run_trials_have_frames_on_one_side_only():
    trials = trial_frames(0, np.arange(1, 30), np.array([0]))
    assert trials and all((others > s).all() for s, others in trials)
    assert trial_frames(0, np.arange(0), np.array([0])) == []


def test_a_small_hole_is_tried_on_copies_in_tissue():
    hole, tissue = np.zeros((40, 40, 20), bool), np.zeros((40, 40, 20), bool)
    hole[20, 20, 10], tissue[:, :25] = True, True
    found = copies(hole, tissue)
    assert 8 < found.sum() < 60 and not (found & ~tissue).any() and not (found & hole).any()
    places = np.argwhere(found)
    assert np.abs(places - [20, 20, 10]).max(axis=1).min() >= 5
    tried = trial_hole(hole, tissue)
    np.testing.assert_array_equal(tried, found | hole)
    tissue[:] = hole[:] = True
    assert trial_hole(hole, tissue) is hole
