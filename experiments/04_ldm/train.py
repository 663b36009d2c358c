"""Train `ldm_epi`: python -m experiments.04_ldm.train HEADS NETWORK.h5 [--autoencoder 9m] [--denoiser 50m] [--vq]

HEADS is the folder that `experiments.04_ldm.heads` has filled. The autoencoder is kept as NAME_autoencoder.h5, and taken up from there;
so is the denoiser, if NETWORK.h5 exists.
"""

import argparse
import dataclasses
import importlib
import logging
import pathlib

import keras

from keras_mri.config import parse_duration
from keras_mri.networks.latent_diffusion import assembled, parts
from keras_mri.saving import checkpoints
from keras_mri.systems.ldm import system as ldm
from keras_mri.systems.ldm.labelled_runs import labelled_runs
from keras_mri.systems.ldm.settings import Config
from keras_mri.systems.ldm.training import fit_autoencoder, fit_denoiser
from keras_mri.systems.network_files import checkpoint_for

scans = importlib.import_module("experiments.04_ldm.scans")
CONFIG = dict(
    any_grid=True, filters=(8, 16, 48), latent_channels=40, batch_size=4, unet_filters=(40, 96), diffusion_batch_size=8,
    # One step from pure noise is to be the mean of what is possible, so its error must count.
    min_snr=None, condition_drop=0.0, ema=0.998, steps_per_epoch=100,
)  # fmt: skip


# Of a network that generates: one grid, whose mean latents it knows.
SAMPLES = CONFIG | dict(any_grid=False, condition=False, condition_drop=0.4)


def main(options):
    """Train both stages, and write what there is after each."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    path = pathlib.Path(options.path)
    config = Config(**(SAMPLES if options.samples else CONFIG), latent="vq" if options.vq else "kl", codes=512, codebooks=8)
    training, held_out = data(options.heads, config)
    first = path.with_name(f"{path.stem}_autoencoder.h5")
    if not first.exists():
        write(
            fit_autoencoder(training, held_out, dataclasses.replace(config, time_budget=options.autoencoder), [Epochs()]),
            first,
            training,
            config,
        )
    if not options.vq:
        start = parts(checkpoints.load(path if path.exists() else first, "ldm").network)
        denoiser = fit_denoiser(start, training, held_out, dataclasses.replace(config, time_budget=options.denoiser), [Epochs()])
        write(start._replace(denoiser=denoiser), path, training, config)


def data(folder, config):
    """Return what trains and what chooses the best epoch: two LabelledRuns. Samples get the grid of the first drawn head."""
    others = (scans.drawn(folder, "others"), scans.real(scans.TRAINING)) if config.any_grid else ()
    groups, made = [(scans.drawn(folder, "whole"), *others), (scans.drawn(folder, "held"),)], []
    for members in groups:
        volumes, labels = ([item for member in members for item in member[k]] for k in (0, 1))
        made.append(labelled_runs(volumes, dataclasses.replace(config, labels=tuple(labels))))
    return made


def write(pair, path, training, config):
    """Save a pair as the command would."""
    network = assembled(*pair)
    checkpoints.save(checkpoint_for(network, "ldm", config, ldm.facts(network, training, config)), path)


class Epochs(keras.callbacks.Callback):
    """Log each epoch."""

    def on_epoch_end(self, epoch, logs=None):
        """Log its numbers."""
        logging.info("epoch %d %s", epoch, {name: round(float(value), 5) for name, value in (logs or {}).items()})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("heads")
    parser.add_argument("path")
    parser.add_argument("--autoencoder", type=parse_duration, default=540.0)
    parser.add_argument("--denoiser", type=parse_duration, default=3000.0)
    parser.add_argument("--samples", action="store_true", help="a network that generates heads, not one that restores")
    parser.add_argument("--vq", action="store_true", help="an autoencoder with eight codebooks of 512 codes, and nothing else")
    main(parser.parse_args())
