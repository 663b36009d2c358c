import csv
import math

import keras
import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.training.callbacks import EpochLog, EveryEpochs, FollowPace, KeepBest, KeepLast, StopOnNonFinite
from keras_mri.training.clock import Clock
from keras_mri.training.pace import Pace


def small_model(learning_rate=0.1):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(learning_rate), loss="mse")
    return model


def fit(model, callbacks, epochs=3):
    data = np.linspace(-1, 1, 8, dtype=np.float32)[:, None]
    return model.fit(data, 2 * data, batch_size=2, epochs=epochs, verbose=0, callbacks=callbacks)


def test_pace_counts_steps_and_stops_at_its_share():
    pace = Pace(steps=20)
    fit(small_model(), [FollowPace(pace, until=0.5)], epochs=100)
    assert pace.step == 10 and pace.progress() == 0.5


def test_a_time_budget_ends_a_training_that_has_no_other_end(monkeypatch):
    moment = [0.0]
    monkeypatch.setattr("keras_mri.training.pace.clock_of", lambda budget: Clock(budget, now=lambda: moment[0]))
    pace = Pace(steps=1, time_budget=30.0)

    def take_a_second(batch, logs=None):
        moment[0] += 1

    fit(small_model(), [FollowPace(pace), keras.callbacks.LambdaCallback(on_train_batch_begin=take_a_second)], epochs=10**6)
    # Half a step is kept for a validation, and a 30th step would end further from that moment than the 29th.
    assert pace.over() and pace.step == 29 and pace.progress() == 29 / 29.5


def test_the_learning_rate_climbs_then_falls_by_a_cosine():
    model, pace = small_model(), Pace(steps=200)
    rates = []
    record = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: rates.append(float(model.optimizer.learning_rate)))
    fit(model, [FollowPace(pace, 1.0, [(model.optimizer, 0.1)]), record], epochs=50)
    assert len(rates) == 200
    assert rates[0] == pytest.approx(0.005) and max(rates) == pytest.approx(0.1, rel=1e-2)
    assert rates[100] == pytest.approx(0.1 * (0.02 + 0.98 * 0.5), rel=1e-3)
    assert rates[-1] == pytest.approx(0.002, rel=0.01)


def test_the_best_epoch_is_kept_and_restored():
    model = small_model()
    best = KeepBest(model, "val_error")
    for epoch, score in enumerate([3.0, 1.0, 2.0, math.nan]):
        model.set_weights([np.full((1, 1), epoch), np.zeros(1)])
        best.on_epoch_end(epoch, {"val_error": score})
    best.restore()
    assert (best.epoch, best.best) == (2, 1.0)
    assert model.get_weights()[0].item() == 1


def test_starting_again_forgets_the_score_but_not_the_weights():
    model = small_model()
    best = KeepBest(model)
    best.on_epoch_end(0, {"val_error": 1.0})
    best.start_again()
    assert best.weights is not None
    best.on_epoch_end(1, {"val_error": 2.0})
    assert best.epoch == 2


def test_divergence_in_the_first_epoch_is_an_error_that_says_what_to_do():
    model = small_model(learning_rate=1e30)
    with pytest.raises(InputError, match="diverged: loss became NaN or infinite in the first epoch. Lower `learning_rate`"):
        fit(model, [StopOnNonFinite(KeepBest(model))], epochs=5)


def test_divergence_in_the_last_step_shows_on_held_out_data():
    model = small_model()
    best = KeepBest(model, "val_loss")
    stop = StopOnNonFinite(best)
    stop.set_model(model)
    with pytest.raises(InputError, match="val_loss became NaN or infinite in the first epoch.*or set `precision` to float32"):
        stop.on_epoch_end(0, {"loss": 1.0, "val_loss": math.nan})


def test_divergence_later_ends_training_with_what_was_best():
    model = small_model()
    best = KeepBest(model, "loss")
    spoil = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: epoch == 2 and model.set_weights([np.full((1, 1), np.nan), np.zeros(1)])
    )
    history = fit(model, [StopOnNonFinite(best), best, spoil], epochs=9)
    assert len(history.epoch) == 3
    best.restore()
    assert np.isfinite(model.get_weights()[0]).all()


def test_the_log_has_one_row_per_epoch_through_several_fits(tmp_path):
    log = EpochLog(tmp_path / "history.csv")
    fit(small_model(), [log], epochs=2)
    fit(small_model(), [log], epochs=1)
    with open(tmp_path / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert all(float(row["loss"]) >= 0 and float(row["seconds"]) >= 0 for row in rows)


def test_every_so_many_epochs_counts_through_several_fits():
    seen = []
    every = EveryEpochs(2, lambda network, epoch: seen.append((network, epoch)))
    model = small_model()
    fit(model, [every], epochs=3)
    fit(model, [every], epochs=1)
    assert seen == [(model, 2), (model, 4)]


def test_the_last_epoch_with_finite_weights_is_kept():
    model, last = small_model(), KeepLast()
    weights = []
    record = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: weights.append(model.get_weights()))
    spoil = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: epoch == 2 and model.set_weights([np.full((1, 1), np.nan), np.zeros(1)])
    )
    fit(model, [spoil, last, record])
    assert np.isnan(weights[2][0])
    copy = last.network_like(model)
    np.testing.assert_array_equal(copy.get_weights()[0], weights[1][0])
    assert copy is not model and np.isnan(model.get_weights()[0])
