import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mri.data.pipelines import Batches
from keras_mri.errors import InputError
from keras_mri.training.callbacks import KeepBest
from keras_mri.training.fit import fit
from keras_mri.training.resuming import TrainingState
from keras_mri.training.state_files import load_state


class Stop(keras.callbacks.Callback):
    """End the training before a step and before its state is saved, as a lost process would, or after some epochs."""

    def __init__(self, before=None, epochs=3):
        super().__init__()
        self.before, self.epochs, self.count = before, epochs, 0

    def on_train_batch_begin(self, batch, logs=None):
        if self.count == self.before:
            raise KeyboardInterrupt
        self.count += 1

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch + 1 == self.epochs


def network(units=3):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,))
    outputs = keras.layers.Dense(1)(keras.layers.Dense(units, activation="relu")(inputs))
    return keras.Model(inputs, outputs)


def batches():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 4)).astype(np.float32)
    data = tf.data.Dataset.from_tensor_slices((x, x.sum(axis=1, keepdims=True)))
    return Batches(data.take(360).repeat().batch(4), data.skip(360).batch(4), 5)


def trained(state, before=None, units=3):
    """Two fits of three epochs of five steps with an optimizer that averages weights; the second goes on from the best of the first."""
    model, rows = network(units), []
    best = KeepBest(model, "val_loss")
    log = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: rows.append(logs["loss"]))
    stop = Stop(before)
    try:
        for _ in range(2):
            model.compile(keras.optimizers.Adam(0.01, use_ema=True), loss="mse", metrics=["mae"], jit_compile=False)
            swap = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
            fit(model, batches(), [swap, best, log, *([state] if state else []), stop])
            best.restore()
    except KeyboardInterrupt:
        return None, best, rows
    return model.get_weights(), best, rows


@pytest.fixture(scope="module")
def whole():
    return trained(None)


@pytest.mark.parametrize("step", [0, 4, 6, 16, 20])
def test_whatever_step_it_ends_before_a_training_goes_on_as_if_nothing_had_happened(tmp_path, whole, step):
    path = tmp_path / "x.state"
    assert trained(TrainingState(path, 0.0, {}), before=step)[0] is None
    saved, _ = load_state(path)
    weights, best, rows = trained(TrainingState(path, None, {}, saved))
    for one, other in zip(whole[0], weights, strict=True):
        np.testing.assert_array_equal(other, one)
    assert (best.best, best.epoch) == (whole[1].best, whole[1].epoch)
    # The losses of the epochs that were still to come, the one that was interrupted included.
    assert rows == whole[2][-len(rows) :] and len(rows) == 6 - max(0, step - 1) // 5


def test_a_training_can_be_taken_up_again_and_again(tmp_path, whole):
    path, saved = tmp_path / "x.state", None
    for step in (4, 3, 11):
        assert trained(TrainingState(path, 0.0, {}, saved), before=step)[0] is None
        saved, _ = load_state(path)
    for one, other in zip(whole[0], trained(TrainingState(path, 0.0, {}, saved))[0], strict=True):
        np.testing.assert_array_equal(other, one)


def test_the_facts_and_the_time_are_stored(tmp_path):
    path = tmp_path / "x.state"
    state = TrainingState(path, 0.0, {"command": {"system": "wgan"}}, {"ended": [], "fit": -1, "step": 0, "seconds": 100.0})
    trained(state, before=2)
    saved, _ = load_state(path)
    assert saved["command"] == {"system": "wgan"} and 100 < saved["seconds"] < 1000
    assert state.seconds_before == 100 and state.interrupted


def test_nothing_is_saved_before_it_is_time(tmp_path):
    for every in (None, 1e6):
        trained(TrainingState(tmp_path / "x.state", every, {}), before=3)
    assert list(tmp_path.iterdir()) == []


def test_a_state_of_another_network_is_refused(tmp_path):
    path = tmp_path / "x.state"
    trained(TrainingState(path, 0.0, {}), before=2)
    with pytest.raises(InputError, match="the saved state is that of another network. Train from the start, with `overwrite`"):
        trained(TrainingState(path, 0.0, {}, load_state(path)[0]), units=4)


def test_a_training_goes_on_when_its_state_cannot_be_written(tmp_path, whole, monkeypatch, caplog):
    def full(path, state):
        raise InputError("no space")

    monkeypatch.setattr("keras_mri.training.resuming.save_state", full)
    np.testing.assert_array_equal(trained(TrainingState(tmp_path / "x.state", 0.0, {}))[0][0], whole[0][0])
    assert "could not be saved; it goes on without: no space" in caplog.text
