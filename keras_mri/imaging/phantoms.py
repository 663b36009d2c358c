"""A small digital head whose truth is known: the ground of the tests, at any shape, from a seed."""

import numpy as np

from keras_mri.imaging.noise import add_gaussian_noise, add_rician_noise
from keras_mri.io.volumes import Volume

# Intensity of each tissue of a T2*-like contrast; CSF is brightest.
_SCALP, _CSF, _GREY, _WHITE = 0.35, 1.0, 0.7, 0.55
# Centre, half-axes (as shares of half the field of view) and intensity of the ellipsoids, painted one over another.
_ELLIPSOIDS = (
    ((0.0, 0.0, 0.0), (0.90, 0.95, 0.92), _SCALP),
    ((0.0, 0.0, 0.0), (0.80, 0.85, 0.84), _CSF),
    ((0.0, 0.0, 0.0), (0.74, 0.79, 0.78), _GREY),
    ((0.0, 0.02, 0.0), (0.58, 0.63, 0.62), _WHITE),
    ((-0.16, 0.05, 0.05), (0.10, 0.30, 0.22), _CSF),
    ((0.16, 0.05, 0.05), (0.10, 0.30, 0.22), _CSF),
    ((-0.28, 0.10, -0.15), (0.14, 0.17, 0.17), _GREY),
    ((0.28, 0.10, -0.15), (0.14, 0.17, 0.17), _GREY),
)


def head(shape, seed=0, intensity=1000.0):
    """Draw a noise-free structural head.

    Parameters
    ----------
    shape : tuple of int
        (x, y, z), voxels.
    seed : int
        Moves and scales the structures a little, and shades the field as a receive coil would.
    intensity : float
        Of cerebrospinal fluid, the brightest tissue before shading.

    Returns
    -------
    data : ndarray of float32, shape `shape`
        Not negative; air is 0.
    brain : ndarray of bool, shape `shape`
        Everything inside the scalp.
    """
    rng = np.random.default_rng(seed)
    axes = [np.linspace(-1, 1, side) if side > 1 else np.zeros(1) for side in shape]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    data = np.zeros(shape)
    for number, (centre, half_axes, tissue) in enumerate(_ELLIPSOIDS):
        # The outer three stay concentric, so that no tissue pokes through the scalp.
        shift = rng.uniform(-0.02, 0.02, 3) if number > 2 else np.zeros(3)
        stretch = rng.uniform(0.95, 1.0) if number > 2 else 1.0
        distance = sum(((grid - c - s) / (a * stretch)) ** 2 for grid, c, s, a in zip((x, y, z), centre, shift, half_axes))
        data[distance <= 1] = tissue
        if number == 1:
            brain = distance <= 1
    slope = rng.uniform(-0.15, 0.15, 3)
    shading = 1 + slope[0] * x + slope[1] * y + slope[2] * z
    return (intensity * data * shading).astype(np.float32), brain


def bold_run(shape, seed=0, amplitude=0.02, drift=0.02, period=24):
    """Draw a noise-free BOLD run: the head, a slow drift, and a block-design activation in a small sphere.

    Parameters
    ----------
    shape : tuple of int
        (x, y, z, t).
    seed : int
    amplitude : float
        Signal change of the activation, as a share of the local intensity.
    drift : float
        Signal change over the whole run, likewise.
    period : int
        Frames of one cycle of rest and activation, half and half.

    Returns
    -------
    run : ndarray of float32, shape `shape`
    brain, active : ndarray of bool, shape (x, y, z)
    course : ndarray of float32, shape (t,)
        1 during activation, 0 at rest.
    """
    anatomy, brain = head(shape[:3], seed)
    grids = np.indices(shape[:3])
    centre = [0.5 * shape[0], 0.3 * shape[1], 0.5 * shape[2]]
    radius = max(1.0, min(3.0, 0.15 * min(shape[:3])))
    active = (sum((grid - c) ** 2 for grid, c in zip(grids, centre)) <= radius**2) & brain
    time = np.arange(shape[3])
    course = (time % period >= period // 2).astype(np.float32)
    change = 1 + drift * np.linspace(0, 1, shape[3]) + amplitude * active[..., None] * course
    return (anatomy[..., None] * change).astype(np.float32), brain, active, course


def noisy_volume(data, sigma, seed=0, model="gaussian", affine=None):
    """Add noise to a phantom and give it a place in space.

    Parameters
    ----------
    data : ndarray of float32, shape (x, y, z) or (x, y, z, t)
    sigma : float
        In the unit of `data`.
    seed : int
    model : {"gaussian", "rician"}
    affine : ndarray of float64, shape (4, 4), optional
        Oblique, 2 × 2.5 × 3 mm by default.

    Returns
    -------
    Volume
    """
    add = add_rician_noise if model == "rician" else add_gaussian_noise
    affine = oblique_affine() if affine is None else affine
    return Volume.from_array(add(data, sigma, np.random.default_rng(seed)), affine, name="phantom")


def oblique_affine(zooms=(2.0, 2.5, 3.0), angle=0.2):
    """Return the affine of a slab tilted by `angle` (radians) about x, with its origin off the centre.

    Returns
    -------
    ndarray of float64, shape (4, 4)
    """
    cosine, sine = np.cos(angle), np.sin(angle)
    rotation = np.array([[-1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    affine = np.eye(4)
    affine[:3, :3] = rotation * zooms
    affine[:3, 3] = (31.0, -17.5, 4.25)
    return affine
