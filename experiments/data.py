"""Where the scans of the experiments are, and what the experiments share: rows of a table, and memory."""

import contextlib
import os
import pathlib
import types

import numpy as np

from keras_mri.nifti import open_image
from keras_mri.volumes import Volume

FOLDER = pathlib.Path(os.environ.get("KERAS_MRI_DATA", pathlib.Path(__file__).parents[2] / "shared" / "data"))


def forrest_bold():
    """Return the studyforrest run (Volume, 80×80×35×156, TR 2 s) and its brain mask (bool)."""
    run = open_image(FOLDER / "forrest-bold" / "bold.nii.gz")
    mask = open_image(FOLDER / "forrest-bold" / "bold_mask.nii.gz").frame(0) > 0
    return run, mask


def adi_t1w(margin=8):
    """Return the T1w of adi-t1t2, which no network was trained on, and its brain mask, both cut to the brain's box and a margin."""
    image = open_image(FOLDER / "adi-t1t2" / "T1w_defaced.nii.gz")
    mask = open_image(FOLDER / "adi-t1t2" / "T1w_brainmask.nii.gz").frame(0) > 0
    inside = np.argwhere(mask)
    low, high = np.maximum(inside.min(axis=0) - margin, 0), np.minimum(inside.max(axis=0) + 1 + margin, mask.shape)
    box = tuple(slice(a, b) for a, b in zip(low, high))
    affine = image.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ low
    return Volume.from_array(image.frame(0)[box], affine, name="adi-t1t2, T1w"), mask[box]


@contextlib.contextmanager
def method_memory():
    """Measure the largest resident memory while the block runs: `peak_mb` of what is yielded (Linux; elsewhere since the start)."""
    measured = types.SimpleNamespace(peak_mb=float("nan"))
    # 5 resets the high-water mark of this process (man 5 proc).
    with contextlib.suppress(OSError):
        pathlib.Path("/proc/self/clear_refs").write_text("5")
    yield measured
    try:
        lines = pathlib.Path("/proc/self/status").read_text().splitlines()
        measured.peak_mb = int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
    except (OSError, StopIteration):
        measured.peak_mb = peak_memory()


def peak_memory():
    """Return the largest resident memory of this process so far, MB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def write_rows(path, rows):
    """Write a list of dicts as CSV, columns in order of first appearance."""
    import csv

    names = list(dict.fromkeys(name for row in rows for name in row))
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows({name: _short(value) for name, value in row.items()} for row in rows)


def _short(value):
    return f"{value:.5g}" if isinstance(value, (float, np.floating)) else value
