"""The clock of a time budget: when the training began for its user, and what must still fit between the last step and the end."""

import contextlib
import contextvars
import time

from keras_mri.errors import remark

# Shares of the budget: that preparing scans may take before further ones are left out; that pictures may take, and their least, s.
PREPARATION, _PICTURES, _LEAST_FOR_PICTURES = 0.3, 0.05, 3.0
# Seconds for the verdict on what was predicted.
_VERDICT = 2.0
_RUNNING = contextvars.ContextVar("clock", default=None)


class Clock:
    """The clock of one training.

    Parameters
    ----------
    budget : float
        Seconds from `start` to the last file.
    start : float, optional
        Moment on the clock `now`; by default this one.
    writes : bool
        Whether pictures and files are made of the network within the budget.
    now : callable
        Returns a moment, s.

    Attributes
    ----------
    closing, following : float
        Seconds that writing files takes, and making what is in them: both after the last step.
    speed : tuple of float or None
        Of a prediction: seconds before the first voxel, seconds for each.
    """

    def __init__(self, budget, start=None, writes=False, now=time.monotonic):
        self.budget, self.writes, self.now = budget, writes, now
        self.start = now() if start is None else start
        self.closing, self.following, self.speed = 0.0, 0.0, None

    def elapsed(self):
        """Return the seconds since the start."""
        return self.now() - self.start

    @property
    def end(self):
        """Seconds from the start to the end of the last validation."""
        return self.budget - self.closing - self.following

    def go_back_to(self, seconds):
        """Take a training up that had lasted for so long: it is the training's clock, not the process's."""
        self.start = self.now() - seconds

    def expect_pictures(self, voxels):
        """Keep time after the last step for predicting so many voxels twice, for pictures and verdict, or as many as `affordable` says."""
        first, each = self.speed
        self.following = _VERDICT + 2 * (first + min(self._for_pictures, each * voxels))

    def affordable(self):
        """Return of how many voxels pictures may be made: float."""
        return self._for_pictures / self.speed[1] if self.speed else float("inf")

    @property
    def _for_pictures(self):
        return max(_LEAST_FOR_PICTURES, _PICTURES * self.budget)


@contextlib.contextmanager
def running(clock):
    """Let a clock be that of the block; None leaves trainings of the block to begin with their first line.

    Parameters
    ----------
    clock : Clock or None

    Yields
    ------
    Clock or None
    """
    token = _RUNNING.set(clock)
    try:
        yield clock
    finally:
        _RUNNING.reset(token)


def current():
    """Return the Clock that is running, or None."""
    return _RUNNING.get()


def clock_of(budget):
    """Return the clock that is running if it has this budget, or a new one; None without a budget."""
    if not budget:
        return None
    clock = current()
    return clock if clock and clock.budget == budget else Clock(budget)


def in_time(items, names, least=1):
    """Yield items until the share of the time budget that preparation may take is over; what is left out is remarked on.

    Parameters
    ----------
    items : iterable
        Between two of them the caller does its work.
    names : sequence of str
        Of the items.
    least : int
        As many are yielded in any case.

    Yields
    ------
    any
        All items where no clock is running.
    """
    clock, taken = current(), []
    for number, item in enumerate(items):
        began = clock and clock.elapsed()
        yield item
        if clock is None:
            continue
        taken.append(clock.elapsed() - began)
        out = len(names) - number - 1
        # The next one takes about as long as those before it.
        if out and number + 1 >= least and clock.elapsed() + sum(taken) / len(taken) > PREPARATION * clock.budget:
            left = f"{out} of {len(names)} scans, this and those after it, are left out"
            remark(names[number + 1], f"{left}: to prepare them takes too long for a training of {clock.budget:g} s")
            return
