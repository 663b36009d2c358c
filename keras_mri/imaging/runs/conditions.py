"""Runs whose frames differ by design: levels of brightness (shells, delays, echoes) and frames that alternate (control and label)."""

import numpy as np

# Levels lie this far apart at least (natural logarithm, about 4 %): more than a task, breathing or carbon dioxide change the whole brain.
_LEAST_GAP = 0.04
# ... and by this many standard deviations within the levels beside the gap.
_GAP_IN_SPREADS = 5.0
# Usual step between two frames (natural logarithm) that no noise, movement or breathing has.
_RESTLESS = 0.06
# Standard deviation of normal numbers over their median absolute deviation.
_SD_OF_MAD = 1.4826
# Frequencies from here to one half, per frame, are what an alternation is compared with: slow drifts and the task lie below.
_HIGH = 0.24
# The amplitude of an alternation is at least this many times the root mean square of the amplitudes at those frequencies ...
_LEAST_PEAK = 6.0
# ... and this many times the largest: six directions of diffusion that come again and again have lines at 1/6, 1/3 and 1/2.
_LEAST_OVER_LARGEST = 2.0
# Of the squared contrast of an alternation, the share that the whole brain has in common; contrasts above `_STRONG` need none.
_LEAST_ONE_SIGN, _STRONG = 0.12, 0.04
# Share of the mean by which alternating frames differ at least; weaker ones would cost more in halved runs than they disturb.
_LEAST_CONTRAST = 0.0025


def brightness_levels(brightness):
    """Sort frames into levels of brightness, at the gaps that are wider than the spread on either side.

    Parameters
    ----------
    brightness : ndarray of float, shape (frame,)
        Of each frame relative to a reference; positive.

    Returns
    -------
    ndarray of int, shape (frame,)
        The level of each frame; 0 is the darkest.
    """
    order = np.argsort(brightness)
    values = np.log(brightness[order])
    groups = [list(part) for part in np.split(values, np.flatnonzero(np.diff(values) > _LEAST_GAP) + 1)]
    while len(groups) > 1:
        spread = _pooled_spread(groups)
        gaps = [after[0] - before[-1] for before, after in zip(groups, groups[1:])]
        narrowest = int(np.argmin(gaps))
        if gaps[narrowest] > _GAP_IN_SPREADS * spread:
            break
        groups[narrowest : narrowest + 2] = [groups[narrowest] + groups[narrowest + 1]]
    levels = np.empty(len(order), int)
    levels[order] = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    return levels


def is_restless(brightness):
    """Tell whether brightness jumps from frame to frame, by more than any level has: no frame is like the next.

    Parameters
    ----------
    brightness : ndarray of float, shape (frame,)
        Of the frames of one level, in the order of time; positive.

    Returns
    -------
    bool
    """
    steps = np.diff(np.log(brightness))
    return bool(len(steps) and _SD_OF_MAD * np.median(np.abs(steps)) > _RESTLESS)


def _pooled_spread(groups):
    deviations = np.concatenate([np.abs(np.subtract(group, np.median(group))) for group in groups if len(group) > 2] or [[0.0]])
    return _SD_OF_MAD * np.median(deviations)


def alternates(images, frames):
    """Tell whether frames alternate between two conditions over the whole run: one coherent line at half the frame rate.

    An alternation by design has one amplitude, one phase and one map from the first frame to the last. Breathing near that frequency drifts
    out of phase. So the map is taken from one half of the run and looked for in the other, where its amplitude at exactly
    half the frame rate is compared with that at the high frequencies beside.

    Parameters
    ----------
    images : ndarray of float, shape (frame, voxel)
        Frames of one level in the order of time, in units of the mean of the brain.
    frames : ndarray of int, shape (frame,)
        Their places in the run: even and odd places are the two conditions.

    Returns
    -------
    float
        By which share of the mean the conditions differ; 0.0 where they do not alternate.
    """
    # One bad frame would leave its picture in the map.
    images = _clipped(_detrended(images, frames))
    half = len(frames) // 2
    parts = slice(0, half), slice(half, None)
    signs = np.where(frames % 2 == 0, 1.0, -1.0)
    maps = [np.mean(signs[part, None] * images[part], axis=0) for part in parts]
    shared = max(maps[0] @ maps[1] / images.shape[1], 0.0)
    # Control and label differ with one sign in most of the brain; what breathing moves is brighter here and darker there.
    one_sign = maps[0].mean() * maps[1].mean() > _LEAST_ONE_SIGN * shared
    mean = images.mean(axis=1)
    by_mean = 2 * abs(signs @ mean) / len(signs) if one_sign and _is_line(mean, frames) else 0.0
    mirrored = np.concatenate([images[part] @ other / max(np.linalg.norm(other), 1e-30) for part, other in zip(parts, maps[::-1])])
    beside = _largest_shared(images, frames, parts)
    lonely = shared > _LEAST_OVER_LARGEST * beside if one_sign else shared > max(2 * _LEAST_OVER_LARGEST * beside, (_STRONG / 2) ** 2)
    by_map = 2 * np.sqrt(shared) if lonely and signs @ mirrored > 0 and _is_line(mirrored, frames) else 0.0
    contrast = max(by_mean, by_map)
    return float(contrast) if contrast > _LEAST_CONTRAST else 0.0


def _detrended(images, frames):
    """Take out a cubic in time, each voxel on its own."""
    place = 2 * (frames - frames[0]) / max(frames[-1] - frames[0], 1) - 1
    basis = np.linalg.qr(np.polynomial.legendre.legvander(place, 3))[0]
    return images - basis @ (basis.T @ images)


def _clipped(series):
    """Limit outliers in time, which have all frequencies: to four standard deviations."""
    limit = 4 * _SD_OF_MAD * np.median(np.abs(series), axis=0)
    return np.clip(series, -limit, limit)


def _beside(frames):
    """Return the high frequencies below one half, per frame, at which a run of this length is sampled."""
    length = frames[-1] - frames[0] + 1
    # One bin beside the line is left out: an exact line leaks into it where frames are missing.
    return np.arange(int(np.ceil(_HIGH * length)), int(np.ceil(length / 2)) - 1) / length


def _largest_shared(images, frames, parts):
    """Return the largest product of the maps of both halves at the frequencies beside, per voxel."""
    waves = np.exp(-2j * np.pi * _beside(frames)[:, None] * frames)
    first, second = (waves[:, part] @ images[part] / len(images[part]) for part in parts)
    return np.abs(np.sum(first * second.conj(), axis=1)).max(initial=0.0) / images.shape[1]


def _is_line(series, frames):
    """Tell whether a series has a line at half the frame rate: above the high frequencies beside, and as strong in all parts."""
    series, beside = _clipped(series), _beside(frames)
    if not len(beside):
        return False
    powers = np.abs(np.exp(-2j * np.pi * beside[:, None] * frames) @ series) ** 2 / len(series)
    noise = np.sqrt(powers.mean())
    steps = series * np.where(frames % 2 == 0, 1.0, -1.0)
    steps *= np.sign(steps.sum())
    amplitude = steps.mean()
    pieces = np.array_split(steps, min(max(len(steps) // 6, 2), 8))
    # Two standard errors of the mean of a piece are left to noise.
    steady = all(piece.mean() > 0.6 * amplitude - 2 * noise / np.sqrt(len(piece)) for piece in pieces)
    line = amplitude * np.sqrt(len(series))
    return bool(steady and line > _LEAST_PEAK * noise and line > _LEAST_OVER_LARGEST * np.sqrt(powers.max()) and amplitude > 1e-9)
