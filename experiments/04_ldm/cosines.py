"""What the lowest cosine frequencies of each block keep, untrained: python -m experiments.04_ldm.cosines [FOLDER], after train"""

import importlib
import itertools
import sys

import numpy as np

from keras_mri.imaging.metrics import psnr
from keras_mri.io.volumes import Volume
from keras_mri.networks.volume_autoencoder import lowest_frequencies

data = importlib.import_module("experiments.04_ldm.data")
SIDE, CHANNELS, EVERY = 4, (16, 24, 32, 40, 48), 6


def main(folder="networks"):
    """Print PSNR in the mask, the frame's maximum there as the peak, for each number of frequencies: frames that train, and held out."""
    for source in data.SOURCES:
        held_out, mask = data.held_out(folder, source)
        runs = {"training": Volume.from_array(data.training(folder, source), np.eye(4)), "held out": held_out}
        for channels, (part, run) in itertools.product(CHANNELS, runs.items()):
            code = lowest_frequencies(SIDE, channels).reshape(SIDE**3, channels)
            frames = [run.frame(t) for t in range(0, run.n_frames, EVERY)]
            scores = [psnr(frame, through(frame, code), mask, frame[mask].max()) for frame in frames]
            print(f"{source:8s} {part:8s} {channels:3d} of {SIDE**3}: {np.mean(scores):.2f} dB")


def through(frame, code):
    """Return a volume as the code of its blocks gives it back: ndarray of float32, shape (x, y, z)."""
    padded = np.pad(frame, [(0, -side % SIDE) for side in frame.shape], mode="edge")
    counts = [side // SIDE for side in padded.shape]
    split = padded.reshape(counts[0], SIDE, counts[1], SIDE, counts[2], SIDE).transpose(0, 2, 4, 1, 3, 5)
    kept = (split.reshape(-1, SIDE**3) @ code @ code.T).reshape(split.shape).transpose(0, 3, 1, 4, 2, 5)
    return kept.reshape(padded.shape)[tuple(slice(side) for side in frame.shape)]


if __name__ == "__main__":
    main(*sys.argv[1:2])
