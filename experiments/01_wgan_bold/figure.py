"""The picture of the README, from results.csv and one network: python -m experiments.01_wgan_bold.figure [FOLDER]"""

import csv
import importlib
import pathlib
import sys

import matplotlib
import numpy as np

from experiments.data import forrest_bold
from keras_mri.io.volumes import Volume
from keras_mri.systems.network_files import load_network
from keras_mri.systems.wgan import system as wgan

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402

train = importlib.import_module("experiments.01_wgan_bold.train")

SHOWN = {
    "ours, default": ("C3", "-"),
    "ours, frames 1": ("C1", "-"),
    "BM4D": ("C0", "--"),
    "DIPY NLM (classic)": ("C2", "--"),
    "patch-denoise (run)": ("C4", "--"),
    "DIPY mppca (run)": ("C5", "--"),
    "input as is": ("0.5", ":"),
}
FIRST, TESTED, SLICE, PERCENT = 130, 143, 18, 5


def main(folder="networks"):
    """Draw figure.png."""
    here = pathlib.Path(__file__).parent
    figure, axes = plt.subplots(1, 5, figsize=(20, 4.2), layout="constrained", width_ratios=(1, 1, 1, 1, 1.5))
    for axis, (title, (view, colours, low, high)) in zip(axes, _views(folder).items()):
        axis.imshow(view.T, cmap=colours, vmin=low, vmax=high, origin="lower", interpolation="nearest")
        axis.set_title(title)
        axis.set_axis_off()
    _curves(axes[-1], here / "results.csv")
    figure.savefig(here / "figure.png", dpi=75)


def _views(folder):
    run, _ = forrest_bold()
    frames = np.stack([run.frame(t) for t in range(FIRST, run.n_frames)], axis=-1)
    peak = frames.mean(axis=-1).max()
    middle = TESTED - FIRST
    noisy = frames + np.float32(PERCENT / 100 * peak) * np.random.default_rng(0).standard_normal(frames.shape, dtype=np.float32)
    checkpoint = load_network(train.network_path(folder, "default", 0))

    def denoised(data):
        return wgan.predict(checkpoint, [Volume.from_array(data, run.affine)], wgan.PredictConfig()).frame(middle)[:, :, SLICE]

    clean, top = frames[:, :, SLICE, middle], np.percentile(frames, 99.5)
    return {
        f"{PERCENT} % noise added": (noisy[:, :, SLICE, middle], "gray", 0, top),
        "denoised": (denoised(noisy), "gray", 0, top),
        "as measured": (clean, "gray", 0, top),
        "removed from the measured frame (± 5 %)": (clean - denoised(frames), "gray", -0.05 * top, 0.05 * top),
    }


def _curves(axis, path):
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    for method, (colour, style) in SHOWN.items():
        if not any(row["method"] == method for row in rows):
            continue
        percents = sorted({int(row["percent"]) for row in rows if row["method"] == method})
        means = [np.mean([float(row["psnr"]) for row in rows if row["method"] == method and int(row["percent"]) == p]) for p in percents]
        axis.plot(percents, means, style, color=colour, marker="." if style == "-" else "", label=method)
    axis.set(xlabel="noise SD, % of the maximum", ylabel="PSNR in the brain, dB")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)


if __name__ == "__main__":
    main(*sys.argv[1:2])
