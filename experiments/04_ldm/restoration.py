"""Imputation and super-resolution against plain baselines: python -m experiments.04_ldm.restoration [FOLDER], writes restoration.csv

Frames of forrest-bold that never trained; PSNR in the mask, or in what of it is missing; the peak is the frame's maximum in the mask.
The mean of the frames that trained looks at nothing: what a network that knows the head by heart could give as well.
"""

import importlib
import pathlib
import sys
import time

import numpy as np
from scipy import ndimage

from experiments.data import write_rows
from keras_mri.imaging.kspace import finer_affine, resampled
from keras_mri.imaging.metrics import psnr
from keras_mri.io.volumes import Volume
from keras_mri.systems.ldm import system as ldm
from keras_mri.systems.ldm.conditions import coarse_shape
from keras_mri.systems.ldm.imputation import best_reach, filled_frame, filled_in_space
from keras_mri.systems.ldm.settings import PredictConfig
from keras_mri.systems.network_files import load_network

data = importlib.import_module("experiments.04_ldm.data")
train = importlib.import_module("experiments.04_ldm.train")

SOURCE, VARIANT = "forrest", "kl"
# Every so many frames one is missing, or is scored; the slices that are missing in all frames.
EVERY, SLAB = 5, slice(15, 20)
REMEMBERED = "mean of the training"


def main(folder="networks"):
    """Score every row and write restoration.csv."""
    data.write_parts(folder)
    (run, mask), network = data.held_out(folder, SOURCE), load_network(train.network_path(folder, VARIANT))
    rows, remembered = [], data.training(folder, SOURCE).mean(axis=3)
    for task in (frames, slab, fine):
        rows += task(network, run, mask, remembered)
        write_rows(pathlib.Path(__file__).with_name("restoration.csv"), rows)


def frames(network, run, mask, remembered):
    """Yield the rows of missing frames."""
    gone = [t for t in range(run.n_frames) if t % EVERY == EVERY // 2]
    missing = np.zeros(run.shape, np.float32)
    missing[..., gone] = 1
    known = [t for t in range(run.n_frames) if t not in gone]
    mean = np.mean([run.frame(t) for t in known], axis=0)

    def in_time(reach):
        return lambda t: filled_frame(run.frame, lambda s: missing[..., s] > 0, run.n_frames, t, reach)

    reach = best_reach(run.frame, lambda s: missing[..., s] > 0, run.n_frames)
    ways = {
        REMEMBERED: lambda t: remembered,
        "mean frame": lambda t: mean,
        "linear in time": in_time(0.0),
        f"average in time, SD {reach:g} frames (our guess, no network)": in_time(reach),
        "ours": _imputed(network, run, missing),
    }
    yield from _scored("frames missing", ways, run, gone, mask)


def slab(network, run, mask, remembered):
    """Yield the rows of slices that are missing in all frames."""
    missing = np.zeros(run.shape[:3], np.float32)
    missing[:, :, SLAB] = 1
    ways = {
        REMEMBERED: lambda t: remembered,
        "linear in space": lambda t: filled_in_space(run.frame(t), missing > 0),
        "ours": _imputed(network, run, missing),
    }
    yield from _scored("slices missing", ways, run, range(0, run.n_frames, EVERY), mask & (missing > 0))


def fine(network, run, mask, remembered):
    """Yield the rows of half the resolution."""
    few = coarse_shape(run.shape[:3], network.inference["coarse"])
    steps = [less / many for less, many in zip(few, run.shape)]

    def ours(t):
        low = Volume.from_array(resampled(run.frame(t), few), finer_affine(run.affine, steps))
        return ldm.predict(network, [low], PredictConfig(task="super-resolution", label=SOURCE)).frame(0)

    def cubic(t):
        # Both grids begin at index -1/2.
        offset = [0.5 * step - 0.5 for step in steps]
        low = resampled(run.frame(t), few)
        return ndimage.affine_transform(low, steps, offset, output_shape=run.shape[:3], order=3, mode="nearest")

    ways = {
        REMEMBERED: lambda t: remembered,
        "cubic": cubic,
        "zero-filled": lambda t: resampled(resampled(run.frame(t), few), run.shape[:3]),
        "ours": ours,
    }
    yield from _scored("half the resolution", ways, run, range(0, run.n_frames, EVERY), mask)


def _imputed(network, run, missing):
    """Return a function from the number of a frame to the frame, repaired."""
    damaged = run.with_frames(lambda t: np.where((missing[..., t] if missing.ndim == 4 else missing) > 0, 0, run.frame(t)))
    options = PredictConfig(task="imputation", label=SOURCE, missing=Volume.from_array(missing, run.affine, name="missing"))
    # When first asked, so that the clock sees what is done before the first frame.
    restored = []

    def repaired(t):
        restored.extend([] if restored else [ldm.predict(network, [damaged], options)])
        return restored[0].frame(t)

    return repaired


def _scored(task, ways, run, times, mask):
    for method, restore in ways.items():
        start = time.perf_counter()
        restored = [restore(t) for t in times]
        seconds = (time.perf_counter() - start) / len(restored)
        values = [psnr(run.frame(t), volume, mask, float(run.frame(t)[mask].max())) for t, volume in zip(times, restored)]
        row = dict(task=task, method=method, psnr=np.mean(values), psnr_sd=np.std(values), seconds=seconds)
        print(row, flush=True)
        yield row


if __name__ == "__main__":
    main(*sys.argv[1:2])
