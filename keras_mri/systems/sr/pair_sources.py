"""Where pairs come from: the sessions of a BIDS folder, a table, or scans alone whose k-space is truncated."""

import hashlib
import itertools
import logging
import os
import pathlib

import numpy as np

from keras_mri.errors import GridMismatchError, InputError, remark
from keras_mri.imaging.resampling import coarse_copy, resampled_to
from keras_mri.inference.extremes import as_seen
from keras_mri.io.bids.names import subject_of
from keras_mri.io.grids import check_same_grid
from keras_mri.io.nifti_reading import open_scan
from keras_mri.io.tables import read_rows
from keras_mri.systems.sr.pairs import Pair, check_3d, simulated_pair
from keras_mri.systems.sr.sessions import session_pairs

_LOGGER = logging.getLogger(__name__)
_COLUMNS = ("subject", "source", "target")
# A target whose voxels are larger by more than rounding is not the better image.
_COARSER = 1.01
# mm, and voxels: coarser or smaller copies of a scan teach nothing about the scans that people want to be finer.
_COARSEST, _LEAST_SIDE = 1.5, 64


def open_pairs(paths, config, replace_nonfinite=False):
    """Open the pairs that the command line names in one of three ways.

    Parameters
    ----------
    paths : sequence of str, path-like, nibabel image or Volume
        One BIDS folder; or images, with `config.simulate` or `config.thick_slices`; or nothing, with `config.pairs`.
    config : keras_mri.systems.sr.settings.Config
    replace_nonfinite : bool
        Read NaN and infinity as 0 instead of refusing them.

    Returns
    -------
    list of Pair

    Raises
    ------
    InputError
        If it is not clear which way is meant, an image cannot be used, or two subjects have the same scan.
    GridMismatchError
        If a pair lies on two grids and `config.resample` is not set.
    """
    folders = [path for path in paths if _is_path(path) and pathlib.Path(path).is_dir()]
    if config.pairs:
        if paths:
            raise InputError(f"`pairs` names all scans. Received also: {', '.join(map(str, paths))}. Leave these out.")
        pairs = [_opened(row, config.resample, replace_nonfinite) for row in read_table(config.pairs)]
    elif (config.simulate or config.thick_slices) and paths and not folders:
        images = [as_seen(open_scan(path, replace_nonfinite)).volume for path in paths]
        # Images in memory tell no subject: each counts as one of its own.
        subjects = [subject_of(path) if _is_path(path) else f"image {number}" for number, path in enumerate(paths, start=1)]
        groups = [_from_one(image, config, subject) for subject, image in zip(subjects, images)]
        pairs = list(itertools.chain.from_iterable(groups))
    elif len(folders) == len(paths) == 1 and not config.simulate and config.source_session and config.target_session:
        found = session_pairs(folders[0], config.source_session, config.target_session, config.modality, config.skip_incomplete)
        pairs = [_opened(partners._asdict(), config.resample, replace_nonfinite) for partners in found]
    else:
        raise InputError(
            f"it is not clear which scans are source and target. Received: {', '.join(map(str, paths)) or 'no images'}. Expected one of\n"
            "  BIDS_FOLDER `source_session` 1 `target_session` 2 [`modality` T1w]\n"
            "  `pairs` TABLE.tsv                        with the columns subject, source, target\n"
            "  IMAGE… `simulate` 2 2 1                  sources made from the images by k-space truncation\n"
            "  IMAGE… `thick_slices` 2 6                sources made from the images as thick slices, 2 to 6 mm apart"
        )
    _check_copies(pairs)
    return pairs


def _is_path(image):
    return isinstance(image, (str, os.PathLike))


def read_table(path):
    """Read which scans are pairs.

    Parameters
    ----------
    path : str or path-like
        Tab-separated, with a header: subject, source, target, and perhaps mask. Paths are relative to the table.

    Returns
    -------
    list of dict of str to str or pathlib.Path

    Raises
    ------
    InputError
        If the table is missing, lacks a column or an entry, or has no rows.
    """
    path = pathlib.Path(path)
    rows, found = read_rows(path, f"a table of pairs, tab-separated: {', '.join(_COLUMNS)}")
    lacking = [name for name in _COLUMNS if name not in found]
    if lacking:
        raise InputError(
            f"{path} lacks the column(s) {', '.join(lacking)}. Expected the tab-separated header {', '.join(_COLUMNS)}. "
            f"Received: {', '.join(found) or 'an empty file'}."
        )
    # A blank behind a label would make it another subject.
    rows = [{name: entry.strip() if isinstance(entry, str) else entry for name, entry in row.items()} for row in rows]
    rows = [row for row in rows if any(row[name] for name in _COLUMNS)]
    for number, row in enumerate(rows, start=1):
        empty = [name for name in _COLUMNS if not row[name]]
        if empty:
            raise InputError(f"row {number} of {path} has no {', '.join(empty)}. Expected a subject and two images in every row.")
    if not rows:
        raise InputError(f"{path} names no pairs. Expected a row for every pair: {', '.join(_COLUMNS)}.")
    columns = (*_COLUMNS, "mask")
    named = [{name: row[name] if name == "subject" else path.parent / row[name] for name in columns if row.get(name)} for row in rows]
    return _with_one_name_each(named, path)


def _with_one_name_each(rows, path):
    """Return rows in which 01 and sub-01 are one subject; remark on scans whose names tell another subject than the table does."""
    labels = {row["subject"] for row in rows}
    rows = [{**row, "subject": f"sub-{row['subject']}" if f"sub-{row['subject']}" in labels else row["subject"]} for row in rows]
    subjects = {}
    for number, row in enumerate(rows, start=1):
        named = _labelled(row)
        if len(named) > 1:
            remark(path, f"row {number} pairs scans of {' and '.join(sorted(named))}, by their file names; the table is followed")
        for label in sorted(named):
            other = subjects.setdefault(label, row["subject"])
            if other != row["subject"]:
                remark(path, f"{other} and {row['subject']} both have scans of {label}, by their file names; the table is followed")
    return rows


def _labelled(row):
    """Return the subjects that the names of a row's scans tell."""
    return {label for name in _COLUMNS[1:] if (label := subject_of(row[name].name)).startswith("sub-")}


def _opened(row, resample, replace_nonfinite):
    source, target = (as_seen(open_scan(row[name], replace_nonfinite)).volume for name in ("source", "target"))
    check_3d(source)
    check_3d(target)
    if np.prod(target.zooms) > _COARSER * np.prod(source.zooms):
        shown = [" × ".join(f"{zoom:.3g}" for zoom in volume.zooms) for volume in (target, source)]
        raise InputError(
            f"the target must be at least as fine as its source. Received: {target.name} with voxels of {shown[0]} mm, "
            f"{source.name} with {shown[1]} mm. Are the two swapped?"
        )
    try:
        check_same_grid(target, source, f"source and target of {row['subject']} must lie on one grid")
    except GridMismatchError as error:
        if not resample:
            raise GridMismatchError(f"{error}\n  Or have sources interpolated on their targets' grids with `resample`.") from error
        _LOGGER.info("%s: source interpolated on the target's grid", row["subject"])
        source = resampled_to(source, target)
    return Pair(row["subject"], source, target, mask=row.get("mask"))


def _from_one(image, config, subject):
    """Make the pairs of one image; of thick slices, which are made of patches, the source is the image itself."""
    if config.thick_slices:
        check_3d(image)
        return [Pair(subject, image, image, simulated=True)]
    return _simulated(image, config.simulate, config.coarser, subject)


def _simulated(image, factors, coarser, subject):
    """Make the pair of an image, and of those of its coarser copies that still show anatomy in three dimensions."""
    pairs = [simulated_pair(image, factors, subject)]
    copies = [coarse_copy(image, factor) for factor in dict.fromkeys(coarser) if factor > 1]
    chosen = [copy for copy in copies if max(copy.zooms) <= _COARSEST and min(copy.shape) >= _LEAST_SIDE]
    return pairs + [simulated_pair(copy, factors, subject) for copy in chosen]


def _check_copies(pairs):
    """Raise if one target is named under two subjects: a copy in the test part would be known from training."""
    seen = {}
    for pair in pairs:
        digest = hashlib.sha256(pair.target.frame(0).tobytes()).digest()
        other = seen.setdefault(digest, pair)
        if other.subject != pair.subject:
            raise InputError(
                f"{pair.subject} and {other.subject} have the same target: {pair.target.name} and {other.target.name} do not differ. "
                "Give every subject its own scan, and every scan one subject."
            )
