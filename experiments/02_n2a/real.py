"""True repetitions: python -m experiments.02_n2a.real [FOLDER] [--time-budget 2m]

ge-seepi: trained on volumes 1 and 2, scored against volume 3, whose noise nobody saw. cabi-dti: the six b = 1000 directions of two
runs; there is no third one, so each repetition is restored by itself and scored against the other in the held-out blocks, where
the network was not trained.
"""

import argparse
import dataclasses
import pathlib
import subprocess
import sys

import nibabel
import numpy as np

from experiments.data import FOLDER, write_rows
from keras_mri.io import nifti_reading, nifti_writing
from keras_mri.io.volumes import Volume
from keras_mri.systems.n2a import system as n2a
from keras_mri.systems.n2a.data import BlockOptions, RepetitionBlocks
from keras_mri.systems.n2a.settings import Config
from keras_mri.systems.network_files import load_network

SEEDS = (0, 1, 2)


def main(folder, budget):
    """Train on each pair and write real.csv."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for seed in SEEDS:
        for name, (paths, mask, third) in {"ge-seepi": _seepi(folder), "cabi-dti": _dti(folder)}.items():
            model = folder / f"{name}_{seed}.h5"
            if not model.exists():
                command = [sys.executable, "-m", "keras_mri.train", "n2a", *map(str, paths), "--mask", str(mask), "--seed", str(seed)]
                subprocess.run([*command, "--time-budget", budget, "-o", str(model), "--overwrite"], check=True)
            rows.append({"scan": name, "seed": seed, **_facts(model, paths, mask, third, seed)})
            print(rows[-1], flush=True)
            write_rows(pathlib.Path(__file__).with_name("real.csv"), rows)


def _facts(model, paths, mask, third, seed):
    """Return the gain over the average, the noise removed, and what of the anatomy the residual holds."""
    config = Config(mask=str(mask), seed=seed)
    scan = n2a.prepare(paths, config)
    denoised = n2a.outcome(load_network(model), scan, config).files["_denoised.nii.gz"].data.reshape(scan.average.shape)
    inside = scan.mask
    noise = _noise_variance(scan, inside)
    residual = (scan.average - denoised)[inside]
    held_out = _held_out(scan, n2a.settle(config))
    facts = {
        "noise SD / mean": np.sqrt(noise) / scan.average[inside].mean(),
        "residual SD / SD of the average's noise": residual.std() / np.sqrt(noise / 2),
        # Not with the average, whose noise the residual is.
        "correlation of residual and denoised image": np.corrcoef(residual.ravel(), denoised[inside].ravel())[0, 1],
    }
    facts["gain over one repetition, against the other, held-out blocks, dB"] = _gain_over_one(model, scan, config, held_out)
    if third is not None:
        # The third volume has the noise of one; what is left is the error of the estimate.
        target = third * (scan.data[0][inside].mean() / third[inside[..., None] & np.ones(third.shape, bool)].mean())
        errors = {
            name: float(np.mean((image[inside] - target[inside]) ** 2, dtype=np.float64))
            for name, image in (("average", scan.average), ("ours", denoised))
        }
        facts["mean square against the third, average"] = errors["average"] / noise
        facts["mean square against the third, ours"] = errors["ours"] / noise
        facts["gain over the average, dB"] = 10 * np.log10((errors["average"] - noise) / (errors["ours"] - noise))
    return facts


def _held_out(scan, config):
    """Return where the held-out blocks of the training are, inside the mask: bool, shape (x, y, z)."""
    blocks = RepetitionBlocks(scan.data, scan.mask, 1, BlockOptions.of(config, scan.reference.affine))
    chosen = np.zeros_like(scan.mask)
    # A view: the box of the blocks.
    view = chosen[blocks.box]
    for corner in blocks.held_out:
        view[tuple(slice(low, low + side) for low, side in zip(corner, blocks.shape))] = True
    return chosen & scan.mask


def _gain_over_one(model, scan, config, region):
    """Restore each repetition by itself; what its error falls by, when the other one's own noise is taken off."""
    checkpoint, noise, errors = load_network(model), _noise_variance(scan, region), []
    for one, other in ((0, 1), (1, 0)):
        alone = dataclasses.replace(scan, data=scan.data[[one, one]])
        restored = n2a.outcome(checkpoint, alone, config).files["_denoised.nii.gz"].data.reshape(scan.average.shape)
        errors.append(np.mean((restored[region] - scan.data[other][region]) ** 2, dtype=np.float64) - noise)
    return 10 * np.log10(noise / np.mean(errors))


def _noise_variance(scan, region):
    return float(np.var(scan.data[0][region] - scan.data[1][region], dtype=np.float64)) / 2


def _seepi(folder):
    run = nifti_reading.open_image(FOLDER / "ge-seepi" / "series7_4rep.nii.gz")
    paths = []
    for t in (1, 2):
        path = folder / f"seepi_{t}.nii.gz"
        nifti_writing.save(Volume.from_array(run.frame(t), run.affine), path)
        paths.append(path)
    return paths, FOLDER / "ge-seepi" / "series7_mask.nii.gz", run.frame(3)[..., None]


def _dti(folder):
    paths = []
    for number in (1, 2):
        run = nibabel.load(FOLDER / "cabi-dti" / f"dev_rep{number}.nii.gz")
        path = folder / f"dti_{number}.nii.gz"
        # Volume 0 is b = 0.
        nifti_writing.save(Volume.from_array(run.get_fdata(dtype=np.float32)[..., 1:], run.affine), path)
        paths.append(path)
    return paths, FOLDER / "cabi-dti" / "mask.nii.gz", None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default="n2a_networks")
    parser.add_argument("--time-budget", default="2m")
    chosen = parser.parse_args()
    main(chosen.folder, chosen.time_budget)
