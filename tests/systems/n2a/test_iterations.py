import pytest

from keras_mri.systems.n2a import iterations as repetition_training
from keras_mri.systems.n2a.settings import Config
from keras_mri.training.callbacks import Pace
from tests.systems.n2a.test_system import SMALL, repetitions, train


@pytest.mark.parametrize(("iterations", "budgets"), [(1, [8]), (2, [6, 2]), (3, [6, 1.5, 0.5])])
def test_the_time_is_shared_among_the_iterations_without_rest(eagerly, affine, monkeypatch, iterations, budgets):
    given = []

    class Paced(Pace):
        def __init__(self, steps, time_budget):
            given.append(time_budget)
            super().__init__(1, None)

    monkeypatch.setattr(repetition_training, "Pace", Paced)
    train(repetitions(affine), Config(epochs=1, steps_per_epoch=1, time_budget=8, **{**SMALL, "iterations": iterations}))
    assert given == budgets
