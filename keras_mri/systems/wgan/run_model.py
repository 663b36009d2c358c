"""The training step of the network of runs: squared error against a recorrupted target, and the response to simulated activations."""

import typing

import keras
import tensorflow as tf

from keras_mri.systems.wgan.run_activations import MOST_BLOBS
from keras_mri.systems.wgan.run_copies import TARGET_NOISE
from keras_mri.training import devices

# Weights of the error where activations are and of the amplitude lost; the least power (in units of the noise variance) by which an
# activation is judged.
_ACTIVE_WEIGHT, _KEEP_WEIGHT, _LEAST_POWER = 2.0, 6.0, 0.5
# An activation's response error counts up to this, in units of its power.
_MOST_ERROR = 4.0


class RunRules(typing.NamedTuple):
    """The terms of the loss.

    Parameters
    ----------
    keep : float
        Share of an activation's amplitude below which its loss counts.
    response_weight : float
        Weight of the error of the response, in units of the activation's power.
    adversarial_weight : float
        Weight of the critic's judgement.
    critic_steps : int
        Critic updates per update of the network.
    """

    keep: float = 0.95
    response_weight: float = 0.5
    adversarial_weight: float = 0.0
    critic_steps: int = 1


class RunModel(keras.Model):
    """Trains a network of maps, alone or against a critic of maps; what is saved is `network` alone.

    Parameters
    ----------
    network : keras.Model
        From (batch, x, y, z, channels) to (batch, x, y, z, 1).
    rules : RunRules
    critic : keras.Model, optional
        From (batch, x, y, z, 1) to scores. It judges once `compile` is given an optimizer for it.
    losses : keras_mri.training.adversarial.PlayerLosses, optional
        What the two minimise.
    seed : int
    """

    def __init__(self, network, rules, critic=None, losses=None, seed=0):
        super().__init__()
        self.network, self.rules, self.critic, self.player_losses, self.seed = network, rules, critic, losses, seed
        self.critic_optimizer = None
        self.means = {
            name: keras.metrics.Mean(name=name)
            for name in ("error", "squared_error", "kept", "response_error", "critic_loss", "adversarial_loss", "loss")
        }
        # Its parts are built already; without this, save_weights refuses.
        self.built = True

    def compile(self, optimizer, critic_optimizer=None, **options):
        """Take one optimizer for each player and build them.

        Parameters
        ----------
        optimizer : keras.optimizers.Optimizer
        critic_optimizer : keras.optimizers.Optimizer, optional
            Without it the critic has no say.
        **options
            Passed to `keras.Model.compile`.
        """
        super().compile(optimizer=optimizer, **options)
        self.critic_optimizer = critic_optimizer
        optimizer.build(self.network.trainable_variables)
        if critic_optimizer is not None:
            critic_optimizer.build(self.critic.trainable_variables)

    def call(self, inputs, training=False):
        """Denoise maps."""
        return self.network(inputs, training=training)

    def train_step(self, data):
        """Update the network once.

        Parameters
        ----------
        data : tuple
            A batch of `run_batches`.

        Returns
        -------
        dict of str to scalar
            error (the loss without the critic's part), squared_error (in units of the noise variance, without the target's own noise),
            kept, response_error; loss.
        """
        with tf.GradientTape() as tape:
            losses, restored = self.losses_of(data, training=True)
            if self.critic_optimizer is not None:
                with tape.stop_recording():
                    for _ in range(self.rules.critic_steps):
                        critic_loss = self._update_critic(_patches(data[2]), _patches(restored))
                adversarial_loss = self.player_losses.adversarial_loss(self.critic(_patches(restored), training=True))
                losses["loss"] += self.rules.adversarial_weight * adversarial_loss
                losses |= {"critic_loss": critic_loss, "adversarial_loss": adversarial_loss}
            # What optimizers add up over the devices is to be the gradient of the whole batch's mean.
            share = losses["loss"] / devices.count()
        gradients = tape.gradient(share, self.network.trainable_variables)
        self.optimizer.apply(gradients, self.network.trainable_variables)
        return self._averaged(**losses)

    def test_step(self, data):
        """Return the loss on held-out patches as `error`."""
        return self._averaged(error=self.losses_of(data, training=False)[0]["error"])

    @property
    def metrics(self):
        """What `fit` resets at the start of every epoch."""
        return list(self.means.values())

    def losses_of(self, data, training):
        """Return the loss and its parts, dict of str to scalar tensor, and the restored maps, shape (batch, components, x, y, z)."""
        channels, without, targets, labels, weights = data
        restored, bare = self._restored(channels, training), self._restored(without, training)
        error = _mean(weights[:, None] * (restored - targets) ** 2, weights) - TARGET_NOISE
        kept, response_error = responses(restored - bare, channels[..., 0] - without[..., 0], labels, weights, self.rules.keep)
        activation = channels[..., 0] - without[..., 0]
        active = active_error(restored - targets, activation, labels, weights)
        loss = error + _ACTIVE_WEIGHT * active + _KEEP_WEIGHT * kept["lost"] + self.rules.response_weight * response_error
        parts = {"squared_error": error, "kept": kept["mean"], "response_error": response_error}
        return {"loss": loss, "error": loss, **parts}, restored

    def _restored(self, channels, training):
        patches = tf.reshape(channels, [-1, *channels.shape[2:]])
        return tf.reshape(self.network(patches, training=training), tf.shape(channels)[:-1])

    def _update_critic(self, real, fake):
        seed = devices.numbered_seed(self.seed, self.critic_optimizer.iterations)
        with tf.GradientTape() as tape:
            loss = self.player_losses.critic_loss(self.critic, real, fake, seed)
            share = loss / devices.count()
        self.critic_optimizer.apply(tape.gradient(share, self.critic.trainable_variables), self.critic.trainable_variables)
        return loss

    def _averaged(self, **values):
        for name, value in values.items():
            self.means[name].update_state(value)
        return {name: self.means[name].result() for name in values}


def active_error(error, activation, labels, weights):
    """Return the mean squared error where activations are, without the target's own noise; scalar tensor.

    Maps count by their share of the activations' power: it is there that amplitudes are read.

    Parameters
    ----------
    error, activation : tensor of float32, shape (batch, components, x, y, z)
    labels : tensor of int32, shape (batch, x, y, z)
        The activation that a voxel belongs to, 0 for none.
    weights : tensor of float32, shape (batch, x, y, z)
        1 in tissue.
    """
    voxels = weights * tf.cast(labels > 0, tf.float32)
    count = tf.maximum(tf.reduce_sum(voxels, axis=[1, 2, 3]), 1.0)
    power = tf.reduce_sum(voxels[:, None] * activation**2, axis=[2, 3, 4])
    shares = power / (tf.reduce_sum(power, axis=1, keepdims=True) + 1e-6)
    errors = tf.reduce_sum(voxels[:, None] * error**2, axis=[2, 3, 4]) / count[:, None] - TARGET_NOISE
    # Patches without activation say nothing.
    return tf.reduce_mean(tf.reduce_sum(shares * errors, axis=1))


def _patches(maps):
    """Return maps, shape (batch, components, x, y, z), as the examples that a critic takes."""
    return tf.reshape(maps, [-1, *maps.shape[2:], 1])


def responses(response, activation, labels, weights, keep):
    """Score a response against the activations that caused it, each activation by itself.

    Parameters
    ----------
    response, activation : tensor of float32, shape (batch, components, x, y, z)
    labels : tensor of int32, shape (batch, x, y, z)
        The activation that a voxel belongs to, 0 for none.
    weights : tensor of float32, shape (batch, x, y, z)
        1 in tissue.
    keep : float

    Returns
    -------
    kept : dict of str to scalar tensor
        `mean`, the share of amplitude kept; `lost`, the mean square of what is missing to `keep`.
    response_error : scalar tensor
        Squared error of the response in units of the activations' power.
    """
    batch, count = tf.shape(labels)[0], MOST_BLOBS + 1
    # One patch's activations are not those of another.
    segments = tf.reshape(labels + count * tf.range(batch)[:, None, None, None], [-1])

    def summed(values):
        voxels = tf.reshape(weights * tf.reduce_sum(values, axis=1), [-1])
        return tf.reshape(tf.math.unsorted_segment_sum(voxels, segments, batch * count), [batch, count])

    power = summed(activation**2)
    error = summed((response - activation) ** 2)
    share = summed(response * activation)[:, 1:] / (power[:, 1:] + 1e-3)
    # Weights between equal (each activation counts) and by power (what is hidden by noise teaches little).
    judged = tf.where(power[:, 1:] > _LEAST_POWER, tf.sqrt(power[:, 1:]), 0.0)
    judged = judged / (tf.reduce_sum(judged, axis=1, keepdims=True) + 1e-6) / tf.cast(batch, tf.float32)
    kept = {"mean": tf.reduce_sum(judged * share), "lost": tf.reduce_sum(judged * tf.nn.relu(keep - share) ** 2)}
    inside = tf.reduce_sum(judged * tf.minimum(error[:, 1:] / (power[:, 1:] + 1e-3), _MOST_ERROR))
    spread = tf.reduce_mean(error[:, 0] / (tf.reduce_sum(power, axis=1) + 1.0))
    return kept, inside + spread


def _mean(values, weights):
    """Return the mean over each patch's tissue and components, then over patches."""
    voxels = tf.reduce_sum(weights, axis=[1, 2, 3]) * tf.cast(tf.shape(values)[1], tf.float32)
    return tf.reduce_mean(tf.reduce_sum(values, axis=[1, 2, 3, 4]) / tf.maximum(voxels, 1.0))
