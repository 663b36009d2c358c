"""The memory that is free for the next step."""

import contextlib
import pathlib

import psutil

_AGREED = []
_CGROUPS = pathlib.Path("/sys/fs/cgroup")
_MEMBERSHIP = pathlib.Path("/proc/self/cgroup")
# Version of control groups → folder of the hierarchy, the files with limit and usage, and the lines of memory.stat with cached files.
_VERSIONS = {
    2: ("", "memory.max", "memory.current", ("active_file", "inactive_file")),
    1: ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", ("total_active_file", "total_inactive_file")),
}


def available_bytes(cgroups=_CGROUPS, membership=_MEMBERSHIP):
    """Return the memory that is free for use, or the amount agreed on; 2 GB if the system does not report it.

    Parameters
    ----------
    cgroups : pathlib.Path
        Where Linux mounts its control groups, by which SLURM and Docker limit a job's memory.
    membership : pathlib.Path
        The file that lists the control groups of this process.

    Returns
    -------
    float or int
        Bytes. Memory that the system would take back from its cache of files counts as free.
    """
    if _AGREED:
        return _AGREED[-1]
    try:
        free = psutil.virtual_memory().available
    except (OSError, RuntimeError, KeyError, psutil.Error):
        free = 2e9
    return min([free, *_left_in_groups(cgroups, membership)])


@contextlib.contextmanager
def agreed_on(count):
    """Let `available_bytes` return this number within the block: machines that train together must cut volumes alike.

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


def _left_in_groups(cgroups, membership):
    """Yield the memory left in each control group that limits this process: its own and those above."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return  # no Linux
    for line in lines:
        # 0::/user.slice/job_7 (version 2) or 4:cpu,memory:/slurm/job_7 (version 1)
        controllers, _, group = line.partition(":")[2].partition(":")
        version = 2 if not controllers else 1 if "memory" in controllers.split(",") else None
        if version is None:
            continue
        hierarchy, *files = _VERSIONS[version]
        place = pathlib.PurePosixPath(group.lstrip("/"))
        # In a container the path may be that of the host; then the container's own group is at the top of what is mounted.
        for folder in (place, *place.parents):
            yield from _left_in(cgroups / hierarchy / folder, *files)


def _left_in(folder, limit, usage, cached):
    """Yield the memory left in one control group, if it has a limit."""
    try:
        limited, used = (int((folder / name).read_text()) for name in (limit, usage))
        lines = (line.split() for line in (folder / "memory.stat").read_text().splitlines())
        used -= sum(int(count) for name, count in lines if name in cached)
    except (OSError, ValueError):
        return  # no such group, no limit (max), or not ours to read
    yield max(limited - used, 0)
