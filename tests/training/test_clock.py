"""Time budgets on a clock of the test's own: the oracle is arithmetic."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mri.data.pipelines import Batches
from keras_mri.systems.sr.settings import Config
from keras_mri.training.adversarial import AdversarialModel, Rules, discriminator_losses
from keras_mri.training.callbacks import FollowPace
from keras_mri.training.clock import Clock, clock_of, current, in_time, running
from keras_mri.training.fit import fit
from keras_mri.training.pace import Pace
from keras_mri.training.two_phases import NewOptimizers, fit_in_two_phases


class Wall:
    """A clock that moves when it is told to."""

    def __init__(self, moment=1000.0):
        self.moment = moment

    def __call__(self):
        return self.moment


class Takes(keras.callbacks.Callback):
    """Let steps and validations take their time, and count the steps of each fit; behind FollowPace, which notes when a step begins."""

    def __init__(self, wall, step=1.0, first=0.0, validation=0.0):
        super().__init__()
        self.wall, self.seconds, self.first, self.validation = wall, step, first, validation
        self.steps = []

    def on_train_begin(self, logs=None):
        self.steps.append(0)

    def on_train_batch_begin(self, batch, logs=None):
        self.wall.moment += self.seconds + (0 if self.steps[-1] else self.first)
        self.steps[-1] += 1

    def on_test_batch_end(self, batch, logs=None):
        self.wall.moment += self.validation


@pytest.fixture
def wall():
    return Wall()


def network():
    inputs = keras.Input((4, 4, 4, 1))
    return keras.Model(inputs, keras.layers.Conv3D(1, 1)(inputs))


def batches(steps=10):
    source = np.ones((2, 4, 4, 4, 1), np.float32)
    pairs = tf.data.Dataset.from_tensor_slices((source, 2 * source)).batch(2, drop_remainder=True)
    return Batches(pairs.repeat(), pairs, steps)


def trained(wall, pace, takes, steps=10, until=1.0):
    model = network()
    model.compile("sgd", loss="mse")
    fit(model, batches(steps), [FollowPace(pace, until, [(model.optimizer, 1.0)]), takes])
    return takes


def test_the_budget_counts_from_the_command_and_keeps_time_for_validation_and_files(wall):
    clock = Clock(60.0, start=wall() - 8, now=wall)
    clock.closing, clock.following = 4.0, 6.0
    with running(clock):
        takes = trained(wall, Pace(1, 60.0), Takes(wall, step=1.0, validation=2.0))
    # 8 s were over; of the 60, 4 + 6 are kept. A fifth epoch is cut, because each takes 10 + 2: 8 + 3 x 12 = 44, 4 steps, 2 for validation.
    assert takes.steps == [34] and clock.elapsed() == 50


def test_without_a_running_clock_it_counts_from_the_pace(wall, monkeypatch):
    monkeypatch.setattr("keras_mri.training.pace.clock_of", lambda budget: Clock(budget, now=wall))
    takes = trained(wall, Pace(1, 20.0), Takes(wall), steps=100)
    # No validation has been measured before the end: half a step is kept for it, and the last step ends as near as whole ones can.
    assert takes.steps == [19] and wall() == 1019


def test_a_single_slow_step_leaves_time_for_its_validation(wall):
    with running(Clock(60.0, now=wall)):
        takes = trained(wall, Pace(1, 60.0), Takes(wall, step=1.0, first=49.0, validation=5.0), steps=100)
    # After 50 s, a validation is taken to need half as long: nothing more fits.
    assert takes.steps == [1]


def test_progress_goes_from_the_first_step_to_the_last(wall):
    clock = Clock(100.0, start=wall() - 20, now=wall)
    clock.closing = 10.0
    with running(clock):
        pace = Pace(1, 100.0)
    assert pace.progress() == 0.0
    pace.begin_fit()
    wall.moment += 10
    seen = []
    for _ in range(6):
        pace.begin_step()
        seen.append(pace.progress())
        wall.moment += 10
        pace.end_step()
    # Steps begin after 30 s; the end is at 90, of which the validation, 5 s (half a step), is left.
    assert seen[0] == 0.0 and seen[2:] == pytest.approx([20 / 55, 30 / 55, 40 / 55, 50 / 55])
    assert pace.over() and pace.remaining() == 10.0


def test_a_share_is_one_of_the_time_left(wall):
    clock = Clock(100.0, start=wall() - 20, now=wall)
    clock.closing = 10.0
    with running(clock):
        assert Pace(1, 100.0, share=0.5, after=10.0).end == 20 + 0.5 * (90 - 10 - 20)
        assert Pace(1, 100.0).end == 90


def test_a_stage_leaves_time_for_the_graph_of_the_next(wall):
    clock = Clock(100.0, now=wall)
    with running(clock):
        pace = Pace(1, 100.0, share=0.9)
        pace.fits_after = 1
        takes = trained(wall, pace, Takes(wall, step=1.0, first=19.0, validation=1.0), steps=1000)
    # 100 - (20 + 9.5 + 0.5) for the next stage, of which nothing is known but this one's first step, and as much validation here.
    assert clock.elapsed() == takes.steps[0] + 19 + 1 and 56 <= takes.steps[0] + 19 <= 61


def test_a_resumed_training_has_the_rest_of_its_budget(wall):
    with running(Clock(60.0, now=wall)):
        first = Pace(1, 60.0)
        first.begin_step()
        wall.moment += 25
        first.end_step()
    state = first.state
    wall.moment += 5000
    with running(Clock(60.0, start=wall() - 7, now=wall)):
        second = Pace(1, 60.0)
        second.state = state
        assert (second.step, second.remaining(), second.elapsed()) == (1, 35.0, 25.0)


def two_phases(wall, takes, budget, warm_up=0.8):
    one, critic = network(), keras.Sequential([keras.Input((4, 4, 4, 1)), keras.layers.Conv3D(1, 2)])
    model = AdversarialModel(one, critic, discriminator_losses("lsgan"), Rules(), seed=0)
    new = NewOptimizers(lambda: keras.optimizers.SGD(0.01), lambda: keras.optimizers.SGD(0.01))
    with running(Clock(budget, now=wall)):
        fit_in_two_phases(
            model, batches(), Pace(1, budget), Config(warm_up=warm_up, learning_rate=0.01, adversarial_weight=1.0), new, [takes]
        )


def test_each_phase_gets_its_share(wall):
    takes = Takes(wall)
    two_phases(wall, takes, 100.0)
    assert sum(takes.steps) == pytest.approx(100, abs=2) and takes.steps[0] == pytest.approx(80, abs=2)


def test_without_time_for_its_graph_the_critic_is_left_out_and_that_is_said(wall, caplog):
    takes = Takes(wall, first=30.0)
    two_phases(wall, takes, 80.0)
    assert len(takes.steps) == 1 and wall() - 1000 == pytest.approx(80, abs=17)
    assert "no time is left for the critic" in caplog.text


@pytest.mark.parametrize(("steps", "said"), [(100, "of the 100 steps of an epoch, about 29 fit into it"), (20, None)])
def test_a_budget_smaller_than_an_epoch_is_said_after_the_second_step(wall, caplog, steps, said):
    with running(Clock(30.0, now=wall)):
        trained(wall, Pace(1, 30.0), Takes(wall), steps=steps)
    assert (said in caplog.text) if said else ("an epoch" not in caplog.text)


def test_a_training_that_cannot_keep_its_budget_says_how_long_it_takes(wall, caplog):
    clock = Clock(10.0, start=wall() - 6, now=wall)
    clock.closing, clock.following = 3.0, 2.0
    with running(clock):
        takes = trained(wall, Pace(1, 10.0), Takes(wall, step=8.0, validation=1.0))
    # 6 + 8, 4 for the validation as it is guessed, 3 + 2.
    assert takes.steps == [1] and "about 1 fit into it; this training ends after about 23 s" in caplog.text


def test_scans_that_take_too_long_to_prepare_are_left_out_and_named(wall, caplog):
    names = [f"scan{number}.nii.gz" for number in range(6)]
    with running(Clock(100.0, start=wall() - 2, now=wall)):
        for _ in (prepared := in_time(names, names)):
            wall.moment += 8
        seen = wall() - 1000
    # 2 + 8 k may reach 30 s, but not exceed it.
    assert seen == 24 and prepared.gi_frame is None
    assert "warning: scan3.nii.gz: 3 of 6 scans, this and those after it, are left out" in caplog.text


def test_without_a_budget_nothing_is_left_out():
    assert current() is None and list(in_time([1, 2, 3], "abc")) == [1, 2, 3]
    assert clock_of(None) is None


def test_pictures_are_as_large_as_the_budget_affords(wall):
    clock = Clock(100.0, now=wall)
    assert clock.affordable() == float("inf")
    clock.speed = (0.5, 0.001)
    # 5 % of the budget: 5000 voxels of a thousandth of a second each.
    assert clock.affordable() == pytest.approx(5000)
    clock.expect_pictures(2000)
    assert clock.following == pytest.approx(2 + 2 * 2.5)
    clock.expect_pictures(10**6)
    assert clock.following == pytest.approx(2 + 2 * 5.5) and clock.end == pytest.approx(87)
