"""One training step of the published preset, and what each change gives: python -m experiments.01_wgan_bold.step_time

Four rows in one process, taken in turn so that drifts of the machine cancel: the published procedure (the generator's output
computed anew at every critic update, float32), and ours with output re-use, with bfloat16, and with both.
"""

import pathlib
import statistics
import time

import keras
import numpy as np
import tensorflow as tf

from experiments.data import peak_memory, write_rows
from keras_mri.networks.dense_unet import dense_critic, dense_unet
from keras_mri.networks.precision import hidden_layers_in
from keras_mri.training.adversarial import AdversarialModel, Rules, wasserstein_losses

PATCH, BATCH, REPEATS = (32, 32, 8, 1), 4, 5


class PublishedProcedure(AdversarialModel):
    """The same losses and updates, with the generator run again for every one of them."""

    def train_step(self, data):
        """Update the critic five times and the generator once, as published."""
        noisy, target = data
        for _ in range(self.rules.critic_steps):
            critic_loss = self._update_critic(target, self.network(noisy, training=True))
        with tf.GradientTape() as tape:
            restored = self.network(noisy, training=True)
            error = tf.reduce_mean(tf.abs(restored - target))
            adversarial_loss = self.player_losses.adversarial_loss(self.critic(restored, training=True))
            loss = self.rules.l1_weight * error + self.rules.adversarial_weight * adversarial_loss
        self.optimizer.apply(tape.gradient(loss, self.network.trainable_variables), self.network.trainable_variables)
        return {"loss": loss, "error": error, "critic_loss": critic_loss}


def main():
    """Write step_time.csv: median seconds and the ratio to the published procedure."""
    rng = np.random.default_rng(0)
    data = tuple(tf.constant(rng.random((BATCH, *PATCH), dtype=np.float32)) for _ in range(2))
    variants = {
        "published procedure": _compiled(PublishedProcedure, "float32"),
        "output re-used": _compiled(AdversarialModel, "float32"),
        "bfloat16": _compiled(PublishedProcedure, "bfloat16"),
        "output re-used, bfloat16": _compiled(AdversarialModel, "bfloat16"),
    }
    seconds = {name: [] for name in variants}
    for repeat in range(REPEATS + 1):
        for name, step in variants.items():
            start = time.perf_counter()
            step(data)["loss"].numpy()
            print(f"{name}: {time.perf_counter() - start:.2f} s", flush=True)
            if repeat:  # the first traces and warms up
                seconds[name].append(time.perf_counter() - start)
    base = seconds["published procedure"]
    rows = []
    for name, times in seconds.items():
        ratios = [ours / theirs for ours, theirs in zip(times, base)]
        rows.append(dict(procedure=name, seconds=statistics.median(times), ratio=statistics.median(ratios), peak_mb=peak_memory()))
        print(rows[-1], flush=True)
    rows += _parts(data)
    write_rows(pathlib.Path(__file__).with_name("step_time.csv"), rows)


def _parts(data):
    """Time what a step is made of, and the machine's convolution, in both precisions: how much each change can give at all."""
    rows = []
    for precision in ("float32", "bfloat16"):
        model = _model(AdversarialModel, precision)
        passes = {
            "one pass of the generator": tf.function(lambda noisy, target, model=model: model.network(noisy, training=True)),
            "one update of the critic": tf.function(lambda noisy, target, model=model: model._update_critic(target, noisy)),
        }
        kernel = tf.cast(tf.random.stateless_normal((3, 3, 3, 64, 64), (0, 0)), precision)
        features = tf.cast(tf.random.stateless_normal((BATCH, *PATCH[:3], 64), (0, 1)), precision)
        passes["one convolution, 64 to 64 channels"] = tf.function(
            lambda noisy, target, k=kernel, f=features: tf.nn.conv3d(f, k, [1] * 5, "SAME")
        )
        for name, run in passes.items():
            run(*data)
            times = []
            for _ in range(REPEATS):
                start = time.perf_counter()
                run(*data).numpy()
                times.append(time.perf_counter() - start)
            rows.append(dict(procedure=f"{name}, {precision}", seconds=statistics.median(times)))
            print(rows[-1], flush=True)
    return rows


def _model(kind, precision):
    with hidden_layers_in(precision):
        network, critic = dense_unet(PATCH), dense_critic(PATCH)
    model = kind(network, critic, wasserstein_losses(10.0), Rules(critic_steps=5, l1_weight=100.0), seed=0)
    model.compile(keras.optimizers.Adam(1e-4, 0.0, 0.9), keras.optimizers.Adam(1e-4, 0.0, 0.9))
    return model


def _compiled(kind, precision):
    return tf.function(_model(kind, precision).train_step)


if __name__ == "__main__":
    main()
