"""The start of `predict` on a small volume, in the same minutes before and after: python -m experiments.09_speed.start --before CHECKOUT

Seconds of the whole process for a head of 48 × 56 × 40 voxels; beside it what importing Keras takes by itself, which no program of ours can
shorten.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import nibabel
import numpy as np

from experiments.data import write_rows
from keras_mri.imaging import phantoms


def main(arguments=None):
    """Write start.csv; see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m experiments.09_speed.start", description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=pathlib.Path, default=pathlib.Path(__file__).with_name("start.csv"))
    parser.add_argument("--before", type=pathlib.Path, help="another checkout of this project")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each after a first one (default: 5)")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        scan = pathlib.Path(folder) / "sub-01_T1w.nii.gz"
        clean = phantoms.head((48, 56, 40), 0)[0]
        noisy = np.hypot(clean + np.random.default_rng(0).normal(0, 20, clean.shape), 20).astype(np.int16)
        nibabel.save(nibabel.Nifti1Image(noisy, np.diag([-1.2, 1.1, 1.3, 1.0])), scan)
        predict = ["-m", "keras_mri.predict", "t1w", str(scan), "-o", str(pathlib.Path(folder) / "out.nii.gz"), "--overwrite"]
        here = pathlib.Path(__file__).parents[2]
        commands = {"import keras": (["-c", "import keras"], here), "predict": (predict, here)}
        commands |= {"predict, before": (predict, chosen.before)} if chosen.before else {}
        seconds = {name: [] for name in commands}
        # In turn, so that other work on the machine meets all of them.
        for number in range(1 + chosen.repeats):
            for name, (command, place) in commands.items():
                taken = _seconds(command, place)
                seconds[name] += [taken] if number else []
    rows = [
        {"process": name, "median wall s": statistics.median(wall), "median cpu s": statistics.median(cpu), "runs": len(wall)}
        for name, (wall, cpu) in ((name, zip(*both)) for name, both in seconds.items())
    ]
    for row in rows:
        print(row)
    write_rows(chosen.output, rows)


def _seconds(command, place):
    """Return wall and processor seconds of a process."""
    start, before = time.perf_counter(), os.times()
    subprocess.run([sys.executable, *command], cwd=place, check=True, capture_output=True)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - start, cpu


if __name__ == "__main__":
    main()
