import pytest

from keras_mri.systems.n2a import iterations as repetition_training
from keras_mri.systems.n2a.settings import Config
from keras_mri.training.clock import Clock, running
from keras_mri.training.pace import Pace
from tests.systems.n2a.test_system import SMALL, repetitions, train


@pytest.mark.parametrize(("iterations", "seconds"), [(1, [8]), (2, [6, 2]), (3, [6, 1.5, 0.5])])
def test_the_time_is_shared_among_the_iterations_without_rest(eagerly, affine, monkeypatch, iterations, seconds):
    given, moment = [], [0.0]

    class Paced(Pace):
        """Note how long an iteration may take, let that time pass, and stop after a step."""

        def __init__(self, steps, time_budget, share):
            super().__init__(steps, time_budget, share)
            given.append(self.end - self.elapsed())
            moment[0] += given[-1]
            super().__init__(1, None)

    monkeypatch.setattr(repetition_training, "Pace", Paced)
    with running(Clock(8, now=lambda: moment[0])):
        train(repetitions(affine), Config(epochs=1, steps_per_epoch=1, time_budget=8, **{**SMALL, "iterations": iterations}))
    assert given == seconds
