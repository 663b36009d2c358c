"""A label map as an echo-planar scan sees it: signal lost and tissue displaced where air is near, brighter beneath the coil.

The field is that of tissue and air in a magnet, computed from the map itself; what it does to the image follows from the echo time and
the time that an echo train takes.

References
----------
Marques & Bowtell, Concepts Magn Reson B 25:65, 2005 (field of a susceptibility map). doi:10.1002/cmr.b.20034
Jezzard & Balaban, Magn Reson Med 34:65, 1995 (displacement along the phase axis). doi:10.1002/mrm.1910340111
"""

import dataclasses

import numpy as np
from scipy import fft, ndimage

from keras_mri.imaging.painted import shapes
from keras_mri.imaging.painted.label_maps import bias_field, measured, paint
from keras_mri.imaging.painted.tissues import draw_contrast

# Hz in one tesla; difference of the susceptibilities of tissue and air.
_GYROMAGNETIC, _SUSCEPTIBILITY = 42.577e6, -9.4e-6
# Axes of the map: the phase is encoded along the second, the magnet lies along the third.
_PHASE, _MAGNET = 1, 2
# Farthest that the coil brightens what lies beneath it, mm.
_REACH = 25.0
_GRAIN = (0.5, 1.5)


@dataclasses.dataclass(frozen=True)
class EchoPlanar:
    """How an echo-planar scan is made.

    Parameters
    ----------
    echo_time : float
        s; 0 for a spin echo, which loses no signal to the field.
    readout : float
        s that the train of echoes takes; negative where it runs the other way.
    field : float
        Strength of the magnet, T.
    coil : float
        How much brighter the surface is than the centre, as a share.
    """

    echo_time: float
    readout: float
    field: float = 3.0
    coil: float = 0.0


def draw_echo_planar(rng, spin_echo=False):
    """Draw how a scan is made: EchoPlanar.

    Parameters
    ----------
    rng : numpy.random.Generator
    spin_echo : bool
    """
    readout = rng.uniform(0.01, 0.035) * rng.choice((-1, 1))
    return EchoPlanar(0.0 if spin_echo else rng.uniform(0.02, 0.04), readout, rng.choice((1.5, 3.0)), rng.uniform(0, 1))


def field_map(tissue, field=3.0):
    """Return what tissue and air add to the field of the magnet, without what a linear shim takes out.

    Parameters
    ----------
    tissue : ndarray of bool, shape (x, y, z)
        Voxels with equal sides; the magnet's field lies along the third axis.
    field : float
        T.

    Returns
    -------
    ndarray of float32, shape (x, y, z)
        Hz.
    """
    # Room around the map, so that its copies beyond the edges, which a Fourier transform implies, are far.
    sides = [fft.next_fast_len(side + side // 2, real=True) for side in tissue.shape]
    kx, ky, kz = (rate.astype(np.float32) for rate in np.meshgrid(*_frequencies(sides), indexing="ij", sparse=True))
    squares = kx**2 + ky**2 + kz**2
    squares[0, 0, 0] = 1
    dipole = np.float32(1 / 3) - kz**2 / squares
    spectrum = fft.rfftn(tissue.astype(np.float32), sides) * dipole
    full = fft.irfftn(spectrum, sides)[tuple(slice(side) for side in tissue.shape)]
    return _shimmed(np.float32(_GYROMAGNETIC * field * _SUSCEPTIBILITY) * full, tissue)


def dephased(image, field, scan, voxel):
    """Take from an image the signal that a gradient echo loses where the field changes within a voxel.

    Parameters
    ----------
    image : ndarray of float32, shape (x, y, z)
    field : ndarray of float32, shape (x, y, z)
        Hz.
    scan : EchoPlanar
    voxel : sequence of float
        Sides of the voxels that are measured, in voxels of the image.

    Returns
    -------
    ndarray of float32, shape (x, y, z)
    """
    for axis, side in enumerate(voxel) if scan.echo_time else ():
        image = image * np.abs(np.sinc(scan.echo_time * side * np.gradient(field, axis=axis)))
    return image.astype(np.float32)


def displaced(image, shift):
    """Move the signal of every voxel along the phase axis; what is moved to one place adds up, and none is lost on the way.

    Parameters
    ----------
    image : ndarray of float32, shape (x, y, z)
    shift : ndarray of float32, shape (x, y, z)
        Voxels.

    Returns
    -------
    ndarray of float32, shape (x, y, z)
        What leaves the image is gone.
    """
    # Halves of voxels: where tissue is stretched, no gaps open.
    image, shift = (np.moveaxis(part, _PHASE, 2) for part in (image, shift))
    side = image.shape[2]
    centres = (np.arange(2 * side) + 0.5) / 2 - 0.5
    below = np.clip(np.floor(centres).astype(int), 0, side - 2)
    share = np.clip(centres - below, 0, 1).astype(np.float32)
    fine = (image[..., below] * (1 - share) + image[..., below + 1] * share) / 2
    places = centres + shift[..., below] * (1 - share) + shift[..., below + 1] * share
    lines = np.arange(image.shape[0] * image.shape[1]).reshape(*image.shape[:2], 1) * side
    result = np.zeros(image.size, np.float64)
    first = np.floor(places).astype(int)
    for start, weight in ((first, 1 - (places - first)), (first + 1, places - first)):
        inside = (start >= 0) & (start < side)
        result += np.bincount((lines + start)[inside], (fine * weight)[inside], image.size)
    return np.moveaxis(result.reshape(image.shape), 2, _PHASE).astype(np.float32)


def drawn_epi(labels, size, voxel, rng, spin_echo=False):
    """Draw an echo-planar volume of a label map: another shape and contrast, signal lost and displaced, no noise.

    Parameters
    ----------
    labels : ndarray of int, shape (x, y, z)
        From left to right, back to front, bottom to top.
    size : float
        Side of the map's voxels, mm.
    voxel : sequence of float
        Sides of the voxels of the result, mm.
    rng : numpy.random.Generator
    spin_echo : bool

    Returns
    -------
    image : ndarray of float32
        Over the map's field of view; not negative, brain up to about 1.2.
    labels : ndarray of int, shape of `labels`
        The map with its new shape, without displacement.
    """
    extent = [max(2, round(side * size)) for side in labels.shape]
    deformation = shapes.drawn_deformation(extent, rng) / np.float32(size)
    labels = shapes.moved(labels, shapes.drawn_affine(rng), deformation, bool(rng.integers(2)))
    contrast = draw_contrast(np.flatnonzero(np.bincount(labels.ravel())), rng, "EPI")
    scan = draw_echo_planar(rng, spin_echo)
    sides = [side / size for side in voxel]
    image = np.maximum(paint(labels, contrast, rng, rng.uniform(*_GRAIN)), 0)
    image = image * bias_field(image.shape, rng) * beneath_coil(labels > 0, scan.coil, size)
    field = field_map(labels > 0, scan.field)
    image = displaced(dephased(image, field, scan, sides), field * np.float32(scan.readout * sides[_PHASE]))
    return measured(image, sides, rng), labels


def beneath_coil(head, strength, size):
    """Return the brightness that a coil around the head adds: 1 deep inside, 1 + strength at the surface.

    Parameters
    ----------
    head : ndarray of bool, shape (x, y, z)
    strength : float
    size : float
        Side of the voxels, mm.

    Returns
    -------
    ndarray of float32, shape (x, y, z)
    """
    filled = ndimage.binary_fill_holes(head)
    depth = ndimage.distance_transform_edt(filled) * size
    return (1 + strength * np.exp(-depth / _REACH)).astype(np.float32)


def _frequencies(sides):
    return [fft.fftfreq(side) for side in sides[:-1]] + [fft.rfftfreq(sides[-1])]


def _shimmed(field, tissue):
    """Take out the constant and the linear part that a least-squares fit finds in tissue."""
    places = np.argwhere(tissue)[::17]
    inside = np.column_stack([np.ones(len(places)), places])
    if len(places) < inside.shape[1]:
        return field
    fit = np.linalg.lstsq(inside, field[tuple(places.T)], rcond=None)[0]
    x, y, z = np.ogrid[tuple(slice(side) for side in field.shape)]
    return (field - (fit[0] + fit[1] * x + fit[2] * y + fit[3] * z)).astype(np.float32)
