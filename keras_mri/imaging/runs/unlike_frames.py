"""Frames of a run that are unlike the others: blank, noise alone, not yet in steady state, a spike, a bad slice."""

import numpy as np
from scipy import ndimage

BLANK, NOT_FINITE, NOISE, UNSTEADY = "blank", "values that are not finite", "noise volume", "not yet in steady state"
SPIKE, MOVED, STRANGE, RESTLESS = "spike", "moved", "unlike its neighbours", "brightness jumps from frame to frame"

# Standard deviation of normal numbers over their median absolute deviation.
_SD_OF_MAD = 1.4826
# Contrast of a blank frame, as a share of the usual one.
_BLANK = 0.01
# A frame without anatomy is like the usual one by less than this share of what frames usually are, and has less of its contrast.
_LEAST_LIKENESS, _LEAST_CONTRAST = 0.5, 0.5
# A first frame that differs by so much from what the others predict, share of the mean, and by so many standard deviations.
_LEAST_UNSTEADY, _UNSTEADY_IN_SPREADS = 0.004, 4.5
# ... or by fewer, if it changes to the next frame by so many standard deviations of such steps.
_STEP_IN_SPREADS = 5.0
# The frames after it are taken along while the same map is left by so much.
_LEAST_REST, _REST_IN_SPREADS = 0.002, 2.5
# Frames on either side that a spike and a slice are compared with: a task block is longer, or its change is smaller.
_WINDOW = 15
_LEAST_SPIKE, _SPIKE_IN_SPREADS = 0.025, 8.0
# Change of a slice that its neighbours do not share, share of its mean or of its roughness.
_LEAST_SLICE, _LEAST_ROUGHNESS, _SLICE_IN_SPREADS = 0.05, 0.15, 6.0
_LEAST_STRANGE, _STRANGE_IN_USUAL = 0.04, 3.0
# Voxels of motion that are no fault.
_MOTION = 0.5


def too_few(count):
    """Return the reason why the frames of a small condition pass unchanged: str."""
    return f"too few frames of this kind: {count}"


def broken_frames(summary):
    """Find the frames that show no anatomy at all.

    Parameters
    ----------
    summary : RunSummary

    Returns
    -------
    dict of int to str
        The reason for each such frame: "blank", "noise volume" or "values that are not finite".
    """
    reasons = {int(t): NOT_FINITE for t in np.flatnonzero(~summary.finite)}
    images = summary.blocks.reshape(summary.n_frames, -1).astype(np.float64)
    contrast = images.std(axis=1)
    # A quarter of the run may be much brighter, and three quarters of it blank.
    usual = np.percentile(contrast, 75) or contrast.max()
    blank = contrast < _BLANK * usual
    reasons |= {int(t): BLANK for t in np.flatnonzero(blank) if t not in reasons}
    reference = np.median(images[~blank], axis=0) if not blank.all() else images[0]
    images = images[:, reference != 0]
    if images.shape[1] < 2 or np.ptp(reference) == 0:
        return reasons
    shape = reference[reference != 0] - reference[reference != 0].mean()
    images -= images.mean(axis=1, keepdims=True)
    contrasts = images @ shape / max(shape @ shape, 1e-30)
    likeness = contrasts * np.linalg.norm(shape) / np.maximum(np.linalg.norm(images, axis=1), 1e-30)
    if np.median(likeness[~blank]) > _LEAST_LIKENESS:
        lacking = (likeness < _LEAST_LIKENESS * np.median(likeness[~blank])) & (contrasts < _LEAST_CONTRAST)
        reasons |= {int(t): NOISE for t in np.flatnonzero(lacking) if t not in reasons}
    return reasons


def unsteady_frames(images, frames, most):
    """Find the first frames of a condition that are not yet in steady state.

    Parameters
    ----------
    images : ndarray of float, shape (frame, voxel)
        In units of the mean of the brain.
    frames : ndarray of int, shape (frame,)
        Their places in the run.
    most : int
        Of the first `most` frames of the condition some may be unsteady; the others tell how the run goes on.

    Returns
    -------
    int
        The number of frames, from the first, that are not in steady state.
    """
    most = min(most, len(frames) // 3)
    later = slice(most, most + 40)
    if most < 1:
        return 0
    # The others predict the first frames, by their mean and by a straight line: neither a slow drift nor a task among them counts.
    place = frames - frames[later].mean()
    fits = [_excess(images, np.ones((len(frames), 1)), later), _excess(images, np.column_stack([np.ones(len(frames)), place]), later)]
    if not all(first for first, _ in fits):
        return 0
    count = 1
    while count < most and any(rest[count] > 0 for _, rest in fits):
        count += 1
    return count


def _excess(images, basis, later):
    """Return whether the first frame differs from what later frames predict, and for each frame what is left of its change, less noise."""
    solve = np.linalg.pinv(basis[later])
    change = images - basis @ (solve @ images[later])
    mean = change.mean(axis=1) * np.sign(change[0].mean())
    widths = np.sqrt(1 + np.sum((basis @ solve) ** 2, axis=1))
    # A spread of a few frames is uncertain itself.
    few = 1 + (6 / len(mean[later])) ** 2
    limit = max(_LEAST_UNSTEADY, few * _UNSTEADY_IN_SPREADS * widths[0] * max(mean[later].std(), _spread(mean[later])))
    # Slow physiology may take the mean that far, but not within one frame.
    steps = np.diff(mean)
    sudden = -steps[0] > few * _STEP_IN_SPREADS * max(_spread(steps[later]), 1e-6)
    first = mean[0] > limit or mean[0] > max(_LEAST_UNSTEADY, 0.6 * limit) and sudden
    # The mean of all voxels is the better witness in noisy runs, the map of the first change in clear ones.
    # Noise of the prediction is the same in all first frames, so it looks like a map that they share: its part is taken off.
    shared = (basis[0] @ solve) @ (basis @ solve).T * np.sum(change[later].var(axis=0))
    energy = change[0] @ change[0]
    left = (change @ change[0] - shared) / max(energy - shared[0], 0.1 * energy, 1e-30) * mean[0]
    rests = [series - np.maximum(_LEAST_REST, _REST_IN_SPREADS * widths * series[later].std()) for series in (mean, left)]
    return first, np.max(rests, axis=0)


def spikes(brightness):
    """Find frames that are brighter or darker than those around them.

    Parameters
    ----------
    brightness : ndarray of float, shape (frame,)

    Returns
    -------
    ndarray of bool, shape (frame,)
    """
    count = len(brightness)
    # The median slope, so that a drift does not count at the ends of the run.
    drift = np.median(brightness[count // 2 :] - brightness[: count - count // 2]) / max(count // 2, 1)
    steady = brightness - drift * (np.arange(count) - count / 2)
    change = steady / ndimage.median_filter(steady, _WINDOW, mode="mirror") - 1
    return np.abs(change) > max(_LEAST_SPIKE, _SPIKE_IN_SPREADS * _spread(change))


def bad_slices(profiles, roughness):
    """Find slices that differ in one frame, while the slices beside them do not.

    Parameters
    ----------
    profiles, roughness : sequence of three ndarrays of float, shape (frame, slice)
        As in `RunSummary`, of the frames of one condition.

    Returns
    -------
    dict of int to tuple of (int, list of int)
        For each frame, by its place in the condition: the axis and the slices.
    """
    views = [
        (axis, _lonely_changes(part[axis], least))
        for part, least in ((profiles, _LEAST_SLICE), (roughness, _LEAST_ROUGHNESS))
        for axis in range(3)
    ]
    found = {}
    for t in range(len(profiles[0])):
        # A fault of one slice shows in many slices along the other axes, or in none.
        seen = [(np.flatnonzero(change[t] > max(1, 0.5 * change[t].max())), axis, change[t].max()) for axis, change in views]
        seen = [view for view in seen if len(view[0])]
        if seen:
            slices, axis, _ = min(seen, key=lambda view: (len(view[0]), -view[2]))
            found[t] = axis, slices.tolist()
    return found


def strange_frames(images, steepness):
    """Find frames that differ from those around them by far more than is usual, whatever the reason.

    Parameters
    ----------
    images : ndarray of float, shape (frame, voxel)
        In units of the mean of the brain.
    steepness : float
        By which share of the mean the image changes from voxel to voxel, root mean square.

    Returns
    -------
    ndarray of bool, shape (frame,)
    """
    change = np.array(
        [np.sqrt(np.mean((image - np.median(images[_around(t, len(images))], axis=0)) ** 2)) for t, image in enumerate(images)]
    )
    return change > np.maximum(_LEAST_STRANGE + _MOTION * steepness, _STRANGE_IN_USUAL * np.median(change))


def _around(t, count, reach=3):
    first = min(max(t - reach, 0), max(count - 2 * reach - 1, 0))
    return [other for other in range(first, min(first + 2 * reach + 1, count)) if other != t]


def _lonely_changes(values, least):
    """Return the change of each slice in each frame, as a multiple of what is allowed: shape (frame, slice)."""
    if values.shape[1] < 5 or not values.any():
        return np.zeros(values.shape)
    values = values.astype(np.float64)
    around = ndimage.median_filter(values, (9, 1), mode="mirror")
    level = np.median(values, axis=0)
    level = np.maximum(level, 0.25 * level.max())
    change = (values - around) / level
    # A smaller or larger change of the whole frame, and a small motion, change neighbouring slices alike.
    change -= np.median(change, axis=1, keepdims=True)
    slope = np.gradient(around, axis=1) / level
    motion = np.sum(change * slope, axis=1) / np.maximum(np.sum(slope**2, axis=1), 1e-30)
    change -= motion[:, None] * slope
    # Where the anatomy changes from slice to slice, half a voxel of motion looks like a bad slice.
    steep = np.abs(np.gradient(np.median(values, axis=0))) / level
    beyond = np.zeros(values.shape)
    # The spread of a few frames is uncertain itself, and smaller beside their own median.
    spreads = _SLICE_IN_SPREADS * (1 + 10 / len(values))
    # Up to two slices side by side may be bad: they are compared with those two slices away.
    for reach in (1, 2):
        padded = np.pad(change, ((0, 0), (reach, reach)), mode="reflect")
        before, after = change - padded[:, : -2 * reach], change - padded[:, 2 * reach :]
        lonely = np.where(before * after > 0, np.minimum(np.abs(before), np.abs(after)), 0.0)
        usual = _SD_OF_MAD * np.median(np.abs(before + after) / 2, axis=0)
        allowed = np.maximum(reach * (least + _MOTION * ndimage.maximum_filter1d(steep, 2 * reach - 1)), spreads * usual)
        beyond = np.maximum(beyond, lonely / np.maximum(allowed, spreads * np.median(usual)))
    return beyond


def _spread(values):
    return _SD_OF_MAD * np.median(np.abs(values - np.median(values)))
