"""A guess for missing voxels of a run, from the run itself: sums of other frames that prove themselves where voxels are known."""

import numpy as np

from keras_mri.imaging.run_repair.in_time import PartGuess
from keras_mri.imaging.run_repair.known_run import KnownRun
from keras_mri.imaging.run_repair.parts import parts_of


class RunGuess:
    """Fills what frames lack.

    Parameters
    ----------
    read_frame : callable
        `read_frame(t)` returns an ndarray of float32, shape (x, y, z); read often.
    missing_at : callable
        `missing_at(t)` returns an ndarray of bool, shape (x, y, z).
    n_frames : int
    """

    def __init__(self, read_frame, missing_at, n_frames):
        self._run = KnownRun(read_frame, missing_at, n_frames)

    def filled(self, t, more=None, always=False):
        """Return frame t with its missing voxels filled, all others as they are.

        Parameters
        ----------
        t : int
        more : ndarray of bool, shape (x, y, z), optional
            Voxels that count as missing besides, for a trial.
        always : bool
            Whether they count as missing in all frames.

        Returns
        -------
        ndarray of float32, shape (x, y, z)
        """
        run = self._run
        hole = run.missing_at(t) if more is None else run.missing_at(t) | more
        if not hole.any():
            return run.read(t)
        never = run.never | more if always and more is not None else run.never
        frame = np.where(hole, run.mean, run.read(t))
        later = hole & ~never
        for part, frames in parts_of(later, run.missing_at, run.window(t)) if later.any() else ():
            frames = frames[frames != t]
            if len(frames):
                frame[part] = PartGuess(run, t, part, hole, frames).values()
        return run.in_space(frame, never & hole)
