"""The two-player training step, written once: a network that restores and a critic that judges it."""

import typing

import keras
import tensorflow as tf

from keras_mri.training import devices

# Keeps the gradient of the square root finite where the critic's gradient is zero.
_SMALL = 1e-12


class PlayerLosses(typing.NamedTuple):
    """The functions that the two players minimise.

    Parameters
    ----------
    critic_loss : callable
        `critic_loss(critic, real, fake, seed)` returns the critic's scalar.
    adversarial_loss : callable
        `adversarial_loss(scores_of_fake)` returns the network's scalar.
    """

    critic_loss: typing.Callable
    adversarial_loss: typing.Callable


class Rules(typing.NamedTuple):
    """How the two players take turns, and the network's weighted errors.

    Parameters
    ----------
    critic_steps : int
        Critic updates per network update.
    l1_weight, adversarial_weight : float
        Weights of the mean absolute error and of the adversarial loss.
    conditional : bool
        Show the critic the network's input beside the network's output.
    """

    critic_steps: int = 1
    l1_weight: float = 1.0
    adversarial_weight: float = 1.0
    conditional: bool = False


class AdversarialModel(keras.Model):
    """Train a network against a critic; what is saved is `network` alone.

    The network's output is computed once per step and serves every critic update and the network's own: between them
    the network does not change.

    Parameters
    ----------
    network : keras.Model
        From (batch, x, y, z, frames) to (batch, x, y, z, 1).
    critic : keras.Model
        From (batch, x, y, z, 1) to scores or logits; with `conditional`, from (batch, x, y, z, frames + 1), the input first.
    losses : PlayerLosses
    rules : Rules
    seed : int
    """

    def __init__(self, network, critic, losses, rules, seed):
        super().__init__()
        self.network, self.critic = network, critic
        self.player_losses, self.rules = losses, rules
        # Means over the epoch; without them the log would show each epoch's last batch alone.
        self.means = {name: keras.metrics.Mean(name=name) for name in ("loss", "error", "critic_loss", "adversarial_loss")}
        self.seed = seed
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
            loss, error (the mean absolute one), critic_loss, adversarial_loss.
        """
        noisy, target = data
        with tf.GradientTape() as tape:
            restored = self.network(noisy, training=True)
            judged = self._judged(noisy, restored)
            with tape.stop_recording():
                for _ in range(self.rules.critic_steps):
                    critic_loss = self._update_critic(self._judged(noisy, target), judged)
            error = tf.reduce_mean(tf.abs(restored - target))
            adversarial_loss = self.player_losses.adversarial_loss(self.critic(judged, training=True))
            loss = self.rules.l1_weight * error + self.rules.adversarial_weight * adversarial_loss
            # What optimizers add up over the devices is to be the gradient of the whole batch's mean.
            share = loss / devices.count()
        gradients = tape.gradient(share, self.network.trainable_variables)
        self.optimizer.apply(gradients, self.network.trainable_variables)
        return self._averaged(loss=loss, error=error, critic_loss=critic_loss, adversarial_loss=adversarial_loss)

    def test_step(self, data):
        """Return the mean absolute error on (noisy, target) as `error`."""
        noisy, target = data
        return self._averaged(error=tf.reduce_mean(tf.abs(self.network(noisy, training=False) - target)))

    def next_seed(self):
        """Return the two numbers of the next critic update's draws: tensor of int32, shape (2,)."""
        return devices.numbered_seed(self.seed, self.critic_optimizer.iterations)

    @property
    def metrics(self):
        """What `fit` resets at the start of every epoch."""
        return list(self.means.values())

    def _judged(self, noisy, volume):
        return tf.concat([noisy, volume], axis=-1) if self.rules.conditional else volume

    def _averaged(self, **values):
        for name, value in values.items():
            self.means[name].update_state(value)
        return {name: self.means[name].result() for name in values}

    def _update_critic(self, real, fake):
        with tf.GradientTape() as tape:
            loss = self.player_losses.critic_loss(self.critic, real, fake, self.next_seed())
            share = loss / devices.count()
        gradients = tape.gradient(share, self.critic.trainable_variables)
        self.critic_optimizer.apply(gradients, self.critic.trainable_variables)
        return loss


def wasserstein_losses(gradient_penalty):
    """Return the losses of a Wasserstein GAN with gradient penalty; the network maximises the critic's score, −E[D(G(z))].

    Parameters
    ----------
    gradient_penalty : float
        λ of the penalty.

    Returns
    -------
    PlayerLosses

    References
    ----------
    Gulrajani et al., NeurIPS 2017, algorithm 1. arXiv:1704.00028
    """

    def critic_loss(critic, real, fake, seed):
        scores = tf.reduce_mean(critic(fake, training=True)) - tf.reduce_mean(critic(real, training=True))
        return scores + gradient_penalty * penalty(critic, real, fake, seed)

    return PlayerLosses(critic_loss, lambda scores: -tf.reduce_mean(scores))


def discriminator_losses(name):
    """Return the losses of two players whose scores are logits, real positive and fake negative (least squares: 1 and 0).

    Parameters
    ----------
    name : {"lsgan", "bce", "hinge"}
        Least squares on the logits; cross-entropy; or the hinge, which asks for no more than a margin of 1. The first two
        are halved, so that the discriminator, which sees two volumes where the network sees one, does not learn faster.

    Returns
    -------
    PlayerLosses

    References
    ----------
    Mao et al., ICCV 2017 (least squares). arXiv:1611.04076
    Isola et al., CVPR 2017 (cross-entropy, halved). arXiv:1611.07004
    Lim & Ye, 2017 (hinge). arXiv:1705.02894
    """
    of_real, of_fake, of_network = _DISCRIMINATOR_TERMS[name]

    def critic_loss(critic, real, fake, seed):
        terms = tf.reduce_mean(of_real(critic(real, training=True))) + tf.reduce_mean(of_fake(critic(fake, training=True)))
        return terms if name == "hinge" else 0.5 * terms

    return PlayerLosses(critic_loss, lambda logits: tf.reduce_mean(of_network(logits)))


# name → terms of a logit of a real volume, of a fake one in the critic's loss, of a fake one in the network's.
# −log sigmoid(l) = softplus(−l), and −log(1 − sigmoid(l)) = softplus(l).
_DISCRIMINATOR_TERMS = {
    "lsgan": (lambda logit: (logit - 1) ** 2, lambda logit: logit**2, lambda logit: (logit - 1) ** 2),
    "bce": (lambda logit: tf.nn.softplus(-logit), tf.nn.softplus, lambda logit: tf.nn.softplus(-logit)),
    "hinge": (lambda logit: tf.nn.relu(1 - logit), lambda logit: tf.nn.relu(1 + logit), lambda logit: -logit),
}


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
    alpha = devices.own_share(lambda size: tf.random.stateless_uniform([size, 1, 1, 1, 1], tf.cast(seed, tf.int32)), tf.shape(real)[0])
    between = alpha * real + (1 - alpha) * fake
    with tf.GradientTape() as tape:
        tape.watch(between)
        scores = critic(between, training=True)
    gradient = tf.cast(tape.gradient(scores, between), tf.float32)
    norm = tf.sqrt(tf.reduce_sum(gradient**2, axis=[1, 2, 3, 4]) + _SMALL)
    return tf.reduce_mean((norm - 1) ** 2)
