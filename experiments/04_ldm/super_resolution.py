"""Runs from half their resolution, heads that never trained: python -m experiments.04_ldm.super_resolution LDM.h5 SR.h5 …

Writes super_resolution.csv. As the commands do it: `--task coarsening` of the first network makes the coarse volume, its `--task
super-resolution` or `--upsample 2 2 2` of each other network, one of thick slices, the fine one. PSNR in the brain; the peak is the
frame's maximum there. "Kept" says by how much the measured part of k-space changed, in % of the frame's SD.
"""

import importlib
import pathlib
import sys

import numpy as np
from scipy import ndimage

from experiments.data import write_rows
from keras_mri.imaging.brain_mask import brain_mask
from keras_mri.imaging.kspace import resampled
from keras_mri.imaging.metrics import psnr
from keras_mri.systems.ldm import system as ldm
from keras_mri.systems.ldm.settings import PredictConfig
from keras_mri.systems.network_files import load_network
from keras_mri.systems.sr import system as sr
from keras_mri.systems.sr.settings import PredictConfig as SlicesConfig

scans = importlib.import_module("experiments.04_ldm.scans")
# Sides must be even: only then has the coarse grid exactly half of the frequencies.
_EVEN = 2
# Frames of a run whose others tell what a frame's detail is.
_TELLS = 3


def main(path, *others):
    """Score every way on every run."""
    network, rows = load_network(path), []
    of_slices = {pathlib.Path(other).stem: load_network(other) for other in others}
    for seen, sources in ((True, scans.SEEN), (False, scans.UNSEEN)):
        for run in map(even, scans.real(sources)[0]):
            rows += scored(network, of_slices, run, seen)
            write_rows(pathlib.Path(__file__).with_name("super_resolution.csv"), rows)


def scored(network, of_slices, run, seen):
    """Yield the rows of a run."""
    mask = brain_mask(np.mean([run.frame(t) for t in range(run.n_frames)], axis=0), run.zooms)
    low = ldm.predict(network, [run], PredictConfig(task="coarsening"))
    ways = {"cubic": lambda t: cubic(low.frame(t), run.shape[:3]), "zero-filled": lambda t: resampled(low.frame(t), run.shape[:3])}
    for name, options in {"ours": {}, "ours, 4 samples of 50 steps": dict(steps=50)}.items():
        fine = ldm.predict(network, [low], PredictConfig(task="super-resolution", **options))
        ways[name] = fine.frame
    for name, other in of_slices.items():
        ways[name] = sr.predict(other, [low], SlicesConfig(upsample=(2, 2, 2), slice_profile="kspace")).frame
    if run.n_frames >= _TELLS:
        ways["told the other frames"] = lambda t: told(run, low, t)
    for method, restore in ways.items():
        times = range(run.n_frames) if "50" not in method else range(1)
        found = [restore(t) for t in times]
        scores = [psnr(run.frame(t), one, mask, float(run.frame(t)[mask].max())) for t, one in zip(times, found)]
        changed = resampled(found[0], low.shape[:3]) - low.frame(0)
        kept = 100 * float(changed.std() / low.frame(0).std())
        row = dict(run=run.name, head_trained=seen, method=method, psnr=np.mean(scores), kept=kept)
        print(row, flush=True)
        yield row


def cubic(frame, shape):
    """Interpolate by a cubic spline; both grids begin at index -1/2."""
    steps = [less / many for less, many in zip(frame.shape, shape)]
    return ndimage.affine_transform(frame, steps, [0.5 * step - 0.5 for step in steps], output_shape=shape, order=3, mode="nearest")


def told(run, low, t):
    """Return a zero-filled frame with the fine detail of the mean of the run's other frames, which nobody has who has the coarse run."""
    mean = np.mean([run.frame(s) for s in range(run.n_frames) if s != t], axis=0)
    return resampled(low.frame(t), run.shape[:3]) + mean - resampled(resampled(mean, low.shape[:3]), run.shape[:3])


def even(run):
    """Leave out the last slice along axes of an odd number of voxels."""
    sides = [side - side % _EVEN for side in run.shape[:3]]
    frames = np.stack([run.frame(t)[tuple(map(slice, sides))] for t in range(run.n_frames)], axis=3)
    return type(run).from_array(frames, run.affine, name=run.name)


if __name__ == "__main__":
    main(*sys.argv[1:])
