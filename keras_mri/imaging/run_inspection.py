"""A look at a run before it is denoised: which frames are unlike the others, and which belong to one condition."""

from dataclasses import dataclass

import numpy as np

from keras_mri.imaging import unlike_frames
from keras_mri.imaging.head_positions import distance, head_positions, stretches
from keras_mri.imaging.run_conditions import alternates, brightness_levels
from keras_mri.imaging.run_summaries import summarise_run

# A condition with fewer frames has no mean and no noise level of its own.
LEAST_FRAMES = 10
# Seconds, and frames where the repetition time is unknown: later than that longitudinal magnetisation is in steady state.
_STEADY_AFTER, _STEADY_AFTER_FRAMES = 15.0, 10
# Brain blocks: brighter than this share of the 95th percentile of the median image.
_BRAIN = 0.2
# A first frame further from the others than this factor is a level of its own, such as M0 or b = 0, and not a decay.
_DECAY = 1.5
# Voxels: motion that a remark is worth.
_REMARKABLE = 0.75


@dataclass(frozen=True)
class RunInspection:
    """What a look at a run found.

    Parameters
    ----------
    n_frames : int
    unlike : dict of int to str
        Frames that are unlike the others, with the reason: they should pass unchanged and stand in no other frame's window.
    conditions : tuple of tuple of int
        The other frames, in groups that are runs of their own; one group for an ordinary run.
    kind : str
        "run", "alternating", "levels", or "unclear" where more than half of the frames are unlike the others.
    jumps : tuple of (int, float)
        Frames at which the head moves and stays, and by how many voxels (root mean square over the brain).
    drift : float
        Voxels by which the head moves slowly over the run.
    """

    n_frames: int
    unlike: dict
    conditions: tuple
    kind: str
    jumps: tuple = ()
    drift: float = 0.0

    def sentences(self, name):
        """Describe what was found to people, one line each; none for an ordinary run.

        Parameters
        ----------
        name : str
            Of the run.

        Returns
        -------
        list of str
        """
        lines = [f"{name}: {_unlike_sentence(reason, frames)}" for reason, frames in self._by_reason().items()]
        lines += [f"{name}: {line}" for line in self._condition_sentences()]
        for frame, voxels in self.jumps:
            lines.append(f"{name}: the head moves by about {voxels:.1f} voxels at frame {frame}: realign the run first")
        if self.drift > _REMARKABLE:
            lines.append(f"{name}: the head drifts by about {self.drift:.1f} voxels during the run: realign the run first")
        return lines

    def facts(self):
        """Return what was found as values that JSON can hold: dict."""
        return {
            "frames": self.n_frames,
            "kind": self.kind,
            "conditions": [list(frames) for frames in self.conditions],
            "unlike": {str(frame): reason for frame, reason in sorted(self.unlike.items())},
            "head_moves": [{"frame": frame, "voxels": round(voxels, 2)} for frame, voxels in self.jumps],
            "head_drifts_by_voxels": round(self.drift, 2),
        }

    def _by_reason(self):
        reasons = {}
        for frame, reason in sorted(self.unlike.items()):
            reasons.setdefault(reason, []).append(frame)
        return reasons

    def _condition_sentences(self):
        sizes = [len(frames) for frames in self.conditions]
        if self.kind == "unclear":
            yield f"{len(self.unlike)} of {self.n_frames} frames are unlike the others: what is a condition and what is a fault is unclear"
        elif self.kind == "alternating":
            yield f"even and odd frames alternate (such as control and label): each is denoised as a run of its own ({listed(sizes)} frames)"
        elif self.kind == "levels":
            yield f"the frames belong to {len(sizes)} conditions of {listed(sizes)} frames: each is denoised as a run of its own"


def inspect_run(frames, *, repetition_time=None, zooms=(1.0, 1.0, 1.0)):
    """Look at a run: find the frames that are unlike the others, and sort the rest into conditions.

    Parameters
    ----------
    frames : iterable of ndarray of float32, shape (x, y, z)
        In the order of time; gone through once, one frame at a time.
    repetition_time : float, optional
        s. It limits how many first frames may not be in steady state.
    zooms : tuple of float
        Voxel sides, mm.

    Returns
    -------
    RunInspection
    """
    return _Look(summarise_run(frames), repetition_time, zooms).inspection()


def listed(numbers):
    """Return numbers as people write them: 1, 2 and 4; three or more successive ones as 0–4.

    Parameters
    ----------
    numbers : sequence of int

    Returns
    -------
    str
    """
    parts, numbers = [], list(numbers)
    while numbers:
        count = next((i for i in range(1, len(numbers)) if numbers[i] != numbers[i - 1] + 1), len(numbers))
        count = count if count > 2 else 1
        parts.append(f"{numbers[0]}-{numbers[count - 1]}" if count > 1 else str(numbers[0]))
        numbers = numbers[count:]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _unlike_sentence(reason, frames):
    which = f"frame{'s' if len(frames) > 1 else ''} {listed(frames)}"
    verb, stay = ("are", "stay as they are") if len(frames) > 1 else ("is", "stays as it is")
    return f"{which} {verb} unlike the others ({reason}) and {stay}"


class _Look:
    """The steps of a look, each leaving fewer frames to the next."""

    def __init__(self, summary, repetition_time, zooms):
        self.summary, self.zooms, self.count = summary, zooms, summary.n_frames
        self.unsteady = _STEADY_AFTER_FRAMES if not repetition_time else int(np.ceil(_STEADY_AFTER / repetition_time))
        self.unlike = unlike_frames.broken_frames(summary)
        self.jumps, self.drift, self.alternating = {}, 0.0, False
        self.least = LEAST_FRAMES if self.count >= LEAST_FRAMES else self.count // 2 + 1

    def inspection(self):
        """Return what was found."""
        whole = np.array([t for t in range(self.count) if t not in self.unlike], int)
        if self.count < 3 or not len(whole) or not self._has_brain(whole):
            return RunInspection(
                self.count, self.unlike, tuple([tuple(whole.tolist())] if len(whole) else []), "run" if len(whole) else "unclear"
            )
        levels = self._levels(whole)
        conditions = self._alternating(levels) if levels else []
        if self.count >= LEAST_FRAMES:
            conditions = [self._steady(frames, len(conditions)) for frames in conditions]
            conditions = [part for frames in conditions for part in self._places(frames)]
            conditions = [self._faultless(frames) for frames in conditions]
        kept = [tuple(frames.tolist()) for frames in self._large(conditions)]
        kind = "run" if len(kept) == 1 else "alternating" if self.alternating and len(kept) == 2 else "levels"
        kind = kind if kept and 2 * len(self.unlike) <= self.count else "unclear"
        jumps = tuple((frame, self.jumps[frame]) for frame in sorted(self.jumps) if frame - 1 not in self.jumps)
        return RunInspection(self.count, dict(sorted(self.unlike.items())), tuple(sorted(kept)), kind, jumps, self.drift)

    def _has_brain(self, whole):
        blocks = self.summary.blocks
        self.reference = np.median(blocks[whole], axis=0).astype(np.float64)
        positive = self.reference[self.reference > 0]
        if not len(positive):
            return False
        self.brain = self.reference > _BRAIN * np.percentile(positive, 95)
        self.images = blocks[:, self.brain] / self.reference[self.brain]
        self.brightness = np.median(self.images, axis=1)
        slopes = [np.gradient(self.reference, axis=a) for a in range(3) if self.reference.shape[a] > 1]
        self.steepness = (
            np.sqrt(np.mean(np.sum(np.square(slopes), axis=0)[self.brain] / self.reference[self.brain] ** 2)) / self.summary.side
        )
        # Without a mean that fluctuations are a share of, as in residuals of a model, there is nothing to be seen here.
        return bool(np.median(np.abs(self.images[whole] - 1)) < 0.5 and (self.brightness[whole] > 0).all())

    def _levels(self, whole):
        """Sort frames into levels of brightness; those of small levels are unlike the others."""
        labels = brightness_levels(self.brightness[whole])
        levels = [whole[labels == level] for level in np.unique(labels)]
        large = [frames for frames in levels if len(frames) >= self.least]
        for frames in levels:
            if len(frames) < self.least:
                self.unlike.update({int(t): self._reason(t, frames, large) for t in frames})
        if len(large) == 2 and self._take_turns(large):
            self.alternating = True
        return large

    def _reason(self, t, frames, large):
        """Return why a frame of a small level is unlike the others: too early, a spike, or too few like it."""
        nearest = min(
            (np.median(self.brightness[level]) for level in large), key=lambda value: abs(value - self.brightness[t]), default=1.0
        )
        early = all(other in self.unlike or other in frames for other in range(t)) and t < self.unsteady
        if early and 1 / _DECAY < self.brightness[t] / nearest < _DECAY and self.count - len(self.unlike) > 2:
            return unlike_frames.UNSTEADY
        # A spike is the same picture times a factor; an image of another contrast is not.
        scaled = self.images[t] / self.brightness[t]
        others = np.concatenate(large) if large else frames
        usual = np.median(np.abs(self.images[others] / self.brightness[others, None] - 1))
        return unlike_frames.SPIKE if np.median(np.abs(scaled - 1)) < max(0.05, 1.5 * usual) else too_few(len(frames))

    def _take_turns(self, levels):
        order = np.argsort(np.concatenate(levels))
        labels = np.repeat([0, 1], [len(frames) for frames in levels])[order]
        return np.mean(np.diff(labels) != 0) > 0.9

    def _alternating(self, levels):
        """Split levels in two where their frames alternate, by their place in the run or in the level."""
        whole = np.sort(np.concatenate(levels))
        images = self.images.copy()
        for frames in levels:
            images[frames] /= images[frames].mean(axis=0)
        # All levels together show an alternation that is too weak to be seen in one.
        if len(whole) >= LEAST_FRAMES and alternates(images[whole], whole):
            return self._halves(levels, levels)
        parts = []
        for frames in levels:
            places = [
                places for places in (frames, np.arange(len(frames))) if len(frames) >= LEAST_FRAMES and alternates(images[frames], places)
            ]
            parts += self._halves([frames], places[:1] or [np.zeros(len(frames))])
        return parts

    def _halves(self, levels, places):
        halves = [frames[place % 2 == half] for frames, place in zip(levels, places) for half in (0, 1)]
        parts = [frames for frames in halves if len(frames)]
        self.alternating |= len(parts) > len(levels)
        return parts

    def _steady(self, frames, conditions):
        if any(t not in self.unlike for t in range(frames[0])) and frames[0] >= self.unsteady or len(frames) < LEAST_FRAMES:
            return frames
        most = -(-self.unsteady // conditions)
        count = unlike_frames.unsteady_frames(self.images[frames], frames, most)
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
        centres = {
            label: np.nanmedian(positions[labels == label], axis=0)
            for label in np.unique(labels)
            if (labels == label).sum() >= LEAST_FRAMES
        }
        kept = [(frame, label) for frame, label in zip(frames.tolist(), labels) if label in centres]
        for (_, before), (frame, after) in zip(kept, kept[1:]):
            if before != after:
                self.jumps[frame] = distance(centres[before], centres[after])
        for label in centres:
            part = positions[labels == label]
            part = part[~np.isnan(part).any(axis=(1, 2))]
            if len(part) >= LEAST_FRAMES:
                ends = np.median(part[:5], axis=0), np.median(part[-5:], axis=0)
                self.drift = max(self.drift, float(np.linalg.norm(np.mean(ends[1] - ends[0], axis=0))))

    def _faultless(self, frames):
        """Leave out frames with a bad slice, spikes and whatever else is unlike the frames around."""
        summary = self.summary
        slices = unlike_frames.bad_slices([part[frames] for part in summary.profiles], [part[frames] for part in summary.roughness])
        for place, (axis, numbers) in slices.items():
            which = f"{'xyz'[axis]} = {', '.join(map(str, numbers))}"
            self.unlike[int(frames[place])] = f"one bad slice ({which})" if len(numbers) == 1 else f"bad slices ({which})"
        for reason, find, values in (
            (unlike_frames.SPIKE, unlike_frames.spikes, self.brightness),
            (unlike_frames.STRANGE, lambda images: unlike_frames.strange_frames(images, self.steepness), self.images),
        ):
            frames = np.array([t for t in frames if t not in self.unlike], int)
            if len(frames) >= LEAST_FRAMES:
                self.unlike.update(dict.fromkeys(frames[find(values[frames])].tolist(), reason))
        return np.array([t for t in frames if t not in self.unlike], int)

    def _large(self, conditions):
        for frames in conditions:
            if len(frames) >= self.least:
                yield frames
            else:
                self.unlike.update(dict.fromkeys(frames.tolist(), too_few(len(frames))))


def too_few(count):
    """Return the reason why frames of a small condition pass unchanged: str."""
    return f"one of only {count} frames of its condition, too few for a run of their own"
