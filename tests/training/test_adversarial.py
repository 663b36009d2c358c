import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mri.networks.dense_unet import dense_critic
from keras_mri.networks.residual_unet import residual_unet
from keras_mri.training.adversarial import (
    AdversarialModel,
    PlayerLosses,
    Rules,
    discriminator_losses,
    penalty,
    wasserstein_losses,
)


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
    loss = wasserstein_losses(10.0).critic_loss(linear_critic(0.5), real, fake, tf.constant([0, 0]))
    assert float(loss) == pytest.approx(0.5 * 8 * (3 - 1) + 10 * (0.5 * np.sqrt(8) - 1) ** 2, rel=1e-5)
    assert float(wasserstein_losses(10.0).adversarial_loss(tf.constant([[1.0], [3.0]]))) == -2.0


def model_and_data(rng, critic_steps):
    network = residual_unet((8, 8, 4, 1), (2, 3), (1, 1))
    network.get_layer("residual").set_weights([np.full((1, 1, 1, 2, 1), 0.1), np.zeros(1)])
    critic = dense_critic((8, 8, 4, 1), 2, "none")
    model = AdversarialModel(network, critic, wasserstein_losses(10.0), Rules(critic_steps, l1_weight=100.0), seed=3)
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
            loss = expected.player_losses.critic_loss(expected.critic, target, expected.network(noisy), expected.next_seed())
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
    assert set(history) == {"loss", "error", "critic_loss", "adversarial_loss", "val_error"}
    assert all(np.isfinite(values).all() for values in history.values())
    changed = [not np.array_equal(old, new) for old, new in zip(before, model.get_weights())]
    n_network = len(model.network.get_weights())
    assert any(changed[:n_network]) and any(changed[n_network:])


def test_both_optimizers_are_built_by_compile(rng):
    model, _ = model_and_data(rng, critic_steps=1)
    assert model.optimizer.built and model.critic_optimizer.built


def scores(volume, training):
    """A critic that returns what it is shown."""
    return volume


@pytest.mark.parametrize(
    ("name", "of_critic", "of_network"),
    [
        # Logits: real 0.5 and 2, fake -1 and 3.
        ("lsgan", 0.5 * ((0.25 + 1) / 2 + (1 + 9) / 2), (4 + 4) / 2),
        (
            "bce",
            0.5 * (np.mean(np.log1p(np.exp([-0.5, -2.0]))) + np.mean(np.log1p(np.exp([-1.0, 3.0])))),
            np.mean(np.log1p(np.exp([1, -3]))),
        ),
        ("hinge", (0.5 + 0) / 2 + (0 + 4) / 2, -1.0),
    ],
)
def test_the_losses_of_a_discriminator_by_hand(name, of_critic, of_network):
    losses = discriminator_losses(name)
    real, fake = tf.constant([0.5, 2.0]), tf.constant([-1.0, 3.0])
    assert float(losses.critic_loss(scores, real, fake, None)) == pytest.approx(of_critic)
    assert float(losses.adversarial_loss(fake)) == pytest.approx(of_network)


@pytest.mark.parametrize("name", ["lsgan", "bce", "hinge"])
def test_right_judgements_cost_less_than_wrong_ones(name):
    losses, good, bad = discriminator_losses(name), tf.constant([4.0]), tf.constant([-4.0])
    if name == "lsgan":
        good, bad = tf.constant([1.0]), tf.constant([0.0])
    assert losses.critic_loss(scores, good, bad, None) < losses.critic_loss(scores, bad, good, None)
    assert losses.adversarial_loss(good) < losses.adversarial_loss(bad)


def test_a_conditional_discriminator_is_shown_the_source_first(rng):
    shown = []
    inputs = keras.Input((4, 4, 4, 1))
    network = keras.Model(inputs, keras.layers.Conv3D(1, 1, kernel_initializer="ones")(inputs))
    both = keras.Input((4, 4, 4, 2))
    critic = keras.Model(both, keras.layers.Conv3D(1, 2)(both))

    def critic_loss(critic, real, fake, seed):
        shown.extend([real.numpy(), fake.numpy()])
        return tf.reduce_mean(critic(real)) - tf.reduce_mean(critic(fake))

    model = AdversarialModel(
        network, critic, PlayerLosses(critic_loss, tf.reduce_mean), Rules(conditional=True), seed=0
    )  # fmt: skip
    model.compile(keras.optimizers.SGD(1e-3), keras.optimizers.SGD(1e-3))
    source, target = (tf.constant(rng.random((2, 4, 4, 4, 1), dtype=np.float32)) for _ in range(2))
    model.train_step((source, target))
    real, fake = shown
    np.testing.assert_array_equal(real, np.concatenate([source, target], axis=-1))
    np.testing.assert_allclose(fake, np.concatenate([source, source], axis=-1), atol=1e-6)


def test_the_generator_runs_once_in_a_step(rng):
    model, data = model_and_data(rng, critic_steps=3)
    calls = []
    network = model.network
    model.network = lambda noisy, training: calls.append(1) or network(noisy, training=training)
    model.network.trainable_variables = network.trainable_variables
    model.train_step(data)
    assert len(calls) == 1
