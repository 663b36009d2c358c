"""python -m experiments.07_runs.pretrain OUT.h5 --without RUN: one network of runs from several, with noise added to some of them."""

import argparse
import sys

import numpy as np

import keras_mri
from keras_mri.imaging.runs.noise import RunNoise
from keras_mri.io.nifti_reading import open_image
from keras_mri.io.volumes import Volume

from . import runs

# Noise that is added to copies of the runs, % of the range, white or not: other scanners' runs have less or more signal beside it.
_ADDED = ((0.0, False), (1.0, False), (3.0, False), (3.0, True))
# Correlation of voxels 1 and 2 apart along x, y and z of noise that is not white: a scanner that interpolates in the plane.
_LAGS = ((0.45, 0.03), (0.35, 0.0), (0.1, 0.0))
_FILES = {
    "forrest-bold": "forrest-bold/bold.nii.gz",
    "philips-3t": "philips-3t/bold.nii.gz",
    "prisma-epi": "prisma-epi/pcasl2d.nii.gz",
    "prisma-mini": "prisma-mini/bold.nii.gz",
}


def volumes(without, seed):
    """Return the runs but one, each as it came and with white or correlated noise: list of Volume."""
    rng, result = np.random.default_rng(seed), []
    for name, file in _FILES.items():
        if name == without:
            continue
        volume = open_image(runs.FOLDER / file)
        top = np.percentile(volume.frame(volume.n_frames // 2), 99.9)
        for percent, correlated in _ADDED:
            result.append(_noisy(volume, np.float32(percent / 100 * top), correlated, rng) if percent else volume)
    return result


def _noisy(volume, sigma, correlated, rng):
    data = volume.data
    noise = RunNoise(np.ones(data.shape[:3]), _LAGS if correlated else ((0.0,),) * 3).draw(data.shape, rng)
    return Volume.from_array(np.where(data > 0, data + sigma * noise, data), volume.affine, volume.header, volume.name)


def main(arguments=None):
    """Train; see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m experiments.07_runs.pretrain", description=__doc__)
    parser.add_argument("output")
    parser.add_argument("--without", choices=list(_FILES), help="the run that is held out")
    parser.add_argument("--budget", default="30m")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--initial", default="none")
    chosen = parser.parse_args(arguments)
    options = dict(time_budget=chosen.budget, seed=chosen.seed, initial=chosen.initial)
    trained = keras_mri.fit("wgan", volumes(chosen.without, chosen.seed), **options)
    trained.save(chosen.output)
    print(trained.history[-1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
