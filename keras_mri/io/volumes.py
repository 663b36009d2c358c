"""A volume or run, in memory or on its way: frames, affine and header travel together."""

import functools
import itertools

import numpy as np

from keras_mri.errors import GridMismatchError, InputError

# A window of neighbouring frames is read once each: five frames for the network, a few for look-ahead.
_FRAMES_KEPT = 8
# Programs round affines differently; more than this share of a voxel is another grid.
_SAME_PLACE = 0.03


class Volume:
    """A 3D volume or 4D run whose frames are read (or computed) only when asked for.

    Parameters
    ----------
    read_frame : callable
        `read_frame(t)` returns frame `t`: ndarray of float32, shape (x, y, z).
    shape : tuple of int
        (x, y, z) or (x, y, z, t).
    affine : ndarray of float64, shape (4, 4)
        Voxel indices to RAS+ millimetres.
    header : nibabel.Nifti1Header, optional
        Carried to the output, never changed.
    name : str, optional
        What messages call this image: its path.
    source : Volume, optional
        What this one was computed from.

    Raises
    ------
    InputError
        If `shape` is neither 3D nor 4D.
    """

    def __init__(self, read_frame, shape, affine, header=None, name="image", source=None):
        self.shape, self.affine, self.header, self.name = tuple(int(side) for side in shape), affine, header, str(name)
        self.source = source
        if len(self.shape) not in (3, 4) or 0 in self.shape:
            raise InputError(f"{name} must be a 3D volume (x, y, z) or a 4D run (x, y, z, t). Received: {len(shape)}D, shape {self.shape}.")
        self._read_frame = functools.lru_cache(maxsize=_FRAMES_KEPT)(read_frame)

    @classmethod
    def from_array(cls, data, affine, header=None, name="image"):
        """Wrap an array of shape (x, y, z) or (x, y, z, t) as a Volume."""
        data = np.asarray(data, dtype=np.float32)
        return cls(lambda t: data[..., t] if data.ndim == 4 else data, data.shape, affine, header, name)

    @property
    def n_frames(self):
        """Number of time points; 1 for a 3D volume."""
        return self.shape[3] if len(self.shape) == 4 else 1

    @property
    def zooms(self):
        """Voxel sides in mm, shape (3,): the lengths of the affine's columns."""
        return tuple(float(zoom) for zoom in np.linalg.norm(self.affine[:3, :3], axis=0))

    @property
    def data(self):
        """All frames at once: ndarray of float32, shape as `shape`."""
        return np.stack(list(self.frames()), axis=-1).reshape(self.shape)

    @functools.cached_property
    def extremes(self):
        """The lowest and the highest intensity of all frames: two floats."""
        lows, highs = zip(*((float(frame.min()), float(frame.max())) for frame in self.frames()))
        return min(lows), max(highs)

    def frame(self, t):
        """Return frame `t`: ndarray of float32, shape (x, y, z)."""
        return self._read_frame(t)

    def frames(self):
        """Yield every frame in order of time."""
        return (self.frame(t) for t in range(self.n_frames))

    def sample_frames(self, most):
        """Return at most `most` frames spread evenly in time: ndarray of float32, shape (x, y, z, frames)."""
        chosen = np.linspace(0, self.n_frames - 1, min(most, self.n_frames)).round().astype(int)
        return np.stack([self.frame(t) for t in chosen], axis=-1)

    def with_frames(self, read_frame):
        """Return a Volume on the same grid, with the same header, whose frames `read_frame(t)` computes from this one's."""
        return Volume(read_frame, self.shape, self.affine, self.header, self.name, source=self)


def left_right_axis(affine):
    """Return the voxel axis that runs most nearly from left to right: 0, 1 or 2."""
    directions = affine[0, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return int(np.argmax(np.abs(directions)))


def mirror_axes(affine, mirror, across=None):
    """Return the voxel axes along which mirror images are made.

    Parameters
    ----------
    affine : ndarray of float64, shape (4, 4)
    mirror : {"none", "left-right", "all"}
    across : int, optional
        An axis to leave out: that across which slices follow one another.

    Returns
    -------
    tuple of int
    """
    axes = {"none": (), "left-right": (left_right_axis(affine),), "all": (0, 1, 2)}[mirror]
    return tuple(axis for axis in axes if axis != across)


def check_same_grid(first, second, expectation="the images must lie on one grid"):
    """Raise unless two Volumes share spatial shape and affine (no voxel further apart than 3 % of its side).

    Parameters
    ----------
    first, second : Volume
    expectation : str
        The first line of the message.

    Raises
    ------
    GridMismatchError
    """
    # The outermost voxels must agree: a small difference of zooms or angles grows with the distance from the first voxel.
    corners = np.array([(*corner, 1) for corner in itertools.product(*((0, side - 1) for side in first.shape[:3]))])
    apart = np.linalg.norm((corners @ (first.affine - second.affine).T)[:, :3], axis=1).max()
    if first.shape[:3] == second.shape[:3] and apart <= _SAME_PLACE * min(first.zooms):
        return
    remedy = "  Resample the second to the first, e.g. with nilearn.image.resample_to_img."
    raise GridMismatchError("\n".join([expectation + ".", _describe_grid(first), _describe_grid(second), remedy]))


def _describe_grid(volume):
    zooms = tuple(round(zoom, 4) for zoom in volume.zooms)
    origin = tuple(round(float(value), 2) for value in volume.affine[:3, 3])
    return f"  {volume.name}  shape {volume.shape[:3]}  zooms {zooms} mm  origin {origin} mm  axes {_axis_codes(volume.affine)}"


def _axis_codes(affine):
    """Name the anatomical direction in which each voxel axis mostly runs, e.g. LAS."""
    codes = (("L", "R"), ("P", "A"), ("I", "S"))
    columns = affine[:3, :3].T
    return "".join(codes[np.argmax(np.abs(column))][int(column[np.argmax(np.abs(column))] > 0)] for column in columns)
