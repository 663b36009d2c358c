"""Score the rows on heads that took no part: python -m experiments.08_super_resolution.table [NETWORK.h5] [-o results.csv].

Thin scans are made thick along one axis, or coarse along all three, and brought back. PSNR and SSIM are of the brain; the data range is
the thin scan's maximum there.
"""

import argparse
import importlib
import pathlib
import sys
import time

import numpy as np

from experiments.data import read_rows, write_rows
from keras_mri.imaging.acquisition.slice_profiles import interpolation_matrix, kept
from keras_mri.imaging.intensity import fit_scaling
from keras_mri.imaging.metrics import psnr, ssim
from keras_mri.systems.network_files import load_network, path_of_network
from keras_mri.systems.sr import system as sr
from keras_mri.systems.sr.settings import PredictConfig

heads = importlib.import_module("experiments.08_super_resolution.heads")

# Slices, mm, and the profile that they are simulated with; `predict` is not told: it takes Gaussian slices and "kspace" cubes.
FORMS = {
    "2 mm": (2.0, "gaussian"),
    "3 mm": (3.0, "gaussian"),
    "4 mm": (4.0, "gaussian"),
    "6 mm": (6.0, "gaussian"),
    "4 mm, box": (4.0, "box"),
    "2 × 2 × 2 mm": (2.0, "kspace"),
}
METHODS = ("linear", "cubic", "cubic, kept", "sr_any")


def main(options):
    """Score, write and print."""
    checkpoint = load_network(path_of_network(options.network)) if "sr_any" in options.methods else None
    rows = _earlier(options)
    for (head, contrast), files in (heads.CHOOSING if options.choosing else heads.TESTED).items():
        image, mask = heads.opened(*files)
        for form in options.forms:
            if FORMS[form][1] == "kspace" and max(image.zooms) > 1.01 * min(image.zooms):
                continue  # `predict` reaches cubes
            thick = heads.thick(image, mask, *FORMS[form])
            for method in options.methods:
                start = time.perf_counter()
                restored = restored_by(method, thick, checkpoint)
                seconds = time.perf_counter() - start
                row = dict(head=head, contrast=contrast, form=form, method=method, **scores(thick, restored))
                rows.append({**row, "seconds": seconds})
                print(", ".join(f"{key} {value}" for key, value in rows[-1].items()), file=sys.stderr, flush=True)
    if options.output:
        write_rows(options.output, rows)
    print(markdown(rows))


def _earlier(options):
    """Return the rows that the CSV has already, of other methods: list of dict."""
    if not (options.output and pathlib.Path(options.output).is_file()):
        return []
    numbers = ("psnr", "ssim", "sharpness", "off", "seconds")
    rows = [{**row, **{name: float(row[name]) for name in numbers}} for row in read_rows(options.output)]
    return [row for row in rows if row["method"] not in options.methods]


def restored_by(method, thick, checkpoint):
    """Bring thick slices to the grid of the truth: ndarray of float32, shape (x, y, z)."""
    if method == "sr_any":
        return sr.predict(checkpoint, [thick.slices], PredictConfig(voxel=thick.voxel)).frame(0)
    image = thick.slices.frame(0)
    for axis, matrix in thick.matrices.items():
        slices = np.moveaxis(image, axis, -1)
        weights = (linear_matrix if method == "linear" else interpolation_matrix)(matrix.shape[1], matrix.shape[0])
        image = slices @ weights.T.astype(np.float32)
        image = kept(image, slices, matrix) if method == "cubic, kept" else image
        image = np.moveaxis(image, -1, axis)
    return image


def linear_matrix(n_fine, n_thick):
    """Return linear interpolation of slices at the voxels of a finer grid: ndarray of float64, shape (n_fine, n_thick)."""
    places = (np.arange(n_fine) + 0.5) * n_thick / n_fine - 0.5
    return np.stack([np.interp(places, np.arange(n_thick), row) for row in np.eye(n_thick)], axis=1)


def scores(thick, restored):
    """Return PSNR and SSIM in the brain, sharpness, and how far the slices of the result are from those measured.

    Parameters
    ----------
    thick : heads.Thick
    restored : ndarray of float32, shape (x, y, z)

    Returns
    -------
    dict of str to float
        psnr (dB), ssim, sharpness (gradient magnitude in the brain over the truth's), off (RMS difference from the slices that were
        measured, in % of the robust maximum, by the profile that they were simulated with).
    """
    peak = float(thick.truth[thick.mask].max())
    again = restored
    for axis, matrix in thick.matrices.items():
        again = np.moveaxis(np.moveaxis(again, axis, -1) @ matrix.T.astype(np.float32), -1, axis)
    off = float(np.sqrt(np.mean((again - thick.slices.frame(0)) ** 2)) / fit_scaling(thick.truth).scale)
    return dict(
        psnr=psnr(thick.truth, restored, thick.mask, peak),
        ssim=ssim(thick.truth, restored, thick.mask, peak),
        sharpness=_gradient(restored, thick.mask) / _gradient(thick.truth, thick.mask),
        off=100 * off,
    )


def markdown(rows):
    """Return mean ± SD over heads as a Markdown table, and what is gained over cubic interpolation."""
    rows = sorted(rows, key=lambda row: (list(FORMS).index(row["form"]), row["contrast"], METHODS.index(row["method"])))
    lines = ["| slices | contrast | method | PSNR | over cubic | SSIM | sharpness | off, % |", "|---" * 8 + "|"]
    cubic = {(row["head"], row["form"]): row["psnr"] for row in rows if row["method"] == "cubic"}
    for form, contrast, method in dict.fromkeys((row["form"], row["contrast"], row["method"]) for row in rows):
        chosen = [row for row in rows if (row["form"], row["contrast"], row["method"]) == (form, contrast, method)]
        gain = [row["psnr"] - cubic[row["head"], form] for row in chosen]
        found = [_spread([row["psnr"] for row in chosen]), f"{np.mean(gain):+.2f} ({min(gain):+.2f} … {max(gain):+.2f})"]
        found += [
            _spread([row["ssim"] for row in chosen], 3),
            *(f"{np.mean([row[name] for row in chosen]):.2f}" for name in ("sharpness", "off")),
        ]
        lines.append(f"| {form} | {contrast}, {len(chosen)} | {method} | " + " | ".join(found) + " |")
    return "\n".join(lines)


def _spread(values, digits=2):
    return f"{np.mean(values):.{digits}f} ± {np.std(values):.{digits}f}"


def _gradient(volume, mask):
    return float(np.sqrt(sum(np.gradient(volume, axis=axis) ** 2 for axis in range(3)))[mask].mean())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", nargs="?", default="sr_any")
    parser.add_argument("--choosing", action="store_true", help="on the heads that choose between tries instead")
    parser.add_argument("--forms", nargs="+", choices=tuple(FORMS), default=tuple(FORMS))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("-o", "--output", help="the CSV to write; rows of other methods that it has stay")
    main(parser.parse_args())
