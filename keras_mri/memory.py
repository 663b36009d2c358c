"""How much memory there is for what comes next."""

import contextlib
import os
import pathlib

_AGREED = []


def available_bytes():
    """Return the memory that is free for use, or what was agreed on; without an answer from the system, 2 GB."""
    if _AGREED:
        return _AGREED[-1]
    try:
        # Unlike the free pages, this counts what the system would give back from its cache of files.
        lines = pathlib.Path("/proc/meminfo").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 2e9


@contextlib.contextmanager
def agreed_on(count):
    """Let `available_bytes` say this within the block: machines that train together must cut volumes alike, whatever each has.

    Parameters
    ----------
    count : float
        Bytes.
    """
    _AGREED.append(count)
    try:
        yield
    finally:
        _AGREED.pop()
