"""Does one frame tell the noise of its run? python -m experiments.07_runs.sigma [DATA]

The noise of a run is the median over the brain of `RunNoise.sigma`. Single frames are judged by four estimators, each as a ratio to it;
the constant of the last is also fitted to the other runs alone. Volumes of a diffusion series are compared with the difference of their
two repetitions. Then white noise is added to structural scans. Writes sigma.csv.

Left out of epi-short: runs that move or have not reached their steady state, whose differences are no noise, and those of two frames.
"""

import argparse
import pathlib

import numpy as np

from experiments.data import FOLDER, write_rows
from keras_mri.imaging.air import air_sigma
from keras_mri.imaging.foreground import noise_foreground
from keras_mri.imaging.noise import add_gaussian_noise, estimate_sigma, tissue_sigma
from keras_mri.imaging.runs.noise import MAD_OF_NORMAL, estimate_run_noise
from keras_mri.io.nifti_reading import open_image

# Run, mask (None: tissue by its intensity), first frame, step between frames, and the session: what shares it is left out together.
RUNS = {
    "forrest-bold": ("forrest-bold/bold", "forrest-bold/bold_mask", 0, 1, "forrest"),
    "philips-3t": ("philips-3t/bold", "philips-3t/bold_mask", 5, 1, "philips"),
    "prisma-epi, even": ("prisma-epi/pcasl2d", "prisma-epi/pcasl2d_mask", 2, 2, "epi"),
    "prisma-epi, odd": ("prisma-epi/pcasl2d", "prisma-epi/pcasl2d_mask", 3, 2, "epi"),
    "prisma-mini": ("prisma-mini/bold", "prisma-mini/bold_mask", 0, 1, "mini"),
    "ge-seepi": ("ge-seepi/series7_4rep", "ge-seepi/series7_mask", 1, 1, "ge"),
    "siemens_b17_fmri": ("epi-short/siemens_b17_fmri", None, 0, 1, "b17"),
    "siemens_me_e1": ("epi-short/siemens_me_e1", None, 0, 1, "me"),
    "siemens_me_e2": ("epi-short/siemens_me_e2", None, 0, 1, "me"),
}
SCANS = ("forrest-t1w/T1w", "adi-t1t2/T1w_defaced", "philips-3t/T1w_defaced", "prisma-mini/T1w_2mm_defaced", "adi-t1t2/T2w_defaced")
ADDED = (1, 3, 5, 9, 15)


def main():
    """Print and write one row for each run, and one for each structural scan."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", nargs="?", type=pathlib.Path, default=FOLDER)
    folder = parser.parse_args().data
    measured = {name: measure(folder, *case[:4]) for name, case in RUNS.items()}
    rows = [run_row(name, measured) for name in RUNS] + [diffusion_row(folder)] + [scan_row(folder, name) for name in SCANS]
    for row in rows:
        print(", ".join(f"{key} {value:.4g}" if isinstance(value, float) else str(value) for key, value in row.items()))
    write_rows(pathlib.Path(__file__).with_name("sigma.csv"), rows)


def measure(folder, run, mask, first, step):
    """Return the run's sigma, correlations and signal, and of up to eight frames the estimates and the fluctuation that would be right."""
    volume = open_image(folder / f"{run}.nii.gz")
    frames = np.stack([volume.frame(t) for t in range(first, volume.n_frames, step)], axis=-1)
    mean = frames.mean(axis=3)
    inside = noise_foreground(mean, mean != 0) if mask is None else open_image(folder / f"{mask}.nii.gz").frame(0) > 0
    noise = estimate_run_noise(frames, inside)
    sigma, found = float(np.median(noise.sigma[inside])), []
    for t in np.unique(np.linspace(0, frames.shape[3] - 1, 8).astype(int)):
        frame = frames[..., t]
        found.append((tissue_sigma(frame), smallest_eigenvalue(frame), air_sigma(frame) or np.nan, signal(frame), estimate_sigma(frame)))
    return {"sigma": sigma, "of mean": sigma / float(np.median(mean[inside])), "lags": noise.correlation, "found": np.array(found)}


def run_row(name, measured):
    """Return the ratios of the estimates to the run's own sigma, and of air with the fluctuation that fits the other sessions."""
    case = measured[name]
    tissue, patches, air, signals, product = case["found"].T / case["sigma"]
    others = [np.median(fluctuations(measured[other])) for other in RUNS if RUNS[other][4] != RUNS[name][4]]
    left_out = np.hypot(air, np.median(others) * signals)
    return {
        "scan": name,
        "sigma": case["sigma"],
        "% of mean": 100 * case["of mean"],
        "lag-1 x y z": " ".join(f"{r:.2f}" for r in case["lags"]),
        "haar, flattest quarter": spread(tissue),
        "smallest eigenvalue": spread(patches),
        "air": spread(air),
        "air + 0.75 % (estimate_sigma)": spread(product),
        "air + fitted to the others": spread(left_out),
        "fitted, %": 100 * float(np.median(others)),
    }


def fluctuations(case):
    """Return the share of the signal that is missing in air, of each frame: ndarray of float64."""
    _, _, air, signals, _ = case["found"].T
    return np.sqrt(np.maximum(case["sigma"] ** 2 - air**2, 0)) / signals


def diffusion_row(folder):
    """Return the ratios of the estimates of b = 1000 volumes to the noise by their repetitions."""
    first, second = (open_image(folder / "cabi-dti" / f"dev_rep{number}.nii.gz") for number in (1, 2))
    inside = open_image(folder / "cabi-dti" / "mask.nii.gz").frame(0) > 0
    found, share = [], []
    for t in range(1, first.n_frames):
        frame, again = first.frame(t), second.frame(t)
        difference = (frame - again)[inside] / np.sqrt(2)
        sigma = float(np.median(np.abs(difference - np.median(difference))) / MAD_OF_NORMAL)
        found.append(np.array([tissue_sigma(frame), smallest_eigenvalue(frame), air_sigma(frame), estimate_sigma(frame)]) / sigma)
        share.append(100 * sigma / float(np.median(frame[inside])))
    names = ("haar, flattest quarter", "smallest eigenvalue", "air", "air + 0.75 % (estimate_sigma)")
    return {
        "scan": "cabi-dti, b = 1000",
        "% of mean": np.mean(share),
        **{name: spread(column) for name, column in zip(names, np.array(found).T)},
    }


def scan_row(folder, name):
    """Return estimate / √(own² + added²) where white noise of 1 to 15 % of the median signal is added to tissue and air."""
    volume = open_image(folder / f"{name}.nii.gz").frame(0)
    own, level, rng = estimate_sigma(volume), signal(volume), np.random.default_rng(0)
    row = {"scan": name, "% of mean": 100 * own / level}
    for percent in ADDED:
        added = percent / 100 * level
        row[f"+ {percent} %"] = estimate_sigma(add_gaussian_noise(volume, added, rng) * (volume != 0)) / float(np.hypot(own, added))
    return row


def smallest_eigenvalue(volume, side=3):
    """Estimate noise as the root of the least variance of any combination of voxels in flat patches.

    After Pyatykh et al., IEEE Trans Image Process 22:687, 2013. doi:10.1109/TIP.2012.2221728
    """
    patches = np.lib.stride_tricks.sliding_window_view(volume.astype(np.float64), (side,) * 3).reshape(-1, side**3)
    patches = patches[(patches != 0).all(axis=1) & noise_foreground(patches.min(axis=1), patches.min(axis=1) > 0)]
    variances = patches.var(axis=1)
    return float(np.sqrt(np.linalg.eigvalsh(np.cov(patches[variances <= np.quantile(variances, 0.25)].T))[0]))


def signal(volume):
    """Return the median intensity of tissue."""
    valid = volume != 0
    return float(np.median(volume[valid & noise_foreground(volume, valid)]))


def spread(ratios):
    """Write the least and the greatest of some ratios."""
    return f"{ratios.min():.2f} to {ratios.max():.2f}"


if __name__ == "__main__":
    main()
