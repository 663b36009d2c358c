"""Which label belongs to each volume of a run: from the events of its paradigm, or from a table."""

import math
import typing

import numpy as np

from keras_mri.errors import InputError, remark
from keras_mri.io.tables import read_rows

# The Human Connectome Project's motor task: codes 0 … 4, whichever of them a run holds.
MOTOR = ("lh", "rh", "lf", "rf", "t")
_NOTHING = ("", "n/a")
_COLUMNS = ("onset", "duration", "trial_type")
# Characters of a table's entry that a message repeats.
_SHOWN = 40


class Event(typing.NamedTuple):
    """One line of an events.tsv: seconds from the start of the run, seconds, and what happened."""

    onset: float
    duration: float
    name: str


def read_events(path):
    """Read a BIDS events.tsv.

    Parameters
    ----------
    path : str or path-like
        TSV with the columns onset, duration (s) and trial_type.

    Returns
    -------
    list of Event
        In order of onset; without those of no type or onset (n/a), which BIDS allows.

    Raises
    ------
    InputError
        If the file or a column is missing, or a time is no number, not finite, or a negative duration.
    """
    rows, found = read_rows(path, "a table of events (BIDS events.tsv)", "n/a")
    lacking = [column for column in _COLUMNS if column not in found]
    if lacking:
        raise InputError(
            f"{path} has no column {' or '.join(lacking)}. Expected {', '.join(_COLUMNS)}. Found: {', '.join(found) or 'nothing'}."
        )
    events, timeless = [], 0
    for number, row in enumerate(rows, start=2):
        if row["onset"] == "n/a":
            timeless += 1
            continue
        try:
            onset, duration = float(row["onset"]), float(row["duration"]) if row["duration"] not in _NOTHING else 0.0
        except ValueError:
            onset = duration = math.nan
        if not math.isfinite(onset) or not 0 <= duration < math.inf:
            received = f"{row['onset'][:_SHOWN]!r}, {row['duration'][:_SHOWN]!r}"
            raise InputError(f"{path}, line {number}: onset and duration must be seconds, the latter not negative. Received: {received}.")
        if row["trial_type"] not in _NOTHING:
            events.append(Event(onset, duration, row["trial_type"]))
    if timeless:
        remark(path, f"{_counted(timeless, len(rows))} without an onset (n/a) left out")
    return sorted(events)


def labels_of_events(events, n_frames, repetition_time, lag, name="the events"):
    """Label the volumes during whose acquisition the response to an event is high.

    A volume that begins at the time s has the label of the event that lasts at s - lag. Events of one type that follow one
    another within a repetition time are one. Of events outside the run (it was aborted, or its first volumes are left out), what
    reaches into it counts.

    Parameters
    ----------
    events : sequence of Event
        In order of onset.
    n_frames : int
    repetition_time : float
        Seconds.
    lag : float
        Seconds from a stimulus to the response.
    name : str
        What messages call the events: their path.

    Returns
    -------
    list of str or None
        One for each volume; None where nothing happens.

    Raises
    ------
    InputError
        If all events lie outside the run.
    """
    _check_times(events, n_frames, repetition_time, name)
    labels = [None] * n_frames
    for event in _merged(events, repetition_time):
        # The first volume that begins at or after the response does, up to the last that begins before it ends.
        times = np.array([event.onset, event.onset + event.duration]) + lag
        first, last = np.clip(np.ceil(times / repetition_time - 1e-6), -1, n_frames).astype(int)
        first, last = max(first, 0), max(last, first + 1)
        labels[first:last] = [event.name] * len(labels[first:last])
    return labels


def read_volume_labels(path, n_frames):
    """Read a table with one label per volume.

    Parameters
    ----------
    path : str or path-like
        TSV with the column `label`, or one whose name begins with it; n/a for no label.
    n_frames : int

    Returns
    -------
    list of str or None

    Raises
    ------
    InputError
        If the file or the column is missing, or there is not one line per volume.
    """
    rows, found = read_rows(path, "a table with one label per volume", "n/a")
    column = next((name for name in found if name.startswith("label")), None)
    if column is None:
        raise InputError(f"{path} has no column `label`. Found: {', '.join(found) or 'no lines'}.")
    if len(rows) != n_frames:
        raise InputError(f"{path} must have one line per volume, {n_frames}. Received: {len(rows)} lines.")
    return [None if row[column] in _NOTHING else row[column] for row in rows]


def known_names(labels):
    """Return the labels in the order of their codes: the motor task's own order, or else the alphabet's.

    Parameters
    ----------
    labels : iterable of str or None

    Returns
    -------
    tuple of str
    """
    names = {label for label in labels if label is not None}
    return MOTOR if names and names <= set(MOTOR) else tuple(sorted(names))


def codes(labels, names):
    """Turn labels into numbers; no label is the number after the last, which a network learns as the null class.

    Parameters
    ----------
    labels : sequence of str or None
    names : sequence of str

    Returns
    -------
    ndarray of int32, shape (len(labels),)

    Raises
    ------
    InputError
        If a label is none of `names`.
    """
    unknown = sorted({label for label in labels if label is not None and label not in names})
    if unknown:
        raise InputError(f"unknown label {unknown[0]!r}. Known: {', '.join(names) or 'none; the network was trained without labels'}.")
    return np.array([len(names) if label is None else list(names).index(label) for label in labels], np.int32)


def _check_times(events, n_frames, repetition_time, name):
    """Raise InputError if all events lie outside the run; remark on those that do."""
    length = n_frames * repetition_time
    early = [event for event in events if event.onset < 0]
    late = [event for event in events if event.onset >= length]
    run = f"0 … {length:g} s ({n_frames} volumes of {repetition_time:g} s)"
    outside = [event for event in early if event.onset + event.duration < 0] + late
    if events and len(outside) == len(events):
        raise InputError(
            f"{name} must lie inside the run, {run}. Received: {len(outside)} event(s), all outside, the first {outside[0].name!r} at "
            f"{outside[0].onset:g} s. Check that table and run belong together."
        )
    if early:
        remark(name, f"{_counted(len(early), len(events))} before the run, {run}: what reaches into it is used")
    if late:
        remark(name, f"{_counted(len(late), len(events))} after the end of the run, {run}, left out: an aborted run, or the wrong table?")


def _counted(few, all_of_them):
    return f"{few} of {all_of_them} event(s)"


def _merged(events, gap):
    merged = []
    for event in events:
        before = merged[-1] if merged else None
        if before and before.name == event.name and event.onset - (before.onset + before.duration) < gap:
            end = max(event.onset + event.duration, before.onset + before.duration)
            merged[-1] = Event(before.onset, end - before.onset, event.name)
        else:
            merged.append(event)
    return merged
