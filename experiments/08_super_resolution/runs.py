"""What the network of runs, pretrained/sr_epi.h5, learns from: drawn and real echo-planar volumes; persons of a test take no part.

drawn heads     `experiments.04_ldm.heads`, label maps 1 to 18
real runs       those that train in `experiments.04_ldm.scans`, single frames and their mean
choosing        drawn heads of the label maps 19 and 20

A run is refined along one axis after the other, so the frames of real runs are also there with half the resolution along one or two axes,
and drawn heads, of which there are many, in one of these forms each.
"""

import dataclasses
import importlib

import numpy as np

from keras_mri.imaging.kspace import resampled

from . import scans

runs = importlib.import_module("experiments.04_ldm.scans")
# Distances of slices in voxels of the fine grid, and shares of their profiles: box, Gaussian, k-space, which holds up to the longest.
SPACING, SHARES, LONGEST_ENCODED = (1.3, 4.0), (0.15, 0.25, 0.6), 4.0
# Distances of slices in the training, mm.
MILLIMETRES = (2.6, 12.0)
# Axes whose resolution is halved, in each form; frames of each real run; share of the patches from drawn heads.
_HALVED = ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2))
_FRAMES, _DRAWN = 4, 0.5


def training_pool(folder, drawn):
    """Return so many drawn heads of a folder, each in one form, and frames of real runs, each in every form: list of scans.Fine."""
    volumes = [volume for group in ("whole", "others") for volume in _some(runs.drawn(folder, group)[0], drawn // 2)]
    painted = [_form(f"drawn {number}", volume.frame(0), volume.zooms, number) for number, volume in enumerate(volumes)]
    real = []
    for run in runs.real(runs.TRAINING)[0]:
        frames = [run.frame(t) for t in np.linspace(0, run.n_frames - 1, min(_FRAMES, run.n_frames)).astype(int)]
        for frame in (*frames, np.mean(frames, axis=0)):
            real += [_form(run.name, frame, run.zooms, number) for number in range(len(_HALVED))]
    return scans.with_shares(painted, _DRAWN) + scans.with_shares(real, 1 - _DRAWN)


def choosing(folder):
    """Return a drawn head of the label maps that choose: ndarray of float32, shape (x, y, z), network units."""
    return np.asarray(_form("held", runs.drawn(folder, "held")[0][0].frame(0), (1, 1, 1), 0).data, np.float32)


def _some(volumes, count):
    return [volumes[k] for k in np.linspace(0, len(volumes) - 1, min(count, len(volumes))).astype(int)]


def _form(name, frame, zooms, number):
    """Halve the resolution along the axes whose turn it is; slices are made along the others: scans.Fine."""
    halved = _HALVED[number % len(_HALVED)]
    factors = np.array([2 if axis in halved else 1 for axis in range(3)])
    shape = [side // factor for side, factor in zip(frame.shape, factors)]
    image = scans.fine(name, resampled(frame, shape), np.multiply(zooms, factors))
    return dataclasses.replace(image, sliced=tuple(axis for axis in range(3) if axis not in halved))
