"""Memory of a training on many runs against --cache: python -m experiments.06_memory.training (Linux)

Two, then six runs of 64×64×30×200 voxels made of noise, 98 MB each as float32; two short epochs of `wgan`. What counts is the memory of the
process itself (RssAnon of proc(5), looked at 20 times a second): pages of a mapped file are the system's to take back.
"""

import pathlib
import subprocess
import sys
import tempfile
import time

import nibabel
import numpy as np

from experiments.data import write_rows

SHAPE, COUNTS, CACHES = (64, 64, 30, 200), (2, 6), (0.0, 4.0)


def main():
    """Write training.csv: runs, GB of the cache, and the peak of the process's own memory, MB."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        paths = [folder / f"run{seed}.nii.gz" for seed in range(max(COUNTS))]
        for seed, path in enumerate(paths):
            data = np.random.default_rng(seed).normal(1000, 50, SHAPE).astype(np.int16)
            nibabel.save(nibabel.Nifti1Image(data, np.diag([3.0, 3.0, 3.0, 1.0])), path)
        for cache in CACHES:
            for count in COUNTS:
                length = ["--cache", cache, "--frames", 5, "--epochs", 2, "--steps-per-epoch", 2, "--filters", 4, 4, "--depths", 1, 1]
                command = ["wgan", *paths[:count], *length, "-o", folder / "network.h5", "--overwrite"]
                rows.append({"runs": count, "cache, GB": cache, "own memory, MB": _peak([str(word) for word in command])})
                print(rows[-1], flush=True)
    write_rows(pathlib.Path(__file__).with_name("training.csv"), rows)


def _peak(command):
    child = subprocess.Popen([sys.executable, "-m", "keras_mri.train", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    most = 0
    while child.poll() is None:
        try:
            status = pathlib.Path(f"/proc/{child.pid}/status").read_text()
        except OSError:
            break
        most = max([most, *(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("RssAnon"))])
        time.sleep(0.05)
    if child.wait():
        raise subprocess.CalledProcessError(child.returncode, command)
    return most


if __name__ == "__main__":
    main()
