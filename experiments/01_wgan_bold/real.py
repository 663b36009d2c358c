"""The run itself, nothing added but a known activation: python -m experiments.01_wgan_bold.real

tSNR, smoothness, and what a GLM finds of an activation of known amplitude before and after denoising.
"""

import csv
import importlib
import pathlib
import sys

import numpy as np
from scipy.ndimage import correlate1d
from scipy.optimize import brentq
from scipy.stats import gamma

from experiments.baselines import dipy_mppca, smooth
from experiments.data import forrest_bold, write_rows
from keras_mri.imaging.metrics import RunStatistics
from keras_mri.io.volumes import Volume
from keras_mri.systems.network_files import load_network
from keras_mri.systems.wgan import system as wgan

# The filter in time that the networks of release 0.1.0 had as their target: the frame less 0.6 of its fastest fluctuation.
_FILTER = np.eye(5)[2] - 0.6 * np.array([1, -4, 6, -4, 1]) / 16

train = importlib.import_module("experiments.01_wgan_bold.train")

TR = 2.0  # s
CENTRE, RADIUS = (40, 20, 18), 3  # voxels: grey matter of the occipital lobe
DESIGNS = ("block", "event")
AMPLITUDE = 0.02


def main(folder="networks", variants=("default", "L1 only", "frames 1")):
    """Write real.csv: one row per method and seed; rows that it has already are kept."""
    path = pathlib.Path(__file__).with_name("real.csv")
    rows = _earlier(path)
    run, mask = forrest_bold()
    data = run.data
    sphere = (sum((grid - c) ** 2 for grid, c in zip(np.indices(mask.shape), CENTRE)) <= RADIUS**2) & mask
    scans = {"": data}
    for design in DESIGNS:
        scans[design] = (data * (1 + AMPLITUDE * sphere[..., None] * _response(design, data.shape[3]))).astype(np.float32)

    def add(method, restore, seed=""):
        if not any((row["method"], row["seed"]) == (method, str(seed)) for row in rows):
            restored = {name: restore(scan) for name, scan in scans.items()}
            facts = {**_describe(restored[""], mask, run.zooms), **_activation(restored, scans, sphere, mask)}
            rows.append({"method": method, "seed": str(seed), **facts})
            write_rows(path, rows)
            print(rows[-1], flush=True)

    add("input as is", lambda scan: scan)
    add("the filter in time of the target, alone", lambda scan: correlate1d(scan, _FILTER, mode="mirror"))
    for variant in variants:
        for seed in train.SEEDS:
            network = train.network_path(folder, variant, seed)
            if network.exists():
                add(f"ours, {variant}", _ours(network, run), seed)
    wanted = float(next(row["tsnr"] for row in rows if row["method"] == "ours, default"))
    width = brentq(lambda fwhm: _describe(smooth(data, fwhm), mask, run.zooms)["tsnr"] - wanted, 0.3, 3.0, xtol=0.01)
    add(f"Gaussian, FWHM {width:.2f} voxel (equal tSNR)", lambda scan: smooth(scan, width))
    add("DIPY mppca (run)", lambda scan: dipy_mppca(scan, None, mask))
    _figure(path.with_name("residual.png"), data, _ours(train.network_path(folder, "default", 0), run)(data))


def _earlier(path):
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def _describe(run, mask, zooms):
    statistics = RunStatistics(mask)
    for t in range(run.shape[3]):
        statistics.add(run[..., t])
    return {"tsnr": _detrended_tsnr(run, mask), "tsnr_raw": statistics.tsnr(), "fwhm": statistics.fwhm(zooms)}


def _detrended_tsnr(run, mask):
    """Return the median over the mask of mean / SD after a quadratic trend is removed, as fMRI pipelines report it."""
    series = run[mask].T.astype(np.float64)
    time = np.linspace(-1, 1, len(series))
    trend = np.stack([np.ones_like(time), time, time**2], axis=1)
    residuals = series - trend @ np.linalg.lstsq(trend, series, rcond=None)[0]
    return float(np.median(series.mean(axis=0) / np.maximum(residuals.std(axis=0, ddof=3), 1e-9)))


def _activation(restored, scans, sphere, mask):
    """Compare the GLM of each design with the same GLM of the measured run.

    β is that of the run with the activation minus that of the run without it, so what the brain itself did cancels.
    """
    result = {}
    for design in DESIGNS:
        beta, t_value, autocorrelation = _glm(restored[design], design, sphere, mask)
        rest, _, _ = _glm(restored[""], design, sphere, mask)
        true, t_true, _ = _glm(scans[design], design, sphere, mask)
        without, _, _ = _glm(scans[""], design, sphere, mask)
        result[f"beta out/in {design}"] = (beta - rest) / (true - without)
        result[f"t out/in {design}"] = t_value / t_true
        result[f"lag-1 autocorrelation {design}"] = autocorrelation
    return result


def _glm(run, design, sphere, mask):
    """Return mean β and mean t in the sphere, and the mean lag-1 autocorrelation of the residuals in the brain."""
    frames = run.shape[3]
    drifts = [np.cos(np.pi * order * (np.arange(frames) + 0.5) / frames) for order in range(5)]
    matrix = np.stack([_response(design, frames), *drifts], axis=1)
    series = run[mask].T.astype(np.float64)
    betas, *_ = np.linalg.lstsq(matrix, series, rcond=None)
    residuals = series - matrix @ betas
    variance = (residuals**2).sum(axis=0) / (frames - matrix.shape[1])
    t_values = betas[0] / np.sqrt(variance * np.linalg.inv(matrix.T @ matrix)[0, 0] + 1e-12)
    inside = sphere[mask]
    lagged = (residuals[1:] * residuals[:-1]).sum(axis=0) / np.maximum((residuals**2).sum(axis=0), 1e-12)
    return betas[0][inside].mean(), t_values[inside].mean(), lagged.mean()


def _response(design, frames):
    """Return the regressor of a design, convolved with the canonical haemodynamic response, at most 1."""
    onsets = np.zeros(frames)
    if design == "block":
        onsets[(np.arange(frames) // 12) % 2 == 1] = 1
    else:
        # Single frames, 8 to 14 frames apart.
        gaps = np.random.default_rng(0).integers(8, 15, size=frames)
        onsets[[t for t in np.cumsum(gaps) if t < frames]] = 1
    time = np.arange(0, 32, TR)
    response = gamma.pdf(time, 6) - gamma.pdf(time, 16) / 6
    course = np.convolve(onsets, response)[:frames]
    return course / course.max()


def _ours(path, run):
    checkpoint = load_network(path)
    return lambda scan: wgan.predict(checkpoint, [Volume.from_array(scan, run.affine)], wgan.PredictConfig()).data


def _figure(path, before, after):
    """Draw one frame before and after, the residual of that frame, and the residual's SD over time: no anatomy should show."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    t, z = 143, 18
    residual = before - after
    top = np.percentile(before[..., t], 99.5)
    views = {
        "measured frame": (before[:, :, z, t], "gray", 0, top),
        "denoised": (after[:, :, z, t], "gray", 0, top),
        "removed (± 5 %)": (residual[:, :, z, t], "gray", -0.05 * top, 0.05 * top),
        "SD of what is removed, over time": (residual[:, :, z].std(axis=-1), "magma", 0, 0.03 * top),
        "mean of what is removed": (residual[:, :, z].mean(axis=-1), "gray", -0.05 * top, 0.05 * top),
    }
    figure, axes = plt.subplots(1, len(views), figsize=(4 * len(views), 4), layout="constrained")
    for axis, (title, (view, colours, low, high)) in zip(axes, views.items()):
        axis.imshow(view.T, cmap=colours, vmin=low, vmax=high, origin="lower", interpolation="nearest")
        axis.set_title(title)
        axis.set_axis_off()
    figure.savefig(path, dpi=80)
    plt.close(figure)


if __name__ == "__main__":
    main(*sys.argv[1:2])
