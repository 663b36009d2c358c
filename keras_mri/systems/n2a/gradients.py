"""Diffusion gradients beside repetitions (`.bval`, `.bvec`): which frames may repeat one another, which vectors hold for the result."""

import io
import pathlib
import typing

import numpy as np

from keras_mri.errors import InputError, first_line, remark
from keras_mri.io.bids.metadata import nearest, read_bounded

# Scanners round b-values; below this there is no direction; degrees between directions that are one.
_SAME_B, _NO_DIRECTION, _SAME_DIRECTION = 0.1, 50.0, 5.0


class Gradients(typing.NamedTuple):
    """Diffusion gradients of a run.

    Parameters
    ----------
    name : str
        File of the vectors.
    values : ndarray of float64, shape (frames,)
        s/mm².
    vectors : ndarray of float64, shape (frames, 3)
    """

    name: str
    values: np.ndarray
    vectors: np.ndarray


def gradients_beside(volume):
    """Return the gradients that lie beside an image's file as `.bval` and `.bvec`, None where there are none.

    Parameters
    ----------
    volume : Volume

    Returns
    -------
    Gradients or None
        None, and a remark, where they cannot be read or do not belong to the image.
    """
    if volume.file is None:
        return None
    values, vectors = (nearest(volume.file, ending) for ending in (".bval", ".bvec"))
    if values is None or vectors is None:
        return None
    try:
        found = _numbers(values).ravel(), _numbers(vectors)
    except ValueError as error:
        remark(vectors, f"cannot be read, or its .bval cannot ({first_line(error)}); whether frames repeat one another was not checked")
        return None
    table = found[1].T if found[1].shape == (3, volume.n_frames) else found[1]
    if found[0].shape != (volume.n_frames,) or table.shape != (volume.n_frames, 3):
        held = f"{len(found[0])} b-values and {found[1].size // 3} vectors for {volume.n_frames} frame(s)"
        remark(vectors, f"{held}; whether frames repeat one another was not checked")
        return None
    return Gradients(vectors.name, found[0], table)


def _numbers(path):
    """Return the numbers of a small text file, ndarray of float64, 2D; raise ValueError unless it holds finite ones."""
    raw = read_bounded(path)
    numbers = np.loadtxt(io.StringIO("" if raw is None else raw.decode("utf-8-sig")), ndmin=2)
    if not np.isfinite(numbers).all():
        raise ValueError("a number is not finite")
    return numbers


def check_volumes_repeat(volume):
    """Raise InputError where the gradients beside a 4D image say that its volumes do not repeat one another."""
    table = gradients_beside(volume)
    if table is None:
        return
    first = Gradients(table.name, *(np.repeat(part[:1], len(part), axis=0) for part in table[1:]))
    differing = _differing(first, table)
    if len(differing):
        low, high = table.values.min(), table.values.max()
        raise InputError(
            f"the volumes of {volume.name} do not repeat one another: {table.name} gives them different gradients (b {low:.0f} to "
            f"{high:.0f} s/mm²; volume {differing[0]} differs from volume 0). Name the repetitions of the whole run, or split off the "
            "volumes of one gradient."
        )


def check_frames_repeat(first, other):
    """Raise InputError where the gradients beside two runs say that their frames do not repeat one another."""
    tables = gradients_beside(first), gradients_beside(other)
    if None in tables:
        return
    differing = _differing(*tables)
    if len(differing):
        frame = differing[0]
        ours, theirs = (f"b {table.values[frame]:.0f} along {_written(table.vectors[frame])}" for table in tables)
        raise InputError(
            f"frame {frame} of {other.name} does not repeat that of {first.name}: {theirs} against {ours}, as {tables[1].name} and "
            f"{tables[0].name} say. Give runs with the same gradients in the same order."
        )


def remark_on_rotation(volume, first, degrees):
    """Say that frames with gradients were turned, if they were, and which vectors hold for the result.

    Parameters
    ----------
    volume, first : Volume
        The run whose frames were turned onto those of the first.
    degrees : float
        The largest rotation of a frame.
    """
    table = gradients_beside(volume) if degrees > 0 else None
    if table is None:
        return
    ours = gradients_beside(first)
    valid = f"the result goes with {ours.name}" if ours else f"the result is in the position of {pathlib.PurePath(first.name).name}"
    remark(
        volume.name,
        f"frames were rotated by up to {degrees:.1f} degrees onto the first repetition: {valid}; the b-vectors of {table.name} must be "
        "rotated with the frames before they are used",
    )


def _differing(first, other):
    """Return the numbers of the frames whose gradients differ: ndarray of int."""
    values = np.abs(first.values - other.values) > np.maximum(_NO_DIRECTION, _SAME_B * first.values)
    lengths = np.linalg.norm(first.vectors, axis=1) * np.linalg.norm(other.vectors, axis=1)
    # A gradient and its opposite weight alike.
    cosines = np.abs(np.sum(first.vectors * other.vectors, axis=1)) / np.maximum(lengths, 1e-12)
    directed = (np.minimum(first.values, other.values) > _NO_DIRECTION) & (lengths > 1e-12)
    return np.flatnonzero(values | directed & (cosines < np.cos(np.radians(_SAME_DIRECTION))))


def _written(vector):
    return " ".join(f"{value:.2f}" for value in vector)
