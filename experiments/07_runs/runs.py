"""The runs of the benchmark, without the frames that are not in steady state; of ASL, one condition."""

import typing

import numpy as np

from experiments.data import FOLDER
from keras_mri.imaging.runs.noise import estimate_run_noise
from keras_mri.io.nifti_reading import open_image

# name → file, mask, frames; the slices of a quick trial.
_RUNS = {
    "forrest-bold": ("forrest-bold/bold.nii.gz", "forrest-bold/bold_mask.nii.gz", slice(None), (10, 26)),
    "philips-3t": ("philips-3t/bold.nii.gz", "philips-3t/bold_mask.nii.gz", slice(5, None), (24, 40)),
    "prisma-epi-label": ("prisma-epi/pcasl2d.nii.gz", "prisma-epi/pcasl2d_mask.nii.gz", slice(2, None, 2), (3, 17)),
    "prisma-epi-control": ("prisma-epi/pcasl2d.nii.gz", "prisma-epi/pcasl2d_mask.nii.gz", slice(3, None, 2), (3, 17)),
    "prisma-mini": ("prisma-mini/bold.nii.gz", "prisma-mini/bold_mask.nii.gz", slice(None), (8, 24)),
}
NAMES = tuple(_RUNS)


class Run(typing.NamedTuple):
    """A run in memory, cut to the box of its mask; its 99.9th percentile is 1.

    Parameters
    ----------
    data : ndarray of float32, shape (x, y, z, t)
    mask : ndarray of bool, shape (x, y, z)
    repetition_time : float
        s.
    """

    data: np.ndarray
    mask: np.ndarray
    repetition_time: float


def load(name, slices=None):
    """Load a run.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    slices : pair of int or "quick", optional
        First slice and end.

    Returns
    -------
    Run
    """
    file, mask_file, frames, quick = _RUNS[name]
    volume = open_image(FOLDER / file)
    mask = open_image(FOLDER / mask_file).frame(0) > 0
    low, high = quick if slices == "quick" else slices or (0, volume.shape[2])
    mask = mask[:, :, low:high]
    inside = np.argwhere(mask)
    first, end = np.maximum(inside.min(axis=0) - 2, 0), np.minimum(inside.max(axis=0) + 3, mask.shape)
    box = tuple(slice(a, b) for a, b in zip(first, end))
    chosen = range(*frames.indices(volume.n_frames))
    data = np.stack([volume.frame(t)[:, :, low:high][box] for t in chosen], axis=-1)
    return Run(data / np.percentile(data, 99.9), mask[box], volume.repetition_time * (frames.step or 1))


def with_noise(run, mask, percent, coloured, seed):
    """Add Gaussian noise of `percent` % of the range, white or with the spatial correlation of the run; exact zeros stay.

    Parameters
    ----------
    run : ndarray of float32, shape (x, y, z, t)
    mask : ndarray of bool, shape (x, y, z)
        Where the correlation is measured.
    percent : float
    coloured : bool
    seed : int

    Returns
    -------
    ndarray of float32, same shape
    """
    rng = np.random.default_rng(seed)
    noise = estimate_run_noise(run, mask).draw(run.shape, rng) if coloured else rng.standard_normal(run.shape, dtype=np.float32)
    return run + np.float32(percent / 100) * noise * (run > 0)
