"""What a generative network learns from: runs on one grid in network units, and a label for every volume."""

import dataclasses
import pathlib

import numpy as np

from keras_mri.data.run_cache import RunCache
from keras_mri.data.splits import hold_out
from keras_mri.errors import GridMismatchError, InputError
from keras_mri.imaging.intensity import Scaling, fit_image_scaling
from keras_mri.imaging.orientation import Orientation
from keras_mri.inference.extremes import as_seen
from keras_mri.io import grids
from keras_mri.io.nifti_reading import open_image
from keras_mri.systems.ldm.labels import codes, known_names, labels_of_events, read_events, read_volume_labels
from keras_mri.training.clock import in_time

# Voxel sides that differ by less are one grid; scanners round.
_SAME_ZOOM = 0.02


@dataclasses.dataclass(frozen=True)
class Grid:
    """The grid that a network knows: another scanner's coordinates do not matter, voxels and field of view do.

    Parameters
    ----------
    shape : tuple of int, (x, y, z)
    affine : ndarray of float64, shape (4, 4)
        Affine of the first image.
    """

    shape: tuple[int, int, int]
    affine: np.ndarray

    @property
    def zooms(self):
        """Voxel sides, mm."""
        return grids.zooms(self.affine)

    def check(self, volume, shape=None):
        """Raise GridMismatchError unless a volume has this grid's shape and voxels, or another shape over the same field of view."""
        shape = shape or self.shape
        zooms = [zoom * side / fewer for zoom, side, fewer in zip(self.zooms, self.shape, shape)]
        if self._fits(volume, shape, zooms):
            return
        raise GridMismatchError(
            f"{volume.name} does not lie on the grid that the network knows.\n"
            f"  expected  shape {tuple(shape)}  zooms {_rounded(zooms)} mm\n"
            f"  received  shape {tuple(volume.shape[:3])}  zooms {_rounded(volume.zooms)} mm\n"
            "  Resample it to that grid, e.g. with nilearn.image.resample_to_img, or train with `any_grid`."
        )

    def holds(self, volume):
        """Tell whether a volume has this grid's shape and voxels: bool."""
        return self._fits(volume, self.shape, self.zooms)

    @staticmethod
    def _fits(volume, shape, zooms):
        return tuple(volume.shape[:3]) == tuple(shape) and np.allclose(volume.zooms, zooms, rtol=_SAME_ZOOM)

    @classmethod
    def of(cls, volume, orientation):
        """Return the grid of a Volume once it is turned by an Orientation."""
        sides = tuple(volume.shape[axis] for axis in orientation.axes)
        return cls(sides, orientation.turned_affine(np.asarray(volume.affine), volume.shape))

    def to_json(self):
        """Return the grid as a dict that `json.dumps` accepts and `from_json` restores."""
        return {"shape": list(self.shape), "affine": np.asarray(self.affine, float).tolist()}

    @classmethod
    def from_json(cls, values):
        """Build the grid from what `to_json` gave."""
        return cls(tuple(values["shape"]), np.array(values["affine"]))


@dataclasses.dataclass(frozen=True)
class LabelledRuns:
    """Runs, in network units, with the labels of their volumes.

    Parameters
    ----------
    runs : list of ndarray of float32, shape (x, y, z, t)
    codes : list of ndarray of int32, shape (t,)
        Numbers of the labels; `len(names)` for none.
    names : tuple of str
        The labels, in order of their codes.
    grid : Grid
    scaling : Scaling
        Back to intensities: the mean of the images' own.
    zooms : list of tuple of float
        Sides of the voxels of each run, mm.
    """

    runs: list
    codes: list
    names: tuple
    grid: Grid
    scaling: Scaling
    zooms: list

    def divided(self):
        """Return two LabelledRuns, for training and held out: the last fifth in time, of files, or of a single volume's slices."""
        runs, zooms = hold_out(self.runs), _divided_like(self.runs, self.zooms)
        if len(self.runs) == 1 and self.runs[0].shape[3] == 1:
            numbers = (self.codes, self.codes)
        else:
            # One voxel that is its label, cut as the run is.
            numbers = [[part[0, 0, 0] for part in parts] for parts in hold_out([one.reshape(1, 1, 1, -1) for one in self.codes])]
        return [dataclasses.replace(self, runs=run, codes=number, zooms=side) for run, number, side in zip(runs, numbers, zooms)]


def labelled_runs(images, config):
    """Load scans, bring them to network units, and label their volumes.

    Parameters
    ----------
    images : sequence of str, path-like or Volume
        3D or 4D, on one grid; with `any_grid` on any, and turned from left to right, back to front, bottom to top.
    config : keras_mri.systems.ldm.settings.Config

    Returns
    -------
    LabelledRuns

    Raises
    ------
    InputError
        If the images lie on different grids, or labels and volumes do not belong together.
    """
    volumes = [as_seen(open_image(image).with_repetition_time(config.tr)).volume for image in images]
    turns = [Orientation(volume.affine if config.any_grid else np.eye(4)) for volume in volumes]
    grid = Grid.of(volumes[0], turns[0])
    for volume in volumes[1:] if not config.any_grid else ():
        grid.check(volume)
    labels = [_labels(volume, tables, config) for volume, tables in zip(volumes, _tables(config, len(volumes)))]
    scalings = [fit_image_scaling(volume, config.scaling) for volume in volumes]
    cache = RunCache(config.cache)
    each = in_time(zip(volumes, scalings), [volume.name for volume in volumes])
    whole = (scaling.apply(volume.sample_frames(volume.n_frames)) for volume, scaling in each)
    runs = [cache.keep(turn.turned(run)) for run, turn in zip(whole, turns)]
    labels = labels[: len(runs)]
    names = known_names(label for run in labels for label in run)
    scaling = Scaling(*(float(np.mean([getattr(one, name) for one in scalings])) for name in ("offset", "scale")))
    sides = [turn.zooms if config.any_grid else volume.zooms for turn, volume in zip(turns, volumes)][: len(runs)]
    return LabelledRuns(runs, [codes(run, names) for run in labels], names, grid, scaling, sides)


def _divided_like(runs, values):
    """Return one value for each run, for those that train and those that are held out."""
    numbers = [np.full((1, 1, 1, run.shape[3]), k) for k, run in enumerate(runs)]
    parts = hold_out(numbers) if len(runs) > 1 or runs[0].shape[3] > 1 else (numbers, numbers)
    return [[values[part.flat[0]] for part in part_of_all] for part_of_all in parts]


def _tables(config, count):
    """Return what labels each image: ("events" or "labels", table)."""
    for kind in ("events", "labels"):
        tables = vars(config)[kind]
        if tables:
            if len(tables) != count:
                raise InputError(f"`{kind}` needs one table for each image, in their order. Received: {len(tables)} for {count} image(s).")
            return [(kind, table) for table in tables]
    return [(None, None)] * count


def _labels(volume, table, config):
    kind, path = table
    if kind == "events":
        return labels_of_events(read_events(path), volume.n_frames, repetition_time(volume), config.lag, path)
    if kind == "labels" and (pathlib.Path(path).suffix in (".tsv", ".txt") or pathlib.Path(path).is_file()):
        return read_volume_labels(path, volume.n_frames)
    return [path] * volume.n_frames


def _rounded(zooms):
    return tuple(round(float(zoom), 4) for zoom in zooms)


def repetition_time(volume):
    """Return the time between the frames of a run.

    Parameters
    ----------
    volume : Volume
        4D, with the header of its file.

    Returns
    -------
    float
        Seconds, whatever the unit of the header; a header without a unit is taken to mean seconds.

    Raises
    ------
    InputError
        If there is none.
    """
    if volume.repetition_time is None:
        raise InputError(
            f"{volume.name} says no repetition time (shape {volume.shape}), so events in seconds have no volumes. "
            "State it with `tr`, in seconds, or give one label per volume with `labels`."
        )
    return volume.repetition_time
