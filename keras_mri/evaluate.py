"""python -m keras_mri.evaluate REFERENCE IMAGE…: how close scans are to a reference, how stable and how smooth."""

import csv
import json
import math
import pathlib
import sys

import numpy as np

from keras_mri.cli import options as _cli
from keras_mri.errors import InputError
from keras_mri.io import nifti_reading as nifti
from keras_mri.io.grids import check_same_grid
from keras_mri.io.mask_files import load_mask
from keras_mri.io.whole_files import check_output, replacing

# Without a mask: foreground as in most denoising papers, brighter than 10 of 255 grey levels.
_FOREGROUND = 10 / 255


def main(arguments=None):
    """Print a table of metrics; see `--help`."""
    return _cli.run(_evaluate, arguments)


def evaluate(reference, image, mask, data_range):
    """Compare one scan with a reference, frame by frame.

    Parameters
    ----------
    reference : Volume
        3D, or with as many frames as `image`.
    image : Volume
    mask : ndarray of bool, shape (x, y, z)
        Where `…_in` is taken; `…_out` is taken elsewhere.
    data_range : float
        Peak of PSNR and SSIM, in the image's unit.

    Returns
    -------
    dict of str to float
        psnr (dB), ssim and nrmse, each for the whole volume, in the mask and outside; for a run also the median tsnr in
        the mask and fwhm (mm), the smoothness of its frame-to-frame fluctuation. PSNR and NRMSE pool the squared
        errors of all frames, SSIM is the mean over frames.

    Raises
    ------
    GridMismatchError
        If the images do not share a grid.
    InputError
        If their numbers of frames do not fit.
    """
    from keras_mri.imaging import metrics

    check_same_grid(reference, image)
    if reference.n_frames not in (1, image.n_frames):
        raise InputError(
            f"the reference must be one volume or have as many frames as the image. Received: {reference.n_frames} frames in "
            f"{reference.name}, {image.n_frames} in {image.name}."
        )
    regions = {"": np.ones_like(mask), "_in": mask, "_out": ~mask}
    regions = {suffix: region for suffix, region in regions.items() if region.any()}
    squares = {suffix: [] for suffix in regions}
    powers = {suffix: [] for suffix in regions}
    similarities = {suffix: [] for suffix in regions}
    statistics = metrics.RunStatistics(mask)
    for t, frame in enumerate(image.frames()):
        truth = reference.frame(t if reference.n_frames > 1 else 0)
        similarity = metrics.ssim_map(truth, frame, data_range)
        for suffix, region in regions.items():
            squares[suffix].append(metrics.rmse(truth, frame, region) ** 2)
            powers[suffix].append(metrics.rmse(truth, np.zeros_like(truth), region) ** 2)
            similarities[suffix].append(similarity[region].mean())
        statistics.add(frame)
    row = {}
    for suffix in regions:
        error = math.sqrt(np.mean(squares[suffix]))
        scale = math.sqrt(np.mean(powers[suffix]))
        row["psnr" + suffix] = 20 * math.log10(data_range / error) if error else math.inf
        row["ssim" + suffix] = float(np.mean(similarities[suffix]))
        row["nrmse" + suffix] = error / scale if scale else (math.inf if error else 0.0)
    if image.n_frames > 1:
        row["tsnr"], row["fwhm"] = statistics.tsnr(), statistics.fwhm(image.zooms)
    return row


def _evaluate(arguments):
    parsed = _parser().parse_all(arguments)
    if parsed.csv:
        check_output(parsed.csv, (".csv",), parsed.overwrite, option="csv")
    reference = nifti.open_image(parsed.reference, parsed.replace_nonfinite)
    images = [nifti.open_image(path, parsed.replace_nonfinite) for path in parsed.images]
    if parsed.data_range is not None and not 0 < parsed.data_range < math.inf:
        raise InputError(f"--data-range must be positive and finite. Received: {parsed.data_range:g}.")
    peak = parsed.data_range or reference.extremes[1]
    if not peak > 0:
        raise InputError(f"the data range cannot be taken from a reference whose maximum is {peak:g}; state it with --data-range.")
    first = reference.frame(0)
    mask = load_mask(parsed.mask, reference) if parsed.mask else first > _FOREGROUND * peak
    if not mask.any():
        raise InputError("no voxel of the reference is brighter than 10/255 of the data range; give the region with --mask.")
    rows = [{"image": image.name, **evaluate(reference, image, mask, peak)} for image in images]
    region = f"inside {parsed.mask}" if parsed.mask else "where the reference exceeds 10/255 of the data range"
    if parsed.csv:
        _write_csv(parsed.csv, rows, peak)
    if parsed.json:
        print(json.dumps({"reference": reference.name, "data_range": peak, "region": region, "images": _finite(rows)}, indent=1))
    else:
        print(f"reference {reference.name}, data range {peak:g}; “in” is {region}")
        print(_table(rows))


def _write_csv(path, rows, peak):
    names = list(dict.fromkeys(name for row in rows for name in row))
    with replacing(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, [*names, "data_range"])
        writer.writeheader()
        writer.writerows({**row, "data_range": peak} for row in rows)


def _table(rows):
    """Lay the rows out in columns, one image a line."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *([_cell(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    return "\n".join(
        "  ".join(text.ljust(w) if i == 0 else text.rjust(w) for i, (text, w) in enumerate(zip(line, widths))) for line in cells
    )


def _cell(value):
    if isinstance(value, str):
        return value
    return "" if value is None else f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"


def _finite(rows):
    """Replace what JSON has no word for (infinity, NaN) by null."""
    return [{name: value if isinstance(value, str) or math.isfinite(value) else None for name, value in row.items()} for row in rows]


def _parser():
    parser = _cli.Parser(
        prog="python -m keras_mri.evaluate", description="Compare scans with a reference: PSNR, SSIM, NRMSE, tSNR, smoothness."
    )
    parser.add_argument("reference", metavar="REFERENCE", help="NIfTI, the truth")
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="NIfTI on the same grid")
    parser.add_argument(
        "--mask", metavar="NIFTI", help="region of the columns …_in (default: where the reference exceeds 10/255 of the data range)"
    )
    parser.add_argument("--data-range", type=float, metavar="PEAK", help="peak of PSNR and SSIM (default: the reference's maximum)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--csv", type=pathlib.Path, metavar="OUT.csv", help="also write the table as CSV")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")
    parser.add_argument("--replace-nonfinite", action="store_true", help="read NaN and infinity as 0")
    return parser


if __name__ == "__main__":
    sys.exit(main())
