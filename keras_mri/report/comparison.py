"""Statistics of the changes that a restoration made, gathered frame by frame while its result is written."""

import time

import numpy as np

from keras_mri.imaging.foreground import noise_foreground
from keras_mri.imaging.kspace import resampled
from keras_mri.imaging.metrics import RunStatistics
from keras_mri.imaging.noise import estimate_sigma
from keras_mri.io.grids import voxel_sides
from keras_mri.report.histogram import Histogram
from keras_mri.report.spectrum import radial_power
from keras_mri.report.views import centre_of, orthogonal_views

# Successive frames of a run from which noise is estimated; frames spread over it whose spectra are averaged.
_NOISE_FRAMES, _SPECTRUM_FRAMES = 10, 16
# The fewest frames from which the standard deviation of a voxel is estimated.
_LEAST_FRAMES = 5


class Comparison:
    """Statistics of a result against its input; only a few frames of a run are kept in memory.

    Parameters
    ----------
    before : Volume
        Input, 3D or 4D. If its grid differs from that of `after`, it is resampled to that grid in k-space.
    after : Volume
        Result, over the same field of view. If its `facts` hold `missing`, from the number of a frame to its missing voxels, these were
        filled in: what the input has there counts for nothing.

    Attributes
    ----------
    foreground : ndarray of bool, shape (x, y, z)
        Voxels that enter the statistics: brighter in the first frame than 20 % of the 95th percentile of its nonzero voxels.
    residual : Histogram
        Histogram of before − after in the foreground of all frames.
    shown : int
        Index of the frame that `views` shows: the middle one, or that with the most missing voxels.
    filled : dict of str to int, or None
        Where missing voxels were filled in: `voxels` and `frames`, how many of them.
    n_nonfinite : int
        Number of NaN and infinities in the result; they count as 0.
    seconds : float
        Time spent on these statistics.
    """

    def __init__(self, before, after):
        self.before, self.after = before, after
        self.regridded = before.shape[:3] != after.shape[:3]
        self.shown, self.filled = after.n_frames // 2, None
        self._missing = after.facts.get("missing")
        if self._missing:
            counts = [int(np.count_nonzero(self._missing(t))) for t in range(after.n_frames)]
            self.shown = int(np.argmax(counts))
            self.filled = {"voxels": sum(counts), "frames": sum(count > 0 for count in counts)}
        self.foreground, self.residual = None, Histogram()
        self.n_nonfinite, self.seconds = 0, 0.0
        self._panels, self._powers, self._runs = {}, {}, {}
        self._successive = {"before": [], "after": []}
        start = max(0, min(self.shown - _NOISE_FRAMES // 2, after.n_frames - _NOISE_FRAMES))
        self._noise_frames = range(start, min(start + _NOISE_FRAMES, after.n_frames))
        self._spectrum_frames = {int(t) for t in np.linspace(0, after.n_frames - 1, min(_SPECTRUM_FRAMES, after.n_frames)).round()}

    def watched(self):
        """Return the result as a Volume; each frame enters the statistics when it is read, which must happen once."""

        def frame(t):
            restored = self.after.frame(t)
            self.add(t, restored)
            return restored

        return self.after.with_frames(frame)

    def add(self, t, restored):
        """Add frame `t` of the result to the statistics.

        Parameters
        ----------
        t : int
        restored : ndarray of float32, shape (x, y, z)
            May hold NaN and infinity.
        """
        start = time.perf_counter()
        original = self.before.frame(t if self.before.n_frames > 1 else 0)
        self.n_nonfinite += int(restored.size - np.isfinite(restored).sum())
        restored = np.nan_to_num(restored, nan=0.0, posinf=0.0, neginf=0.0)
        measured = resampled(original, restored.shape) if self.regridded else original
        if self.foreground is None:
            self.foreground = foreground_of(measured)
            if self.after.n_frames >= _LEAST_FRAMES:
                self._runs = {name: RunStatistics(self.foreground) for name in ("before", "after")}
        removed = measured - restored
        self.residual.add(removed[self.foreground])
        for name, frame in (("before", measured), ("after", restored)):
            if name in self._runs:
                self._runs[name].add(frame)
            if t in self._noise_frames:
                self._successive[name].append(frame)
        if t in self._spectrum_frames:
            for name, frame in (("before", measured), ("after", restored), ("removed", removed)):
                self._powers.setdefault(name, []).append(radial_power(frame, voxel_sides(self.after.affine)))
        if t == self.shown:
            self._panels = {"before": original, "after": restored, "removed": removed}
            if self._missing:
                gap = self._missing(t)
                self._panels = {"before": np.where(gap, np.nan, original), "after": restored, "filled": np.where(gap, restored, 0)}
        self.seconds += time.perf_counter() - start

    def views(self):
        """Return slices of the frame shown: dict of "before", "after", "removed" to dict of plane to View.

        Voxels that were filled in are NaN before, and slices go through their centre; "filled" shows them alone, instead of "removed".
        """
        affines = {"before": self.before.affine}
        return {name: orthogonal_views(data, affines.get(name, self.after.affine), self._centre) for name, data in self._panels.items()}

    def sigma(self):
        """Return the estimated SD of the noise in image units: dict of "before", "after" to float."""
        return {name: estimate_sigma(np.stack(frames, axis=-1)) for name, frames in self._successive.items()}

    def spectra(self):
        """Return mean spectra: dict of "before", "after", "removed" to (frequencies, power) as in `radial_power`."""
        return {name: (pairs[0][0], np.mean([power for _, power in pairs], axis=0)) for name, pairs in self._powers.items()}

    def stability(self):
        """Measure the stability over time of a run of at least five frames.

        Returns
        -------
        dict of str to dict
            For "before" and "after": `tsnr` (median), `fwhm` (mm) and `views` of the temporal SNR. Empty for fewer frames.
        """
        return {
            name: {
                "tsnr": run.tsnr(),
                "fwhm": run.fwhm(self.after.zooms),
                "views": orthogonal_views(np.where(self.foreground, run.tsnr_map(), 0.0), self.after.affine, self._centre),
            }
            for name, run in self._runs.items()
        }

    @property
    def _centre(self):
        gap = self._missing(self.shown) if self._missing else None
        return centre_of(self.foreground if gap is None or gap.all() or not gap.any() else gap)


def foreground_of(frame):
    """Find the voxels that enter statistics of a difference: brighter than a fifth of the 95th percentile; all, if these are too few.

    Parameters
    ----------
    frame : ndarray of float32, shape (x, y, z)

    Returns
    -------
    ndarray of bool, same shape
    """
    valid = frame != 0
    mask = noise_foreground(frame, valid) if valid.any() else valid
    return mask if mask.sum() >= 100 else np.ones(frame.shape, bool)
