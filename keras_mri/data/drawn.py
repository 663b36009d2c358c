"""Images that are drawn, as tf.data pipelines: painted label maps, and noise as scanners write it.

Every draw is a pure function of the seed and of its number: a pipeline gives the same images in every run, in one order, however
many are drawn at once.

Examples
--------
>>> images = painted_images([labels], zooms=(1, 1, 1), seed=0)  # doctest: +SKIP
>>> for noisy, clean, sd in with_scanner_noise(images, (0.01, 0.1), seed=1).take(20):  # doctest: +SKIP
...     ...
"""

import numpy as np
import tensorflow as tf

from keras_mri.errors import InputError
from keras_mri.imaging.acquisition.scanner_noise import add_scanner_noise, draw_scanner
from keras_mri.imaging.painted.label_maps import drawn_image

# Streams of random numbers of one seed.
_IMAGE, _NOISE, _MEASURED = 0, 1, 2


def painted_images(label_maps, zooms, seed, contrast=None):
    """Paint label maps without end: another head, shape, contrast and brightness each time; no noise.

    Parameters
    ----------
    label_maps : sequence of ndarray of int, shape (x, y, z)
        Voxels of 1 mm, 0 is air.
    zooms : sequence of float or callable
        Sides of the voxels of the images, mm; or a function that draws them with a numpy.random.Generator.
    seed : int
    contrast : str, optional
        One of `keras_mri.imaging.painted.tissues.CONTRASTS`; drawn without it.

    Returns
    -------
    tf.data.Dataset of float32, shape (x', y', z')
        Not negative, tissues up to about 1.2; shapes differ.

    Raises
    ------
    InputError
        If there is no label map, or one is not of whole numbers on three axes.
    """
    label_maps = [np.asarray(labels) for labels in label_maps]
    if not label_maps or any(labels.ndim != 3 or labels.dtype.kind not in "iu" or not labels.any() for labels in label_maps):
        raise InputError("`label_maps` are arrays of whole numbers with three axes, not all 0. Received: another kind, or none.")

    def draw(number):
        rng = np.random.default_rng([seed, _IMAGE, int(number)])
        labels = label_maps[rng.integers(len(label_maps))]
        return drawn_image(labels, zooms(rng) if callable(zooms) else zooms, rng, contrast)

    return _numbered(draw, [(None, None, None)])


def with_scanner_noise(images, sigma, seed, scanner=None):
    """Give each image noise as a scanner would have written it.

    Parameters
    ----------
    images : tf.data.Dataset of float32, shape (x, y, z)
        Not negative.
    sigma : tuple of float, (lowest, highest)
        SD of the noise, in the unit of the images; drawn between them, weak noise more often (the square of a uniform number).
    seed : int
    scanner : keras_mri.imaging.acquisition.scanner_noise.Scanner, optional
        The same for all images; drawn anew for each without it.

    Returns
    -------
    tf.data.Dataset of three float32, shape (x, y, z)
        Noisy and clean image, and the SD of the noise in each voxel.

    Raises
    ------
    InputError
        If `sigma` is no range, or negative.
    """
    low, high = _range_of(sigma)

    def draw(number, image):
        rng = np.random.default_rng([seed, _NOISE, int(number)])
        strength = low + (high - low) * rng.random() ** 2
        noisy, sd = add_scanner_noise(image, strength, scanner or draw_scanner(rng), rng)
        return noisy.astype(np.float32), image, sd

    return _mapped(images, draw, 3)


def with_measured_noise(images, noise, sigma, seed):
    """Give each image noise that a scanner did write: a piece of it from anywhere, turned at random.

    Parameters
    ----------
    images : tf.data.Dataset of float32, shape (x, y, z)
    noise : ndarray of float32, shape (x, y, z, n)
        As `keras_mri.imaging.acquisition.frame_differences` returns it.
    sigma : tuple of float, (lowest, highest)
        SD of the noise over the image, in the unit of the images.
    seed : int

    Returns
    -------
    tf.data.Dataset of two float32, shape (x, y, z)
        Noisy and clean image.

    Raises
    ------
    InputError
        If `sigma` is no range, or `noise` has no frames.
    """
    low, high = _range_of(sigma)
    if np.ndim(noise) != 4 or not np.any(noise):
        raise InputError("`noise` needs the shape (x, y, z, n) and values that are not all 0. Received: something else.")

    def draw(number, image):
        rng = np.random.default_rng([seed, _MEASURED, int(number)])
        frame = np.asarray(noise[..., rng.integers(noise.shape[3])], np.float32)
        piece = _piece(frame.transpose(rng.permutation(3)), image.shape, rng) * rng.choice((-1, 1))
        strength = low + (high - low) * rng.random() ** 2
        return (image + piece * np.float32(strength / max(piece.std(), 1e-12))).astype(np.float32), image

    return _mapped(images, draw, 2)


def _numbered(draw, shapes):
    numbers = tf.data.Dataset.range(np.iinfo(np.int64).max)
    return numbers.map(_with_shapes(draw, shapes), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _mapped(images, draw, count):
    shapes = [images.element_spec.shape] * count
    return images.enumerate().map(_with_shapes(draw, shapes), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _with_shapes(draw, shapes):
    """Let a function of NumPy arrays run in a pipeline, its results float32 of these shapes."""

    def in_graph(*values):
        results = tf.numpy_function(draw, values, [tf.float32] * len(shapes), stateful=False)
        results = results if isinstance(results, (list, tuple)) else [results]
        results = tuple(tf.ensure_shape(result, shape) for result, shape in zip(results, shapes))
        return results if len(results) > 1 else results[0]

    return in_graph


def _piece(frame, shape, rng):
    """Cut a piece of this shape anywhere, continued by its mirror image where it is too small."""
    for axis, (have, want) in enumerate(zip(frame.shape, shape)):
        index = np.abs(np.arange(want) + rng.integers(have)) % max(2 * have - 2, 1)
        frame = np.take(frame, np.minimum(index, 2 * have - 2 - index) if have > 1 else np.zeros(want, int), axis=axis)
    return frame


def _range_of(sigma):
    if np.shape(sigma) != (2,) or not 0 <= sigma[0] <= sigma[1]:
        raise InputError(f"`sigma` is the lowest and the highest SD of the noise, neither negative. Received: {sigma}.")
    return sigma
