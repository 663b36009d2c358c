"""python -m keras_mri.evaluate REFERENCE IMAGE…: how close scans are to a reference; --before NOISY DENOISED…: what was removed.

In Python: `keras_mri.evaluate(reference, image)`, which is this module, called, because command and function share one name; and
`keras_mri.judge(before, after)`.
"""

from keras_mri.cli import signals

if __name__ == "__main__":
    signals.leave_at_once()


import json
import math
import os.path
import pathlib
import sys
import types

from keras_mri.cli import running
from keras_mri.cli.options import add_output_flags
from keras_mri.errors import InputError
from keras_mri.io.mask_files import load_mask
from keras_mri.io.nifti_reading import open_image
from keras_mri.io.tables import write_rows
from keras_mri.io.whole_files import check_output

# Numbers of a verdict that the table shows; CSV and JSON have all.
_SHOWN = ("noise", "removed", "share", "anatomy", "tsnr_before", "tsnr_after", "fwhm_before", "fwhm_after")
_SHOWN += ("autocorrelation_before", "autocorrelation_after", "verdict")


def main(arguments=None):
    """Print a table of metrics; see `--help`."""
    return running.run(_evaluate, arguments)


def _evaluate(arguments):
    parsed = _parser().parse_all(arguments)
    if parsed.csv:
        check_output(parsed.csv, (".csv",), parsed.overwrite, option="csv")
    if parsed.before:
        _judge(parsed)
    elif parsed.images:
        _compare(parsed)
    else:
        raise InputError("no scan to compare with the reference. Name one after it, or name the input of a denoiser with `before`.")


def _compare(parsed):
    """Print how close scans are to a reference."""
    # Only here: scikit-image takes a second to import, and --help does not need it.
    from keras_mri.imaging.evaluation import evaluate, region_and_peak

    reference = open_image(parsed.reference, parsed.replace_nonfinite)
    images = [open_image(path, parsed.replace_nonfinite) for path in parsed.images]
    mask, peak = region_and_peak(reference, parsed.mask, parsed.data_range)
    rows = [{"image": image.name, **evaluate(reference, image, mask, peak)} for image in images]
    region = f"inside {parsed.mask}" if parsed.mask else "where the reference exceeds 10/255 of the data range"
    if parsed.csv:
        write_rows([{**row, "data_range": peak} for row in rows], parsed.csv)
    if parsed.json:
        print(json.dumps({"reference": reference.name, "data_range": peak, "region": region, "images": _finite(rows)}, indent=1))
    else:
        print(f"reference {reference.name}, data range {peak:g}; “in” is {region}")
        print(_table(rows))


def _judge(parsed):
    """Print what each of several results has removed from one scan, `before`."""
    paths = [parsed.before, parsed.reference, *parsed.images]
    _check_before(parsed, paths)
    # Only here: scikit-image takes a second to import.
    from keras_mri.imaging.judging import Judge, see_all

    before, *results = (open_image(path, parsed.replace_nonfinite) for path in paths)
    mask = None if parsed.mask is None else load_mask(parsed.mask, before)
    judges = [Judge(before, result, mask) for result in results]
    see_all(judges)
    verdicts = [(result.name, judge.verdict()) for result, judge in zip(results, judges)]
    rows = [{"image": name, **verdict.row()} for name, verdict in verdicts]
    if parsed.csv:
        write_rows(rows, parsed.csv)
    if parsed.json:
        images = [{"image": name, **verdict.to_json()} for name, verdict in verdicts]
        print(json.dumps({"before": before.name, "images": images}, indent=1))
        return
    first = verdicts[0][1]
    print(f"before {before.name}; noise from {first.noise_from}, in the {first.region}; anatomy is the share of the removed power")
    print(_table([{name: row[name] for name in ("image", *_SHOWN) if row[name] is not None} for row in rows]))
    for name, verdict in verdicts:
        for remark in verdict.remarks():
            print(f"{name}: {remark}")


def _check_before(parsed, paths):
    """Raise unless the files are different ones, and no option is given that needs a reference."""
    if parsed.data_range is not None:
        raise InputError("`data_range` belongs to a comparison with a reference. Leave it out, or leave out `before`.")
    real = [os.path.realpath(path) for path in paths]
    twice = next((path for number, path in enumerate(paths) if real[number] in real[:number]), None)
    if twice is not None:
        raise InputError(f"{twice} is named twice. Expected different files: the input of a denoiser with `before`, and its results.")


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
        description="Compare scans with a reference: PSNR, SSIM, NRMSE, tSNR, smoothness. Or, with --before, results of any denoiser with "
        "its input: noise, what was removed, how much of that is anatomy, tSNR, autocorrelation, smoothness, and a verdict.",
        epilog="example: python -m keras_mri.evaluate clean.nii.gz noisy.nii.gz denoised.nii.gz --mask brain.nii.gz",
    )
    parser.add_argument("reference", metavar="REFERENCE", help="NIfTI, the ground truth; with --before, the first IMAGE")
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="NIfTI on the same grid")
    parser.add_argument("--before", metavar="NOISY", help="input of the denoiser whose results follow; there is no reference then")
    parser.add_argument(
        "--mask",
        metavar="NIFTI",
        help="region for the columns …_in (default: where the reference exceeds 10/255 of the data range); with --before, region of all "
        "numbers (default: the brain, as found in the scan)",
    )
    parser.add_argument("--data-range", type=float, metavar="PEAK", help="data range of PSNR and SSIM (default: the reference's maximum)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--csv", type=pathlib.Path, metavar="OUT.csv", help="also write the table as CSV")
    add_output_flags(parser)
    return parser


class _Door(types.ModuleType):
    """The module as the function of the same name in `keras_mri.images`."""

    def __call__(self, reference, image, mask=None, data_range=None):
        """Compare a scan with a reference; see `keras_mri.images.evaluate`."""
        from keras_mri import images

        return images.evaluate(reference, image, mask, data_range)


if __name__ == "__main__":
    sys.exit(main())
# Python allows a module's class to be replaced; `import keras_mri.evaluate` would otherwise hide the function.
sys.modules[__name__].__class__ = _Door
