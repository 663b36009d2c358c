"""What the latent keeps of heads that trained and of heads that did not: python -m experiments.04_ldm.autoencoder NETWORK.h5 [VQ.h5]

Writes autoencoder.csv. PSNR in the brain (`brain_mask` of the mean frame); the peak is the frame's maximum there. The row that needs no
training: the lowest cosine frequencies of each block of voxels, as many as the latent has channels.
"""

import functools
import importlib
import pathlib
import sys

import numpy as np

from experiments.data import write_rows
from keras_mri.imaging.brain_mask import brain_mask
from keras_mri.imaging.intensity import fit_image_scaling
from keras_mri.imaging.metrics import psnr, ssim
from keras_mri.networks.latent_diffusion import parts
from keras_mri.networks.volume_autoencoder import lowest_frequencies
from keras_mri.systems.ldm.latent_space import LatentSpace
from keras_mri.systems.ldm.stored import Inference
from keras_mri.systems.network_files import load_network

scans = importlib.import_module("experiments.04_ldm.scans")


def main(*paths):
    """Score every row on every run."""
    networks, rows = {pathlib.Path(path).stem: load_network(path) for path in paths}, []
    for seen, sources in ((True, scans.SEEN), (False, scans.UNSEEN)):
        for run in scans.real(sources)[0]:
            mask = brain_mask(np.mean([run.frame(t) for t in range(run.n_frames)], axis=0), run.zooms)
            ways = {"cosines, untrained": (functools.partial(through, count=channels(networks)), None)}
            for name, checkpoint in networks.items():
                ways |= through_network(name, checkpoint, run)
            for method, (restore, usage) in ways.items():
                rows.append(row(method, run, seen, mask, restore) | ({"codebook_usage": usage()} if usage else {}))
                print(rows[-1], flush=True)
            write_rows(pathlib.Path(__file__).with_name("autoencoder.csv"), rows)


def channels(networks):
    """Return how many channels the latents have."""
    return next(iter(networks.values())).inference["latent_channels"]


def through_network(name, checkpoint, run):
    """Return the rows of a network: what comes out of its latents and out of none, and how many of its codes are used."""
    stored = Inference.from_json(checkpoint.inference)
    space = LatentSpace(parts(checkpoint.network), stored, len(stored.labels), run.affine)
    scaling, latents = fit_image_scaling(run, stored.scaling), []

    def restore(frame):
        latents.append(space.encode(scaling.apply(frame)))
        return scaling.invert(space.decode(latents[-1], frame.shape))

    def zeroed(frame):
        return scaling.invert(space.decode(np.zeros(space.latent_shape(frame.shape), np.float32), frame.shape))

    usage = None if space.codebooks is None else lambda: used(space, np.concatenate([x.reshape(-1, x.shape[-1]) for x in latents]))
    return {name: (restore, usage), f"{name}, latent zeroed": (zeroed, None)}


def used(space, vectors):
    """Return the share of the codes, over all codebooks, that these latents take."""
    left, shares = vectors, []
    deviation = np.sqrt(space.encoder.get_layer("latent_scale").get_weights()[1])
    for table in space.codebooks:
        codes = table * deviation
        chosen = ((codes**2).sum(axis=1) - 2 * (left * deviation) @ codes.T).argmin(axis=1)
        shares.append(len(np.unique(chosen)) / len(table))
        left = left - table[chosen]
    return float(np.mean(shares))


def through(frame, count, side=4):
    """Return a volume as the lowest cosine frequencies of its blocks give it back: ndarray of float32, shape (x, y, z)."""
    code = lowest_frequencies(side, count).reshape(side**3, count)
    padded = np.pad(frame, [(0, -have % side) for have in frame.shape], mode="edge")
    blocks = [have // side for have in padded.shape]
    split = padded.reshape(blocks[0], side, blocks[1], side, blocks[2], side).transpose(0, 2, 4, 1, 3, 5)
    kept = (split.reshape(-1, side**3) @ code @ code.T).reshape(split.shape).transpose(0, 3, 1, 4, 2, 5)
    return kept.reshape(padded.shape)[tuple(slice(have) for have in frame.shape)]


def row(method, run, seen, mask, restore):
    """Return the row of a method: mean over the frames."""
    frames = list(run.frames())
    restored = [restore(frame) for frame in frames]
    peaks = [float(frame[mask].max()) for frame in frames]
    scores = [psnr(frame, found, mask, peak) for frame, found, peak in zip(frames, restored, peaks)]
    likeness = ssim(frames[0], restored[0], mask, peaks[0])
    return dict(method=method, run=run.name, head_trained=seen, psnr=np.mean(scores), psnr_sd=np.std(scores), ssim=likeness)


if __name__ == "__main__":
    main(*sys.argv[1:])
