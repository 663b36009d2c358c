"""Train the networks of this experiment, each for five minutes, on frames 0–119: python -m experiments.01_wgan_bold.train"""

import pathlib
import subprocess
import sys

from experiments.data import forrest_bold
from keras_mri.io import nifti_writing
from keras_mri.io.volumes import Volume

TRAINING_FRAMES = 120
SEEDS = (0, 1, 2)
# row: the flags that differ from the default preset
VARIANTS = {
    "default": [],
    "frames 1": ["--frames", "1"],
    "L1 only": ["--adversarial-weight", "0"],
    "published": ["--preset", "published"],
}


def network_path(folder, variant, seed):
    """Return where the network of one row and seed lies."""
    return pathlib.Path(folder) / f"{variant.replace(' ', '_')}_{seed}.h5"


def main(folder, variants=tuple(VARIANTS), budget="5m"):
    """Train every variant with every seed, one after the other; networks that exist are kept."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "frames_0_119.nii.gz"
    if not part.exists():
        run, _ = forrest_bold()
        shape = (*run.shape[:3], TRAINING_FRAMES)
        nifti_writing.save(Volume(run.frame, shape, run.affine, run.header), part)
    for seed in SEEDS:
        for variant in variants:
            path = network_path(folder, variant, seed)
            if path.exists() or (variant == "published" and seed):
                continue
            flags = [*VARIANTS[variant], "--seed", str(seed), "--time-budget", budget, "-o", str(path), "--overwrite"]
            subprocess.run([sys.executable, "-m", "keras_mri.train", "wgan", str(part), *flags], check=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "networks", sys.argv[2:] or tuple(VARIANTS))
