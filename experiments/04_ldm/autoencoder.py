"""What the latent keeps: python -m experiments.04_ldm.autoencoder [FOLDER], writes autoencoder.csv"""

import importlib
import pathlib
import sys

import numpy as np

from experiments.data import forrest_bold, write_rows
from keras_mri import checkpoints
from keras_mri.intensity import fit_image_scaling
from keras_mri.latent_space import LatentSpace
from keras_mri.metrics import psnr, ssim
from keras_mri.networks.latent_diffusion import parts
from keras_mri.settings.ldm import Config

train = importlib.import_module("experiments.04_ldm.train")


def main(folder="networks"):
    """Score the autoencoder of each network on the held-out frames; data range: the frame's maximum in the mask."""
    run, mask = forrest_bold()
    rows = []
    for variant in train.VARIANTS:
        path = train.network_path(folder, variant)
        if not path.exists():
            continue
        space = space_of(checkpoints.load(path, "ldm"))
        scaling, scores, chosen = fit_image_scaling(run, space.config.scaling), [], []
        for t in range(run.n_frames - round(0.2 * run.n_frames), run.n_frames):
            frame = run.frame(t)
            latent = space.encode(scaling.apply(frame))
            restored = [scaling.invert(space.decode(value, frame.shape)) for value in (latent, np.zeros_like(latent))]
            peak = float(frame[mask].max())
            values = [psnr(frame, volume, mask, peak) for volume in restored]
            scores.append([*values, ssim(frame, restored[0], mask, peak), psnr(frame, run.frame(t - 1), mask, peak)])
            chosen += [tuple(vector) for vector in latent.reshape(-1, latent.shape[-1])]
        names = ("psnr_mask", "psnr_latent_zeroed", "ssim_mask", "psnr_of_the_frame_before")
        usage = len(set(chosen)) / len(space.codebook) if space.codebook is not None else ""
        rows.append({"network": variant, **dict(zip(names, np.mean(scores, axis=0))), "codebook_usage": usage})
        print(rows[-1], flush=True)
    write_rows(pathlib.Path(__file__).parent / "autoencoder.csv", rows)


def space_of(checkpoint):
    """Return the latent space of a loaded network."""
    config = Config.from_json({**checkpoint.config, "initial": None, "stage": "both"})
    return LatentSpace(parts(checkpoint.network), config, len(checkpoint.training["labels"]))


if __name__ == "__main__":
    main(*sys.argv[1:2])
