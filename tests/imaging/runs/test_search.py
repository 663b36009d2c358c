"""How the steps of the search hand on to one another."""

import numpy as np

from keras_mri.imaging.runs.search import RunSearch
from keras_mri.imaging.runs.summaries import summarise_run
from tests.imaging.runs.simulated_runs import scaled, shifted, still_run


def search(run, repetition_time=2.0):
    done = RunSearch(summarise_run(run), repetition_time, (1.0, 1.0, 1.0))
    return done, *done.conditions()


def test_a_condition_that_faults_leave_too_small_is_left_out_as_a_whole():
    run = scaled(still_run(32, 10.0), np.where(np.arange(32) < 11, 0.6, 1.0))
    run[3:5, :, :, 6] *= 0.2
    done, conditions, kind = search(run)
    assert conditions == (tuple(range(11, 32)),)
    assert kind == "run"
    assert done.unlike[3] == "one bad slice (z = 6)"
    assert done.unlike[8] == "too few frames of this kind: 9"


def test_faults_are_found_within_each_of_two_alternating_conditions():
    run = scaled(still_run(40, 10.0), np.where(np.arange(40) % 2, 0.97, 1.0))
    run[7, :, :, 6] *= 0.2
    run[12] *= 1.5
    run[19] = 0.0
    run[26] = shifted(run[26], (0, 2, 0))
    done, conditions, kind = search(run)
    assert kind == "alternating"
    assert conditions == tuple(tuple(t for t in range(first, 40, 2) if t not in (7, 12, 19, 26)) for first in (0, 1))
    assert done.unlike == {7: "one bad slice (z = 6)", 12: "spike", 19: "blank", 26: "moved"}


def test_two_alternating_conditions_see_one_jump_of_the_head():
    run = scaled(still_run(48, 10.0), np.where(np.arange(48) % 2, 0.985, 1.0))
    run[24:] = [shifted(frame, (1.5, 0, 0)) for frame in run[24:]]
    done, conditions, _ = search(run)
    assert sorted(map(len, conditions)) == [12, 12, 12, 12]
    assert [frame for frame, _ in done.lasting_jumps()] == [24]


def test_unsteady_frames_are_sought_in_the_first_fifteen_seconds():
    run = scaled(still_run(60, 10.0), 1 + 0.05 * 0.8 ** np.arange(60))
    # 5 % · 0.8ᵗ is above 0.5 % until frame 10: 15 s are 8 frames of 2 s, but 30 of 0.5 s.
    assert sorted(search(run, 2.0)[0].unlike) == list(range(8))
    assert len(search(run, 0.5)[0].unlike) >= 10
