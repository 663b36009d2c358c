"""Train a blind denoiser of pretrained/: python -m experiments.05_pretrained.train t1w|epi OUT.h5 [--time-budget 60m]

t1w learns from coarser copies of the studyforrest T1w and is held to prisma-mini's while it trains; its test is adi-t1t2.
epi learns from the runs of studyforrest, prisma-epi, ge-seepi and cabi-dti and from short EPIs, and is held to other short EPIs; its
test is the run of prisma-mini. Persons and scanners of a test take no part.
"""

import argparse
import logging

from experiments.data import FOLDER, forrest_t1w_copies
from keras_mri import checkpoints
from keras_mri.config import parse_duration
from keras_mri.nifti import open_image
from keras_mri.settings.wgan import Config
from keras_mri.systems import wgan
from keras_mri.volumes import Volume

# Every frame of a run shows the same head: a few of them teach as much.
_FRAMES = 9
_EPI = (
    "forrest-bold/bold.nii.gz",
    "prisma-epi/pcasl2d.nii.gz",
    "ge-seepi/series7_4rep.nii.gz",
    "cabi-dti/dev_rep1.nii.gz",
    "epi-short/ge_nih_15sl.nii.gz",
    "epi-short/oxford_mb_86x86x51.nii.gz",
    "epi-short/oxford_seepi_1p5mm.nii.gz",
    "epi-short/siemens_b12_35sl.nii.gz",
    "epi-short/siemens_b13_fmri.nii.gz",
    "epi-short/siemens_b17_fmri.nii.gz",
    "epi-short/siemens_sag_PSL.nii.gz",
    # Held out while training, the last fifth of the volumes: these 12 of 60.
    "epi-short/siemens_me_e1.nii.gz",
    "epi-short/siemens_me_e2.nii.gz",
    "epi-short/siemens_d13_motion.nii.gz",
)


def main(scan, path, budget, seed=0, **options):
    """Train for `budget` seconds and save the network with the best held-out error."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    volumes = {"t1w": _t1w, "epi": _epi}[scan]()
    config = Config(frames=1, adversarial_weight=0.0, time_budget=budget, seed=seed, **options)
    network = wgan.train(volumes, config)
    facts = {"zooms": [list(volume.zooms) for volume in volumes], "sigma": list(config.noise_range)}
    checkpoints.save(checkpoints.Checkpoint(network, "wgan", config.to_json(), facts), path)


def _t1w():
    return [*forrest_t1w_copies(), open_image(FOLDER / "prisma-mini" / "T1w_2mm_defaced.nii.gz")]


def _epi():
    """Return volumes, not runs: files, not the ends of runs, are held out."""
    volumes = []
    for name in _EPI:
        run = open_image(FOLDER / name)
        frames = run.sample_frames(_FRAMES)
        volumes += [Volume.from_array(frames[..., t], run.affine, name=f"{name}, frame {t}") for t in range(frames.shape[3])]
    return volumes


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", choices=("t1w", "epi"))
    parser.add_argument("path")
    parser.add_argument("--time-budget", type=parse_duration, default=parse_duration("60m"))
    parser.add_argument("--filters", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--depths", type=int, nargs="+", default=[1, 5])
    chosen = parser.parse_args()
    main(chosen.scan, chosen.path, chosen.time_budget, filters=tuple(chosen.filters), depths=tuple(chosen.depths))
