"""The search for slices and frames of a run that are damaged: signal lost, stripes of a spike in k-space, bursts of noise, a jerk."""

import dataclasses

import numpy as np

from keras_mri.imaging.run_repair.slice_changes import LEAST_FRAMES, slice_changes
from keras_mri.imaging.runs import unlike_frames
from keras_mri.imaging.runs.inspection import inspect_run, listed

# Standard deviation of normal numbers over their median absolute deviation.
_SD_OF_MAD = 1.4826
# A slice is damaged if it changes by so many SDs more than it usually does, on a logarithmic scale, and by such a factor, and by such
# a factor more than most slices of its frame; a frame is, if most of its slices change by so many SDs and such a factor.
_SLICE_SDS, _SLICE_FACTOR, _OTHERS_FACTOR = 6.0, 2.0, 1.4
_FRAME_SDS, _FRAME_FACTOR = 8.0, 2.0
# ... or by this factor, however much it usually varies.
_SURE_FACTOR = 3.5
# Near the ends, where there are frames on one side only, a factor more: a run settles, or the person moves when the noise stops.
_END_FACTOR = 1.5
# An SD from few frames is uncertain: so many times as many frames' worth are asked.
_FEW = 10
# The least SD, logarithmic: no run is as steady as that.
_LEAST_SD = 0.06
# From this share of damaged slices on, the frame is.
_MOST_SLICES = 0.6
# Changes below this share of the usual one are none: slices of air, or exact zeros.
_NOTHING = 0.05
# How the reason begins for which frames are left out that are sound.
_FEW_OF_A_KIND = unlike_frames.too_few(0).removesuffix("0")
# Reasons for which frames are damaged as a whole; in others the head is elsewhere, or they are as they should be but few of their kind.
_DAMAGED = (
    unlike_frames.BLANK,
    unlike_frames.NOISE,
    unlike_frames.NOT_FINITE,
    unlike_frames.SPIKE,
    unlike_frames.STRANGE,
)


@dataclasses.dataclass(frozen=True)
class Damage:
    """What is damaged in a run.

    Parameters
    ----------
    shape : tuple of int, (x, y, z)
    axis : int
        Along which slices are stacked.
    slices : dict of int to tuple of int
        For each damaged frame, in the order of time, its damaged slices; all of them where the whole frame is damaged.
    """

    shape: tuple
    axis: int
    slices: dict

    def missing(self, t):
        """Return the damaged voxels of frame t: ndarray of bool, shape (x, y, z)."""
        mask = np.zeros(self.shape, bool)
        np.moveaxis(mask, self.axis, 0)[list(self.slices.get(t, ()))] = True
        return mask

    def sentences(self):
        """Describe the damage to people: list of str, one for frames that are damaged as a whole and one for each other frame."""
        whole = [t for t, slices in self.slices.items() if len(slices) == self.shape[self.axis]]
        lines = [f"frame{'s' if len(whole) > 1 else ''} {listed(whole)}: all slices"] if whole else []
        rest = ((t, slices) for t, slices in self.slices.items() if t not in whole)
        return lines + [f"frame {t}: slice{'s' if len(slices) > 1 else ''} {listed(slices)}" for t, slices in rest]

    def facts(self):
        """Return the damage as values that JSON can hold: dict."""
        return {"axis": "xyz"[self.axis], "frames": {str(t): list(slices) for t, slices in self.slices.items()}}


def find_damage(volume, axis=2):
    """Look for damaged slices and frames, each compared with the frames around it in time.

    Conditions of a run, such as control and label or shells of diffusion, are looked at one by one. First frames that are not in steady
    state, and frames that are few of their kind, count as sound.

    Parameters
    ----------
    volume : Volume
        A run of six frames or more.
    axis : int
        Along which slices are stacked.

    Returns
    -------
    Damage
    """
    inspection = inspect_run(volume.frames(), repetition_time=volume.repetition_time, zooms=volume.zooms)
    count, found = volume.shape[axis], {}
    for frames in _compared(inspection):
        changes = slice_changes(volume.frame, frames, axis)
        found |= {int(frames[place]): slices for place, slices in damaged_slices(changes).items()}
    for t, reason in inspection.unlike.items():
        if reason in _DAMAGED:
            found.setdefault(t, tuple(range(count)))
        elif reason.startswith(_FEW_OF_A_KIND) and len(found.get(t, ())) == count:
            # Few frames of a kind, such as b = 0 among others, are no damage.
            del found[t]
    return Damage(volume.shape[:3], axis, dict(sorted(found.items())))


def damaged_slices(changes):
    """Find the slices of frames whose changes stand out.

    Parameters
    ----------
    changes : ndarray of float, shape (2, frame, slice)
        From `slice_changes`.

    Returns
    -------
    dict of int to tuple of int
        For each such frame, its slices.
    """
    usual = np.nanmedian(changes, axis=1, keepdims=True)
    live = (usual > _NOTHING * np.median(usual)).all(axis=(0, 1))
    if not live.any():
        return {}
    floor = _NOTHING * np.median(usual[..., live])
    excess = np.log(np.maximum(changes, floor)) - np.log(np.maximum(usual, floor))
    spread = np.maximum(_SD_OF_MAD * np.nanmedian(np.abs(excess), axis=1), _LEAST_SD).max(axis=0)
    # A frame is like the frames before or like those after: the side that it is nearer to counts.
    excess = np.nanmin(excess, axis=0)
    common = np.median(excess[:, live], axis=1)
    common_spread = max(_SD_OF_MAD * np.median(np.abs(common - np.median(common))), _LEAST_SD)
    alone = excess - np.maximum(common, 0)[:, None]
    sds = 1 + _FEW / len(excess)
    factor = np.where(np.isnan(changes).any(axis=(0, 2)), _END_FACTOR, 1.0)
    unusual = (excess > sds * _SLICE_SDS * spread) & (excess > np.log(_SLICE_FACTOR * factor)[:, None])
    damaged = (unusual | (excess > np.log(_SURE_FACTOR * factor)[:, None])) & (alone > np.log(_OTHERS_FACTOR))
    whole = (common > sds * _FRAME_SDS * common_spread) & (common > np.log(_FRAME_FACTOR * factor))
    whole |= common > np.log(_SURE_FACTOR * factor)
    damaged |= (whole | (damaged.mean(axis=1) > _MOST_SLICES))[:, None]
    return {int(t): tuple(np.flatnonzero(damaged[t]).tolist()) for t in np.flatnonzero(damaged.any(axis=1))}


def _compared(inspection):
    """Return groups of frames that are compared with one another: the conditions, with the damaged frames among them."""
    if inspection.kind == "unclear" or not any(len(frames) >= LEAST_FRAMES for frames in inspection.conditions):
        return [list(range(inspection.n_frames))] if inspection.n_frames >= LEAST_FRAMES else []
    faulty = [t for t, reason in inspection.unlike.items() if reason not in (unlike_frames.UNSTEADY, unlike_frames.RESTLESS)]
    groups = [list(frames) for frames in inspection.conditions if len(frames) >= LEAST_FRAMES]
    for t in faulty:
        # To the condition whose frames are the nearest; where two alternate, by turns.
        min(groups, key=lambda frames: (min(abs(t - other) for other in frames), (t - frames[0]) % 2)).append(t)
    return [sorted(frames) for frames in groups]
