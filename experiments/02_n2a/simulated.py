"""Two noisy repetitions of a clean scan, against their average: python -m experiments.02_n2a.simulated [FOLDER] [--time-budget 2m]

The T1w of adi-t1t2, which the start never saw, cut to the box of its brain; p = 5 % of the maximum, Gaussian and Rician; once with
both repetitions in place, once with the second moved by half a voxel and one degree.
"""

import argparse
import pathlib
import subprocess
import sys
import time

import numpy as np

from experiments.baselines import bm4d
from experiments.data import adi_t1w, read_rows, write_rows
from keras_mri.imaging.metrics import psnr, ssim
from keras_mri.imaging.noise import add_gaussian_noise, add_rician_noise
from keras_mri.imaging.rigid import RigidTransform, resample_rigid
from keras_mri.io import nifti_reading, nifti_writing
from keras_mri.io.volumes import Volume
from keras_mri.saving import pretrained
from keras_mri.systems.n2a import system as n2a
from keras_mri.systems.n2a.settings import Config
from keras_mri.systems.network_files import load_network

SIGMA, SEEDS, CASES = 0.05, (0, 1, 2), ("gaussian", "gaussian_moved", "rician", "rician_moved")
ADD_NOISE = {"gaussian": add_gaussian_noise, "rician": add_rician_noise}


def main(folder, budget, seeds=SEEDS, reference_seeds=(0,), cases=CASES, name="simulated.csv"):
    """Make the repetitions, train from the command line, score, and write the table.

    Networks that exist are kept, and so is what the table has; delete it to begin anew.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    scan, mask = adi_t1w()
    clean, affine = scan.frame(0) / scan.frame(0).max(), scan.affine
    region = mask & (clean > 10 / 255)
    nifti_writing.save(Volume.from_array(mask.astype(np.float32), affine), folder / "mask.nii.gz")
    table = pathlib.Path(__file__).with_name(name)
    rows = read_rows(table) if table.exists() else []
    done = {(row["noise"], row["moved"], row["seed"]) for row in rows}
    for seed in seeds:
        for model in ADD_NOISE:
            for moved in (False, True):
                kind = f"{model}{'_moved' if moved else ''}"
                if kind not in cases or (model, str(moved), str(seed)) in done:
                    continue
                case = f"{kind}_{seed}"
                paths = _repetitions(folder, case, clean, affine, model, moved, seed)
                results = _methods(folder, case, paths, budget, seed, with_references=seed in reference_seeds and not moved)
                for method, (restored, seconds) in results.items():
                    scores = psnr(clean, restored, region, 1.0), ssim(clean, restored, region, 1.0)
                    rows.append(dict(noise=model, moved=moved, seed=seed, method=method, psnr=scores[0], ssim=scores[1], seconds=seconds))
                    print(f"{case:20s} {method:34s} {scores[0]:6.2f} dB  SSIM {scores[1]:.4f}  {seconds:5.0f} s", flush=True)
                write_rows(table, rows)


def _repetitions(folder, case, clean, affine, model, moved, seed):
    centre = affine[:3, :3] @ (np.array(clean.shape) / 2) + affine[:3, 3]
    zoom = float(np.linalg.norm(affine[:3, 0]))
    motion = RigidTransform((0.5 * zoom, 0.0, 0.0), (0.0, 0.0, 1.0), tuple(centre))
    second = np.maximum(resample_rigid(clean, motion, affine, order=5), 0) if moved else clean
    rng, paths = np.random.default_rng([seed, list(ADD_NOISE).index(model)]), []
    for number, truth in enumerate((clean, second), start=1):
        path = folder / f"{case}_rep{number}.nii.gz"
        nifti_writing.save(Volume.from_array(1000 * ADD_NOISE[model](truth, SIGMA, rng), affine), path)
        paths.append(path)
    return paths


def _methods(folder, case, paths, budget, seed, with_references):
    """Return method → (restored scan, seconds)."""
    single, other = (nifti_reading.open_image(path).frame(0) / 1000 for path in paths)
    mask = ["--mask", str(folder / "mask.nii.gz")]
    model = folder / f"{case}.h5"
    start = time.monotonic()
    if not model.exists():
        command = [sys.executable, "-m", "keras_mri.train", "n2a", *map(str, paths), *mask, "--time-budget", budget, "--seed", str(seed)]
        subprocess.run([*command, "-o", str(model), "--overwrite"], check=True)
    seconds = time.monotonic() - start
    config = Config(mask=str(folder / "mask.nii.gz"), seed=seed)
    together = n2a.prepare(paths, config)
    aligned = together.average[..., 0] / 1000
    trained = nifti_reading.open_image(model.with_name(f"{case}_denoised.nii.gz")).frame(0) / 1000
    results = {
        "one repetition": (single, 0),
        "average": ((single + other) / 2, 0),
        "average, aligned": (aligned, 0),
        "noise2average": (trained, seconds),
    }
    if with_references:
        start = time.monotonic()
        untrained = n2a.outcome(load_network(pretrained.path_of("n2a_t1w.h5")), together, config).files["_denoised.nii.gz"].frame(0) / 1000
        results["start, not trained on the scan"] = untrained, time.monotonic() - start
        start = time.monotonic()
        results["BM4D of the aligned average, σ given"] = bm4d(aligned, SIGMA / np.sqrt(2)), time.monotonic() - start
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default="n2a_networks")
    parser.add_argument("--time-budget", default="2m")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--reference-seeds", nargs="*", type=int, default=[0], help="seeds for which BM4D and the start run as well (slow)")
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--table", default="simulated.csv", help="the CSV file, beside this script")
    chosen = parser.parse_args()
    main(chosen.folder, chosen.time_budget, chosen.seeds, chosen.reference_seeds, chosen.cases, chosen.table)
