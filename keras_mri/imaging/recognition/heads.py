"""Whether there is a head in a picture: its size, its outline and its inside, on a coarse grid."""

import numpy as np
from scipy import fft, ndimage

from keras_mri.imaging.foreground import has_bright_air, otsu_foreground
from keras_mri.imaging.intensity import without_far
from keras_mri.imaging.recognition.coarse import COARSE, coarsened
from keras_mri.io.grids import bounding_box
from keras_mri.io.grids import zooms as zooms_of

# mm: depth below the surface from which on the inside is looked at.
_DEEP = 15.0
# mm: a head fits into a field of view from the first on; smaller and wider things than the next two are none; and nothing of a head is
# as wide as the last in all directions.
_FITS, _SMALLEST, _WIDEST, _THICKEST = 110.0, 90.0, 280.0, 215.0
# Spread of the intensities inside, shading and noise taken off, as a share of their median: 0.045 to 0.33 in scans of heads.
_LEAST_SPREAD = 0.03
# A tube: smallest cross-section as a share of the largest, over a length in mm; 0.5 at most in heads.
_TUBE, _LONG = 0.8, 90.0
# A box: share of the field of view that is filled, from a side in mm on; 0.6 at most in heads.
_FULL, _BOX = 0.85, 150.0
# Correlation of the inside with itself when it is moved so many mm in some direction, above the least on the way there: 0.5 at most in
# heads, near 1 in grids. Moved, this share of the inside must still meet itself.
_REPEATED, _LAGS, _MEETS = 0.7, np.arange(0.0, 70.0, 1.5), 0.3
# Directions spread evenly over half a sphere, by the golden angle: ndarray, shape (ways, 3).
_HEIGHTS = (np.arange(600) + 0.5) / 600
_TURNS = np.pi * (3 - np.sqrt(5)) * np.arange(600)
_WAYS = np.stack([np.sqrt(1 - _HEIGHTS**2) * np.cos(_TURNS), np.sqrt(1 - _HEIGHTS**2) * np.sin(_TURNS), _HEIGHTS], axis=1)
# Distance of the first decile from the ninth in a normal distribution, SD.
_DECILES = 2.563


def why_no_head(frame, affine):
    """Return why a picture shows no head, where that can be seen.

    Slabs, parts of a head, brains alone and defaced heads are heads; so is what is too small a part to judge by.

    Parameters
    ----------
    frame : ndarray of float32, shape (x, y, z)
        Magnitude, any unit.
    affine : ndarray of float64, shape (4, 4)
        Voxel indices to RAS+ mm.

    Returns
    -------
    str or None
        A clause such as "it is 380 mm wide"; None for a head, and where the picture does not tell.
    """
    zooms = zooms_of(affine)
    if max(side * zoom for side, zoom in zip(frame.shape, zooms)) < _FITS or frame.min() == frame.max() or has_bright_air(frame):
        return None
    coarse, zooms = coarsened(without_far(frame), zooms)
    if min(coarse.shape) < 2 or coarse.min() == coarse.max():
        return None
    found = _Object(coarse, zooms)
    return found.wrong_size(_up(affine)) or found.wrong_outline() or found.wrong_inside()


class _Object:
    """The largest bright thing of a coarse picture, its holes filled."""

    def __init__(self, coarse, zooms):
        self.coarse, self.zooms = coarse, zooms
        labels, _ = ndimage.label(otsu_foreground(coarse))
        piece = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
        self.filled = ndimage.binary_fill_holes(ndimage.binary_closing(np.pad(piece, 3), iterations=2))[3:-3, 3:-3, 3:-3]
        ends = [np.flatnonzero(piece.any(axis=tuple({0, 1, 2} - {axis})))[[0, -1]] for axis in range(3)]
        self.sides = np.array([(last - first + 1) * zoom for (first, last), zoom in zip(ends, zooms)])
        self.cut = np.array([[first == 0, last == size - 1] for (first, last), size in zip(ends, coarse.shape)])

    def wrong_size(self, up):
        """Return what is wrong with the size of the thing; `up` is the axis along the body, which has no end."""
        across = max(side for axis, side in enumerate(self.sides) if axis != up)
        if across > _WIDEST:
            return f"it is {across:.0f} mm wide"
        if self.sides.min() > _THICKEST:
            return f"it is at least {self.sides.min():.0f} mm wide in all directions"
        if self.sides.max() < _SMALLEST and not self.cut.any():
            return f"it is {self.sides.max():.0f} mm long"
        return None

    def wrong_outline(self):
        """Return what is wrong with the outline of the thing."""
        if self.sides.min() > _BOX and self.filled.sum() * np.prod(self.zooms) > _FULL * np.prod(self.sides):
            return "it fills a box"
        for axis in np.flatnonzero(self.cut.all(axis=1) & (self.sides > _LONG)):
            areas = self.filled.sum(axis=tuple({0, 1, 2} - {axis}))
            if np.divide(*np.percentile(areas[areas > 0], (5, 95))) > _TUBE:
                return "it is a tube from one end of the picture to the other"
        return None

    def wrong_inside(self):
        """Return what is wrong with the inside of the thing."""
        depth = ndimage.distance_transform_edt(np.pad(self.filled, 1, mode="edge"), sampling=self.zooms)[1:-1, 1:-1, 1:-1]
        inside = depth > min(_DEEP, 0.5 * depth.max())
        # A bright spot alone would make everything like itself.
        texture = np.zeros(inside.shape, np.float32)
        texture[inside] = np.clip(_without_shading(self.coarse, inside), -1, 1)
        if _spread(texture, inside, self.zooms) < _LEAST_SPREAD:
            return "it is the same everywhere inside"
        likeness, apart = _repetition(texture, inside, self.zooms)
        return f"its inside repeats itself {apart:.0f} mm away" if likeness > _REPEATED else None


def _up(affine):
    """Return the axis of the array that is nearest to the direction from feet to head."""
    return int(np.argmax(np.abs(affine[2, :3]) / np.linalg.norm(affine[:3, :3], axis=0)))


def _without_shading(coarse, inside):
    """Return the intensities inside over their median, less the best polynomial of second order in space."""
    places = (np.argwhere(inside) / np.array(coarse.shape) - 0.5).T
    products = [places[first] * places[second] for first in range(3) for second in range(first, 3)]
    terms = np.stack([np.ones(places.shape[1]), *places, *products], axis=1)
    values = coarse[inside].astype(np.float64)
    values /= np.median(values) or 1.0
    return values - terms @ np.linalg.lstsq(terms, values, rcond=None)[0]


def _spread(texture, inside, zooms):
    """Return the SD of a texture without its noise, as the deciles of its local means tell it."""
    texture, weights = (ndimage.gaussian_filter(data, COARSE / zooms) for data in (texture, inside.astype(np.float32)))
    means = texture[inside] / weights[inside]
    return np.subtract(*np.percentile(means, (90, 10))) / _DECILES


def _repetition(texture, inside, zooms):
    """Return how much a texture moved is like itself again after it was not on the way, and how far that is in mm."""
    box = bounding_box(inside)
    texture, inside = texture[box], inside[box]
    # So many zeros that moved by the longest lag nothing meets itself from behind.
    shape = [fft.next_fast_len(side + int(_LAGS[-1] / zoom) + 2, real=True) for side, zoom in zip(texture.shape, zooms)]

    def with_itself(data):
        return fft.irfftn(np.abs(fft.rfftn(data, shape)) ** 2, shape)

    moved, meeting = with_itself(texture), with_itself(inside.astype(np.float32))
    likeness = moved / np.maximum(meeting, 1) * meeting.flat[0] / max(moved.flat[0], 1e-9)
    places = _WAYS[:, :, None] * _LAGS / np.array(zooms)[:, None]  # (ways, 3, lags), voxels
    likeness, meeting = (
        ndimage.map_coordinates(data, np.moveaxis(places, 1, 0), order=1, mode="grid-wrap") for data in (likeness, meeting)
    )
    again = np.where(meeting > _MEETS * inside.sum(), likeness - np.minimum.accumulate(likeness, axis=1), 0)
    way, lag = np.unravel_index(np.argmax(again), again.shape)
    return float(again[way, lag]), float(_LAGS[lag])
