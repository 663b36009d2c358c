"""The time between the frames of a run: from its header and its side-car, or a message where they leave doubt."""

import itertools
import math
import typing

from keras_mri.errors import InputError, remark

# Seconds of a run that can be meant; up to the third number they are taken as they are, with a remark.
LEAST, MOST, _LONGEST = 0.05, 30.0, 100.0
# Seconds of NIfTI's units of time by their codes, and their names. A header with any other code is taken to mean seconds.
_UNITS, _NO_UNIT = {8: (1.0, "s"), 16: (1e-3, "ms"), 24: (1e-6, "µs")}, (1.0, "without a unit of time")
# Relative differences: of one time written twice, and of one that was rounded.
_SAME, _ROUNDED = 1e-3, 1e-2


class _Stated(typing.NamedTuple):
    """A time as a file states it: a number and the seconds of its unit, and both in words."""

    value: float
    unit: float
    words: str

    @property
    def readings(self):
        """Seconds, by the unit that is stated and by those that are usual."""
        return [self.value * unit for unit in (self.unit, 1.0, 1e-3, 1e-6)]

    @property
    def seconds(self):
        """What is meant: the first reading that can be; None if there is none."""
        if _can_be(self.readings[0]) or MOST < self.readings[0] <= _LONGEST:
            return self.readings[0]
        return next(filter(_can_be, self.readings), None)


def settle(name, header, metadata, n_frames):
    """Find the time between the frames of a run.

    Parameters
    ----------
    name : str
        The run's name in messages.
    header : nibabel.Nifti1Header
    metadata : keras_mri.io.bids.metadata.Metadata
    n_frames : int

    Returns
    -------
    float or None
        Seconds; None if nobody knows. What is doubtful is named by a remark.

    Raises
    ------
    InputError
        If header and side-car state two times.
    """
    stated, sidecar = of_header(header), _of_sidecar(name, metadata.facts)
    if sidecar is None and "VolumeTiming" in metadata.facts:
        steps = _steps(name, metadata.facts["VolumeTiming"], n_frames)
        if steps and max(steps) - min(steps) > _ROUNDED * max(steps):
            remark(name, "its volumes are not evenly spaced in time (VolumeTiming), so its repetition time is taken as unknown")
            return None
        sidecar = _Stated(math.fsum(steps) / len(steps), 1.0, "evenly spaced volumes (VolumeTiming)") if steps else None
    if sidecar is not None:
        return _agreed(name, stated, sidecar, metadata.origins)
    return _preparation(metadata.facts) if stated is None else _plain(name, stated)


def of_header(header):
    """Return the time that a header states, None if there is none; its `seconds` are what is meant."""
    value, code = float(header["pixdim"][4]), int(header["xyzt_units"]) & 0x38
    unit, word = _UNITS.get(code, _NO_UNIT)
    return _Stated(value, unit, f"{value:g} {word}") if 0 < value < math.inf else None


def _of_sidecar(name, facts):
    """Return the repetition time of a side-car, None if it has none that can be."""
    if "RepetitionTime" not in facts:
        return None
    value = facts["RepetitionTime"]
    if not _is_positive(value):
        remark(name, f"RepetitionTime of its side-car is ignored: expected seconds above 0, received {str(value)[:40]!r}")
        return None
    stated = _Stated(float(value), 1.0, f"{value:g} s")
    seconds = stated.seconds
    if seconds is None:
        remark(name, f"RepetitionTime of its side-car is ignored: {value:g} s is impossible")
        return None
    if not _same(seconds, value):
        remark(name, f"the repetition time of its side-car, {value:g} s, is read as {seconds:g} s; state another with `tr`")
    return stated._replace(value=seconds)


def _steps(name, times, n_frames):
    """Return the seconds between the volumes of VolumeTiming: empty, with a remark, if it does not fit the run."""
    if isinstance(times, list) and len(times) == n_frames > 1 and all(_is_positive(time) or time == 0 for time in times):
        steps = [float(after) - float(before) for before, after in itertools.pairwise(times)]
        if min(steps) > 0:
            return steps
    remark(name, f"VolumeTiming of its side-car is ignored: expected {n_frames} rising times")
    return []


def _agreed(name, stated, sidecar, origins):
    """Return the time of a side-car unless the header states another one."""
    seconds = sidecar.value
    if stated is None or _same(stated.readings[0], seconds):
        return seconds
    if any(abs(reading - seconds) <= _ROUNDED * seconds for reading in stated.readings):
        remark(name, f"its header gives a repetition time of {stated.words}, its side-car one of {seconds:g} s, which is used")
        return seconds
    if stated.seconds is None:
        remark(name, f"its header gives a repetition time of {stated.words}, which is impossible; {seconds:g} s of its side-car are used")
        return seconds
    origin = origins.get("RepetitionTime") or origins["VolumeTiming"]
    raise InputError(
        f"{name} has two repetition times: {stated.words} in its header and {seconds:g} s in {origin.name}. "
        "Find out which is true and state it with `tr`, in seconds, or correct the file."
    )


def _preparation(facts):
    """Return the time between volumes of ASL, which BIDS names by their preparation: one number, or one for each volume."""
    value = facts.get("RepetitionTimePreparation")
    values = value if isinstance(value, list) and value else [value]
    same = all(_is_positive(entry) and entry == values[0] for entry in values)
    return float(values[0]) if same and _can_be(values[0]) else None


def _plain(name, stated):
    """Return what a header alone says."""
    seconds, gives = stated.seconds, "its header gives a repetition time"
    if seconds is None:
        remark(name, f"{gives} of {stated.words}, which is impossible and not used; state the true one with `tr`, in seconds")
    elif not _same(seconds, stated.readings[0]):
        remark(name, f"{gives} of {stated.words}, which is read as {seconds:g} s; state another with `tr`")
    elif seconds > MOST:
        remark(name, f"{gives} of {stated.words}, which is unusually long, and is used; state another with `tr`, in seconds")
    elif stated.value == 1 and stated.words.endswith(_NO_UNIT[1]):
        remark(name, f"{gives} of 1 without a unit, the placeholder of some programs; 1 s is used; state another with `tr`")
    return seconds


def _can_be(seconds):
    return LEAST <= seconds <= MOST


def _same(first, second):
    return abs(first - second) <= _SAME * abs(second)


def _is_positive(value):
    """Whether a value of a side-car is a number above 0 that a float can hold."""
    return type(value) in (int, float) and 0 < value < 1e12
