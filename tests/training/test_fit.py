import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mri.data.pipelines import Batches
from keras_mri.training.fit import compute_deterministically, fit, untuned


def test_a_fit_goes_on_until_a_callback_says_stop():
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    model.compile("sgd", loss="mse")
    data = tf.data.Dataset.from_tensors((np.ones((2, 1), np.float32), np.ones((2, 1), np.float32)))
    steps, held_out = [], []

    class Count(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            steps.append(batch)

        def on_epoch_end(self, epoch, logs=None):
            held_out.append(logs["val_loss"])
            self.model.stop_training = epoch == 1

    fit(model, Batches(data.repeat(), data, 3), [Count()])
    assert steps == [0, 1, 2] * 2 and len(held_out) == 2
    assert held_out[1] < held_out[0]


@pytest.mark.parametrize("wanted", [True, False])
def test_tensorflow_is_told_only_if_it_is_wanted(monkeypatch, wanted):
    told = []
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: told.append(True))
    compute_deterministically(wanted)
    assert bool(told) == wanted


def test_no_thread_that_tunes_a_pipeline_delays_the_end_of_a_training():
    data = untuned(tf.data.Dataset.range(3))
    assert data.options().autotune.enabled is False
    assert list(data.as_numpy_iterator()) == [0, 1, 2]
