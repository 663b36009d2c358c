"""Source and target scans of one anatomy on one grid, divided into training, validation and test."""

import dataclasses
import functools
import logging
import pathlib
import typing

import numpy as np

from keras_mri.data.splits import LEAST_SUBJECTS, split_subjects
from keras_mri.errors import InputError
from keras_mri.imaging.brain_mask import scan_mask
from keras_mri.imaging.intensity import fit_zscore
from keras_mri.imaging.kspace import truncated
from keras_mri.io.mask_files import load_mask
from keras_mri.io.volumes import Volume

_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two images of one anatomy.

    Parameters
    ----------
    subject : str
    source, target : Volume
        3D, on one grid.
    simulated : bool
        The source was made from the target, so both have one unit.
    mask : str, path-like or Volume, optional
        Where the brain is; estimated without it.
    """

    subject: str
    source: Volume
    target: Volume
    simulated: bool = False
    mask: str | pathlib.Path | Volume | None = None

    @property
    def zooms(self):
        """Voxel sides in mm, shape (3,)."""
        return self.target.zooms

    @functools.cached_property
    def brain(self):
        """Where the brain is: ndarray of bool, shape (x, y, z)."""
        return brain_of(self.source, self.mask)

    @property
    def name(self):
        """Of the source: what a prediction gets."""
        return self.source.name

    def z_scores(self, policy="mask"):
        """Bring both images to network units.

        Parameters
        ----------
        policy : {"mask", "volume"}
            Where mean and standard deviation are taken: in the brain, or, as published, everywhere.

        Returns
        -------
        data : ndarray of float32, shape (x, y, z, 2)
            Source, target. Each by its own mean and SD; a simulated pair by the source's, so that no intensity is lost.
        mask : ndarray of bool, shape (x, y, z)
        """
        source, target = self.source.frame(0), self.target.frame(0)
        mask = self.brain
        inside = mask if policy == "mask" else None
        scaling = fit_zscore(source, inside)
        other = scaling if self.simulated else fit_zscore(target, inside)
        return np.stack([scaling.apply(source), other.apply(target)], axis=-1), mask


class PairSplit(typing.NamedTuple):
    """Pairs for training, validation and test; with `slabs` slices of each training scan are held out, because there are too few scans."""

    training: list
    validation: list
    test: list
    slabs: bool = False

    def table(self):
        """Return the text of a TSV file with the columns subject and part."""
        if self.slabs:
            rows = [f"{subject}\ttraining, with a slab of it for validation" for subject in dict.fromkeys(p.subject for p in self.training)]
        else:
            named = dict(training=self.training, validation=self.validation, test=self.test)
            rows = sorted({f"{pair.subject}\t{part}" for part, pairs in named.items() for pair in pairs})
        return "\n".join(["subject\tpart", *rows, ""])


def simulated_pair(target, factors, subject="subject"):
    """Make the low-resolution twin of a scan by truncating its k-space.

    Parameters
    ----------
    target : Volume
        3D.
    factors : tuple of float
        How much larger the voxels of the twin are, along each axis. It stays on the target's grid, zero-filled.
    subject : str

    Returns
    -------
    Pair
    """
    check_3d(target)
    for axis, (side, factor) in enumerate(zip(target.shape, factors)):
        if factor > 1 and side / factor < 2:
            raise InputError(
                f"`simulate` {' '.join(f'{f:g}' for f in factors)} leaves less than two voxels along axis {axis} of {target.name}, "
                f"shape {target.shape}. Use a smaller factor there."
            )
    source = Volume(lambda t: truncated(target.frame(0), factors), target.shape, target.affine, target.header, target.name)
    return Pair(subject, source, target, simulated=True)


def split_pairs(pairs, seed):
    """Divide pairs by subject; of simulated pairs of fewer than three subjects hold out slabs instead.

    Parameters
    ----------
    pairs : sequence of Pair
    seed : int

    Returns
    -------
    PairSplit

    Raises
    ------
    InputError
        If measured pairs come from fewer than three subjects.
    """
    subjects = {pair.subject for pair in pairs}
    if len(subjects) < LEAST_SUBJECTS and all(pair.simulated for pair in pairs):
        parts = PairSplit(list(pairs), [], [], slabs=True)
        _LOGGER.info("%d scan(s), coarser copies counted: a slab of each is held out", len(pairs))
        return parts
    part_of = split_subjects(subjects, seed)
    parts = PairSplit(*([pair for pair in pairs if part_of[pair.subject] == part] for part in ("training", "validation", "test")))
    for name, chosen in zip(PairSplit._fields, parts[:3]):
        _LOGGER.info("%s: %s", name, ", ".join(dict.fromkeys(pair.subject for pair in chosen)))
    return parts


def brain_of(volume, mask=None):
    """Return where the brain of a scan is.

    Parameters
    ----------
    volume : Volume
        3D.
    mask : str, path-like or Volume, optional
        Estimated without it.

    Returns
    -------
    ndarray of bool, shape (x, y, z)

    Raises
    ------
    InputError
        If the mask does not fit, or no brain is found.
    """
    if mask is not None:
        return load_mask(mask, volume)
    try:
        return scan_mask(volume.frame(0), volume.zooms)
    except InputError as error:
        raise InputError(
            f"no brain was found in {volume.name}. Give its mask: with `mask` to predict, in a column mask of `pairs` to train."
        ) from error


def check_3d(volume):
    """Raise InputError if a Volume is a run."""
    if volume.n_frames > 1:
        raise InputError(f"pairs are 3D volumes. Received: {volume.name} of shape {volume.shape}. Split it, or choose one volume of it.")
