"""Train the networks of this experiment: python -m experiments.04_ldm.train [FOLDER] [--time-budget 40m]"""

import argparse
import pathlib
import subprocess
import sys

from experiments.data import FOLDER
from keras_mri.nifti import open_image, save
from keras_mri.resampling import resampled_to
from keras_mri.volumes import Volume

BOLD = FOLDER / "forrest-bold"
PRISMA = FOLDER / "prisma-epi"
# row: flags; the scans and their labels are added
VARIANTS = {"kl": ["--latent", "kl"], "vq": ["--latent", "vq"], "sources": ["--latent", "kl"]}


def network_path(folder, variant):
    """Return where the network of a row lies."""
    return pathlib.Path(folder) / f"{variant}.h5"


def prisma_on_forrest_grid(folder):
    """Write prisma-epi on forrest's grid, both centred on their field of view, unless it is there; return its path."""
    path = pathlib.Path(folder) / "prisma_on_forrest.nii.gz"
    if not path.exists():
        run, reference = open_image(PRISMA / "pcasl2d.nii.gz"), open_image(BOLD / "bold.nii.gz")
        affine = run.affine.copy()
        centres = [volume.affine @ [*((side - 1) / 2 for side in volume.shape[:3]), 1] for volume in (run, reference)]
        affine[:3, 3] += (centres[1] - centres[0])[:3]
        still = Volume(lambda t: reference.frame(0), reference.shape[:3], reference.affine)

        def frame(t):
            return resampled_to(Volume(lambda _: run.frame(t), run.shape[:3], affine), still, order=1).frame(0)

        save(Volume(frame, (*reference.shape[:3], run.n_frames), reference.affine), path)
    return path


def main(folder, variants, budget):
    """Train every variant, one after the other; networks that exist are kept."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for variant in variants:
        path = network_path(folder, variant)
        if path.exists():
            continue
        scans, labels = [BOLD / "bold.nii.gz"], ["--events", BOLD / "events.tsv"]
        if variant == "sources":
            scans.append(prisma_on_forrest_grid(folder))
            labels = ["--labels", "forrest", "prisma"]
        flags = [*labels, *VARIANTS[variant], "--time-budget", budget, "-o", path]
        subprocess.run([sys.executable, "-m", "keras_mri.train", "ldm", *map(str, [*scans, *flags])], check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default="networks")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--time-budget", default="40m")
    chosen = parser.parse_args()
    main(chosen.folder, chosen.variants, chosen.time_budget)
