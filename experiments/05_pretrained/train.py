"""Train a blind denoiser of pretrained/: python -m experiments.05_pretrained.train t1w|epi|any OUT.h5 [--time-budget 60m]

    KERAS_BACKEND=jax python -m experiments.05_pretrained.train any OUT.h5 --fast-forms --precision bfloat16    # on an accelerator

The network is `wgan`'s, of single frames, without its critic, and learns on whatever backend Keras uses; `scans` says what from,
`lesson` how. Writes the network every few minutes and, at the end, a JSON line of the options, the steps, and the PSNR of the
scan that is held out beside it.
"""

import argparse
import json
import math
import pathlib
import time

import keras
import numpy as np

from keras_mri.config import parse_duration
from keras_mri.imaging.acquisition.scanner_noise import Scanner, add_scanner_noise
from keras_mri.imaging.metrics import psnr
from keras_mri.inference.training_range import facts_of_heads
from keras_mri.io.volumes import Volume
from keras_mri.networks.precision import hidden_layers_in, in_float32
from keras_mri.networks.residual_unet import residual_unet
from keras_mri.saving import checkpoints
from keras_mri.systems.network_files import checkpoint_for
from keras_mri.systems.wgan import system as wgan
from keras_mri.systems.wgan.settings import Config

from . import fast_forms, lesson, scans

PERCENT = (1, 3, 5, 9, 15)
HIGHEST_NOISE = 0.32
_CLIMB, _FLOOR = 0.03, 0.01
# Noise that the held-out scan gets at 5 % beside the white one of each level.
_KINDS = {
    "zero-filled": Scanner(matrix=(0.65, 0.65, 1.0)),
    "smoothed": Scanner(fwhm=(1.2, 1.2, 0.0)),
    "growing": Scanner(strongest=3.0),
    "Rician": Scanner(magnitude=True),
}
_BETWEEN_FILES = 300
# Suffixes of BIDS, the first one above all.
_MODALITIES = {
    "t1w": ("T1w",),
    "epi": ("bold", "asl", "dwi", "sbref", "epi"),
    "any": ("T2w", "FLAIR", "PDw", "dwi", "T2starw", "MESE", "inplaneT2", "angio", "T1w", "bold"),
}


class Progress(keras.callbacks.Callback):
    """Change the learning rate by the clock or by steps, tell how it goes, write the network now and then, and stop in time."""

    def __init__(self, options, write):
        super().__init__()
        self.options, self.write, self.written, self.steps, self.start = options, write, 0.0, 0, time.perf_counter()

    def elapsed(self):
        """Return the seconds of training."""
        return time.perf_counter() - self.start

    def share(self):
        """Return how much of the training is over, 0 to 1."""
        return min(1.0, self.elapsed() / self.options.time_budget if self.options.time_budget else self.steps / self.options.steps)

    def on_epoch_begin(self, epoch, logs=None):
        """Let the rate climb, then fall by a cosine; it changes between epochs, as JAX asks for."""
        share = self.share()
        factor = min(1.0, 0.1 + share / _CLIMB) * (_FLOOR + (1 - _FLOOR) * (1 + math.cos(math.pi * share)) / 2)
        self.model.optimizer.learning_rate.assign(self.options.learning_rate * factor)

    def on_epoch_end(self, epoch, logs=None):
        """Count, tell, write and stop."""
        self.steps += self.options.steps_per_epoch
        if self.share() >= 1:
            self.model.stop_training = True
        elif self.elapsed() - self.written > _BETWEEN_FILES:
            self.write()
            self.written = self.elapsed()
        if epoch % 10 == 0 or self.model.stop_training:
            rate = float(self.model.optimizer.learning_rate)
            print(f"{self.elapsed():6.0f} s  {self.steps:6d} steps  error {logs['loss']:.5f}  rate {rate:.1e}", flush=True)


def main(options):
    """Train, save, and score on the held-out scan; returns the row that is written."""
    start = time.perf_counter()
    if options.fast_forms:
        fast_forms.use()
    keras.utils.set_random_seed(options.seed)
    pool = scans.training_pool(options.scan, options.painted, options.seed)
    print(f"{len(pool)} images, {sum(image.data.size for image in pool):,} voxels, {time.perf_counter() - start:.0f} s", flush=True)
    network = _network(options)
    if options.initial:
        start_from(network, checkpoints.load(options.initial, "wgan").network)
    path = pathlib.Path(options.path)

    def write():
        checkpoint = checkpoint_for(in_float32(network), "wgan", _config(options), _facts(pool, options))
        checkpoints.save(checkpoint, path)
        return checkpoint

    # `jit_compile=False` where TensorFlow trains: XLA computes bfloat16 on a processor slowly; JAX always compiles.
    optimizer = keras.optimizers.Adam(options.learning_rate, beta_2=0.99, clipnorm=1.0)
    network.compile(optimizer, loss=lesson.root_mean_square, jit_compile=keras.backend.backend() == "jax")
    patches = lesson.Patches(
        pool,
        options.patch,
        options.batch_size,
        options.steps_per_epoch,
        options.seed,
        HIGHEST_NOISE,
        options.silent,
        options.white,
        options.told_sigma,
    )
    progress = Progress(options, write)
    network.fit(patches, epochs=10**6, callbacks=[progress], verbose=0, shuffle=False)
    row = {**vars(options), "steps": progress.steps, "seconds": round(progress.elapsed()), "parameters": network.count_params()}
    row["psnr"] = held_out_psnr(write(), options.scan, options.told_sigma)
    print(json.dumps(row), flush=True)
    path.with_suffix(".json").write_text(json.dumps(row) + "\n", encoding="utf-8")
    return row


def start_from(network, other):
    """Take another network's weights; inputs that the other one has not start from weights of 0."""
    weights = []
    for mine, given in zip(network.get_weights(), other.get_weights(), strict=True):
        if mine.shape != given.shape:
            wider = np.zeros_like(mine)
            # Contrast is the last input: what is new comes before it.
            wider[..., -given.shape[-2] :, :] = given
            given = wider
        weights.append(given)
    network.set_weights(weights)


def held_out_psnr(checkpoint, kind, told_sigma=False):
    """Return the PSNR of the held-out scan, dB, by the SD of white noise in % of its maximum, and by the kind of noise at 5 %."""
    measured, truth = scans.held_out(kind)
    peak, found = float(truth.max()), {}
    for name in (*PERCENT, *_KINDS):
        sigma, scanner = (0.05 * peak, _KINDS[name]) if name in _KINDS else (name / 100 * peak, Scanner())
        noisy, sd = add_scanner_noise(np.maximum(measured, 0), sigma, scanner, np.random.default_rng(5))
        restored = told(checkpoint.network, noisy, sd) if told_sigma else blind(checkpoint, noisy)
        inside = truth > lesson.FOREGROUND * peak
        found[str(name)] = round(psnr(truth, restored, inside, peak), 3)
        if name in _KINDS:
            found[f"{name}, input"] = round(psnr(truth, noisy, inside, peak), 3)
    if kind == "epi":
        # Real noise: how much of the distance to the mean of the run's other frames is left.
        restored = told(checkpoint.network, measured, np.full_like(measured, 0.01)) if told_sigma else blind(checkpoint, measured)
        found["real, out / in"] = round(float((restored - truth)[inside].std() / (measured - truth)[inside].std()), 3)
    return found


def blind(checkpoint, noisy):
    """Restore a volume as `predict` does: ndarray of float32, shape (x, y, z), in its own unit."""
    return wgan.predict(checkpoint, [Volume.from_array(noisy, np.eye(4))], wgan.PredictConfig()).frame(0)


def told(network, noisy, sd):
    """Restore a volume with a network that is told the map of the noise."""
    margins = [(0, -side % 8) for side in noisy.shape]
    seen = np.stack([np.pad(noisy, margins, mode="reflect"), np.pad(sd, margins, mode="reflect")], axis=-1)
    return network.predict_on_batch(seen[None])[0, ..., 0][tuple(map(slice, noisy.shape))]


def _network(options):
    channels = 2 if options.told_sigma else 1
    weights = (1, 0) if options.told_sigma else None
    with hidden_layers_in(options.precision):
        shape = (None, None, None, channels)
        return residual_unet(shape, options.filters, options.depths, options.noise_scale, weights, with_image=options.with_image)


def _config(options):
    return Config(
        frames=1, adversarial_weight=0.0, seed=options.seed, filters=options.filters, depths=options.depths,
        noise_scale=options.noise_scale, noise_range=(0.0, HIGHEST_NOISE), batch_size=options.batch_size,
        patch_shape=(options.patch,) * 3, time_budget=options.time_budget, learning_rate=options.learning_rate, l1_weight=0.0,
    )  # fmt: skip


def _facts(pool, options):
    volumes = [Volume.from_array(image.data.astype(np.float32), np.diag([*image.zooms, 1.0])) for image in pool if image.share > 0]
    return {
        "zooms": [list(image.zooms) for image in pool if image.share > 0],
        "sigma": [0.0, HIGHEST_NOISE],
        "modalities": list(_MODALITIES[options.scan]),
        "measured_grid": True,
        **facts_of_heads(volumes),
    }


def _parser():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", choices=("t1w", "epi", "any"))
    parser.add_argument("path", help="the .h5 to write")
    parser.add_argument("--time-budget", type=parse_duration)
    parser.add_argument("--steps", type=int, default=20_000, help="updates, where there is no time budget")
    parser.add_argument("--painted", type=int, default=54, help="heads that are painted")
    parser.add_argument("--filters", type=int, nargs="+", default=(32, 64, 64))
    parser.add_argument("--depths", type=int, nargs="+", default=(2, 3, 3))
    parser.add_argument("--patch", type=int, default=40, help="voxels of a patch's side")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument(
        "--steps-per-epoch", type=int, default=20, help="after each epoch the learning rate changes and the clock is looked at"
    )
    parser.add_argument("--noise-scale", type=float, default=0.05)
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto")
    parser.add_argument("--with-image", action="store_true", help="see the image beside its local contrast")
    parser.add_argument("--silent", type=float, default=0.2, help="share of patches of which a part is 0 and without noise")
    parser.add_argument("--white", type=float, default=lesson.WHITE, help="share of patches with drawn noise whose noise is white")
    parser.add_argument("--told-sigma", action="store_true", help="see a map of the noise's SD: what blindness costs (not for pretrained/)")
    parser.add_argument("--fast-forms", action="store_true", help="compute convolutions in the forms that an accelerator is fast at")
    parser.add_argument("--initial", help="go on from this network")
    parser.add_argument("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    chosen = _parser().parse_args()
    chosen.filters, chosen.depths = tuple(chosen.filters), tuple(chosen.depths)
    main(chosen)
