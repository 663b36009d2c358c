"""How much memory there is for what comes next."""

import os
import pathlib


def available_bytes():
    """Return the memory that is free for use; without an answer from the system, 2 GB."""
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
