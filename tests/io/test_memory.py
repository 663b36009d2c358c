"""Free memory against files typed by hand, as the kernel writes them."""

import types

import psutil
import pytest

from keras_mri.io.memory import agreed_on, available_bytes

GB = 10**9


@pytest.fixture
def free(monkeypatch):
    """Let the machine have 64 GB free."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: types.SimpleNamespace(available=64 * GB))


@pytest.fixture
def limited(tmp_path, free):
    """Return a function that reports what is free in control groups, given as a dict of files."""

    def available(membership, files):
        for name, text in {"self": membership, **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")
        return available_bytes(tmp_path / "cgroup", tmp_path / "self")

    return available


def _two(folder, limit, used, stat="anon 5\nfile 6"):
    return {f"cgroup/{folder}/memory.max": limit, f"cgroup/{folder}/memory.current": used, f"cgroup/{folder}/memory.stat": stat}


def _one(folder, limit, used, stat="cache 6\nactive_file 5"):
    names = dict(zip(("limit_in_bytes", "usage_in_bytes", "stat"), (limit, used, stat)))
    return {f"cgroup/memory/{folder}/memory.{name}": text for name, text in names.items()}


def test_the_memory_that_is_free_is_a_plausible_number():
    assert 1e7 < available_bytes() <= psutil.virtual_memory().total


@pytest.mark.parametrize("error", [OSError, RuntimeError, psutil.Error])
def test_a_system_that_reports_nothing_has_two_gigabytes(monkeypatch, tmp_path, error):
    def refuse():
        raise error

    monkeypatch.setattr(psutil, "virtual_memory", refuse)
    assert available_bytes(tmp_path, tmp_path / "none") == 2e9


def test_a_system_without_control_groups_has_what_is_free(tmp_path, free):
    assert available_bytes(tmp_path, tmp_path / "none") == 64 * GB


def test_a_process_has_what_is_left_in_its_group(limited):
    assert limited("0::/slurm/job_7", _two("slurm/job_7", 8 * GB, 3 * GB)) == 5 * GB


def test_a_group_that_is_full_has_nothing_left(limited):
    assert limited("0::/job", _two("job", 8 * GB, 9 * GB)) == 0


def test_files_in_the_cache_of_a_group_count_as_free(limited):
    stat = f"anon 1\nactive_file {GB}\ninactive_file {2 * GB}\nunevictable 7"
    assert limited("0::/job", _two("job", 8 * GB, 8 * GB, stat)) == 3 * GB


def test_the_narrowest_of_a_group_and_those_above_counts(limited):
    files = {**_two("a/b/c", 50 * GB, GB), **_two("a/b", 6 * GB, 2 * GB), **_two("a", "max", 2 * GB)}
    assert limited("0::/a/b/c", files) == 4 * GB


def test_groups_without_a_limit_or_wider_than_the_machine_change_nothing(limited):
    assert limited("0::/a/b", {**_two("a/b", "max", GB), **_two("a", 900 * GB, GB)}) == 64 * GB


def test_version_one_is_read_in_the_hierarchy_of_memory(limited):
    membership = "9:name=systemd:/other\n4:cpuset,memory:/slurm/job_7\n1:cpu:/other\n0::/"
    files = {**_one("slurm/job_7", 8 * GB, 8 * GB, f"active_file 1\ntotal_active_file {GB}\ntotal_inactive_file {GB}")}
    # What version 1 writes where there is no limit.
    assert limited(membership, {**files, **_one("slurm", 9223372036854771712, 9 * GB)}) == 2 * GB


@pytest.mark.parametrize(("line", "files"), [("0::/docker/abc", _two(".", 7 * GB, GB)), ("4:memory:/docker/abc", _one(".", 7 * GB, GB))])
def test_in_a_container_the_group_at_the_top_counts(limited, line, files):
    assert limited(line, files) == 6 * GB


def test_what_was_agreed_on_holds_within_its_block():
    with agreed_on(7e8), agreed_on(5e8):
        assert available_bytes() == 5e8
    assert available_bytes() != 5e8
