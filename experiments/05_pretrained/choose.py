"""Score networks on a scan that chooses between tries: python -m experiments.05_pretrained.choose t1w OLD.h5 OUT.h5 NEW.h5

PSNR in dB of the middle of the scan that `scans.held_out` names, where its truth exceeds 10/255 of the maximum, by kinds of noise that
`train` draws too (5 % where nothing else is said), one draw each, the same for every network; blind, as `predict` does it.
"""

import argparse

import numpy as np

from keras_mri.imaging.acquisition.scanner_noise import Scanner, add_scanner_noise
from keras_mri.imaging.metrics import psnr
from keras_mri.systems.network_files import load_network

from . import lesson, scans, train

# Voxels on either side of the middle along the second and third axis, and those shown of the first.
_FIRST, _MIDDLE = 64, (40, 24)
_KINDS = {
    **{f"white {percent} %": (percent / 100, Scanner()) for percent in train.PERCENT},
    "zero-filled .65": (0.05, Scanner(matrix=(0.65, 0.65, 1.0))),
    "smoothed in the plane": (0.05, Scanner(fwhm=(1.2, 1.2, 0.0))),
    "partial Fourier .75": (0.05, Scanner(fourier=(1.0, 0.75, 1.0))),
    "growing": (0.05, Scanner(strongest=3.0)),
    "Rician": (0.05, Scanner(magnitude=True)),
}


def main(arguments=None):
    """Print a line for the input and for each network."""
    parser = argparse.ArgumentParser(prog="python -m experiments.05_pretrained.choose", description=__doc__.splitlines()[0])
    parser.add_argument("scan", choices=("t1w", "epi", "any"))
    parser.add_argument("networks", nargs="+", help="files")
    chosen = parser.parse_args(arguments)
    measured, truth = scans.held_out(chosen.scan)
    peak = float(truth.max())
    part = (slice(_FIRST), *(slice(max(0, side // 2 - half), side // 2 + half) for side, half in zip(truth.shape[1:], _MIDDLE)))
    measured, truth = np.maximum(measured[part], 0), truth[part]
    inside = truth > lesson.FOREGROUND * peak
    noisy = {name: add_scanner_noise(measured, sd * peak, scanner, np.random.default_rng(5))[0] for name, (sd, scanner) in _KINDS.items()}
    print("network", *noisy, sep=" | ")
    print("input", *(f"{psnr(truth, image, inside, peak):.2f}" for image in noisy.values()), sep=" | ")
    for path in chosen.networks:
        checkpoint = load_network(path)
        print(
            path, *(f"{psnr(truth, train.blind(checkpoint, image), inside, peak):.2f}" for image in noisy.values()), sep=" | ", flush=True
        )


if __name__ == "__main__":
    main()
