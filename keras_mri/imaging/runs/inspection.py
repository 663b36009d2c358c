"""A look at a run before it is denoised: which frames are unlike the others, and which belong to one condition."""

from dataclasses import dataclass

from keras_mri.imaging.runs.search import RunSearch
from keras_mri.imaging.runs.summaries import summarise_run

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

    def sentences(self):
        """Describe what was found to people, one sentence each without a full stop; none for an ordinary run.

        Returns
        -------
        list of str
        """
        lines = [_unlike_sentence(reason, frames) for reason, frames in self._by_reason().items()]
        lines += self._condition_sentences()
        for frame, voxels in self.jumps:
            lines.append(f"the head moves by about {voxels:.1f} voxels at frame {frame}: realign the run first")
        if self.drift > _REMARKABLE:
            lines.append(f"the head drifts by about {self.drift:.1f} voxels during the run: realign the run first")
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
        sizes = " and ".join(f"{len(frames)}" for frames in self.conditions)
        if self.kind == "unclear":
            yield f"{len(self.unlike)} of {self.n_frames} frames are unlike the others: it is unclear which of them belong together"
        elif self.kind == "alternating":
            yield f"two conditions alternate, such as control and label ({sizes} frames): each is denoised as a run of its own"
        elif self.kind == "levels":
            yield f"{len(self.conditions)} conditions were found ({sizes} frames): each is denoised as a run of its own"


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
    search = RunSearch(summarise_run(frames), repetition_time, zooms)
    conditions, kind = search.conditions()
    return RunInspection(search.count, dict(sorted(search.unlike.items())), conditions, kind, search.lasting_jumps(), search.drift)


def listed(numbers):
    """Return numbers as people write them: 1, 2 and 4; three or more successive ones as 0-4.

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
