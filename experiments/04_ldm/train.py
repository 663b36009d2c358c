"""Train the networks of this experiment: python -m experiments.04_ldm.train [FOLDER] [--variants NAME …] [--time-budget 40m]

On frames 0–119 of forrest-bold and 0–79 of prisma-epi, the latter interpolated to the former's grid.
"""

import argparse
import importlib
import pathlib
import subprocess
import sys

data = importlib.import_module("experiments.04_ldm.data")

# What both networks share. Volumes one by one: frames of a run are nearly alike, so that a second one adds time and no news.
SIZES = dict(
    filters=(8, 32, 96), latent_channels=40, batch_size=1, mirror_training=False, autoencoder_share=0.25, unet_filters=(32, 48)
)  # fmt: skip
# row: the flags that differ
VARIANTS = {
    "kl": dict(latent="kl"),
    # The tries before: fewer numbers, and training that begins at random.
    "kl16": dict(latent="kl", latent_channels=16, shortcut=False, autoencoder_share=0.5, prior=False),
    "kl32": dict(latent="kl", latent_channels=32, autoencoder_share=0.35, prior=False),
    "vq": dict(latent="vq", codes=512, stage="autoencoder"),
}


def network_path(folder, variant):
    """Return where the network of a row lies."""
    return pathlib.Path(folder) / f"{variant}.h5"


def main(folder, variants, budget):
    """Train every variant, one after the other; networks that exist are kept."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    data.write_parts(folder)
    for variant in variants:
        path = network_path(folder, variant)
        if not path.exists():
            scans = [data.part_path(folder, source, "training") for source in data.SOURCES]
            flags = ["--labels", *data.SOURCES, *as_flags(SIZES | VARIANTS[variant]), "--time-budget", budget, "-o", path]
            subprocess.run([sys.executable, "-m", "keras_mri.train", "ldm", *map(str, [*scans, *flags])], check=True)


def as_flags(options):
    """Write options as the command line takes them: a list of str or numbers."""
    flags = []
    for name, value in options.items():
        flag = name.replace("_", "-")
        flags += [f"--{'' if value else 'no-'}{flag}"] if isinstance(value, bool) else [f"--{flag}"]
        flags += [] if isinstance(value, bool) else value if isinstance(value, tuple) else [value]
    return flags


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default="networks")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--time-budget", default="40m")
    chosen = parser.parse_args()
    main(chosen.folder, chosen.variants, chosen.time_budget)
