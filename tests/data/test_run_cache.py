import errno
import os

import numpy as np
import pytest

from keras_mri.data.run_cache import RunCache
from keras_mri.errors import InputError


@pytest.fixture
def runs(rng):
    return [rng.random((5, 4, 3, 7), dtype=np.float32) for _ in range(3)]


def test_runs_stay_in_memory_while_there_is_room(runs):
    cache = RunCache(2 * runs[0].nbytes / 1e9)
    kept = [cache.keep(run) for run in runs]
    assert [isinstance(run, np.memmap) for run in kept] == [False, False, True]
    assert kept[0] is runs[0]
    for run, other in zip(runs, kept):
        np.testing.assert_array_equal(other, run)


def test_a_run_on_disk_stays_so_when_it_is_cut_and_leaves_no_file(runs, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    kept = RunCache(0).keep(runs[0])
    assert isinstance(kept[1:, :, 2:, 3:], np.memmap)
    assert not os.listdir(tmp_path)
    with pytest.raises(ValueError):
        kept[0] = 0


def test_a_full_disk_is_said(runs, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with pytest.raises(InputError, match=r"more than `cache` leaves, and .* cannot take it: No space left on device. .* TMPDIR"):
        RunCache(0).keep(runs[0])


def test_many_runs_on_disk_need_few_open_files(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = len(os.listdir("/dev/fd"))
    cache, runs = RunCache(0), [np.full((2, 3, 1, 1 + number % 5), number, np.float32) for number in range(200)]
    kept = [cache.keep(run) for run in runs]
    # Each of them holds twice as much as all before it: log2(200), a mapping and a file.
    assert len(os.listdir("/dev/fd")) - before < 2 * 10
    for run, other in zip(runs, kept, strict=True):
        np.testing.assert_array_equal(other, run)
