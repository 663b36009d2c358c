"""A volume or run, in memory or read on demand: frames, affine and header travel together."""

import copy
import functools
import os
import pathlib
import typing
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from keras_mri.errors import InputError
from keras_mri.io import grids, repetition_times
from keras_mri.io.bids.metadata import Metadata, inherited
from keras_mri.io.intake import header_checks

if typing.TYPE_CHECKING:
    import nibabel

# A window of neighbouring frames is read once each: five frames for the network, a few for look-ahead.
_FRAMES_KEPT = 8


class Volume:
    """A 3D volume or 4D run whose frames are read (or computed) only when asked for.

    Parameters
    ----------
    read_frame : callable
        `read_frame(t)` returns frame `t`: ndarray of float32, shape (x, y, z).
    shape : sequence of int
        (x, y, z) or (x, y, z, t).
    affine : ndarray of float64, shape (4, 4)
        Voxel indices to RAS+ millimetres.
    header : nibabel.Nifti1Header, optional
        Carried to the output, never changed.
    name : str, optional
        The image's name in messages: usually its path.
    source : Volume, optional
        The Volume from which this one was computed.

    Attributes
    ----------
    facts : dict
        What was found out while frames were computed, for the verdict and the report.
    foreign_header : nibabel.freesurfer.MGHHeader or None
        The header of an MGH file as it was read, for an output in the same format.
    file : path-like or None
        The file that the Volume was read from, beside which its side-cars lie.

    Raises
    ------
    InputError
        If `shape` is neither 3D nor 4D.

    Examples
    --------
    >>> import numpy as np
    >>> from keras_mri.io.volumes import Volume
    >>> data = np.arange(5 * 4 * 3 * 2).reshape(5, 4, 3, 2)
    >>> run = Volume.from_array(data, np.diag([-2.0, 2.0, 3.0, 1.0]), name="a run")
    >>> run
    Volume(shape=(5, 4, 3, 2), zooms=(2.0, 2.0, 3.0), axes='LAS', name='a run')
    >>> run.n_frames, run.extremes
    (2, (0.0, 119.0))
    >>> halved = run.with_frames(lambda t: run.frame(t) / 2)
    >>> float(halved.frame(1).max())
    59.5
    """

    def __init__(
        self,
        read_frame: Callable[[int], np.ndarray],
        shape: Sequence[int],
        affine: np.ndarray,
        header: "nibabel.Nifti1Header | None" = None,
        name: str | os.PathLike = "image",
        source: "Volume | None" = None,
    ):
        self.shape, self.affine, self.header, self.name = tuple(int(side) for side in shape), affine, header, str(name)
        self.source, self.facts, self.file, self.foreign_header = source, {}, None, None
        if len(self.shape) not in (3, 4) or 0 in self.shape:
            raise InputError(f"{name} must be a 3D volume (x, y, z) or a 4D run (x, y, z, t). Received: {len(shape)}D, shape {self.shape}.")
        self._read_frame = functools.lru_cache(maxsize=_FRAMES_KEPT)(read_frame)

    @classmethod
    def from_array(
        cls, data: np.ndarray, affine: np.ndarray, header: "nibabel.Nifti1Header | None" = None, name: str | os.PathLike = "image"
    ) -> "Volume":
        """Wrap an array of shape (x, y, z) or (x, y, z, t), finite real numbers, as a Volume; InputError for anything else."""
        data = _real(data, name)
        header_checks.check_affine(name, affine)
        header_checks.check_header(name, header)
        affine = np.asarray(affine, np.float64)
        return cls(lambda t: data[..., t] if data.ndim == 4 else data, data.shape, affine, header, name)

    def __repr__(self) -> str:
        zooms = tuple(round(zoom, 4) for zoom in self.zooms)
        time = f", TR={self._shown_time:g} s" if self._shown_time else ""
        # Without its folder: what is printed ends up in notebooks and logs that others read.
        name = pathlib.PurePath(self.name).name
        return f"Volume(shape={self.shape}, zooms={zooms}, axes={grids.axis_codes(self.affine)!r}{time}, name={name!r})"

    @property
    def n_frames(self) -> int:
        """Number of time points; 1 for a 3D volume."""
        return self.shape[3] if len(self.shape) == 4 else 1

    @property
    def zooms(self) -> tuple[float, float, float]:
        """Voxel sides, mm: the lengths of the affine's columns."""
        return grids.zooms(self.affine)

    @functools.cached_property
    def metadata(self) -> Metadata:
        """What the side-cars of its file say, by the inheritance principle of BIDS; nothing for an image in memory."""
        if self.source is not None:
            return self.source.metadata
        return Metadata({}, {}) if self.file is None else inherited(self.file)

    @functools.cached_property
    def repetition_time(self) -> float | None:
        """Time between the frames of a run, s: of its header and its side-car; None where it is not known.

        An InputError if the two differ. An impossible time, or one in another unit than stated, is named by a remark.
        """
        if self.header is None or len(self.shape) < 4:
            return None
        if self.source is not None and self.source.n_frames == self.n_frames:
            return self.source.repetition_time
        return repetition_times.settle(self.name, self.header, self.metadata, self.n_frames)

    def with_repetition_time(self, seconds: float | None) -> "Volume":
        """Return the same run with the repetition time that the user states, in seconds; None leaves it as it is, and a volume has none."""
        if seconds is None or len(self.shape) < 4:
            return self
        timed = copy.copy(self)
        timed.repetition_time = float(seconds)
        return timed

    @property
    def _shown_time(self):
        """The repetition time if it is settled, otherwise what the header means: nothing is read or said for the sake of a picture."""
        if "repetition_time" in vars(self) or self.header is None or len(self.shape) < 4:
            return vars(self).get("repetition_time")
        stated = repetition_times.of_header(self.header)
        return stated and stated.seconds

    @property
    def data(self) -> np.ndarray:
        """All frames at once: ndarray of float32, shape as `shape`."""
        return np.stack(list(self.frames()), axis=-1).reshape(self.shape)

    @functools.cached_property
    def extremes(self) -> tuple[float, float]:
        """The lowest and the highest intensity of all frames; NaN if any voxel is NaN."""
        lows, highs = zip(*((frame.min(), frame.max()) for frame in self.frames()))
        return float(np.min(lows)), float(np.max(highs))

    def frame(self, t: int) -> np.ndarray:
        """Return frame `t`: ndarray of float32, shape (x, y, z)."""
        return self._read_frame(t)

    def frames(self) -> Iterator[np.ndarray]:
        """Yield every frame in order of time."""
        return (self.frame(t) for t in range(self.n_frames))

    def sample_frames(self, most: int) -> np.ndarray:
        """Return at most `most` frames spread evenly in time: ndarray of float32, shape (x, y, z, frames)."""
        chosen = np.linspace(0, self.n_frames - 1, min(most, self.n_frames)).round().astype(int)
        return np.stack([self.frame(t) for t in chosen], axis=-1)

    def with_frames(self, read_frame: Callable[[int], np.ndarray], facts: dict | None = None) -> "Volume":
        """Return a Volume with the same grid, header and name, whose frames `read_frame(t)` computes from this one's."""
        result = Volume(read_frame, self.shape, self.affine, self.header, self.name, source=self)
        result.facts = {} if facts is None else facts
        return result

    def save(self, path: str | os.PathLike, *, dtype: str = "float32", overwrite: bool = False) -> None:
        """Write the Volume as NIfTI or MGH, frame by frame, with its header; the file appears only when it is complete.

        Parameters
        ----------
        path : str or path-like
            Ends in `.nii` or `.nii.gz`, or in `.mgz` or `.mgh`.
        dtype : {"float32", "float64", "int16", "uint16", "uint8"}
            Integers get the slope and intercept that spread them over their range; in MGH, which has neither, they are rounded.
        overwrite : bool
            Replace a file that exists.

        Raises
        ------
        InputError
            If the file exists, another argument cannot be used, the folder cannot be written, or the disk is full.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> volume = Volume.from_array(np.ones((5, 4, 3)), np.eye(4))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     volume.save(pathlib.Path(folder) / "ones.nii.gz")
        """
        # These modules import this one.
        from keras_mri.io import nifti_writing
        from keras_mri.io.whole_files import check_output

        nifti_writing.save(self, check_output(path, nifti_writing.SUFFIXES, overwrite, option="path"), dtype)

    def to_nibabel(self) -> "nibabel.Nifti1Image":
        """Return all frames as a nibabel image in memory, for nilearn and others.

        Returns
        -------
        nibabel.Nifti1Image or nibabel.Nifti2Image
            float32; its header is that of the file which `save` would write.

        Examples
        --------
        >>> Volume.from_array(np.ones((5, 4, 3)), np.eye(4)).to_nibabel().shape
        (5, 4, 3)
        """
        from keras_mri.io import nifti_writing  # it imports this module

        return nifti_writing.to_nibabel(self)


def _real(data, name):
    """Return an array as float32; raise InputError unless it holds finite real numbers."""
    try:
        data = np.asarray(data)
    except ValueError as error:  # rows of different lengths
        raise InputError(f"{name} must be an array of numbers: {error}.") from error
    header_checks.check_numbers(name, data.dtype)
    with np.errstate(over="ignore"):
        data = data.astype(np.float32, copy=False)
    bad = np.count_nonzero(~np.isfinite(data))
    if bad:
        raise InputError(f"{name} has NaN or infinity in {bad} voxels. Replace them, e.g. with numpy.nan_to_num.")
    return data
