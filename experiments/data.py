"""Where the scans of the experiments are, and the one figure the experiments share."""

import os
import pathlib

import numpy as np

from keras_mri.nifti import open_image

FOLDER = pathlib.Path(os.environ.get("KERAS_MRI_DATA", pathlib.Path(__file__).parents[2] / "shared" / "data"))


def forrest_bold():
    """Return the studyforrest run (Volume, 80×80×35×156, TR 2 s) and its brain mask (bool)."""
    run = open_image(FOLDER / "forrest-bold" / "bold.nii.gz")
    mask = open_image(FOLDER / "forrest-bold" / "bold_mask.nii.gz").frame(0) > 0
    return run, mask


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
