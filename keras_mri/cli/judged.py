"""What `predict` writes beside its result, and says of it, while the frames pass once: residual, noise map, verdict."""

import contextlib
import pathlib
import sys

from keras_mri.cli.progress import counted
from keras_mri.errors import InputError
from keras_mri.imaging.judging import LEAST_FRAMES, Judge, comparable
from keras_mri.imaging.verdict import NOISE_REMOVED
from keras_mri.io import nifti_writing
from keras_mri.io.mask_files import load_mask
from keras_mri.io.volumes import Volume

# Needs of --residual, --noise-map and --strict.
_ON_THE_GRID = "needs a result on the grid of its input, frame by frame, from a system that removes something"


def judge_of(before, result, options, facts=None):
    """Return the Judge of a prediction; None where the result is on another grid than its input, fills what was missing, or is the input.

    Parameters
    ----------
    before, result : Volume
    options : Options
        Of this prediction; `mask` is used where the system has one.
    facts : dict, optional
        The `facts` of the restored Volume; may be filled while frames are computed. Of several conditions of a run, the longest is judged.
        `unchanged` is true of a scan that was returned as it is.

    Returns
    -------
    Judge or None
    """
    said = vars(options)
    if said.get("missing") is not None or (facts or {}).get("unchanged") or not comparable(before, result):
        return None
    mask = said.get("mask")
    conditions = (facts or {}).get("inspection", {}).get("conditions")
    counted = max(conditions, key=len) if conditions else None
    return Judge(before, result, None if mask is None else load_mask(mask, before), counted, facts)


def check_judged(judge, before, parsed):
    """Raise unless what a user asks of the verdict can be had: `residual`, `noise_map`, `strict`.

    Parameters
    ----------
    judge : Judge or None
    before : Volume
    parsed : argparse.Namespace

    Raises
    ------
    InputError
    """
    if judge is None:
        for option in ("residual", "noise_map", "strict"):
            if vars(parsed)[option]:
                raise InputError(f"`{option}` {_ON_THE_GRID}. Leave it out.")
    elif parsed.noise_map and before.n_frames < LEAST_FRAMES:
        raise InputError(
            f"`noise_map` needs a run of at least {LEAST_FRAMES} frames: the noise of each voxel is estimated from differences of frames. "
            f"Received: {before.name}, shape {before.shape}."
        )


def write(result, judge, parsed):
    """Compute the frames one by one as they are written; judge, residual and progress bar watch them on their way.

    Parameters
    ----------
    result : Volume
    judge : Judge or None
        Of this result.
    parsed : argparse.Namespace
        `output`, `dtype`, `residual`, `noise_map`.

    Raises
    ------
    InputError
        If the disk is full or writing fails otherwise.
    """
    with contextlib.ExitStack() as stack:
        result = result if judge is None else judge.watched()
        if parsed.residual:
            result = _leaving_residual(judge.before, result, stack.enter_context(nifti_writing.appending(result, parsed.residual)))
        nifti_writing.save(counted(result), parsed.output, parsed.dtype)
    if parsed.noise_map:
        before, sigma = judge.before, judge.noise_map()
        nifti_writing.save(Volume(lambda t: sigma, sigma.shape, before.affine, before.header, before.name), parsed.noise_map)


def _leaving_residual(before, result, append):
    """Return a Volume that appends before − after as each of its frames is read."""

    def frame(t):
        after = result.frame(t)
        append(before.frame(t) - after)
        return after

    return result.with_frames(frame)


def tell(verdict, name):
    """Print a verdict, if there is one, on standard error.

    Parameters
    ----------
    verdict : Verdict or None
    name : str
        Name or path of the input.
    """
    for line in verdict.lines(pathlib.PurePath(name).name) if verdict else ():
        print(line, file=sys.stderr)


def status(verdict, strict):
    """Return the exit status of a prediction: 1 if `strict` and the verdict is not that noise was removed, otherwise 0."""
    return 1 if strict and (verdict is None or verdict.word != NOISE_REMOVED) else 0
