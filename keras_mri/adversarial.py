"""The two-player training step, written once: a network that restores and a critic that judges it."""

import keras
import tensorflow as tf

# Keeps the gradient of the square root finite where the critic's gradient is zero.
_SMALL = 1e-12


class AdversarialModel(keras.Model):
    """Train a network against a critic; what is saved is `network` alone.

    The network's output is computed once per step and serves every critic update and the network's own: between them
    the network does not change.

    Parameters
    ----------
    network : keras.Model
        From (batch, x, y, z, frames) to (batch, x, y, z, 1).
    critic : keras.Model
        From (batch, x, y, z, 1) to scores or logits.
    critic_loss : callable
        `critic_loss(critic, real, fake, seed)` returns the scalar that the critic minimises.
    adversarial_loss : callable
        `adversarial_loss(scores_of_fake)` returns the scalar that the network minimises.
    critic_steps : int
        Critic updates per network update.
    l1_weight, adversarial_weight : float
        Weights of the mean absolute error and of `adversarial_loss`.
    seed : int
    """

    def __init__(self, network, critic, *, critic_loss, adversarial_loss, critic_steps, l1_weight, adversarial_weight, seed):
        super().__init__()
        self.network, self.critic = network, critic
        self.critic_loss, self.adversarial_loss = critic_loss, adversarial_loss
        self.critic_steps = critic_steps
        self.l1_weight, self.adversarial_weight = l1_weight, adversarial_weight
        # Means over the epoch; without them the log would show each epoch's last batch alone.
        self.means = {name: keras.metrics.Mean(name=name) for name in ("loss", "l1", "critic_loss", "adversarial_loss")}
        self.seeds = keras.random.SeedGenerator(seed)
        # Its parts are built already; without this, save_weights refuses.
        self.built = True

    def compile(self, optimizer, critic_optimizer, **options):
        """Take one optimizer for each player and build both.

        Parameters
        ----------
        optimizer, critic_optimizer : keras.optimizers.Optimizer
        **options
            Passed to `keras.Model.compile`.
        """
        super().compile(optimizer=optimizer, **options)
        self.critic_optimizer = critic_optimizer
        # Built here: inside the step, a distribution strategy or a restart would lose the slots.
        optimizer.build(self.network.trainable_variables)
        critic_optimizer.build(self.critic.trainable_variables)

    def call(self, inputs, training=False):
        """Restore `inputs`."""
        return self.network(inputs, training=training)

    def train_step(self, data):
        """Update the critic `critic_steps` times, then the network once.

        Parameters
        ----------
        data : tuple of (noisy, target)

        Returns
        -------
        dict of str to scalar
            loss, l1, critic_loss, adversarial_loss.
        """
        noisy, target = data
        with tf.GradientTape() as tape:
            restored = self.network(noisy, training=True)
            with tape.stop_recording():
                for _ in range(self.critic_steps):
                    critic_loss = self._update_critic(target, restored)
            l1 = tf.reduce_mean(tf.abs(restored - target))
            adversarial_loss = self.adversarial_loss(self.critic(restored, training=True))
            loss = self.l1_weight * l1 + self.adversarial_weight * adversarial_loss
        gradients = tape.gradient(loss, self.network.trainable_variables)
        self.optimizer.apply(gradients, self.network.trainable_variables)
        return self._averaged(loss=loss, l1=l1, critic_loss=critic_loss, adversarial_loss=adversarial_loss)

    def test_step(self, data):
        """Return the mean absolute error on (noisy, target) as `l1`."""
        noisy, target = data
        return self._averaged(l1=tf.reduce_mean(tf.abs(self.network(noisy, training=False) - target)))

    @property
    def metrics(self):
        """What `fit` resets at the start of every epoch."""
        return list(self.means.values())

    def _averaged(self, **values):
        for name, value in values.items():
            self.means[name].update_state(value)
        return {name: self.means[name].result() for name in values}

    def _update_critic(self, real, fake):
        with tf.GradientTape() as tape:
            loss = self.critic_loss(self.critic, real, fake, self.seeds.next())
        gradients = tape.gradient(loss, self.critic.trainable_variables)
        self.critic_optimizer.apply(gradients, self.critic.trainable_variables)
        return loss


def wasserstein_critic_loss(gradient_penalty):
    """Make the critic loss of a Wasserstein GAN with gradient penalty.

    Parameters
    ----------
    gradient_penalty : float
        λ of the penalty.

    Returns
    -------
    callable
        For `AdversarialModel`.

    References
    ----------
    Gulrajani et al., NeurIPS 2017, algorithm 1. arXiv:1704.00028
    """

    def loss(critic, real, fake, seed):
        scores = tf.reduce_mean(critic(fake, training=True)) - tf.reduce_mean(critic(real, training=True))
        return scores + gradient_penalty * penalty(critic, real, fake, seed)

    return loss


def wasserstein_adversarial_loss(scores):
    """Return −E[D(G(z))]: the network wants high scores."""
    return -tf.reduce_mean(scores)


def penalty(critic, real, fake, seed):
    """Return E[(‖∇D(x̂)‖₂ − 1)²] at random points x̂ between real and fake patches.

    Parameters
    ----------
    critic : keras.Model
    real, fake : tensor of float32, shape (batch, x, y, z, 1)
    seed : tensor of int, shape (2,)

    Returns
    -------
    scalar tensor of float32
    """
    # Gulrajani 2017, Alg. 1: one uniform draw per patch, not per voxel.
    alpha = tf.random.stateless_uniform([tf.shape(real)[0], 1, 1, 1, 1], tf.cast(seed, tf.int32))
    between = alpha * real + (1 - alpha) * fake
    with tf.GradientTape() as tape:
        tape.watch(between)
        scores = critic(between, training=True)
    gradient = tf.cast(tape.gradient(scores, between), tf.float32)
    norm = tf.sqrt(tf.reduce_sum(gradient**2, axis=[1, 2, 3, 4]) + _SMALL)
    return tf.reduce_mean((norm - 1) ** 2)
