"""From scans to batches: corners, patches, flips and noise, all drawn in the TensorFlow graph from (seed, number).

Every draw is a pure function of the seed and of a running number, so patches and noise are new in every epoch and the
same in every run with one seed.
"""

import dataclasses

import numpy as np
import tensorflow as tf

# One stream of random numbers for each use of the seed.
_WHERE, _WHEN, _FLIP, _LEVEL, _NOISE, _IMAGINARY, _SCAN, _BLOBS, _COURSES = range(9)
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Corruption:
    """Noise of random strength that makes the input of a training example from its target.

    Parameters
    ----------
    model : {"gaussian", "rician"}
    low, high : float
        The range of the standard deviation, in network units.
    skew : float
        The place in that range is a uniform number to this power: above 1, weak noise is drawn more often than strong.
    """

    model: str
    low: float
    high: float
    skew: float = 1.0


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


def flipped(patches, seed, axes=(0, 1, 2, 3)):
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


def activated(patches, seed, frames, amplitude):
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


def noisy_pairs(patches, batch_size, corruption, seed, frames, target_weights, evenly=False):
    """Make batches of (noisy frames, target frame).

    Parameters
    ----------
    patches : tf.data.Dataset of float32, shape (x, y, z, window)
    batch_size : int
    corruption : Corruption
    seed : int
    frames : int
        The first `frames` of the window, corrupted, are the input.
    target_weights : sequence of float
        The target is this sum over the frames of the window, free of added noise: one of them, or a filter in time.
    evenly : bool
        Spread the noise levels of a batch evenly instead of drawing them: less scatter in validation.

    Returns
    -------
    tf.data.Dataset of (float32, shape (batch, x, y, z, frames)), (float32, shape (batch, x, y, z, 1))
    """

    weights = tf.constant(target_weights, tf.float32)[:, None]

    def corrupt(number, window):
        clean, target = window[..., :frames], tf.linalg.matmul(window, weights)
        shape = [batch_size, 1, 1, 1, 1]
        if evenly:
            share = tf.reshape((tf.range(batch_size, dtype=tf.float32) + 0.5) / batch_size, shape)
        else:
            share = tf.random.stateless_uniform(shape, draw_seed([seed, 0], number, _LEVEL)) ** corruption.skew
        sigma = corruption.low + (corruption.high - corruption.low) * share
        noisy = clean + sigma * tf.random.stateless_normal(tf.shape(clean), draw_seed([seed, 0], number, _NOISE))
        if corruption.model == "rician":
            noisy = tf.sqrt(noisy**2 + (sigma * tf.random.stateless_normal(tf.shape(clean), draw_seed([seed, 0], number, _IMAGINARY))) ** 2)
        return noisy, target

    batches = patches.batch(batch_size, drop_remainder=True).enumerate()
    return batches.map(corrupt, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def repetition_pairs(patches, batch_size, channels, input_weights, target_weights):
    """Make batches of (input, target, mask) from patches that hold every repetition of a place.

    Each pair is a weighted sum of the patch's members: repetition 1 against the average of 2 and 3, say. All pairs take turns.

    Parameters
    ----------
    patches : tf.data.Dataset of float32, shape (x, y, z, members · channels + 1)
        The members one after the other, each of `channels` channels; the mask as the last channel.
    batch_size : int
    channels : int
    input_weights, target_weights : array_like of float, shape (pairs, members)

    Returns
    -------
    tf.data.Dataset of (float32, shape (batch, x, y, z, channels)) twice, then (float32, shape (batch, x, y, z))
    """
    weights = tf.constant(np.stack([input_weights, target_weights], axis=-1), tf.float32)

    def pair(number, patch):
        members = tf.reshape(patch[..., :-1], [*patch.shape[:3], weights.shape[1], channels])
        both = tf.tensordot(members, weights[number % weights.shape[0]], [[3], [0]])
        return both[..., 0], both[..., 1], patch[..., -1]

    pairs = patches.enumerate().map(pair, num_parallel_calls=tf.data.AUTOTUNE)
    return pairs.batch(batch_size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def draw_seed(seed, number, use):
    """Mix the user's seed, a running number and the use of a draw into the two numbers of a stateless draw.

    Parameters
    ----------
    seed : pair of int
        The user's, and the number of the scan (0 for what does not depend on one).
    number : tensor of int
    use : int
        0 to 8 are this module's; others may take 9 to 15.

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
