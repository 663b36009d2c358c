"""What the networks do to noise that is not everywhere the same: python -m experiments.05_pretrained.robustness NETWORK.h5 …

On the held-out scan of prisma-mini, PSNR in the brain, dB, before > after: noise everywhere; none where the truth is dark; none
outside the brain mask; an SD that rises from 0.4 to 1.6 of its mean across the head; Rician. Last, how much a network changes
the scan as it was measured: SD of the difference in the brain, % of the robust maximum. The name of a file says its kind: …epi… or …t1w….
"""

import sys

import numpy as np

from experiments.data import FOLDER
from keras_mri.imaging.metrics import psnr
from keras_mri.imaging.noise import add_rician_noise
from keras_mri.io.nifti_reading import open_image
from keras_mri.systems.network_files import load_network

from . import lesson, scans
from .train import blind

PERCENT = (1, 5, 15)
_MASKS = {"epi": "bold_mask.nii.gz", "t1w": "T1w_2mm_brainmask.nii.gz"}


def main(paths):
    """Print one line for each network and noise level."""
    for path in paths:
        checkpoint, kind = load_network(path), "epi" if "epi" in path else "t1w"
        measured, truth = scans.held_out(kind)
        brain = open_image(FOLDER / "prisma-mini" / _MASKS[kind]).frame(0) > 0
        peak, region = float(truth.max()), brain & (truth > lesson.FOREGROUND * truth.max())
        for percent in PERCENT:
            cases = noisy_scans(measured, truth, brain, percent / 100 * peak, percent)
            scores = [[psnr(truth, image, region, peak) for image in (noisy, blind(checkpoint, noisy))] for noisy in cases.values()]
            print(path, f"{percent} %", *(f"{name} {before:.2f} > {after:.2f}" for name, (before, after) in zip(cases, scores)), sep="; ")
        print(path, f"as measured: changed by {100 * (blind(checkpoint, measured) - measured)[region].std():.3f} %", flush=True)


def noisy_scans(measured, truth, brain, sigma, seed):
    """Return the scan with noise of this SD, added in five ways: dict of str to ndarray of float32."""
    noise = sigma * np.random.default_rng(seed).normal(size=truth.shape)
    bright, ramp = truth > lesson.FOREGROUND * truth.max(), np.linspace(0.4, 1.6, truth.shape[0])[:, None, None]
    cases = {
        "everywhere": measured + noise,
        "none in the air": np.where(bright, measured + noise, 0),
        "brain only": np.where(brain, measured + noise, 0),
        "rising": measured + ramp * noise,
        "rician": add_rician_noise(measured, sigma, np.random.default_rng(seed)),
    }
    return {name: image.astype(np.float32) for name, image in cases.items()}


if __name__ == "__main__":
    main(sys.argv[1:])
