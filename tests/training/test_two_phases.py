import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mri.data.pipelines import Batches
from keras_mri.systems.sr.settings import Config
from keras_mri.training.adversarial import AdversarialModel, Rules, discriminator_losses
from keras_mri.training.pace import Pace
from keras_mri.training.two_phases import NewOptimizers, fit_in_two_phases

NEW = NewOptimizers(lambda: keras.optimizers.Adam(0.05), lambda: keras.optimizers.Adam(0.01))


def small(rng):
    inputs = keras.Input((4, 4, 4, 1))
    network = keras.Model(inputs, keras.layers.Conv3D(1, 1)(inputs))
    critic = keras.Model(inputs, keras.layers.Conv3D(1, 2)(inputs))
    losses = discriminator_losses("lsgan")
    model = AdversarialModel(network, critic, losses, Rules(), seed=0)
    source = rng.normal(size=(8, 4, 4, 4, 1)).astype(np.float32)
    pairs = tf.data.Dataset.from_tensor_slices((source, 2 * source)).batch(2, drop_remainder=True)
    return model, Batches(pairs.repeat(), pairs, 4)


def fit(model, data, epochs=4, **options):
    config = Config(**{"epochs": epochs, "learning_rate": 0.05, "adversarial_weight": 1.0, **options})
    log = keras.callbacks.History()
    rows = []
    record = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: rows.append(dict(logs)))
    fit_in_two_phases(model, data, Pace(epochs * data.steps), config, NEW, [record, log])
    return rows


@pytest.mark.parametrize(("warm_up", "with_critic"), [(0.5, [False, False, True, True]), (0.0, [True] * 4), (1.0, [False] * 4)])
def test_the_critic_joins_after_the_warm_up(rng, warm_up, with_critic):
    model, data = small(rng)
    rows = fit(model, data, warm_up=warm_up)
    assert ["critic_loss" in row for row in rows] == with_critic
    assert all("val_error" in row for row in rows)


def test_without_a_weight_the_critic_never_plays_and_does_not_change(rng):
    model, data = small(rng)
    before = model.critic.get_weights()
    rows = fit(model, data, adversarial_weight=0.0, warm_up=0.0)
    assert len(rows) == 4 and not any("critic_loss" in row for row in rows)
    for old, new in zip(before, model.critic.get_weights()):
        np.testing.assert_array_equal(old, new)
    assert rows[-1]["error"] < rows[0]["error"]


def test_the_network_ends_with_its_best_weights(rng):
    model, data = small(rng)

    class Spoil(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 3:
                model.network.set_weights([weight + 5 for weight in model.network.get_weights()])

    errors = []
    record = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: errors.append(logs["val_error"]))
    config = Config(epochs=5, learning_rate=0.01, adversarial_weight=0.0)
    fit_in_two_phases(model, data, Pace(5 * data.steps), config, NEW, [Spoil(), record])
    found = np.mean([np.abs(model.network(source) - target).mean() for source, target in data.validation])
    assert found == pytest.approx(min(errors), rel=1e-4) and errors[-1] > 1.5 * min(errors)


def test_ctrl_c_keeps_the_best_network_so_far(rng, caplog):
    model, data = small(rng)

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    config = Config(epochs=9, adversarial_weight=0.0)
    fit_in_two_phases(model, data, Pace(100), config, NEW, [Interrupt()])
    assert "interrupted: keeping the best network so far (epoch" in caplog.text


def test_the_critic_may_have_an_optimizer_of_its_own(rng):
    model, data = small(rng)
    config = Config(epochs=2, warm_up=0.5, adversarial_weight=1.0)
    new = NewOptimizers(lambda: keras.optimizers.Adam(0.05), lambda: keras.optimizers.Adam(0.01, beta_1=0.25))
    fit_in_two_phases(model, data, Pace(2 * data.steps), config, new)
    assert (model.optimizer.beta_1, model.critic_optimizer.beta_1) == (0.9, 0.25)
    assert float(model.critic_optimizer.learning_rate) == pytest.approx(0.01)
