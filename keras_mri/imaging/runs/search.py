"""The search for the conditions of a run: from what is seen best to what is seen only once the rest is out of the way."""

import numpy as np

from keras_mri.imaging.runs import unlike_frames
from keras_mri.imaging.runs.conditions import alternates, brightness_levels, is_restless
from keras_mri.imaging.runs.head_positions import distance, head_positions, stretches

# A condition with fewer frames has no mean and no noise level of its own.
LEAST_FRAMES = 10
# Seconds, and frames where the repetition time is unknown: later than that longitudinal magnetisation is in steady state.
_STEADY_AFTER, _STEADY_AFTER_FRAMES = 15.0, 10
# Brain blocks: brighter than this share of the 95th percentile of the median image.
_BRAIN = 0.2
# Residuals of a model are negative in half of the brain, magnitude images nowhere.
_MOST_NEGATIVE = 0.05
# A first frame further from the others than this factor is a level of its own, such as M0 or b = 0, and not a decay.
_DECAY = 1.5
# A spike is the usual picture times a factor, up to this share of it or to this many times its noise.
_SAME_PICTURE, _SAME_IN_NOISE = 0.05, 1.5
# Voxels: a frame, or a level, is displaced by so much at least.
_MOVED = 0.75
# Frames of a level that one displaced frame is compared with.
_COMPARED = 30


class RunSearch:
    """The steps of the search, each of which leaves fewer frames to the next.

    Parameters
    ----------
    summary : RunSummary
    repetition_time : float or None
        s.
    zooms : tuple of float
        Voxel sides, mm.

    Attributes
    ----------
    count : int
        Number of frames.
    unlike : dict of int to str
        Frames found to be unlike the others, with the reason.
    drift : float
        Voxels by which the head moves slowly.
    """

    def __init__(self, summary, repetition_time, zooms):
        self.summary, self.zooms, self.count = summary, zooms, summary.n_frames
        self.unsteady = _STEADY_AFTER_FRAMES if not repetition_time else int(np.ceil(_STEADY_AFTER / repetition_time))
        self.unlike = unlike_frames.broken_frames(summary)
        self.drift = 0.0
        self._jumps, self._taking_turns = {}, False
        self.least = LEAST_FRAMES if self.count >= LEAST_FRAMES else self.count // 2 + 1

    def conditions(self):
        """Search, once.

        Returns
        -------
        tuple of tuple of int
            The frames of each condition.
        str
            "run", "alternating", "levels" or "unclear".
        """
        whole = np.array([t for t in range(self.count) if t not in self.unlike], int)
        if self.count < 3 or not len(whole) or not self._has_brain(whole):
            kept = [whole] if len(whole) else []
        else:
            levels = self._levels(np.array([t for t in whole if t not in self.unlike], int))
            kept = self._quiet(self._alternating(levels)) if levels else []
            if self.count >= LEAST_FRAMES:
                most = -(-self.unsteady // max(len(kept), 1))
                self._compare_blocks(levels)
                kept = [part for frames in kept for part in self._places(frames)]
                kept = [self._steady(frames, most) for frames in kept]
                kept = [self._faultless(frames) for frames in kept]
            kept = self._large(kept)
        kind = "run" if len(kept) == 1 else "alternating" if self._taking_turns and len(kept) == 2 else "levels"
        kind = kind if kept and 2 * len(self.unlike) <= self.count else "unclear"
        return tuple(sorted(tuple(frames.tolist()) for frames in kept)), kind

    def lasting_jumps(self):
        """Return the frames at which the head moves and stays: tuple of (int, float), the distance in voxels."""
        # Two conditions that take turns see the same jump one frame apart.
        return tuple((frame, self._jumps[frame]) for frame in sorted(self._jumps) if frame - 1 not in self._jumps)

    def _has_brain(self, whole):
        blocks = self.summary.blocks
        self.reference = np.median(blocks[whole], axis=0).astype(np.float64)
        positive = self.reference[self.reference > 0]
        if not len(positive):
            return False
        self.brain = self.reference > _BRAIN * np.percentile(positive, 95)
        self.images = blocks[:, self.brain] / self.reference[self.brain]
        self.brightness = np.median(self.images, axis=1)
        # In units of the mean of the brain: dark blocks, whose noise is a large share of them, do not rule a mean.
        self.weights = self.reference[self.brain] / self.reference[self.brain].mean()
        # Without a mean that fluctuations are a share of there is nothing to be seen here.
        if (self.images[whole] < 0).mean() > _MOST_NEGATIVE:
            return False
        # More than half of such a frame is missing.
        self.unlike.update(dict.fromkeys(whole[self.brightness[whole] <= 0].tolist(), unlike_frames.STRANGE))
        return True

    def _steepness(self):
        """Return by which share of the mean the image changes from voxel to voxel, root mean square."""
        slopes = [np.gradient(self.reference, axis=a) for a in range(3) if self.reference.shape[a] > 1]
        if not slopes:
            return 0.0
        return np.sqrt(np.mean(np.sum(np.square(slopes), axis=0)[self.brain])) / self.summary.side / self.reference[self.brain].mean()

    def _levels(self, whole):
        """Sort frames into levels of brightness; those of small levels are unlike the others."""
        labels = brightness_levels(self.brightness[whole])
        levels = [whole[labels == level] for level in np.unique(labels)]
        large = [frames for frames in levels if len(frames) >= self.least]
        for frames in levels:
            if len(frames) < self.least:
                self.unlike.update({int(t): self._reason(t, frames, large) for t in frames})
        self._taking_turns = len(large) == 2 and _take_turns(large)
        return large

    def _reason(self, t, frames, large):
        """Return why a frame of a small level is unlike the others: too early, a spike, moved, or too few like it."""
        if not large:
            return unlike_frames.too_few(len(frames))
        factors = [self.brightness[t] / np.median(self.brightness[level]) for level in large]
        nearest = int(np.argmin(np.abs(np.log(factors))))
        early = all(other in self.unlike or other in frames for other in range(t)) and t < self.unsteady
        if early and 1 / _DECAY < factors[nearest] < _DECAY:
            return unlike_frames.UNSTEADY
        # A blank frame has no brightness to divide by.
        scaled = np.abs(self.images / np.where(self.brightness, self.brightness, 1)[:, None] - 1)
        if np.median(scaled[t]) < max(_SAME_PICTURE, _SAME_IN_NOISE * np.median(scaled[np.concatenate(large)])):
            return unlike_frames.SPIKE
        moved = len(large[nearest]) >= LEAST_FRAMES and self._is_displaced(t, large[nearest])
        return unlike_frames.MOVED if moved else unlike_frames.too_few(len(frames))

    def _is_displaced(self, t, level):
        return self._displacement(level, np.array([t])) > _MOVED

    def _displacement(self, first, second):
        """Return how far the head is apart in two groups of frames, voxels; 0.0 where no motion explains their difference."""
        first, second = (frames[:: -(-len(frames) // _COMPARED)] for frames in (first, second))
        positions = head_positions(self.summary.blocks[[*first, *second]], self.brain, self.summary.side, self.zooms)
        known = ~np.isnan(positions).any(axis=(1, 2))
        parts = [positions[: len(first)][known[: len(first)]], positions[len(first) :][known[len(first) :]]]
        return distance(*(np.median(part, axis=0) for part in parts)) if all(len(part) for part in parts) else 0.0

    def _compare_blocks(self, levels):
        """Note where a level follows another because the head moved: parts of it left the field of view, so the brightness changed."""
        levels = sorted(levels, key=lambda frames: frames[0])
        for before, after in zip(levels, levels[1:]):
            voxels = self._displacement(before, after) if before[-1] < after[0] else 0.0
            if voxels > _MOVED:
                self._jumps[int(after[0])] = voxels

    def _alternating(self, levels):
        """Split levels in two where their frames alternate, by their place in the run or in the level."""
        whole = np.sort(np.concatenate(levels))
        images = self.images * self.weights
        for frames in levels:
            images[frames] *= self.weights / images[frames].mean(axis=0)
        # All levels together show an alternation that is too weak to be seen in one.
        if len(whole) >= LEAST_FRAMES and alternates(images[whole], whole):
            return self._halves(levels, levels)
        return [part for frames in levels for part in self._halves([frames], [self._places_that_alternate(images, frames)])]

    def _places_that_alternate(self, images, frames):
        """Return numbers whose parity is the condition: places in the run, or in the level where other levels come between."""
        for places in (frames, np.arange(len(frames))):
            if len(frames) >= LEAST_FRAMES and alternates(images[frames], places):
                return places
        return np.zeros(len(frames))

    def _halves(self, levels, places):
        halves = [frames[place % 2 == half] for frames, place in zip(levels, places) for half in (0, 1)]
        parts = [frames for frames in halves if len(frames)]
        self._taking_turns |= len(parts) > len(levels)
        return parts

    def _quiet(self, conditions):
        """Leave out conditions whose brightness jumps from frame to frame: levels that are too many, or spikes."""
        for frames in conditions:
            if is_restless(self.brightness[frames]):
                self.unlike.update(dict.fromkeys(frames.tolist(), unlike_frames.RESTLESS))
        return [frames for frames in conditions if frames[0] not in self.unlike]

    def _steady(self, frames, most):
        """Leave out first frames that are not in steady state, `most` at most; later conditions have none."""
        late = frames[0] >= self.unsteady and any(t not in self.unlike for t in range(frames[0]))
        if late or len(frames) < LEAST_FRAMES:
            return frames
        count = unlike_frames.unsteady_frames(self.images[frames] * self.weights, frames, most)
        self.unlike.update(dict.fromkeys(frames[:count].tolist(), unlike_frames.UNSTEADY))
        return frames[count:]

    def _places(self, frames):
        """Split the frames of a condition where the head moves and stays; where it comes back at once, frames are unlike."""
        if len(frames) < LEAST_FRAMES:
            return [frames]
        positions = head_positions(self.summary.blocks[frames], self.brain, self.summary.side, self.zooms)
        labels = stretches(positions)
        groups = [frames[labels == label] for label in np.unique(labels)]
        large = [group for group in groups if len(group) >= LEAST_FRAMES]
        for group in groups:
            if len(group) < LEAST_FRAMES:
                self.unlike.update(dict.fromkeys(group.tolist(), unlike_frames.MOVED))
        self._remark(frames, positions, labels)
        return large

    def _remark(self, frames, positions, labels):
        """Note lasting jumps from one large group to another, and slow motion within a group."""
        known = ~np.isnan(positions).any(axis=(1, 2))
        large = [label for label in np.unique(labels) if (known & (labels == label)).sum() >= LEAST_FRAMES]
        centres = {label: np.median(positions[known & (labels == label)], axis=0) for label in large}
        kept = [(frame, label) for frame, label in zip(frames.tolist(), labels) if label in centres]
        for (_, before), (frame, after) in zip(kept, kept[1:]):
            if before != after:
                self._jumps[frame] = distance(centres[before], centres[after])
        for label in centres:
            part = positions[known & (labels == label)]
            ends = np.median(part[:5], axis=0), np.median(part[-5:], axis=0)
            self.drift = max(self.drift, float(np.linalg.norm(np.mean(ends[1] - ends[0], axis=0))))

    def _faultless(self, frames):
        """Leave out frames with a bad slice, spikes and whatever else is unlike the frames around."""
        if len(frames) < LEAST_FRAMES:
            return frames
        summary = self.summary
        slices = unlike_frames.bad_slices([part[frames] for part in summary.profiles], [part[frames] for part in summary.roughness])
        for place, (axis, numbers) in slices.items():
            which = f"{'xyz'[axis]} = {', '.join(map(str, numbers))}"
            self.unlike[int(frames[place])] = f"one bad slice ({which})" if len(numbers) == 1 else f"bad slices ({which})"
        for reason, find, values in (
            (unlike_frames.SPIKE, unlike_frames.spikes, self.brightness),
            (unlike_frames.STRANGE, self._strange, self.images * self.weights),
        ):
            frames = np.array([t for t in frames if t not in self.unlike], int)
            if len(frames) >= LEAST_FRAMES:
                self.unlike.update(dict.fromkeys(frames[find(values[frames])].tolist(), reason))
        return np.array([t for t in frames if t not in self.unlike], int)

    def _strange(self, images):
        return unlike_frames.strange_frames(images, self._steepness())

    def _large(self, conditions):
        """Return the conditions that are large enough; the frames of the others are unlike the others."""
        for frames in conditions:
            if len(frames) < self.least:
                self.unlike.update(dict.fromkeys(frames.tolist(), unlike_frames.too_few(len(frames))))
        return [frames for frames in conditions if len(frames) >= self.least]


def _take_turns(levels):
    order = np.argsort(np.concatenate(levels))
    labels = np.repeat([0, 1], [len(frames) for frames in levels])[order]
    return bool(np.mean(np.diff(labels) != 0) > 0.9)
