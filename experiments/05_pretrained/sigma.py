"""Does one frame tell the noise of its run? python -m experiments.05_pretrained.sigma [DATA]

Of each run up to eight frames, each alone: the estimate of its noise over that of the run (differences of frames, median over the mask).
"old" is the estimate as it was before: the darkest air, with 0.75 % of the signal for fluctuations, and of the image no more than what all
anatomy leaves unexplained. Volumes of a diffusion series are compared with differences of their two repetitions. Writes sigma.csv.

Estimates were chosen on the runs called "choosing". Those called "test" were looked at while choosing, to see which cases there are.
"""

import argparse
import importlib
import pathlib
import time

import numpy as np

from experiments.data import FOLDER, write_rows
from keras_mri.imaging.foreground import noise_foreground
from keras_mri.imaging.noise import sigma_and_source, tissue_sigma
from keras_mri.imaging.runs.noise import MAD_OF_NORMAL, estimate_run_noise
from keras_mri.io.nifti_reading import open_image

RUNS = importlib.import_module("experiments.07_runs.sigma").RUNS
TEST = ("forrest-bold", "philips-3t", "ge-seepi")


def main():
    """Print and write one row for each run."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", nargs="?", type=pathlib.Path, default=FOLDER)
    folder = parser.parse_args().data
    rows = [row(name, *run_of(folder, *RUNS[name][:4])) for name in RUNS]
    rows.append(row("cabi-dti, b = 1000", *diffusion_of(folder)))
    for each in rows:
        print(each)
    write_rows(pathlib.Path(__file__).with_name("sigma.csv"), rows)


def run_of(folder, run, mask, first, step):
    """Return frames of a run and the noise of each by the run, both as lists."""
    volume = open_image(folder / f"{run}.nii.gz")
    frames = np.stack([volume.frame(t) for t in range(first, volume.n_frames, step)], axis=-1)
    mean = frames.mean(axis=3)
    inside = noise_foreground(mean, mean != 0) if mask is None else open_image(folder / f"{mask}.nii.gz").frame(0) > 0
    sigma = float(np.median(estimate_run_noise(frames, inside).sigma[inside]))
    chosen = np.unique(np.linspace(0, frames.shape[3] - 1, 8).astype(int))
    return [frames[..., t] for t in chosen], [sigma] * len(chosen)


def diffusion_of(folder):
    """Return the volumes of b = 1000, and the noise of each by the difference from its repetition."""
    first, second = (open_image(folder / "cabi-dti" / f"dev_rep{number}.nii.gz") for number in (1, 2))
    inside = open_image(folder / "cabi-dti" / "mask.nii.gz").frame(0) > 0
    frames, sigmas = [], []
    for t in range(1, first.n_frames):
        difference = (first.frame(t) - second.frame(t))[inside] / np.sqrt(2)
        frames.append(first.frame(t))
        sigmas.append(float(np.median(np.abs(difference - np.median(difference))) / MAD_OF_NORMAL))
    return frames, sigmas


def row(name, frames, sigmas):
    """Return least and greatest ratio of the estimates, old and new, and the time that the new one takes."""
    new, old, sources, begun = [], [], set(), time.process_time()
    for frame, sigma in zip(frames, sigmas):
        found, source = sigma_and_source(frame)
        new.append(found / sigma)
        sources.add(source)
    seconds = (time.process_time() - begun) / len(frames)
    old = [old_estimate(frame) / sigma for frame, sigma in zip(frames, sigmas)]
    ratios = {"old, least": min(old), "old, most": max(old), "new, least": min(new), "new, most": max(new)}
    role = "test" if name in TEST or name.startswith("cabi") else "choosing"
    return {"run": name, "role": role, "frames": len(frames), **ratios, "from": " or ".join(sorted(sources)), "seconds": round(seconds, 3)}


def old_estimate(volume):
    """Return the estimate as it was before."""
    air = importlib.import_module("keras_mri.imaging.air")
    image, dark, valid = tissue_sigma(volume), air._darkest_air(volume), volume != 0
    if dark is None:
        return image
    difference, both = air.every_second_difference(volume, dark)
    spread = air.spread(difference[both])
    thermal = spread / air._narrowing(float(volume[dark].mean()) / spread)
    signal = float(np.median(volume[valid & noise_foreground(volume, valid)]))
    least = np.sqrt(max(image**2 - (0.06 * signal) ** 2, 0.0))
    return min(image, max(float(np.hypot(thermal, 0.0075 * signal)), least))


if __name__ == "__main__":
    main()
