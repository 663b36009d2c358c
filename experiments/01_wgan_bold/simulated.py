"""Noise added to frame 143, scored against the mean of frames 130–155: python -m experiments.01_wgan_bold.simulated"""

import csv
import importlib
import pathlib
import sys
import time

import numpy as np

from experiments.baselines import BASELINES
from experiments.data import forrest_bold, peak_memory, write_rows
from keras_mri.imaging.metrics import psnr, ssim
from keras_mri.io.volumes import Volume

train = importlib.import_module("experiments.01_wgan_bold.train")

PERCENT = (0, 1, 3, 5, 9, 15)
FIRST, TESTED = 130, 143
OURS = ("default", "L1 only", "frames 1", "published")


def main(folder="networks", rows_wanted=None):
    """Score every row at every noise level with three noise draws, and write results.csv."""
    here = pathlib.Path(__file__).parent
    run, mask = forrest_bold()
    frames = np.stack([run.frame(t) for t in range(FIRST, run.n_frames)], axis=-1)
    reference = frames.mean(axis=-1)
    peak = reference.max()
    frames, reference = frames / peak, reference / peak
    rows = _earlier(here / "results.csv", rows_wanted)
    for seed in train.SEEDS:
        methods = _methods(pathlib.Path(folder), seed, run, mask, rows_wanted)
        for percent in PERCENT:
            noise = np.random.default_rng([seed, percent]).standard_normal(frames.shape, dtype=np.float32)
            noisy = frames + np.float32(percent / 100) * noise
            for name, (kind, method) in methods.items():
                # Filters that are told σ have nothing to do at 0; the draws differ by 0.02 dB, so slow filters get one.
                if (percent == 0 and kind == "σ given") or (seed and name in BASELINES):
                    continue
                start = time.process_time()
                restored = method(noisy, percent / 100)
                seconds = time.process_time() - start
                score = psnr(reference, restored, mask, 1.0)
                similarity = ssim(reference, restored, mask, 1.0)
                rows.append(
                    dict(
                        method=name,
                        kind=kind,
                        seed=seed,
                        percent=percent,
                        psnr=score,
                        ssim=similarity,
                        cpu_seconds=seconds,
                        peak_mb=peak_memory(),
                    )
                )
                print(f"{seed} {percent:3d} % {name:24s} {score:6.2f} dB  SSIM {similarity:.4f}  {seconds:6.2f} s", flush=True)
            write_rows(here / "results.csv", rows)


def _earlier(path, wanted):
    """Return the rows of an earlier call that this one does not make anew."""
    if not wanted or not path.exists():
        return []
    with open(path, newline="") as file:
        return [row for row in csv.DictReader(file) if not any(part in row["method"] for part in wanted)]


def _methods(folder, seed, run, mask, wanted):
    """Return name → (kind, function of (noisy run, σ) giving the tested frame)."""
    middle = TESTED - FIRST
    methods = {"input as is": ("blind", lambda noisy, sigma: noisy[..., middle])}
    for name, (function, kind, whole) in BASELINES.items():
        methods[name] = (kind, _on_run(function, middle, mask) if whole else _on_frame(function, middle))
    for variant in OURS:
        path = train.network_path(folder, variant, seed)
        if path.exists():
            methods[f"ours, {variant}"] = ("blind", _ours(path, run, middle))
    return {name: method for name, method in methods.items() if not wanted or any(part in name for part in wanted)}


def _on_frame(function, middle):
    return lambda noisy, sigma: function(noisy[..., middle], sigma)


def _on_run(function, middle, mask):
    return lambda noisy, sigma: function(noisy, sigma, mask)[..., middle]


def _ours(path, run, middle):
    from keras_mri.systems.network_files import load_network
    from keras_mri.systems.wgan import system as wgan

    checkpoint = load_network(path)

    def denoise(noisy, sigma):
        return wgan.predict(checkpoint, [Volume.from_array(noisy, run.affine)], wgan.PredictConfig()).frame(middle)

    denoise(np.stack([run.frame(t) for t in range(FIRST, run.n_frames)], axis=-1), 0)  # compile outside the clock
    return denoise


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "networks", sys.argv[2:])
