"""Imputation and super-resolution against plain baselines: python -m experiments.04_ldm.restoration [FOLDER]

Writes restoration.csv. Held-out frames of forrest-bold; PSNR in the missing part of the mask, or in the mask.
"""

import importlib
import pathlib
import sys
import time

import numpy as np
from scipy import ndimage

from experiments.data import forrest_bold, write_rows
from keras_mri import checkpoints
from keras_mri.conditions import coarse_shape
from keras_mri.imputation import filled_frame, filled_in_space
from keras_mri.kspace import finer_affine, resampled
from keras_mri.metrics import psnr
from keras_mri.settings.ldm import PredictConfig
from keras_mri.systems import ldm
from keras_mri.volumes import Volume

train = importlib.import_module("experiments.04_ldm.train")
# Of the held-out frames: how many are scored, and which are missing.
FRAMES, EVERY = 20, 5
SLAB = slice(15, 20)


def main(folder="networks"):
    """Score every row and write restoration.csv."""
    run, mask = forrest_bold()
    first = run.n_frames - round(0.2 * run.n_frames)
    held_out = Volume.from_array(np.stack([run.frame(t) for t in range(first, first + FRAMES)], axis=-1), run.affine, name="held out")
    rows = []
    for variant in train.VARIANTS:
        path = train.network_path(folder, variant)
        if path.exists():
            network = checkpoints.load(path, "ldm")
            for task in (frames, slab, fine):
                rows += [dict(network=variant, **row) for row in task(network, held_out, mask)]
    write_rows(pathlib.Path(__file__).parent / "restoration.csv", rows)


def frames(network, run, mask):
    """Yield the rows of missing frames."""
    gone = [t for t in range(run.n_frames) if t % EVERY == EVERY // 2]
    missing = np.zeros(run.shape, np.float32)
    missing[..., gone] = 1
    mean = np.mean([run.frame(t) for t in range(run.n_frames) if t not in gone], axis=0)
    restored = _imputed(network, run, missing)
    ways = {
        "mean frame": lambda t: mean,
        "linear in time": lambda t: filled_frame(run.frame, lambda s: missing[..., s] > 0, run.n_frames, t),
        "ours": restored.frame,
    }
    yield from _scored("frames missing", ways, run, gone, mask)


def slab(network, run, mask):
    """Yield the rows of a slab that is missing in all frames."""
    missing = np.zeros(run.shape[:3], np.float32)
    missing[:, :, SLAB] = 1
    restored = _imputed(network, run, missing)
    ways = {"linear in space": lambda t: filled_in_space(run.frame(t), missing > 0), "ours": restored.frame}
    yield from _scored("slab missing", ways, run, range(0, run.n_frames, EVERY), mask & (missing > 0))


def fine(network, run, mask):
    """Yield the rows of half the resolution."""
    few = coarse_shape(run.shape[:3], network.config["coarse"])
    affine = finer_affine(run.affine, [less / many for less, many in zip(few, run.shape)])

    def ours(t):
        low = Volume.from_array(resampled(run.frame(t), few), affine)
        return ldm.predict(network, [low], PredictConfig(task="super-resolution")).frame(0)

    def cubic(t):
        steps = [less / many for less, many in zip(few, run.shape)]
        # Both grids begin at index -1/2.
        low = resampled(run.frame(t), few)
        return ndimage.affine_transform(
            low, steps, [0.5 * step - 0.5 for step in steps], output_shape=run.shape[:3], order=3, mode="nearest"
        )

    ways = {"cubic": cubic, "zero-filled": lambda t: resampled(resampled(run.frame(t), few), run.shape[:3]), "ours": ours}
    yield from _scored("half the resolution", ways, run, range(0, run.n_frames, EVERY), mask)


def _imputed(network, run, missing):
    damaged = run.with_frames(lambda t: np.where((missing[..., t] if missing.ndim == 4 else missing) > 0, 0, run.frame(t)))
    options = PredictConfig(task="imputation", missing=Volume.from_array(missing, run.affine, name="missing"))
    return ldm.predict(network, [damaged], options)


def _scored(task, ways, run, times, mask):
    for method, restore in ways.items():
        start = time.perf_counter()
        values = [psnr(run.frame(t), restore(t), mask, float(run.frame(t)[mask].max())) for t in times]
        seconds = (time.perf_counter() - start) / len(values)
        row = dict(task=task, method=method, psnr=np.mean(values), psnr_sd=np.std(values), seconds=seconds)
        print(row, flush=True)
        yield row


if __name__ == "__main__":
    main(*sys.argv[1:2])
