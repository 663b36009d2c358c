"""Missing slices, frames and points of runs, guessed from the run itself: python -m experiments.04_ldm.imputation, writes imputation.csv

Holes are drawn in real runs, so the truth is known, with its noise: no guess can be nearer to it than about one SD of the noise.
RMSE in the brain mask, in units of that SD (root mean square over the hole, from second differences in time). No network.
"""

import pathlib
import sys
import time

import numpy as np

from experiments.data import FOLDER, write_rows
from keras_mri.imaging.run_repair.guess import RunGuess
from keras_mri.imaging.runs.noise import estimate_run_noise
from keras_mri.io.nifti_reading import open_image
from keras_mri.systems.ldm.imputation import best_reach, filled_frame

# run: scan, mask (None: bright voxels), first and last frame, and whether choices were made on it
RUNS = {
    "philips-3t": ("philips-3t/bold.nii.gz", "philips-3t/bold_mask.nii.gz", 5, 75, "test"),
    "forrest-bold": ("forrest-bold/bold.nii.gz", "forrest-bold/bold_mask.nii.gz", 0, 156, "test"),
    "prisma-epi": ("prisma-epi/pcasl2d.nii.gz", "prisma-epi/pcasl2d_mask.nii.gz", 2, 102, "test"),
    "prisma-mini": ("prisma-mini/bold.nii.gz", "prisma-mini/bold_mask.nii.gz", 0, 20, "chosen on"),
    "siemens_sag_PSL": ("epi-short/siemens_sag_PSL.nii.gz", None, 0, 6, "chosen on"),
    "siemens_d13_motion": ("epi-short/siemens_d13_motion.nii.gz", None, 0, 6, "chosen on"),
    "siemens_me_e1": ("epi-short/siemens_me_e1.nii.gz", None, 0, 3, "chosen on"),
    "sample": ("sample", None, 0, 2, "chosen on"),
}
DRAWS = 4
POINTS = 0.002
# Frames on which slices that no frame has are scored.
SCORED = 3
ROWS = ("linear over slices", "mean of frames", "linear in time", "regression on other slices")


def main(*names):
    """Score every row of every hole, in the runs named or all."""
    rows = []
    for name in names or RUNS:
        run, mask, sigma, role = load(name)
        for hole, draw in HOLES.items():
            rows += scored(run, mask, sigma, (name, role, hole), draw)
    write_rows(pathlib.Path(__file__).with_name("imputation.csv"), rows)


def load(name):
    """Return a run (ndarray, shape (x, y, z, t)), its mask, the SD of its noise, and its role."""
    path, mask, first, last, role = RUNS[name]
    run = open_image(path if path == "sample" else FOLDER / path)
    # Frame after frame in memory, as guesses read them.
    run = np.moveaxis(np.stack([run.frame(t) for t in range(first, last)]), 0, 3)
    mean = run.mean(axis=3)
    mask = mean > 0.3 * np.percentile(mean, 98) if mask is None else open_image(FOLDER / mask).frame(0) > 0
    if run.shape[3] == 2:
        # What the two differ by.
        return run, mask, np.full(mask.shape, np.std((run[..., 0] - run[..., 1])[mask]) / np.sqrt(2)), role
    return run, mask, estimate_run_noise(run).sigma, role


def _slices(count, frames):
    """Return a function that draws so many slices, in so many frames (None: all)."""

    def draw(shape, mask, rng):
        usual = np.flatnonzero(mask.sum(axis=(0, 1)) > 0.3 * mask.sum(axis=(0, 1)).max())
        first = rng.integers(max(usual[0], 1), min(usual[-1], shape[2] - 2) - count + 2)
        missing = np.zeros(shape, bool)
        gone = np.arange(shape[3]) if frames is None else rng.choice(shape[3], min(frames, shape[3] - 1), replace=False)
        missing[:, :, first : first + count, gone] = True
        return missing

    return draw


def _frames(count):
    def draw(shape, mask, rng):
        missing = np.zeros(shape, bool)
        first = rng.integers(0, shape[3] - count + 1)
        missing[..., first : first + count] = True
        return missing

    return draw


def _points(shape, mask, rng):
    missing = rng.random(shape, np.float32) < POINTS
    return missing & ~missing.all(axis=3, keepdims=True)


HOLES = {
    "a slice in one frame": _slices(1, 1),
    "a slice in five frames": _slices(1, 5),
    "five slices in one frame": _slices(5, 1),
    "five slices in all frames": _slices(5, None),
    "a frame": _frames(1),
    "three frames in a row": _frames(3),
    "points": _points,
}


def scored(run, mask, sigma, names, draw):
    """Return the rows of one kind of hole in one run."""
    errors, seconds = {}, []
    if run.shape[3] <= 3 and names[2] == "three frames in a row":
        return []
    for seed in range(DRAWS):
        missing = draw(run.shape, mask, np.random.default_rng(seed))
        times = np.flatnonzero(missing.any(axis=(0, 1, 2)))
        times = times[np.linspace(0, len(times) - 1, min(SCORED, len(times))).round().astype(int)]
        ways = dict(rows_of(run, missing))
        guess = RunGuess(lambda t: run[..., t], lambda t, missing=missing: missing[..., t], run.shape[3])
        ways["ours"] = guess.filled
        for method, restore in ways.items():
            start = time.perf_counter()
            squares = [np.square((restore(t) - run[..., t])[missing[..., t] & mask], dtype=np.float64) for t in times]
            noise = [np.square(sigma[missing[..., t] & mask]) for t in times]
            errors.setdefault(method, []).append(np.sqrt(np.sum(np.concatenate(squares)) / np.sum(np.concatenate(noise))))
            if method == "ours":
                seconds.append((time.perf_counter() - start) / len(times))
    plain = min((method for method in errors if method in ROWS), key=lambda method: np.mean(errors[method]))
    best = np.min([values for method, values in errors.items() if method in ROWS], axis=0)
    result = []
    for method, values in errors.items():
        row = dict(run=names[0], role=names[1], hole=names[2], method=method, rmse_in_noise=np.mean(values), sd=np.std(values))
        row |= dict(of_best_plain=np.mean(values) / np.mean(errors[plain]))
        if method == "ours":
            row |= dict(better_than_all=int(np.sum(np.array(values) < best)), draws=len(values), seconds_a_frame=np.mean(seconds))
        print({key: round(float(value), 4) if isinstance(value, float) else value for key, value in row.items()}, flush=True)
        result.append(row)
    return result


def rows_of(run, missing):
    """Yield the plain rows that a hole allows: name and a function from the number of a frame to the frame filled."""
    never, whole = missing.all(axis=3), missing.all(axis=(0, 1, 2))
    count, known = run.shape[3], ~missing
    if not whole.any():
        yield ROWS[0], lambda t: over_slices(run[..., t], missing[..., t])
    if not never.any():
        mean = np.sum(run, axis=3, where=known) / known.sum(axis=3)
        reach = best_reach(lambda t: run[..., t], lambda t: missing[..., t], count)
        yield ROWS[1], lambda t: np.where(missing[..., t], mean, run[..., t])
        yield ROWS[2], lambda t: filled_frame(lambda s: run[..., s], lambda s: missing[..., s], count, t)
        yield "average in time (release 0.1)", lambda t: filled_frame(lambda s: run[..., s], lambda s: missing[..., s], count, t, reach)
        if not whole.any():
            yield ROWS[3], lambda t: on_slices(run, missing, t)


def over_slices(frame, missing):
    """Fill each voxel on the line through the nearest known voxels below and above."""
    filled = frame.copy()
    for x, y in np.argwhere(missing.any(axis=2)):
        gone = missing[x, y]
        if not gone.all():
            filled[x, y, gone] = np.interp(np.flatnonzero(gone), np.flatnonzero(~gone), frame[x, y, ~gone])
    return filled


def on_slices(run, missing, t):
    """Fill each voxel by its least-squares regression on the nearest known voxels below and above, over the other frames."""
    filled, gone = run[..., t].copy(), missing[..., t]
    for z in np.flatnonzero(gone.any(axis=(0, 1))):
        x, y = np.nonzero(gone[:, :, z])
        beside = [_nearest(~gone[x, y], z, step) for step in (-1, 1)]
        beside = [np.where(here < 0, there, here) for here, there in (beside, beside[::-1])]
        valid = ~missing[x, y, z] & ~missing[x, y, beside[0]] & ~missing[x, y, beside[1]]
        design = np.stack([np.ones(valid.shape), run[x, y, beside[0]], run[x, y, beside[1]]], axis=2) * valid[..., None]
        # A little ridge: two neighbours may be one, or constant.
        normal = np.einsum("vti,vtj->vij", design, design)
        normal += 1e-8 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(3) + 1e-30 * np.eye(3)
        weights = np.linalg.solve(normal, np.einsum("vti,vt->vi", design, run[x, y, z] * valid)[..., None])[..., 0]
        here = np.stack([np.ones(len(x)), run[x, y, beside[0], t], run[x, y, beside[1], t]], axis=1)
        filled[x, y, z] = np.sum(weights * here, axis=1)
    return filled


def _nearest(known, z, step):
    """Return the nearest known slice below (step -1) or above (1) of each line of voxels; -1 where there is none."""
    found = np.full(len(known), -1)
    places = range(z - 1, -1, -1) if step < 0 else range(z + 1, known.shape[1])
    for place in places:
        found[(found < 0) & known[:, place]] = place
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
