"""python -m keras_mri.evaluate REFERENCE IMAGE…: how close scans are to a reference, how stable and how smooth."""

import csv
import json
import math
import pathlib
import sys

import numpy as np

from keras_mri.cli import running
from keras_mri.cli.options import add_output_flags
from keras_mri.errors import InputError
from keras_mri.imaging.foreground import metric_foreground
from keras_mri.io import nifti_reading as nifti
from keras_mri.io.mask_files import load_mask
from keras_mri.io.whole_files import check_output, replacing


def main(arguments=None):
    """Print a table of metrics; see `--help`."""
    return running.run(_evaluate, arguments)


def _evaluate(arguments):
    parsed = _parser().parse_all(arguments)
    if parsed.csv:
        check_output(parsed.csv, (".csv",), parsed.overwrite, flag="--csv")
    # Only here: scikit-image takes a second to import, and --help does not need it.
    from keras_mri.imaging.evaluation import evaluate

    reference = nifti.open_image(parsed.reference, parsed.replace_nonfinite)
    images = [nifti.open_image(path, parsed.replace_nonfinite) for path in parsed.images]
    if parsed.data_range is not None and not 0 < parsed.data_range < math.inf:
        raise InputError(f"--data-range must be positive and finite. Received: {parsed.data_range:g}.")
    peak = parsed.data_range or reference.extremes[1]
    if not peak > 0:
        raise InputError(f"the data range cannot be taken from a reference whose maximum is {peak:g}; state it with --data-range.")
    first = reference.frame(0)
    mask = load_mask(parsed.mask, reference) if parsed.mask else metric_foreground(first, peak)
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
    parser = running.Parser(
        prog="python -m keras_mri.evaluate",
        description="Compare scans with a reference: PSNR, SSIM, NRMSE, tSNR, smoothness.",
        epilog="example: python -m keras_mri.evaluate clean.nii.gz noisy.nii.gz denoised.nii.gz --mask brain.nii.gz",
    )
    parser.add_argument("reference", metavar="REFERENCE", help="NIfTI, the ground truth")
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="NIfTI on the same grid")
    parser.add_argument(
        "--mask", metavar="NIFTI", help="region for the columns …_in (default: where the reference exceeds 10/255 of the data range)"
    )
    parser.add_argument("--data-range", type=float, metavar="PEAK", help="data range of PSNR and SSIM (default: the reference's maximum)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--csv", type=pathlib.Path, metavar="OUT.csv", help="also write the table as CSV")
    add_output_flags(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
