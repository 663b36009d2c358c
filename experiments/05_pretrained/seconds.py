"""Seconds that a network takes for a whole scan: python -m experiments.05_pretrained.seconds wgan_t1w

    taskset -c 0 python -m experiments.05_pretrained.seconds wgan_t1w                          # one core
    taskset -c 0,1 python -m experiments.05_pretrained.seconds wgan_t1w                        # two
    taskset -c 0,1 python -m experiments.05_pretrained.seconds wgan_t1w --precision bfloat16   # two that multiply bfloat16
    KERAS_BACKEND=jax python -m experiments.05_pretrained.seconds wgan_t1w                     # where there is a GPU

The T1w of philips-3t, 170 × 256 × 256 voxels of 1 mm. The first prediction compiles and is shown apart; the others have a median.
Loading the network and reading and writing the scan are not in it.
"""

import argparse
import os
import sys
import time

import numpy as np

from experiments.data import FOLDER, peak_memory

from . import denoisers


def main(arguments=None):
    """Print the seconds; see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m experiments.05_pretrained.seconds", description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a file, or the name of a pre-trained network")
    parser.add_argument("--scan", default=str(FOLDER / "philips-3t" / "T1w_defaced.nii.gz"), help="NIfTI, 3D")
    parser.add_argument("--repeats", type=int, default=5, help="predictions after the first (default: 5)")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    chosen = parser.parse_args(arguments)
    from keras_mri.io.nifti_reading import open_image

    image = open_image(chosen.scan)
    _, method = denoisers.network(chosen.model, precision=chosen.precision)
    first, *others = (_seconds(method, image) for _ in range(1 + chosen.repeats))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    shape = " × ".join(map(str, image.shape[:3]))
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    print(f"{chosen.model}, {chosen.precision}, {shape} voxels, {cores} core(s), {backend}: first {first:.2f} s", end="")
    print(f", then median {np.median(others):.2f} s ({min(others):.2f}–{max(others):.2f})" if others else "", end="")
    print(f"; peak memory {peak_memory():.0f} MB")
    return 0


def _seconds(method, image):
    frame = image.frame(0)
    start = time.perf_counter()
    method.restore(frame, None, image.affine)
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
