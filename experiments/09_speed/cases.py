"""What is timed: each case prepares its scan once and returns what one call of it does."""

import functools
import typing

import numpy as np

import keras_mri
from experiments.data import FOLDER
from keras_mri.api import checkpoint_of
from keras_mri.io.nifti_reading import open_image
from keras_mri.io.volumes import Volume

# Sides of the blocks on which the slowest methods are compared.
BLOCK, RUN_BLOCK = (64, 64, 64), (40, 40, 10)
# Most sides and frames of a scan, by size.
SIZES = {"whole": ((9999,) * 3, 9999), "part": ((128, 128, 96), 40), "tiny": ((20, 20, 20), 12)}
STEPS = 50


class Case(typing.NamedTuple):
    """What is timed.

    Parameters
    ----------
    work : callable
        One call is one measurement.
    voxels : int
        Of the scan, frames included; of a network that makes the grid finer, of the result.
    frames : int
    """

    work: typing.Callable
    voxels: int
    frames: int = 1


def build(name, precision, size="whole"):
    """Return a case by its name and by how much of the scan is used, a key of `SIZES`: Case."""
    return _BUILDERS[name](precision, size)


def middle(volume, sides, frames=9999):
    """Return the middle of a scan, and at most so many of its frames, in memory."""
    sides = [min(*pair) for pair in zip(sides, volume.shape)]
    first = [(whole - side) // 2 for whole, side in zip(volume.shape, sides)]
    box = tuple(slice(start, start + side) for start, side in zip(first, sides))
    frames = np.stack([volume.frame(t)[box] for t in range(min(frames, volume.n_frames))], axis=-1)
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ first
    part = Volume.from_array(frames if volume.n_frames > 1 else frames[..., 0], affine, volume.header, volume.name)
    return part.with_repetition_time(volume.repetition_time)


def _opened(path, size, sides=None):
    most, frames = SIZES[size]
    return middle(open_image(FOLDER / path), sides if sides and size != "tiny" else most, frames)


def _restored(network, path, precision, size, sides=None, **options):
    volume, checkpoint = _opened(path, size, sides), checkpoint_of(network)
    options |= {"precision": precision} if precision else {}

    def work():
        restored = keras_mri.restore(checkpoint, volume, **options)
        for _ in restored.frames():
            pass

    finer = keras_mri.restore(checkpoint, volume, **options).shape
    return Case(work, int(np.prod(finer)), volume.n_frames)


def _repetitions(precision, size):
    clean, checkpoint = _opened("clinical/head05_t1w.nii.gz", size), checkpoint_of("n2a_t1w")
    rng, sigma = np.random.default_rng(0), 0.05 * clean.extremes[1]
    both = [
        Volume.from_array(np.where(clean.data > 0, clean.data + sigma * rng.standard_normal(clean.shape), 0), clean.affine)
        for _ in range(2)
    ]
    mask = Volume.from_array(clean.data > 0, clean.affine)
    options = {"precision": precision or "float32", "align": False, "mask": mask, "mirror": "none"}
    return Case(lambda: keras_mri.restore(checkpoint, both, **options).frame(0), int(np.prod(clean.shape)))


def _sample(precision, size):
    checkpoint, steps = checkpoint_of("ldm_heads"), 2 if size == "tiny" else STEPS
    volume = keras_mri.sample(checkpoint, 1, steps=1, label="forrest")[0]

    def work():
        keras_mri.sample(checkpoint, 1, steps=steps, label="forrest")

    return Case(work, int(np.prod(volume.shape)))


def _filtered(method, path, sides, size):
    volume = _opened(path, size, sides)
    data = volume.data / np.float32(volume.extremes[1])
    sigma = keras_mri.estimate_noise(volume) / volume.extremes[1]
    return Case(lambda: method(data, sigma), int(np.prod(volume.shape)), volume.n_frames)


def _baseline(name, path, sides):
    def built(precision, size):
        from experiments import baselines

        function = vars(baselines)[name]
        method = function if len(sides) == 3 and sides == BLOCK else lambda run, sigma: function(run, sigma, run.mean(axis=3) > 0)
        return _filtered(method, path, sides, size)

    return built


_RUN, _T1W = "forrest-bold/bold.nii.gz", "philips-3t/T1w_defaced.nii.gz"
_BUILDERS = {
    "predict run": functools.partial(_restored, "run", _RUN),
    "predict t1w": functools.partial(_restored, "t1w", _T1W),
    "predict sr": functools.partial(_restored, "sr", "clinical/head10_t1w.nii.gz"),
    "predict n2a": _repetitions,
    "sample ldm": _sample,
    "predict t1w, block": functools.partial(_restored, "t1w", _T1W, sides=BLOCK),
    "predict run, block": functools.partial(_restored, "run", _RUN, sides=RUN_BLOCK),
    "BM4D, block": _baseline("bm4d", _T1W, BLOCK),
    "DIPY NLM, block": _baseline("dipy_nlm", _T1W, BLOCK),
    "DIPY mppca, block": _baseline("dipy_mppca", _RUN, RUN_BLOCK),
    "patch-denoise, block": _baseline("patch_denoise", _RUN, RUN_BLOCK),
}
NAMES = tuple(_BUILDERS)
