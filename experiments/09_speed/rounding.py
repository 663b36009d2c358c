"""What bfloat16 changes on real scans, as a share of their noise: python -m experiments.09_speed.rounding, writes rounding.csv

The middle of each scan is restored in float32 and in bfloat16. RMS of the difference where the scan is not 0, over the noise's SD; beside
it what `--precision auto` measured on its own blocks, by which it decides.
"""

import argparse
import functools
import pathlib
from unittest import mock

import numpy as np

import keras_mri
from experiments.data import FOLDER, write_rows
from keras_mri.api import checkpoint_of
from keras_mri.inference import fitting_precision
from keras_mri.io.nifti_reading import open_image

from .cases import middle

# Scan and network; the EPIs, the FLAIR and the run of philips-3t took no part in the networks' training.
SCANS = (
    ("clinical/head05_t1w.nii.gz", "t1w"),
    ("philips-3t/T1w_defaced.nii.gz", "t1w"),
    ("clinical/head04_flair.nii.gz", "any"),
    ("clinical/head02_t2w.nii.gz", "any"),
    ("epi-short/oxford_seepi_1p5mm.nii.gz", "epi"),
    ("epi-short/oxford_mb_86x86x51.nii.gz", "epi"),
    ("epi-short/ge_v14_zugfahrt.nii.gz", "epi"),
    ("forrest-bold/bold.nii.gz", "run"),
    ("philips-3t/bold.nii.gz", "run"),
    ("clinical/head10_t1w.nii.gz", "sr"),
)
# Voxels along the axes, and frames.
MOST, FRAMES = (80, 80, 48), 40


def main(arguments=None):
    """Write rounding.csv; see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m experiments.09_speed.rounding", description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=pathlib.Path, default=pathlib.Path(__file__).with_name("rounding.csv"))
    parser.add_argument("--most", type=int, nargs=3, default=MOST, help="voxels of the middle that is used")
    chosen = parser.parse_args(arguments)
    rows = []
    for path, name in SCANS:
        rows.append({"scan": path.removesuffix(".nii.gz"), "network": name, **compared(path, name, chosen.most)})
        print(rows[-1], flush=True)
        write_rows(chosen.output, rows)


def compared(path, name, most):
    """Return the difference of both precisions on one scan: dict."""
    volume, checkpoint = _frames(middle(open_image(FOLDER / path), most)), checkpoint_of(name)
    restore = functools.partial(keras_mri.restore, checkpoint, volume)
    one, other = (restore(precision=precision).data for precision in ("float32", "bfloat16"))
    sigma = keras_mri.estimate_noise(volume)
    difference = (one - other)[one != 0]
    rms = float(np.sqrt(np.mean(difference**2, dtype=np.float64)))
    with mock.patch.multiple(fitting_precision, made_for_bfloat16=lambda: True, LEAST_VOXELS=1):
        automatic = restore(precision="auto")
        automatic.frame(0)
    found = automatic.facts["precision"]
    return {
        "noise SD": sigma,
        "rms difference": rms,
        "share of the noise": rms / sigma,
        "99.9 % below": float(np.quantile(np.abs(difference), 0.999)) / sigma,
        "as auto measured": found.get("difference", ""),
        "auto takes": found["used"],
    }


def _frames(volume):
    """Return the first frames of a long run in steady state."""
    if volume.n_frames <= FRAMES:
        return volume
    data = volume.data[..., 5 : 5 + FRAMES]
    return volume.from_array(data, volume.affine, name=volume.name).with_repetition_time(volume.repetition_time)


if __name__ == "__main__":
    main()
