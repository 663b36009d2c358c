"""Where the scans of the experiments are, and what the experiments share: rows of a table, and memory."""

import contextlib
import os
import pathlib
import types

import numpy as np

from keras_mri.imaging.kspace import finer_affine, resampled
from keras_mri.io.nifti_reading import open_image
from keras_mri.io.volumes import Volume

FOLDER = pathlib.Path(os.environ.get("KERAS_MRI_DATA", pathlib.Path(__file__).parents[2] / "shared" / "data"))

# Voxels that were measured, voxels of the grid (mm), and the power of the intensities.
_COPIES = ((1.0, 1.0, 1.0), (1.2, 1.2, 0.7), (1.4, 1.4, 1.3), (1.2, 0.9, 1.0), (1.4, 1.0, 1.3), (1.6, 1.1, 0.8))


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


def forrest_t1w_copies(copies=_COPIES):
    """Return the studyforrest T1w, which trains, as other scanners would have written it: list of Volume.

    Its k-space is cut to voxels of 1.0 to 1.6 mm, which leaves a half to a third of the noise of its own 0.7 mm (1.6 %). Many
    scanners zero-fill k-space before they write an image, so half of the copies are put back on a finer grid. Each has a contrast
    of its own, a power of the intensity.

    Parameters
    ----------
    copies : sequence of (float or three, float or three, float)
        Voxels that were measured and those of the grid (mm, all sides or each), and the power.
    """
    volume = open_image(FOLDER / "forrest-t1w" / "T1w.nii.gz")
    return [_copy(volume, *copy) for copy in copies]


def _copy(volume, measured, grid, power):
    data = resampled(volume.frame(0), _shape(volume, measured))
    shape = _shape(volume, grid)
    data = resampled(data, shape) / data.max()
    affine = finer_affine(volume.affine, [new / old for new, old in zip(shape, volume.shape)])
    return Volume.from_array(data**power, affine, name=f"{volume.name}, {measured} mm on {grid} mm, power {power}")


def _shape(volume, sides):
    return [round(count * zoom / side) for count, zoom, side in zip(volume.shape, volume.zooms, np.broadcast_to(sides, 3))]


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


def read_rows(path):
    """Return the rows of a CSV: list of dict of str to str."""
    import csv

    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def _short(value):
    return f"{value:.5g}" if isinstance(value, (float, np.floating)) else value
