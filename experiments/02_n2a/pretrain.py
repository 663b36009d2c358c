"""Train the start of Noise2Average, supervised, on simulated noise: python -m experiments.02_n2a.pretrain OUT.h5 [--time-budget 30m]

The clean targets are the studyforrest T1w with its k-space cut to voxels of 1.0 to 1.6 mm, as a scanner would have measured it
there, with a half to a third of the noise of its own 0.7 mm (1.6 %). Many scanners zero-fill k-space before they write an image, so
half of the copies are put back on a finer grid; and each copy has a contrast of its own (a power of the intensity). prisma-mini's
T1w is held out. The scans of adi-t1t2 take no part: they are the test.
"""

import argparse

import keras
import tensorflow as tf

from experiments.data import FOLDER
from keras_mri import checkpoints
from keras_mri.callbacks import FollowPace, KeepBest, Pace
from keras_mri.config import parse_duration
from keras_mri.denoising_data import denoising_data
from keras_mri.kspace import finer_affine, resampled
from keras_mri.networks.munet import munet
from keras_mri.networks.precision import hidden_layers_in, in_float32
from keras_mri.nifti import open_image
from keras_mri.settings import n2a, wgan
from keras_mri.volumes import Volume

FILTERS, NOISE_SCALE, NOISE_RANGE = 16, 0.05, (0.0, 0.15)
PATCH_SHAPE, BATCH_SIZE = (32, 32, 32), 2
# Voxels that were measured, voxels of the grid (mm), and the power of the intensities.
COPIES = ((1.0, 1.0, 1.0), (1.2, 1.2, 0.7), (1.4, 1.4, 1.3), (1.2, 0.9, 1.0), (1.4, 1.0, 1.3), (1.6, 1.1, 0.8))
STEPS_PER_EPOCH = 100


def main(path, budget, filters=FILTERS, seed=0):
    """Train for `budget` seconds and save the network with the best held-out error."""
    keras.utils.set_random_seed(seed)
    forrest = open_image(FOLDER / "forrest-t1w" / "T1w.nii.gz")
    scans = [_copy(forrest, *copy) for copy in COPIES] + [open_image(FOLDER / "prisma-mini" / "T1w_2mm_defaced.nii.gz")]
    models = {model: _data(scans, model, seed) for model in ("gaussian", "rician")}
    training = tf.data.Dataset.choose_from_datasets([data.training for data in models.values()], tf.data.Dataset.range(2).repeat())
    validation = models["gaussian"].validation.concatenate(models["rician"].validation)
    with hidden_layers_in("auto"):
        network = munet(1, filters, NOISE_SCALE)
    optimizer = keras.optimizers.Adam(1e-3, beta_2=0.99, clipnorm=1.0)
    network.compile(optimizer, loss="mae", jit_compile=False)
    pace, best = Pace(10**9, budget), KeepBest(network, "val_loss")
    callbacks = [FollowPace(pace, 1.0, [(optimizer, 1e-3)]), best]
    network.fit(
        training, validation_data=validation, steps_per_epoch=STEPS_PER_EPOCH, epochs=10**6, callbacks=callbacks, verbose=2, shuffle=False
    )
    best.restore()
    config = n2a.Config(filters=filters, noise_scale=NOISE_SCALE, initial="none", seed=seed, time_budget=budget)
    facts = {"zooms": [list(scan.zooms) for scan in scans[:-1]], "sigma": list(NOISE_RANGE)}
    checkpoints.save(checkpoints.Checkpoint(in_float32(network), "n2a", config.to_json(), facts), path)


def _data(scans, model, seed):
    # Batches as the U-WGAN's without its adversary.
    config = wgan.Config(
        frames=1,
        patch_shape=PATCH_SHAPE,
        batch_size=BATCH_SIZE,
        noise=model,
        noise_range=NOISE_RANGE,
        seed=seed + (model == "rician"),
    )
    return denoising_data(scans, config, frames=1, factor=1)


def _copy(volume, measured, grid, power):
    """Cut a scan's k-space to voxels about `measured` mm wide, zero-fill it to voxels of `grid` mm, and change its contrast."""
    data = resampled(volume.frame(0), _shape(volume, measured))
    shape = _shape(volume, grid)
    data = resampled(data, shape) / data.max()
    affine = finer_affine(volume.affine, [new / old for new, old in zip(shape, volume.shape)])
    return Volume.from_array(data**power, affine, name=f"{volume.name}, {measured} mm on {grid} mm, power {power}")


def _shape(volume, side):
    return [round(count * zoom / side) for count, zoom in zip(volume.shape, volume.zooms)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path")
    parser.add_argument("--time-budget", type=parse_duration, default=parse_duration("30m"))
    parser.add_argument("--filters", type=int, default=FILTERS)
    chosen = parser.parse_args()
    main(chosen.path, chosen.time_budget, chosen.filters)
