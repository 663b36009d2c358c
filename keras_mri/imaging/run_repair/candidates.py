"""Ways to guess a frame, or a part of one, as a weighted sum of other frames: one row of weights each."""

import numpy as np

from keras_mri.imaging.run_repair.variogram import kriging_weights, variogram

# Frames: SDs of Gaussian averages.
_REACHES = (1.5, 3.0, 6.0, 12.0)
# Penalties of regressions, in units of the mean power of a frame's fluctuations.
_PENALTIES, _NEAR_PENALTY = (0.001, 0.3), 0.03
# Place of the rows of kriging, which knows by itself how fast a run changes.
KRIGING = 2 + len(_REACHES)
# Known voxels from which on the known part of a frame is a witness.
_LEAST_VOXELS = 100


class Candidates:
    """Weights of frames that predict a frame, in time or from the part of it that is known.

    The known part of the frame is a weighted sum of the same part of other frames, as near as can be. The missing part is then the
    same sum: slow drifts, breathing and all else that voxels share follow by themselves.

    Parameters
    ----------
    courses : ndarray of float32, shape (voxels, t)
        Time courses of some voxels that are known in the frame, less their means.
    means : ndarray of float32, shape (voxels,)
    near : ndarray of bool, shape (voxels,)
        Voxels near what is missing.
    partly : bool
        Whether a part of the frame is known; if not, only time tells.
    """

    def __init__(self, courses, means, near, partly):
        gram = _gram(courses, means)
        self._grams = []
        if partly and len(courses) >= _LEAST_VOXELS:
            self._grams.append((gram, _PENALTIES))
            if near.sum() >= _LEAST_VOXELS and not near.all():
                self._grams.append((_gram(courses[near], means[near]), (_NEAR_PENALTY,)))
        self._gram, self._gammas = gram[:-1, :-1], {}

    @property
    def count(self):
        """Number of ways: int."""
        return 3 + len(_REACHES) + sum(len(penalties) for _, penalties in self._grams)

    def rows(self, t, frames, known):
        """Return the weights of all ways.

        Parameters
        ----------
        t : int
            The frame that is predicted.
        frames : ndarray of int
            Rising; one or more, without `t`: frames with a weight.
        known : ndarray of int
            Frames whose likeness in time may be looked at.

        Returns
        -------
        ndarray of float64, shape (ways, t)
            0 for other frames. The first is the mean of the frames, the second the line through the nearest two.
        """
        away = np.abs(frames - t)
        # The nearest frame always counts, so that nothing is divided by 0.
        near = [np.exp(-0.5 * (away**2 - away.min() ** 2) / reach**2) for reach in _REACHES]
        ways = [np.ones(len(frames)), line(frames, t), *near]
        ways = [weights / weights.sum() for weights in ways]
        ways.append(kriging_weights(self._gamma(known), frames, t))
        ways += [regression(gram, frames, t, penalty) for gram, penalties in self._grams for penalty in penalties]
        rows = np.zeros((len(ways), len(self._gram)))
        rows[:, frames] = ways
        return rows

    def _gamma(self, known):
        key = known.tobytes()
        if key not in self._gammas:
            self._gammas[key] = variogram(self._gram, known)
        return self._gammas[key]


def line(frames, t):
    """Return the weights of the straight line through the nearest frames before and after; at the ends of a run the nearest one's."""
    weights = np.zeros(len(frames))
    after = int(np.searchsorted(frames, t))
    if 0 < after < len(frames):
        before, behind = t - frames[after - 1], frames[after] - t
        weights[after - 1 : after + 1] = np.array([behind, before]) / (before + behind)
    else:
        weights[min(after, len(frames) - 1)] = 1
    return weights


def regression(gram, frames, t, penalty):
    """Return the weights by which frames add up to another one over some voxels, by ridge regression of what differs from their mean.

    The mean image has a weight of its own, without a penalty: a frame may be brighter than others.

    Parameters
    ----------
    gram : ndarray of float64, shape (t + 1, t + 1)
        Mean products of the frames, less a reference, and in the last place of the reference.
    frames : ndarray of int
        Without `t`.
    t : int
    penalty : float
        In units of the mean power of what differs from the mean.

    Returns
    -------
    ndarray of float64, shape (frames,)
    """
    count, size = len(frames), len(gram)
    # Columns: each frame less the mean of all, then that mean.
    mean = np.zeros(size)
    mean[frames], mean[-1] = 1 / count, 1
    columns = np.zeros((size, count + 1))
    columns[frames, np.arange(count)] = 1
    columns[:, :count] -= mean[:, None]
    columns[-1, :count] = 0
    columns[:, count] = mean
    wanted = -mean
    wanted[t] += 1
    wanted[-1] = 0
    normal = columns.T @ gram @ columns
    power = np.trace(normal[:count, :count]) / count
    least = max(1e-12 * normal[count, count], 1e-200)
    ridge = np.append(np.full(count, max(penalty * power, least)), least)
    found = np.linalg.solve(normal + np.diag(ridge), columns.T @ gram @ wanted)
    # Back to frames: the mean of all is theirs, once and as often as the last column says.
    return found[:count] + (1 + found[count] - found[:count].sum()) / count


def _gram(courses, means):
    columns = np.column_stack([courses, means]).astype(np.float32)
    return (columns.T @ columns).astype(np.float64) / max(1, len(columns))
