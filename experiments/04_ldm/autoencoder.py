"""What the latent keeps: python -m experiments.04_ldm.autoencoder [FOLDER], writes autoencoder.csv

Frames that never trained, PSNR in the mask; the peak is the frame's maximum in the mask. Two rows need no network: the mean of the frames
that train, which is what remembering a head and looking at nothing can reach, and the frame before.
"""

import importlib
import pathlib
import sys

import numpy as np

from experiments.data import write_rows
from keras_mri.imaging.intensity import fit_image_scaling
from keras_mri.imaging.metrics import psnr, ssim
from keras_mri.networks.latent_diffusion import parts
from keras_mri.systems.ldm.latent_space import LatentSpace
from keras_mri.systems.ldm.settings import Inference
from keras_mri.systems.network_files import load_network

data = importlib.import_module("experiments.04_ldm.data")
train = importlib.import_module("experiments.04_ldm.train")


def main(folder="networks"):
    """Score every row on both sources and write autoencoder.csv."""
    data.write_parts(folder)
    paths = {variant: train.network_path(folder, variant) for variant in train.VARIANTS}
    spaces = {variant: space_of(load_network(path)) for variant, path in paths.items() if path.exists()}
    rows = []
    for source in data.SOURCES:
        (run, mask), earlier = data.held_out(folder, source), data.training(folder, source)
        mean, before = earlier.mean(axis=3), [earlier[..., -1], *run.frames()]
        rows.append(_row("mean of the training", source, run, mask, lambda t, mean=mean: mean))
        rows.append(_row("frame before", source, run, mask, lambda t, before=before: before[t]))
        rows += [_through(space, variant, source, run, mask) for variant, space in spaces.items()]
        write_rows(pathlib.Path(__file__).with_name("autoencoder.csv"), rows)


def space_of(checkpoint):
    """Return the latent space of a loaded network."""
    stored = Inference.from_json(checkpoint.inference)
    return LatentSpace(parts(checkpoint.network), stored, len(stored.labels))


def _through(space, variant, source, run, mask):
    """Return the row of a network: what comes out of its latents, out of none, and how many codes they take."""
    scaling = fit_image_scaling(run, space.config.scaling)
    latents = [space.encode(scaling.apply(frame)) for frame in run.frames()]

    def decoded(latent):
        return scaling.invert(space.decode(latent, run.shape[:3]))

    row = _row(variant, source, run, mask, lambda t: decoded(latents[t]))
    without = decoded(np.zeros_like(latents[0]))
    row["psnr_latent_zeroed"] = np.mean([_psnr(frame, without, mask) for frame in run.frames()])
    if space.codebook is not None:
        used = np.unique(np.concatenate([latent.reshape(-1, latent.shape[-1]) for latent in latents]), axis=0)
        row["codebook_usage"] = len(used) / len(space.codebook)
    return row


def _row(method, source, run, mask, restore):
    restored = [restore(t) for t in range(run.n_frames)]
    scores = [_psnr(run.frame(t), volume, mask) for t, volume in enumerate(restored)]
    # SSIM is slow: every sixth frame.
    likeness = [ssim(run.frame(t), restored[t], mask, float(run.frame(t)[mask].max())) for t in range(0, run.n_frames, 6)]
    row = dict(method=method, source=source, psnr=np.mean(scores), psnr_sd=np.std(scores), ssim=np.mean(likeness))
    print(row, flush=True)
    return row


def _psnr(frame, volume, mask):
    return psnr(frame, volume, mask, float(frame[mask].max()))


if __name__ == "__main__":
    main(*sys.argv[1:2])
