"""Train the start of Noise2Average, supervised, on simulated noise: python -m experiments.02_n2a.pretrain OUT.h5 [--time-budget 30m]

The clean targets are coarser copies of the studyforrest T1w (`experiments.data.forrest_t1w_copies`); prisma-mini's T1w is held
out. The scans of adi-t1t2 take no part: they are the test. The noise is Gaussian: the front end takes the local mean away, and with it
what a network needs to know of the intensity to undo the bias of Rician noise. Asked for that it darkens flat regions (by 1.5 % of the
range at 5 % noise, which cost 1 dB).
"""

import argparse

import keras

from experiments.data import FOLDER, forrest_t1w_copies
from keras_mri.config import parse_duration
from keras_mri.io.nifti_reading import open_image
from keras_mri.networks.munet import munet
from keras_mri.networks.precision import hidden_layers_in, in_float32
from keras_mri.saving import checkpoints
from keras_mri.systems.n2a import settings as n2a
from keras_mri.systems.network_files import checkpoint_for
from keras_mri.systems.wgan import settings as wgan
from keras_mri.systems.wgan.data import denoising_data
from keras_mri.training.callbacks import FollowPace, KeepBest
from keras_mri.training.pace import Pace

FILTERS, NOISE_SCALE, NOISE_RANGE = 32, 0.05, (0.0, 0.15)
PATCH_SHAPE, BATCH_SIZE = (32, 32, 32), 2
STEPS_PER_EPOCH = 100


def main(path, budget, filters=FILTERS, initial=None, learning_rate=1e-3, seed=0):
    """Train for `budget` seconds and save the network with the best held-out error."""
    keras.utils.set_random_seed(seed)
    scans = [*forrest_t1w_copies(), open_image(FOLDER / "prisma-mini" / "T1w_2mm_defaced.nii.gz")]
    config = wgan.Config(frames=1, patch_shape=PATCH_SHAPE, batch_size=BATCH_SIZE, noise_range=NOISE_RANGE, seed=seed)
    # Batches as the U-WGAN's without its adversary.
    data = denoising_data(scans, config, frames=1, factor=1)
    with hidden_layers_in("auto"):
        network = munet(1, filters, NOISE_SCALE)
    if initial:
        network.set_weights(checkpoints.load(initial, "n2a").network.get_weights())
    optimizer = keras.optimizers.Adam(learning_rate, beta_2=0.99, clipnorm=1.0)
    network.compile(optimizer, loss="mae", jit_compile=False)
    pace, best = Pace(10**9, budget), KeepBest(network, "val_loss")
    callbacks = [FollowPace(pace, 1.0, [(optimizer, learning_rate)]), best]
    network.fit(
        data.training,
        validation_data=data.validation,
        steps_per_epoch=STEPS_PER_EPOCH,
        epochs=10**6,
        callbacks=callbacks,
        verbose=2,
        shuffle=False,
    )
    best.restore()
    config = n2a.Config(filters=filters, noise_scale=NOISE_SCALE, initial="none", seed=seed, time_budget=budget)
    facts = {"zooms": [list(scan.zooms) for scan in scans[:-1]], "sigma": list(NOISE_RANGE)}
    checkpoints.save(checkpoint_for(in_float32(network), "n2a", config, facts), path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path")
    parser.add_argument("--time-budget", type=parse_duration, default=parse_duration("30m"))
    parser.add_argument("--filters", type=int, default=FILTERS)
    parser.add_argument("--initial", help="go on from this network")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    main(chosen.path, chosen.time_budget, chosen.filters, chosen.initial, chosen.learning_rate, chosen.seed)
