"""The judge of a denoised scan: sees each frame before and after, once and in order, and comes to a verdict."""

import numpy as np

from keras_mri.errors import InputError
from keras_mri.imaging.brain_mask import scan_mask
from keras_mri.imaging.edges import share_along_edges
from keras_mri.imaging.foreground import noise_foreground
from keras_mri.imaging.intensity import pedestal_of
from keras_mri.imaging.metrics import RunStatistics
from keras_mri.imaging.noise import estimate_sigma, sigma_and_source
from keras_mri.imaging.runs.frame_noise import FrameNoise
from keras_mri.imaging.runs.time_courses import TimeCourses
from keras_mri.imaging.verdict import Pair, Verdict
from keras_mri.io.grids import bounding_box, check_same_grid, voxel_sides

# The fewest frames whose differences tell noise from anatomy.
LEAST_FRAMES = 3
# Successive frames from whose differences smoothness is measured: enough voxels for one number, and it takes most of the time.
_SMOOTHNESS_FRAMES = 16
# Numbers that a system may hand over.
_KNOWN = ("keep_trained", "keep_measured", "spread", "bias")
# The fewest voxels of a region.
_LEAST_VOXELS = 100


class Judge:
    """Compares a result with its input, frame by frame; the memory does not grow with the number of frames.

    Parameters
    ----------
    before, after : Volume
        On one grid, with one number of frames.
    mask : ndarray of bool, shape (x, y, z), optional
        Where they are compared; by default in the brain, as found in the first frame. Voxels that are exactly 0 there do not count.
    counted : sequence of int, optional
        Numbers of the frames that count, in their order, as neighbours of each other: those of one condition. By default all of them.
        Constant frames never count.
    facts : dict, optional
        What else is known: `keep_trained`, `keep_measured`, `spread`, `bias` of `Verdict`. Read when the verdict is asked for, so that it
        may be filled while the frames are computed.

    Raises
    ------
    GridMismatchError
        If the images do not share a grid.
    InputError
        If they differ in their number of frames.

    Attributes
    ----------
    count : int
        How many frames have counted. Of fewer than three that follow one another, the first alone is judged.
    """

    def __init__(self, before, after, mask=None, counted=None, facts=None):
        check_same_grid(before, after)
        if before.n_frames != after.n_frames:
            raise InputError(
                f"the images must have the same number of frames. Received: {before.n_frames} in {before.name}, "
                f"{after.n_frames} in {after.name}."
            )
        self.before, self.after = before, after
        self._mask, self._facts = mask, {} if facts is None else facts
        self._place = None if counted is None else {t: place for place, t in enumerate(counted)}
        self.count, self._pedestal = 0, 0.0
        self._next, self._first, self._region, self._region_name = 0, None, None, ""
        self._noise = FrameNoise()
        self._courses = {name: TimeCourses() for name in ("before", "after", "removed")}
        self._smoothness = {}
        # In the middle, where the magnetisation is in its steady state.
        start = max(0, (before.n_frames - _SMOOTHNESS_FRAMES) // 2)
        self._smooth_frames = range(start, start + _SMOOTHNESS_FRAMES)

    def watched(self):
        """Return the result as a Volume; each frame is judged when it is first read, which must happen in order."""

        def frame(t):
            # The input first: a system that looks ahead may have read it already.
            original, result = self.before.frame(t), self.after.frame(t)
            if t == self._next:
                self.add(t, original, result)
            return result

        return self.after.with_frames(frame)

    def add(self, t, before, after):
        """Take in frame `t` of the input and of the result.

        Parameters
        ----------
        t : int
            Rising.
        before, after : ndarray of float32, shape (x, y, z)
            NaN and infinity of the result count as 0.
        """
        self._next = t + 1
        place = t if self._place is None else self._place.get(t)
        if place is None or before.min() == before.max():
            return
        after = np.nan_to_num(after, nan=0.0, posinf=0.0, neginf=0.0)
        self._pedestal = pedestal_of(before) if self.count == 0 else self._pedestal
        if self._pedestal:
            before, after = (np.where(frame == 0, 0, frame - self._pedestal).astype(np.float32) for frame in (before, after))
        self.count += 1
        if self.count == 1:
            self._first = place, before, after
            self._region, self._region_name = self._where(before)
            return
        if self.count == 2:
            # Not before: a single volume needs no sums over time, and may be large.
            self._box = bounding_box(self._region)
            self._smoothness = {name: RunStatistics(self._region[self._box]) for name in ("before", "after")}
            self._sum_up(*self._first)
        self._sum_up(place, before, after)

    def _sum_up(self, place, before, after):
        self._noise.add(place, before)
        for name, frame in (("before", before), ("after", after)):
            self._courses[name].add(place, frame[self._region])
            if place in self._smooth_frames:
                self._smoothness[name].add(frame[self._box])
        self._courses["removed"].add(place, np.subtract(before, after, dtype=np.float64)[self._region])

    def noise_map(self):
        """Return the estimated noise SD of every voxel: ndarray of float32, shape (x, y, z), in the image's unit.

        Raises
        ------
        InputError
            If no three neighbouring frames were counted.
        """
        sigma = self._noise.map()
        if sigma is None:
            raise InputError(f"`noise_map` needs a run of at least {LEAST_FRAMES} frames that follow one another.")
        return sigma.astype(np.float32)

    def verdict(self):
        """Return the Verdict on the frames taken in.

        Raises
        ------
        InputError
            If none counted.
        """
        if not self.count:
            raise InputError(f"no frame of {self.before.name} can be judged: all are constant, or left out.")
        judged = self._judged_run() if self._noise.count else self._judged_volume()
        known = {name: self._facts.get(name) for name in _KNOWN}
        return Verdict(region=self._region_name, **judged, **known)

    def _judged_run(self):
        before, after, removed = (self._courses[name] for name in ("before", "after", "removed"))
        # The mean of T frames keeps a T-th of the variance of what varies.
        same = removed.mean() ** 2 - removed.variance() / removed.count
        power = removed.power().mean()
        zooms = voxel_sides(self.before.affine)
        return dict(
            frames=self.count,
            noise=self._noise.typical(self._region),
            noise_from="differences of frames",
            removed=float(np.median(np.sqrt(removed.power()))),
            anatomy=float(np.clip(same.mean() / power, 0, 1)) if power else 0.0,
            anatomy_from="frames",
            anatomy_sd=float(np.sqrt(max(same.mean(), 0.0))),
            tsnr=Pair(before.tsnr(), after.tsnr()),
            autocorrelation=Pair(before.autocorrelation(), after.autocorrelation()),
            fwhm=Pair(*(self._smoothness[name].fwhm(zooms) for name in ("before", "after"))),
        )

    def _judged_volume(self):
        _, before, after = self._first
        removed = float(np.sqrt(np.mean(np.square((before - after)[self._region], dtype=np.float64))))
        anatomy = share_along_edges(before, after, self._region)
        # Air lies outside of the region, and tells more than tissue does.
        noise, source = sigma_and_source(before)
        if source == "image":
            noise = estimate_sigma(np.where(self._region, before, np.float32(0))) or noise
        return dict(
            frames=1,
            noise=noise,
            noise_from=source,
            removed=removed,
            anatomy=anatomy,
            anatomy_from="edges",
            anatomy_sd=float(np.sqrt(anatomy)) * removed,
        )

    def _where(self, frame):
        """Return the voxels in which scans are compared, and their name."""
        valid = frame != 0
        if self._mask is not None and (self._mask & valid).any():
            return self._mask & valid, "mask"
        try:
            brain = scan_mask(frame, voxel_sides(self.before.affine)) & valid
        except InputError:
            brain = np.zeros_like(valid)
        if brain.sum() >= _LEAST_VOXELS:
            return brain, "brain"
        bright = noise_foreground(frame, valid) & valid
        return (bright, "foreground") if bright.sum() >= _LEAST_VOXELS else (valid, "image")


def see_all(judges):
    """Show every frame to several judges of one input, which is read once.

    Parameters
    ----------
    judges : sequence of Judge
    """
    for t, before in enumerate(judges[0].before.frames()):
        for judge in judges:
            judge.add(t, before, judge.after.frame(t))


def comparable(before, after):
    """Return whether a result lies on the grid of its input, frame by frame, so that a Judge can compare them."""
    try:
        check_same_grid(before, after)
    except InputError:
        return False
    return before.n_frames == after.n_frames
