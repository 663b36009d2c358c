"""Time and memory against frames and voxels: python -m experiments.09_speed.growth, writes growth.csv

Heads made of noise and ellipsoids, 1, 2, 4 and 8 times as many frames, or as large; each in a process of its own, `predict` in float32.
The first call compiles; the median of the others counts. Asked: time within a tenth of a straight line, memory that stays. The line is one
of the processor's time, which other work on the machine hardly changes.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import nibabel
import numpy as np

import keras_mri
from experiments.data import method_memory, write_rows
from keras_mri.api import checkpoint_of
from keras_mri.imaging import phantoms
from keras_mri.io.nifti_reading import open_image

TIMES = (1, 2, 4, 8)
# Of each kind the network, the shape at once, and the axes that are doubled in turn.
_KINDS = {
    "frames": ("run", (32, 32, 24, 20), (3, 3, 3)),
    "voxels": ("t1w", (64, 64, 64), (2, 1, 0)),
    "voxels of a run": ("run", (32, 32, 24, 20), (2, 1, 0)),
}


def main(arguments=None):
    """Write growth.csv, or print the row of one size; see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m experiments.09_speed.growth", description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=pathlib.Path, default=pathlib.Path(__file__).with_name("growth.csv"))
    parser.add_argument("--repeats", type=int, default=3, help="calls after the first (default: 3)")
    parser.add_argument("--one", nargs=2, metavar=("KIND", "TIMES"), help="print one row as JSON")
    chosen = parser.parse_args(arguments)
    if chosen.one:
        print(json.dumps(measured(chosen.one[0], int(chosen.one[1]), chosen.repeats)))
        return
    rows = []
    for kind in _KINDS:
        for times in TIMES:
            command = [sys.executable, "-m", __spec__.name, "--one", kind, str(times), "--repeats", str(chosen.repeats)]
            rows.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]))
            print(rows[-1], flush=True)
        with_line([row for row in rows if row["growing"] == kind])
        write_rows(chosen.output, rows)


def measured(kind, times, repeats):
    """Return the row of one size: dict."""
    network, shape, axes = _KINDS[kind]
    shape = list(shape)
    for axis in axes[: TIMES.index(times)]:
        shape[axis] *= 2
    checkpoint, seconds = checkpoint_of(network), []
    with tempfile.TemporaryDirectory() as folder:
        image = open_image(_written(pathlib.Path(folder) / "scan.nii", shape)).with_repetition_time(2.0)
        with method_memory() as memory:
            for _ in range(1 + repeats):
                start = time.perf_counter(), time.process_time()
                restored = keras_mri.restore(checkpoint, image, precision="float32")
                for _ in restored.frames():
                    pass
                seconds.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    return {
        "growing": kind,
        "network": network,
        "times": times,
        "shape": " × ".join(map(str, shape)),
        **{name: statistics.median(each) for name, each in zip(("median s", "processor s"), zip(*seconds[1:]))},
        "peak MB": memory.peak_mb,
    }


def _written(path, shape):
    """Write a head with the noise of a magnitude, whose air tells that it was not zero-filled, and return the path."""
    head, rng = phantoms.head(shape[:3], 0)[0].astype(np.float32), np.random.default_rng(0)
    real, imaginary = (0.03 * head.max() * rng.standard_normal(shape, np.float32) for _ in range(2))
    data = np.hypot(real + head.reshape(*head.shape, *[1] * (len(shape) - 3)), imaginary)
    nibabel.save(nibabel.Nifti1Image(data, np.diag([3.0, 3.0, 3.0, 1.0])), path)
    return path


def with_line(rows):
    """Add to the rows of one kind by how much the processor's time departs from the straight line through all, relative errors least."""
    times, seconds = (np.array([row[name] for row in rows]) for name in ("times", "processor s"))
    line = np.linalg.lstsq(np.stack([1 / seconds, times / seconds], axis=1), np.ones(len(rows)), rcond=None)[0]
    for row, fitted in zip(rows, line[0] + line[1] * times):
        row["off the line"] = row["processor s"] / fitted - 1


if __name__ == "__main__":
    main()
