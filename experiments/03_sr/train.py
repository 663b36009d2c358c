"""Train the networks of this experiment on forrest-t1w: python -m experiments.03_sr.train [FOLDER] [--time-budget 30m]"""

import argparse
import pathlib
import subprocess
import sys

from experiments.data import FOLDER

# row: the flags that differ from the default preset
VARIANTS = {
    "L1 only": ["--adversarial-weight", "0"],
    "GAN": [],
    # What each part of the default is worth; only trained when named.
    "L1 only, native voxels": ["--adversarial-weight", "0", "--coarser", "1"],
    "L1 only, no gain": ["--adversarial-weight", "0", "--gain", "0"],
    "L1 only, unet3d": ["--adversarial-weight", "0", "--generator", "unet3d"],
}
USUAL = ("L1 only", "GAN")
FACTORS = {"2x2x1": (2, 2, 1), "2x2x2": (2, 2, 2)}


def network_path(folder, variant, factors, seed):
    """Return where the network of one row, truncation and seed lies."""
    return pathlib.Path(folder) / f"{variant.replace(',', '').replace(' ', '_')}_{factors}_{seed}.h5"


def main(folder, variants, factors, budget, seeds):
    """Train every variant for every truncation with every seed, one after the other; networks that exist are kept."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    scan = FOLDER / "forrest-t1w" / "T1w.nii.gz"
    for seed in seeds:
        for name in factors:
            for variant in variants:
                path = network_path(folder, variant, name, seed)
                if path.exists():
                    continue
                flags = [*VARIANTS[variant], "--simulate", *map(str, FACTORS[name]), "--seed", str(seed), "--time-budget", budget]
                command = [sys.executable, "-m", "keras_mri.train", "sr", str(scan), *flags, "-o", str(path), "--overwrite"]
                subprocess.run(command, check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default="networks")
    parser.add_argument("--variants", nargs="+", default=list(USUAL), choices=list(VARIANTS))
    parser.add_argument("--factors", nargs="+", default=["2x2x1"], choices=list(FACTORS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--time-budget", default="30m")
    chosen = parser.parse_args()
    main(chosen.folder, chosen.variants, chosen.factors, chosen.time_budget, chosen.seeds)
