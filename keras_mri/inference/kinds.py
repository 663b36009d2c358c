"""Which kind of scan a volume is: its name and side-car decide; where they say nothing its frames, sides and contrast do."""

import functools
import typing

import numpy as np

from keras_mri.errors import InputError, remark
from keras_mri.imaging.foreground import patch_foreground
from keras_mri.imaging.recognition.contrasts import frames_alike, looks_like_t1, white_over_grey
from keras_mri.io.bids.descriptions import kind_in_name, no_scan_by_name
from keras_mri.io.bids.metadata import nearest
from keras_mri.io.bids.names import entities
from keras_mri.io.bids.sequences import kind_in_sidecar, no_magnitude

# Frames that are compared, at most and at least (the first ones of a few may be far from steady state), and frames from which on alike
# ones are a run rather than a few volumes.
_COMPARED, _FEWEST, _RUN = 12, 5, 10
# EPI of a single shot has voxels from the first side on, mm; from the second on if so few of them lie along the longest side in the plane.
_COARSE, _MIDDLE, _MATRIX = 1.9, 1.4, 160
# Below white matter so many times darker than the cortex, or brighter, the picture contradicts a name.
_DARKER, _BRIGHTER = 0.95, 1.15
_T1, _NOT_T1 = ("T1w", "inplaneT1", "UNIT1"), ("T2w", "FLAIR", "PDw")
# Share of negative voxels, noise in air left out, that magnitudes do not have.
_NEGATIVE = 0.05


class Kind(typing.NamedTuple):
    """Which kind of scan a volume is.

    Parameters
    ----------
    suffix : str or None
        A suffix of BIDS, "T1w" or "bold"; None where nothing is sure.
    why : str
        A clause with the reason: "its name says T1w".
    """

    suffix: str | None
    why: str


def kind_of_scan(volume):
    """Tell which kind of scan a volume is, and name by remarks what is doubtful about that.

    Parameters
    ----------
    volume : Volume

    Returns
    -------
    Kind

    Raises
    ------
    InputError
        If its name or side-car says that it is no scan of magnitudes: a phase, a map, a mask, another modality.
    """
    _check_magnitude(volume)
    ratio = functools.cache(lambda: white_over_grey(volume.frame(volume.n_frames // 2), volume.zooms))
    kind = _stated(volume) or _by_frames(volume) or _by_picture(volume, looks_like_t1(ratio()))
    _remark_on_contradictions(volume, kind, ratio)
    return kind


def _check_magnitude(volume):
    word = no_scan_by_name(volume.name)
    source = f"its name says {word}" if word else None
    if source is None:
        word = no_magnitude(volume.metadata.facts)
        source = f"its side-car has {word}" if word else None
    if source is not None:
        raise InputError(
            f"{volume.name} is no scan of magnitudes: {source}. `auto` chooses for scans as measured. "
            "If it is one, name a network to restore it all the same, for example epi."
        )


def _stated(volume):
    """Return what name, side-car or b-values say; None if they say nothing."""
    named, (described, why) = kind_in_name(volume.name), kind_in_sidecar(volume.metadata.facts)
    weighted = _has_b_values(volume)
    if named:
        if described and not _same(named, described):
            remark(volume.name, f"{why}, which means {described}; its name says {named}, and is followed")
        elif weighted and named != "dwi":
            remark(volume.name, f"has b-values beside it; its name says {named}, and is followed")
        return Kind(named, f"its name says {named}")
    if weighted:
        return Kind("dwi", "there are b-values beside it")
    return Kind(described, f"{why}, which means {described}") if described else None


def _same(first, second):
    """Return whether two kinds may be one scan: EPI is how BOLD, ASL and diffusion are measured."""
    epi = {"bold", "cbv", "sbref", "asl", "m0scan", "epi", "dwi"}
    return first == second or {first, second} <= epi and "epi" in (first, second) or {first, second} <= set(_T1)


def _has_b_values(volume):
    """Return whether a table of b-values lies beside a scan's file, with any above 0."""
    path = nearest(volume.file, ending=".bval") if volume.file is not None else None
    try:
        values = [float(word) for word in path.read_text(errors="replace").split()] if path else []
    except (OSError, ValueError):
        return False
    return any(value > 50 for value in values)


def _by_frames(volume):
    """Return what a series of frames is; None for a volume, and for a few frames that are alike."""
    count = volume.n_frames
    if count < _FEWEST:
        return None
    first = max(1, (count - _COMPARED) // 2)
    if not frames_alike([volume.frame(t) for t in range(first, min(count, first + _COMPARED))], volume.zooms):
        return Kind(None, f"its {count} frames differ, as those of diffusion or of several echoes do")
    return Kind("bold", f"its {count} frames are alike, as those of a run are") if count >= _RUN else None


def _by_picture(volume, t1):
    """Return what voxel sides and contrast tell together."""
    side, matrix = _in_plane(volume)
    coarse = side >= _COARSE or side >= _MIDDLE and matrix <= _MATRIX
    voxels = f"voxels of {side:.2g} mm in the plane"
    if t1 is None:
        return Kind(None, "neither its name nor a side-car nor its contrast says which kind of scan it is")
    if t1 == coarse:
        return Kind(None, f"{voxels} and {'T1' if coarse else 'another'} contrast leave open which kind of scan it is")
    if coarse:
        return Kind("epi", f"{voxels} and white matter darker than grey matter look like EPI")
    return Kind("T1w", f"{voxels} and white matter brighter than grey matter look like T1w")


def _in_plane(volume):
    """Return the voxel side in the plane of the slices, mm, and the voxels along the longer side of it."""
    zooms = volume.zooms
    across = int(np.argmax(zooms)) if max(zooms) > 1.2 * sorted(zooms)[1] else int(np.argmin(volume.shape[:3]))
    return (*(max(values[axis] for axis in range(3) if axis != across) for values in (zooms, volume.shape)),)


def _remark_on_contradictions(volume, kind, ratio):
    """Name what makes the kind doubtful: the contrast, negative intensities, work that was done on the scan before."""
    description = entities(volume.name).get("desc")
    if description is not None or "keras_mri" in volume.metadata.facts:
        done = "was denoised already" if "keras_mri" in volume.metadata.facts else f"is a derivative by its name, desc-{description}"
        remark(volume.name, f"{done}: its noise is not that of a scanner")
    negative = _negative(volume.frame(volume.n_frames // 2))
    if negative > _NEGATIVE:
        share = f"{negative:.0%} of what is not near zero is negative"
        remark(volume.name, f"{share}: it may be a phase image or a map; networks restore magnitudes")
    elif kind.suffix in (*_T1, *_NOT_T1) and ratio() is not None:
        t1 = kind.suffix in _T1
        if ratio() < _DARKER if t1 else ratio() > _BRIGHTER:
            than = "darker" if t1 else "brighter"
            remark(volume.name, f"white matter is {than} than grey matter, as far as can be seen, which is unusual of {kind.suffix}")


def _negative(frame):
    """Return the share of negative voxels among those that noise in air does not reach."""
    strong = patch_foreground(np.abs(frame))
    return np.count_nonzero(frame[strong] < 0) / max(1, np.count_nonzero(strong))
