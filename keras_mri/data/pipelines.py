"""From scans to patches: corners, crops, flips and simulated activation, all drawn in the TensorFlow graph from (seed, number).

Every draw is a pure function of the seed and of a running number, so patches are new in every epoch and the same in every
run with one seed.
"""

import dataclasses
import typing

import numpy as np
import tensorflow as tf

# One stream of random numbers for each use of the seed; 3 to 5 are those of keras_mri.data.corruption.
_WHERE, _WHEN, _FLIP, _SCAN, _BLOBS, _COURSES = 0, 1, 2, 6, 7, 8
# Simulated activations of a patch: their number, radii (voxels), and the fastest course (cycles per frame).
_N_BLOBS, _RADII, _FASTEST = 24, (2.0, 7.0), 0.25


@dataclasses.dataclass(frozen=True)
class PatchSource:
    """A scan in network units and the places of its patches.

    Parameters
    ----------
    run : ndarray of float32, shape (x, y, z, t)
        A numpy.memmap is read where a patch is cut; any other becomes part of the graph.
    corners : ndarray of int32, shape (corners, 3) or (corners, 4)
        Spatial corners, each good at any time; or with the first frame of the window as a fourth column.
    """

    run: np.ndarray
    corners: np.ndarray


class Batches(typing.NamedTuple):
    """The data of a fit.

    Parameters
    ----------
    training : tf.data.Dataset
        Batches of (input, target, …), without end.
    validation : tf.data.Dataset
        The held-out batches, once.
    steps : int
        Batches of an epoch.
    """

    training: tf.data.Dataset
    validation: tf.data.Dataset
    steps: int

    @property
    def patch_shape(self):
        """Voxels of a training patch: tuple of int, the sides of the targets."""
        return tuple(self.training.element_spec[1].shape[1:-1])


def random_patches(sources, patch_shape, window, seed):
    """Draw patches without end: a scan by its number of corners, then a corner and a time.

    Parameters
    ----------
    sources : sequence of PatchSource
        With corners of three columns.
    patch_shape : tuple of int
    window : int
        Frames in a patch.
    seed : int

    Returns
    -------
    tf.data.Dataset of float32, shape (x, y, z, window)
    """
    streams = [_random_stream(source, patch_shape, window, [seed, k]) for k, source in enumerate(sources)]
    if len(streams) == 1:
        return streams[0]
    edges = tf.constant(np.cumsum([len(source.corners) for source in sources]), tf.int64)

    def choose(number):
        draw = tf.random.stateless_uniform([], draw_seed([seed, 0], number, _SCAN), maxval=edges[-1], dtype=tf.int64)
        return tf.searchsorted(edges, draw[None], side="right", out_type=tf.int64)[0]

    return tf.data.Dataset.choose_from_datasets(streams, _numbers().map(choose), stop_on_empty_dataset=True)


def listed_patches(sources, patch_shape, window, seed=None):
    """Go through listed patches, once in order without a seed, else without end and shuffled anew at every pass.

    Parameters
    ----------
    sources : sequence of PatchSource
        With corners of four columns.
    patch_shape : tuple of int
    window : int
    seed : int, optional

    Returns
    -------
    tf.data.Dataset of float32, shape (x, y, z, window)
    """
    runs = [_readable(source.run) for source in sources]
    rows = np.concatenate([np.insert(source.corners, 0, k, axis=1) for k, source in enumerate(sources)]).astype(np.int32)
    rows = tf.constant(rows)

    def cut(row):
        branches = [lambda run=run: _crop(run, row[1:], patch_shape, window) for run in runs]
        return tf.switch_case(row[0], branches) if len(branches) > 1 else branches[0]()

    if seed is None:
        return tf.data.Dataset.from_tensor_slices(rows).map(cut)

    def shuffled(number):
        order = tf.random.experimental.stateless_shuffle(tf.range(tf.shape(rows)[0]), draw_seed([seed, 0], number, _WHERE))
        return tf.data.Dataset.from_tensor_slices(tf.gather(rows, order))

    return _numbers().flat_map(shuffled).map(cut, num_parallel_calls=tf.data.AUTOTUNE)


def with_random_flips(patches, seed, axes=(0, 1, 2, 3)):
    """Mirror patches at random along each axis in space, and in time.

    Parameters
    ----------
    patches : tf.data.Dataset of float32, shape (x, y, z, window)
    seed : int
    axes : sequence of int
        The axes that may be mirrored.

    Returns
    -------
    tf.data.Dataset, same element
    """

    def flip(number, patch):
        chosen = tf.random.stateless_uniform([4], draw_seed([seed, 0], number, _FLIP)) < 0.5
        chosen &= tf.constant([axis in axes for axis in range(4)])
        return tf.ensure_shape(tf.reverse(patch, tf.where(chosen)[:, 0]), patch.shape)

    return patches.enumerate().map(flip, num_parallel_calls=tf.data.AUTOTUNE)


def with_simulated_activation(patches, seed, frames, amplitude):
    """Let small regions of a patch wax and wane over its frames, as activated brain does: signal that must survive.

    Each of a few balls of random place and size follows a sinusoid of random phase and period. Frames of the window
    beyond `frames`, if any, get the change of the middle one: they serve as its target.

    Parameters
    ----------
    patches : tf.data.Dataset of float32, shape (x, y, z, window)
    seed : int
    frames : int
    amplitude : float
        Largest change by one ball, as a share of the local intensity; where balls overlap, changes add up.

    Returns
    -------
    tf.data.Dataset, same element
    """

    def activate(number, patch):
        *sides, window = patch.shape
        draws = tf.random.stateless_uniform([_N_BLOBS, 4], draw_seed([seed, 0], number, _BLOBS))
        radius = _RADII[0] + (_RADII[1] - _RADII[0]) * draws[:, 3]
        squares = 0.0
        for axis, side in enumerate(sides):
            offset = (tf.range(side, dtype=tf.float32) - side * draws[:, axis : axis + 1]) / radius[:, None]
            squares += tf.reshape(offset**2, [_N_BLOBS, *(side if a == axis else 1 for a in range(3))])
        balls = tf.reshape(tf.cast(squares < 1, tf.float32), [_N_BLOBS, -1])
        draws = tf.random.stateless_uniform([3, _N_BLOBS, 1], draw_seed([seed, 0], number, _COURSES))
        times = tf.constant([t if t < frames else frames // 2 for t in range(window)], tf.float32)
        courses = amplitude * draws[0] * tf.cos(2 * np.pi * (draws[1] + _FASTEST * draws[2] * times))
        change = tf.reshape(tf.matmul(balls, courses, transpose_a=True), patch.shape)
        return patch * (1 + change)

    return patches.enumerate().map(activate, num_parallel_calls=tf.data.AUTOTUNE)


def draw_seed(seed, number, use):
    """Mix the user's seed, a running number and the use of a draw into the two numbers of a stateless draw.

    Parameters
    ----------
    seed : pair of int
        The user's, and the number of the scan (0 for what does not depend on one).
    number : tensor of int
    use : int
        0 to 8 belong to this module and `keras_mri.data.corruption`; others may take 9 to 15.

    Returns
    -------
    tensor of int64, shape (2,)
    """
    number = tf.cast(number, tf.int64)
    return tf.stack([number, tf.constant(seed[0] * 16007 + seed[1] * 16 + use, tf.int64)])


def _random_stream(source, patch_shape, window, seed):
    run, corners = _readable(source.run), tf.constant(source.corners)
    latest = source.run.shape[3] - window

    def draw(number):
        row = tf.random.stateless_uniform([], draw_seed(seed, number, _WHERE), maxval=tf.shape(corners)[0], dtype=tf.int32)
        first = tf.random.stateless_uniform([1], draw_seed(seed, number, _WHEN), maxval=latest + 1, dtype=tf.int32)
        return _crop(run, tf.concat([corners[row], first], 0), patch_shape, window)

    return _numbers().map(draw, num_parallel_calls=tf.data.AUTOTUNE)


def _readable(run):
    """Return a run such as `_crop` takes: what lies on disk stays there."""
    return run if isinstance(run, np.memmap) else tf.constant(run)


def _crop(run, corner, patch_shape, window):
    size = [*patch_shape, window]
    if isinstance(run, np.memmap):

        def read(corner):
            return np.ascontiguousarray(run[tuple(slice(low, low + side) for low, side in zip(corner, size))])

        return tf.ensure_shape(tf.numpy_function(read, [corner], tf.float32, stateful=False), size)
    return tf.reshape(tf.slice(run, corner, size), size)


def _numbers():
    return tf.data.Dataset.range(np.iinfo(np.int64).max)
