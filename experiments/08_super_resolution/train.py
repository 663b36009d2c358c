"""Train pretrained/sr_any.h5: python -m experiments.08_super_resolution.train OUT.h5 [--time-budget 60m]

With `--runs HEADS`, the folder that `experiments.04_ldm.heads` has filled, pretrained/sr_epi.h5.

The network learns on whatever backend Keras uses; `scans` says what from, `lesson` how. Writes the network every few minutes and, at
the end, a JSON line of the options, the steps, and what is gained on two scans that choose between tries.
"""

import argparse
import importlib
import json
import pathlib
import pickle
import time

import keras
import numpy as np

from keras_mri.config import parse_duration
from keras_mri.imaging.acquisition.slice_profiles import kept, profile_matrix
from keras_mri.imaging.metrics import psnr
from keras_mri.networks.precision import hidden_layers_in, in_float32
from keras_mri.networks.residual_unet import thick_slices_unet
from keras_mri.saving import checkpoints
from keras_mri.systems.sr.settings import Config, inference

from . import lesson, runs, scans

denoisers = importlib.import_module("experiments.05_pretrained.train")

DETAIL_SCALE = 0.1
# Middle planes of a scan that chooses, and distances of its slices, voxels.
_PLANES, _SPACINGS = 64, (2, 4, 6)


def main(options):
    """Train, save, and score on the scans that choose; returns the row that is written."""
    start = time.perf_counter()
    keras.utils.set_random_seed(options.seed)
    pool = _pool(options)
    print(f"{len(pool)} images, {sum(image.data.size for image in pool):,} voxels, {time.perf_counter() - start:.0f} s", flush=True)
    with hidden_layers_in(options.precision):
        network = thick_slices_unet(options.filters, options.depths, DETAIL_SCALE)
    if options.initial:
        network.set_weights(checkpoints.load(options.initial, "sr").network.get_weights())
    path = pathlib.Path(options.path)

    def write():
        checkpoint = checkpoint_of(in_float32(network), options, pool)
        checkpoints.save(checkpoint, path)
        return checkpoint.network

    # `jit_compile=False` where TensorFlow trains: XLA computes bfloat16 on a processor slowly; JAX always compiles.
    optimizer = keras.optimizers.Adam(options.learning_rate, beta_2=0.99, clipnorm=1.0)
    keeping = lesson.keeping_network(network)
    keeping.compile(optimizer, loss=lesson.LOSSES[options.loss], jit_compile=keras.backend.backend() == "jax")
    slices = dict(spacings=runs.SPACING, shares=runs.SHARES, longest_encoded=runs.LONGEST_ENCODED) if options.runs else {}
    patches = lesson.Patches(pool, options.patch, options.batch_size, options.steps_per_epoch, options.seed, **slices)
    progress = denoisers.Progress(options, write)
    keeping.fit(patches, epochs=10**6, callbacks=[progress], verbose=0, shuffle=False)
    row = {**vars(options), "steps": progress.steps, "seconds": round(progress.elapsed()), "parameters": network.count_params()}
    row["psnr"] = gains(write(), options.runs)
    print(json.dumps(row), flush=True)
    path.with_suffix(".json").write_text(json.dumps(row) + "\n", encoding="utf-8")
    return row


def checkpoint_of(network, options, pool):
    """Return the network with what `predict` needs: Checkpoint."""
    config = Config(
        thick_slices=runs.MILLIMETRES if options.runs else lesson.SPACING, seed=options.seed, filters=options.filters,
        depths=options.depths, batch_size=options.batch_size, patch_shape=options.patch, time_budget=options.time_budget,
        learning_rate=options.learning_rate, adversarial_weight=0.0, noise=lesson.NOISE, initial="none",
    )  # fmt: skip
    facts = {"zooms": [[round(side, 2) for side in image.zooms] for image in pool], "sigma": [0.0, lesson.NOISE]}
    reached = [float(image.zooms[axis]) for image in pool for axis in image.axes]
    slices = {"voxel": [round(min(reached), 2), round(max(reached), 2)], "spacing": list(config.thick_slices)}
    return checkpoints.Checkpoint(network, "sr", config.to_json(), facts, inference(config, facts) | {"slices": slices})


def gains(network, of_runs=None):
    """Return PSNR of cubic interpolation, of it kept to the slices, and of the network so, dB, by kind of scan and distance of slices."""
    found = {}
    for kind in ("T1w", "FLAIR") if not of_runs else ("EPI",):
        truth = scans.choosing(kind) if not of_runs else runs.choosing(of_runs)
        middle = [side // 2 for side in truth.shape]
        truth = truth[middle[0] - _PLANES // 2 : middle[0] + _PLANES // 2, : truth.shape[1] // 8 * 8]
        truth = truth[..., : truth.shape[2] // 24 * 24]
        inside = truth > lesson.denoisers.FOREGROUND
        for spacing in _SPACINGS:
            matrix = profile_matrix(truth.shape[2], truth.shape[2] // spacing, 1.0, spacing, spacing, "gaussian")
            slices = truth @ matrix.T
            seen = lesson.interpolated(slices.astype(np.float32), truth.shape[2])
            restored = network.predict_on_batch(seen[None])[0, ..., 0]
            images = (seen[..., 0], *(kept(image, slices.astype(np.float32), matrix) for image in (seen[..., 0], restored)))
            found[f"{kind}, {spacing}"] = [round(psnr(truth, image, inside, 1.0), 2) for image in images]
    return found


def _pool(options):
    """Paint the pool, or take that of an earlier try."""
    if options.pool and pathlib.Path(options.pool).is_file():
        pool = pickle.loads(pathlib.Path(options.pool).read_bytes())
        return pool if options.runs else scans.shared(pool)
    pool = scans.training_pool(options.painted, options.seed) if not options.runs else runs.training_pool(options.runs, options.painted)
    if options.pool:
        pathlib.Path(options.pool).write_bytes(pickle.dumps(pool))
    return pool


def _parser():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", help="the .h5 to write")
    parser.add_argument("--time-budget", type=parse_duration)
    parser.add_argument("--steps", type=int, default=20_000, help="updates, where there is no time budget")
    parser.add_argument("--painted", type=int, default=56, help="heads that are painted")
    parser.add_argument("--runs", metavar="HEADS", help="train for runs: the folder of drawn heads")
    parser.add_argument("--pool", help="keep what is painted in this file for the next try")
    parser.add_argument("--filters", type=int, nargs="+", default=(16, 48, 64))
    parser.add_argument("--depths", type=int, nargs="+", default=(1, 3, 2))
    parser.add_argument("--patch", type=int, nargs=3, default=(28, 28, 64), help="fine voxels of a patch; slices lie along the last axis")
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--steps-per-epoch", type=int, default=20, help="after each the learning rate changes and the clock is looked at")
    parser.add_argument("--loss", choices=tuple(lesson.LOSSES), default="log")
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto")
    parser.add_argument("--initial", help="go on from this network")
    parser.add_argument("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    chosen = _parser().parse_args()
    chosen.filters, chosen.depths, chosen.patch = tuple(chosen.filters), tuple(chosen.depths), tuple(chosen.patch)
    main(chosen)
