import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mri.adversarial import AdversarialModel, penalty, wasserstein_adversarial_loss, wasserstein_critic_loss
from keras_mri.networks.dense_unet import dense_critic
from keras_mri.networks.residual_unet import residual_unet


def linear_critic(weight):
    """A critic D(x) = weight · sum(x), whose gradient has the norm weight · sqrt(voxels)."""
    inputs = keras.Input((2, 2, 2, 1))
    score = keras.layers.Dense(1, use_bias=False)(keras.layers.Flatten()(inputs))
    critic = keras.Model(inputs, score)
    critic.set_weights([np.full((8, 1), weight)])
    return critic


@pytest.mark.parametrize("weight", [0.0, 0.1, 1.0])
def test_the_penalty_of_a_linear_critic_is_known(weight, rng):
    real, fake = (tf.constant(rng.random((3, 2, 2, 2, 1), dtype=np.float32)) for _ in range(2))
    found = penalty(linear_critic(weight), real, fake, tf.constant([1, 2]))
    assert float(found) == pytest.approx((weight * np.sqrt(8) - 1) ** 2, abs=1e-5)


def test_the_critic_loss_is_fake_minus_real_plus_the_weighted_penalty():
    real, fake = tf.ones((2, 2, 2, 2, 1)), 3 * tf.ones((2, 2, 2, 2, 1))
    loss = wasserstein_critic_loss(10.0)(linear_critic(0.5), real, fake, tf.constant([0, 0]))
    assert float(loss) == pytest.approx(0.5 * 8 * (3 - 1) + 10 * (0.5 * np.sqrt(8) - 1) ** 2, rel=1e-5)
    assert float(wasserstein_adversarial_loss(tf.constant([[1.0], [3.0]]))) == -2.0


def model_and_data(rng, critic_steps):
    network = residual_unet((8, 8, 4, 1), (2, 3), (1, 1))
    network.get_layer("residual").set_weights([np.full((1, 1, 1, 2, 1), 0.1), np.zeros(1)])
    critic = dense_critic((8, 8, 4, 1), 2, "none")
    model = AdversarialModel(
        network,
        critic,
        critic_loss=wasserstein_critic_loss(10.0),
        adversarial_loss=wasserstein_adversarial_loss,
        critic_steps=critic_steps,
        l1_weight=100.0,
        adversarial_weight=1.0,
        seed=3,
    )
    model.compile(keras.optimizers.SGD(1e-3), keras.optimizers.SGD(1e-3))
    return model, tuple(tf.constant(rng.random((2, 8, 8, 4, 1), dtype=np.float32)) for _ in range(2))


def test_a_step_with_the_output_reused_equals_the_published_procedure(rng):
    """Oracle: the procedure written out, with the generator run again at every critic update."""
    model, (noisy, target) = model_and_data(rng, critic_steps=2)
    expected, _ = model_and_data(np.random.default_rng(0), critic_steps=2)
    expected.network.set_weights(model.network.get_weights())
    expected.critic.set_weights(model.critic.get_weights())
    model.train_step((noisy, target))

    for _ in range(2):
        with tf.GradientTape() as tape:
            loss = expected.critic_loss(expected.critic, target, expected.network(noisy), expected.seeds.next())
        expected.critic_optimizer.apply(tape.gradient(loss, expected.critic.trainable_variables))
    with tf.GradientTape() as tape:
        restored = expected.network(noisy)
        loss = 100 * tf.reduce_mean(tf.abs(restored - target)) - tf.reduce_mean(expected.critic(restored))
    expected.optimizer.apply(tape.gradient(loss, expected.network.trainable_variables))

    for found, wanted in zip(model.get_weights(), expected.get_weights()):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_fit_changes_both_players_and_logs_every_loss(rng):
    model, data = model_and_data(rng, critic_steps=1)
    before = [weight.copy() for weight in model.get_weights()]
    history = model.fit(*data, batch_size=2, epochs=1, verbose=0, validation_data=data).history
    assert set(history) == {"loss", "l1", "critic_loss", "adversarial_loss", "val_l1"}
    assert all(np.isfinite(values).all() for values in history.values())
    changed = [not np.array_equal(old, new) for old, new in zip(before, model.get_weights())]
    n_network = len(model.network.get_weights())
    assert any(changed[:n_network]) and any(changed[n_network:])


def test_both_optimizers_are_built_by_compile(rng):
    model, _ = model_and_data(rng, critic_steps=1)
    assert model.optimizer.built and model.critic_optimizer.built
