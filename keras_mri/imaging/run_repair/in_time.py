"""A part of a frame, guessed as a sum of other frames with shares that are proved in trials, and corrected by its neighbours."""

import functools

import numpy as np

from keras_mri.imaging.run_repair.candidates import KRIGING, Candidates
from keras_mri.imaging.run_repair.neighbours import REACH, Neighbours
from keras_mri.imaging.run_repair.stacking import shares
from keras_mri.imaging.run_repair.trials import box_around, copies, trial_frames, trial_hole

# Voxels of the samples that a frame must know if its known part is to count.
_LEAST_KNOWN = 100
# Voxels on which ways are tried.
_TRIED = 3000
# Numbers in memory for what lies around a hole; a larger hole does without its neighbours.
_MOST_NUMBERS = 60_000_000
# Frames that know the part; with fewer, a guess is also tried on holes like it elsewhere in the frame itself.
_MANY = 8


class PartGuess:
    """The guess for a part of what a frame lacks.

    Parameters
    ----------
    run : keras_mri.imaging.run_repair.known_run.KnownRun
    t : int
    part : ndarray of bool, shape (x, y, z)
        Voxels that are missing in the same frames.
    hole : ndarray of bool, shape (x, y, z)
        All that frame t lacks.
    frames : ndarray of int
        Frames of the window around t that know the part; one or more, without t.
    """

    def __init__(self, run, t, part, hole, frames):
        self._run, self._window = run, run.window(t)
        self._part, self._hole = part, hole
        first = self._window[0]
        self._t, self._frames = t - first, frames - first
        whole = not (run.tissue & ~hole).any()
        self._tried = part if whole else trial_hole(part, run.tissue & ~hole)
        self._ways = self._candidates()
        gone = np.setdiff1d(np.arange(len(self._window)), self._frames)
        row = self._ways.rows(self._t, self._frames, self._frames)
        trials = [(s, self._ways.rows(s, others, self._frames), self._tried) for s, others in trial_frames(self._t, self._frames, gone)]
        if not whole and len(self._frames) < _MANY:
            elsewhere = copies(part, run.tissue & ~hole)
            trials += [(self._t, row, elsewhere)] if elsewhere.any() else []
        share = self._shares(trials)
        self.row = share @ row
        self._trials = [(s, share @ rows, tried) for s, rows, tried in trials]
        self._box = self._small_box() if trials and not whole else None

    def values(self):
        """Return the guess: ndarray of float32, shape (voxels,), in the order of the part."""
        frames = (np.float32(self.row[k]) * self._run.known_frame(self._window[k])[self._part] for k in np.flatnonzero(self.row))
        guess = sum(frames)
        return guess if self._box is None else guess + self._beside()

    def _candidates(self):
        at, courses = self._run.samples
        known = ~(self._hole | self._tried).ravel()[at]
        partly = np.count_nonzero(known) >= _LEAST_KNOWN
        # Of a frame that is missing as a whole nothing is known, but frames are compared all the same.
        known = known if partly else np.ones_like(known)
        near = np.zeros(self._part.shape, bool)
        near[tuple(slice(*side) for side in box_around(self._part, REACH))] = True
        courses, means = courses[known][:, self._window], self._run.mean.ravel()[at[known]]
        return Candidates(courses, means, near.ravel()[at[known]], partly)

    def _small_box(self):
        """Return the box around all trials, or None if the run is too long for it."""
        box = box_around(np.any([self._hole & self._part, *(tried for _, _, tried in self._trials)], axis=0), REACH + 1)
        few = len(self._window) * np.prod([last - first for first, last in box]) <= _MOST_NUMBERS
        return tuple(slice(*side) for side in box) if few else None

    def _shares(self, trials):
        if not trials:
            return np.eye(self._ways.count)[KRIGING]
        products = wanted = 0.0
        courses = functools.cache(self._courses)
        for s, rows, tried in trials:
            series, means = courses(tried is self._tried)
            guesses = (series @ rows.T + means * (rows.sum(axis=1) - 1)).astype(np.float64)
            products, wanted = products + guesses.T @ guesses, wanted + guesses.T @ series[:, s]
        return shares(products, wanted)

    def _courses(self, here):
        """Return time courses of some voxels that are tried, in the part or elsewhere, less their means, and these."""
        tried = self._tried if here else copies(self._part, self._run.tissue & ~self._hole)
        at = np.flatnonzero(self._counted(tried))
        at = at[np.linspace(0, len(at) - 1, min(len(at), _TRIED)).round().astype(int)]
        return self._run.courses(at, self._window), self._run.mean.ravel()[at, None]

    def _counted(self, tried):
        """Return which voxels count in a trial: tissue where there is any."""
        counted = tried & self._run.tissue
        return counted if counted.any() else tried

    def _beside(self):
        """Return what known neighbours add to the guess."""
        box = self._box
        around = np.stack([self._run.known_frame(s)[box] for s in self._window], axis=-1)
        neighbours = Neighbours()
        for s, row, tried in self._trials:
            hole = (self._hole | tried)[box]
            neighbours.try_out(around[..., s] - around @ row.astype(np.float32), hole, self._counted(tried)[box])
        hole = self._hole[box]
        added = np.zeros(hole.shape, np.float32)
        added[hole] = neighbours.added(around[..., self._t] - around @ self.row.astype(np.float32), hole)
        return added[self._part[box]]
