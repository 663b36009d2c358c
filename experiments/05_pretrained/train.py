"""Train a blind denoiser of pretrained/: python -m experiments.05_pretrained.train t1w|epi OUT.h5 [--time-budget 60m]

    KERAS_BACKEND=jax python -m experiments.05_pretrained.train t1w OUT.h5 --fast-forms --precision bfloat16    # on an accelerator

The network is `wgan`'s, of single frames, without its critic, and learns on whatever backend Keras uses; `scans` says what from,
`lesson` how. Writes the network and, beside it, a JSON line of the options, the steps, and the PSNR of the held-out scan.
"""

import argparse
import json
import math
import pathlib
import time

import keras
import numpy as np

from keras_mri.config import parse_duration
from keras_mri.imaging.metrics import psnr
from keras_mri.imaging.noise import add_gaussian_noise
from keras_mri.io.volumes import Volume
from keras_mri.networks.precision import hidden_layers_in, in_float32
from keras_mri.networks.residual_unet import residual_unet
from keras_mri.saving import checkpoints
from keras_mri.systems.network_files import checkpoint_for
from keras_mri.systems.wgan import system as wgan
from keras_mri.systems.wgan.settings import Config
from keras_mri.training.pace import Pace

from . import fast_forms, lesson, scans

PERCENT = (1, 3, 5, 9, 15)
HIGHEST_NOISE = 0.32
_CLIMB, _FLOOR = 0.03, 0.005
_LOSSES = {"rms": lesson.root_mean_square, "l1": lesson.mean_absolute}


class Anneal(keras.callbacks.Callback):
    """Let the learning rate climb, then fall by a cosine, by the clock or by steps; it changes between epochs, as JAX asks for."""

    def __init__(self, pace, highest, steps):
        super().__init__()
        self.pace, self.highest, self.steps = pace, highest, steps

    def on_epoch_begin(self, epoch, logs=None):
        """Set the rate."""
        share = self.pace.progress()
        factor = min(1.0, 0.1 + share / _CLIMB) * (_FLOOR + (1 - _FLOOR) * (1 + math.cos(math.pi * share)) / 2)
        self.model.optimizer.learning_rate.assign(self.highest * factor)

    def on_epoch_end(self, epoch, logs=None):
        """Count, tell, and stop in time."""
        self.pace.step += self.steps
        if self.pace.progress() >= 1:
            self.model.stop_training = True
        if epoch % 10 == 0 or self.model.stop_training:
            print(f"{self.pace.elapsed():6.0f} s  {self.pace.step:6d} steps  error {logs['loss']:.5f}", flush=True)


def main(options):
    """Train, save, and score on the held-out scan; returns the row that is written."""
    start = time.perf_counter()
    if options.fast_forms:
        fast_forms.use()
    keras.utils.set_random_seed(options.seed)
    learnt = scans.training_scans(options.scan)
    print(f"{len(learnt)} scans, {sum(scan.data.size for scan in learnt):,} voxels, {time.perf_counter() - start:.0f} s", flush=True)
    channels = 2 if options.told_sigma else 1
    with hidden_layers_in(options.precision):
        network = residual_unet(
            (None, None, None, channels), options.filters, options.depths, options.noise_scale, (1, 0) if options.told_sigma else None,
            with_image=options.with_image,
        )  # fmt: skip
    if options.initial:
        network.set_weights(checkpoints.load(options.initial, "wgan").network.get_weights())
    model = lesson.lesson(
        network, learnt, options.patch, HIGHEST_NOISE, options.seed, contrast=not options.no_contrast, silent=options.silent,
        told_sigma=options.told_sigma,
    )  # fmt: skip
    pace = Pace(options.steps, options.time_budget)
    # `jit_compile=False` where TensorFlow trains: XLA computes bfloat16 on a processor slowly; JAX always compiles.
    optimizer = keras.optimizers.Adam(options.learning_rate, beta_2=0.99, clipnorm=1.0)
    model.compile(optimizer, loss=_LOSSES[options.loss], jit_compile=keras.backend.backend() == "jax")
    places = lesson.Places(learnt, options.patch, options.batch_size, options.steps_per_epoch, options.seed)
    model.fit(places, epochs=10**6, callbacks=[Anneal(pace, options.learning_rate, options.steps_per_epoch)], verbose=0, shuffle=False)
    seconds = pace.elapsed()

    config = Config(
        frames=1, adversarial_weight=0.0, seed=options.seed, filters=options.filters, depths=options.depths,
        noise_scale=options.noise_scale,
        noise_range=(0.0, HIGHEST_NOISE), batch_size=options.batch_size, patch_shape=(options.patch,) * 3, time_budget=options.time_budget,
        learning_rate=options.learning_rate, l1_weight=0.0 if options.loss == "rms" else 100.0,
    )  # fmt: skip
    facts = {"zooms": [list(scan.zooms) for scan in learnt], "sigma": [0.0, HIGHEST_NOISE]}
    checkpoint = checkpoint_for(in_float32(network), "wgan", config, facts)
    path = pathlib.Path(options.path)
    checkpoints.save(checkpoint, path)
    row = {**vars(options), "steps": pace.step, "seconds": round(seconds), "parameters": network.count_params(), "device": _device()}
    row["psnr"] = held_out_psnr(checkpoint, options.scan, options.told_sigma)
    print(json.dumps(row), flush=True)
    path.with_suffix(".json").write_text(json.dumps(row) + "\n", encoding="utf-8")
    return row


def held_out_psnr(checkpoint, kind, told_sigma=False):
    """Return the PSNR of the held-out scan, dB, by the SD of the noise in % of its maximum."""
    measured, truth = scans.held_out(kind)
    peak = float(truth.max())
    found = {}
    for percent in PERCENT:
        noisy = add_gaussian_noise(measured, percent / 100 * peak, np.random.default_rng(percent))
        restored = _told(checkpoint.network, noisy, percent / 100 * peak) if told_sigma else blind(checkpoint, noisy)
        found[percent] = round(psnr(truth, restored, truth > lesson.FOREGROUND * peak, peak), 3)
    return found


def blind(checkpoint, noisy):
    """Restore a volume as `predict` does: ndarray of float32, shape (x, y, z), in its own unit."""
    return wgan.predict(checkpoint, [Volume.from_array(noisy, np.eye(4))], wgan.PredictConfig()).frame(0)


def _told(network, noisy, sigma):
    padded = np.pad(noisy, [(0, -side % 8) for side in noisy.shape], mode="reflect")
    seen = np.stack([padded, np.full_like(padded, sigma)], axis=-1)
    return network.predict_on_batch(seen[None])[0, ..., 0][tuple(map(slice, noisy.shape))]


def _device():
    if keras.backend.backend() != "jax":
        return "processor"
    import jax

    return jax.devices()[0].device_kind


def _parser():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", choices=("t1w", "epi"))
    parser.add_argument("path", help="the .h5 to write")
    parser.add_argument("--time-budget", type=parse_duration)
    parser.add_argument("--steps", type=int, default=20_000, help="updates, where there is no time budget")
    parser.add_argument("--filters", type=int, nargs="+", default=(32, 64, 64))
    parser.add_argument("--depths", type=int, nargs="+", default=(2, 3, 3))
    parser.add_argument("--patch", type=int, default=48, help="voxels of a patch's side")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument(
        "--steps-per-epoch", type=int, default=100, help="after each epoch the learning rate changes and the clock is looked at"
    )
    parser.add_argument("--noise-scale", type=float, default=0.05)
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto")
    parser.add_argument("--loss", choices=tuple(_LOSSES), default="rms")
    parser.add_argument("--with-image", action="store_true", help="see the image beside its local contrast")
    parser.add_argument("--no-contrast", action="store_true", help="leave the contrast of the scans as it is")
    parser.add_argument("--silent", type=float, default=0.4, help="share of patches of which a part is 0 and without noise")
    parser.add_argument("--told-sigma", action="store_true", help="see a map of the noise's SD: what blindness costs (not for pretrained/)")
    parser.add_argument("--fast-forms", action="store_true", help="compute convolutions in the forms that an accelerator is fast at")
    parser.add_argument("--initial", help="go on from this network")
    parser.add_argument("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    chosen = _parser().parse_args()
    chosen.filters, chosen.depths = tuple(chosen.filters), tuple(chosen.depths)
    main(chosen)
