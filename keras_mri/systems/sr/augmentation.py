"""Chance for pairs of patches: movements of both images together, disturbances of the source alone.

Everything is drawn in the TensorFlow graph from (seed, number), as in `keras_mri.data.pipelines`. A patch holds the source in its first
channel and the target in its second.
"""

import itertools

import numpy as np
import tensorflow as tf

from keras_mri.data.pipelines import draw_seed

_TURN, _MOVE, _JITTER, _LEVEL, _NOISE, _GAIN, _STACK = range(9, 16)
# How often a source is scaled, is shifted, and gets noise.
_JITTER_SHARE, _NOISE_SHARE = 0.5, 0.25
# Largest rotation about each axis (rad) and shift along it (voxels).
ANGLE, SHIFT = 0.1, 5.0


def with_quarter_turns(patches, seed, plane):
    """Turn every second patch by 90, 180 or 270 degrees.

    Parameters
    ----------
    patches : tf.data.Dataset of float32, shape (x, y, z, channels)
    seed : int
    plane : pair of int
        The two axes of the plane in which patches are turned; of equal length.

    Returns
    -------
    tf.data.Dataset, same element
    """
    swapped = list(range(4))
    swapped[plane[0]], swapped[plane[1]] = plane[1], plane[0]

    def turn(number, patch):
        draw = tf.random.stateless_uniform([2], draw_seed([seed, 0], number, _TURN))
        quarters = tf.where(draw[0] < 0.5, 1 + tf.cast(3 * draw[1], tf.int32), 0)
        odd = tf.cond(quarters % 2 == 1, lambda: tf.reverse(tf.transpose(patch, swapped), [plane[0]]), lambda: patch)
        whole = tf.cond(quarters >= 2, lambda: tf.reverse(odd, list(plane)), lambda: odd)
        return tf.ensure_shape(whole, patch.shape)

    return patches.enumerate().map(turn, num_parallel_calls=tf.data.AUTOTUNE)


def with_random_motion(patches, seed, share):
    """Rotate and shift a share of the patches a little, about their centre, by trilinear interpolation.

    Voxels from outside the patch repeat its border. Interpolation blurs source and target alike.

    Parameters
    ----------
    patches : tf.data.Dataset of float32, shape (x, y, z, channels)
    seed : int
    share : float
        Share of the patches that are moved.

    Returns
    -------
    tf.data.Dataset, same element
    """

    def move(number, patch):
        draw = tf.random.stateless_uniform([7], draw_seed([seed, 0], number, _MOVE))
        angles, shifts = ANGLE * (2 * draw[1:4] - 1), SHIFT * (2 * draw[4:7] - 1)
        return tf.cond(draw[0] < share, lambda: rigidly_moved(patch, angles, shifts), lambda: patch)

    return patches.enumerate().map(move, num_parallel_calls=tf.data.AUTOTUNE)


def rigidly_moved(patch, angles, shifts):
    """Interpolate a patch at rotated and shifted places.

    Parameters
    ----------
    patch : tensor of float32, shape (x, y, z, channels)
    angles, shifts : tensor of float32, shape (3,)
        Radians about the x, then the y, then the z axis, through the centre; voxels along them. The value at a place comes
        from where the rotation, then the shift, takes it.

    Returns
    -------
    tensor of float32, same shape
    """
    sides = patch.shape[:3]
    centre = tf.constant([(side - 1) / 2 for side in sides], tf.float32)
    grid = tf.constant(np.stack(np.meshgrid(*map(range, sides), indexing="ij"), axis=-1).reshape(-1, 3), tf.float32)
    places = tf.matmul(grid - centre, _rotation(angles), transpose_b=True) + centre + shifts
    last = tf.constant([side - 1 for side in sides], tf.float32)
    places = tf.clip_by_value(places, 0.0, last)
    # The voxel before, so that the one after it exists; a thin patch of one voxel has none and needs none.
    low = tf.minimum(tf.floor(places), tf.maximum(last - 1, 0.0))
    share, low, last = places - low, tf.cast(low, tf.int32), tf.cast(last, tf.int32)
    flat, total = tf.reshape(patch, [-1, patch.shape[3]]), 0.0
    for corner in itertools.product((0, 1), repeat=3):
        index = tf.minimum(low + corner, last)
        weight = tf.reduce_prod(tf.where(tf.constant(corner) == 1, share, 1 - share), axis=1, keepdims=True)
        total += weight * tf.gather(flat, (index[:, 0] * sides[1] + index[:, 1]) * sides[2] + index[:, 2])
    return tf.reshape(total, patch.shape)


def with_random_gain(patches, seed, largest):
    """Change scale and offset of both images of a patch alike, as another mask or another contrast would.

    Parameters
    ----------
    patches : tf.data.Dataset of float32, shape (x, y, z, channels)
    seed : int
    largest : float
        Patches are multiplied by 1 ± this at most, and shifted by this at most.

    Returns
    -------
    tf.data.Dataset, same element
    """

    def change(number, patch):
        draw = largest * (2 * tf.random.stateless_uniform([2], draw_seed([seed, 0], number, _GAIN)) - 1)
        return patch * (1 + draw[0]) + draw[1]

    return patches.enumerate().map(change, num_parallel_calls=tf.data.AUTOTUNE)


def with_thick_slices(patches, seed, stacks, noise):
    """Measure patches in thick slices along their last axis, with noise, and interpolate these.

    Parameters
    ----------
    patches : tf.data.Dataset of float32, shape (x, y, side + 2 · context, 1)
        Targets and what surrounds them along the last axis.
    seed : int
    stacks : keras_mri.systems.sr.stacks.Stacks
    noise : float
        Highest SD of the noise of a slice.

    Returns
    -------
    tf.data.Dataset of float32, shape (x, y, side, 3)
        Interpolated slices, distance from the nearest slice, target.
    """
    blur, spread, distance = (tf.constant(part) for part in stacks)
    side, window = blur.shape[1:]
    context = (window - side) // 2

    def measure(number, patch):
        draw = tf.random.stateless_uniform([], draw_seed([seed, 0], number, _STACK), maxval=blur.shape[0], dtype=tf.int32)
        sigma = noise * tf.random.stateless_uniform([], draw_seed([seed, 0], number, _LEVEL))
        drawn = tf.random.stateless_normal([*patch.shape[:2], spread.shape[2]], draw_seed([seed, 0], number, _NOISE))
        source = tf.linalg.matvec(blur[draw], patch[..., 0]) + sigma * tf.linalg.matvec(spread[draw], drawn)
        return tf.stack([source, tf.broadcast_to(distance[draw], source.shape), patch[:, :, context : context + side, 0]], axis=-1)

    return patches.enumerate().map(measure, num_parallel_calls=tf.data.AUTOTUNE)


def corrupted_pairs(patches, batch_size, seed, jitter=0.0, noise=0.0):
    """Make batches of (source, target); sources are scaled, shifted and noisy by chance, targets are not.

    Parameters
    ----------
    patches : tf.data.Dataset of float32, shape (x, y, z, channels)
        The target is the last channel. More than one channel of the source are those of thick slices, which are to be disturbed before.
    batch_size : int
    seed : int
    jitter : float
        Half of the sources are multiplied by 1 ± this at most, and half are shifted by at most this.
    noise : float
        A quarter of them get Gaussian noise of at most this SD.

    Returns
    -------
    tf.data.Dataset of (float32, shape (batch, x, y, z, channels - 1); float32, shape (batch, x, y, z, 1))
    """

    def disturb(number, patch):
        source, target = patch[..., :-1], patch[..., -1:]
        draw = tf.random.stateless_uniform([4], draw_seed([seed, 0], number, _JITTER))
        change = jitter * tf.where(draw[:2] < _JITTER_SHARE, 2 * draw[2:] - 1, 0.0)
        source = source * (1 + change[0]) + change[1]
        if noise > 0:
            level = tf.random.stateless_uniform([2], draw_seed([seed, 0], number, _LEVEL))
            sigma = tf.where(level[0] < _NOISE_SHARE, noise * level[1], 0.0)
            source += sigma * tf.random.stateless_normal(source.shape, draw_seed([seed, 0], number, _NOISE))
        return source, target

    pairs = patches.enumerate().map(disturb, num_parallel_calls=tf.data.AUTOTUNE)
    return pairs.batch(batch_size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def _rotation(angles):
    """Return the matrix that turns about x, then y, then z."""
    cosine, sine = tf.cos(angles), tf.sin(angles)
    matrix = tf.eye(3)
    for axis in range(3):
        first, second = [other for other in range(3) if other != axis]
        # Right-handed about y means from z to x.
        sign = -1.0 if axis == 1 else 1.0
        entries = {(first, first): cosine[axis], (second, second): cosine[axis], (axis, axis): 1.0,
                   (first, second): -sign * sine[axis], (second, first): sign * sine[axis]}  # fmt: skip
        turn = tf.stack([tf.stack([tf.cast(entries.get((row, column), 0.0), tf.float32) for column in range(3)]) for row in range(3)])
        matrix = tf.matmul(turn, matrix)
    return matrix
