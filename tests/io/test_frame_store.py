"""Frames in a temporary file come back as they were, by frame and by slab; a full disk is one message."""

import errno
import gc
import os

import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.io.frame_store import FrameStore

SHAPE, FRAMES = (9, 8, 7), 5


@pytest.fixture
def run():
    return np.arange(np.prod(SHAPE) * FRAMES, dtype=np.float32).reshape(*SHAPE, FRAMES)


@pytest.fixture
def store(run):
    store = FrameStore(SHAPE, FRAMES)
    # Backwards: each frame has its place.
    for t in reversed(range(FRAMES)):
        store.write(t, run[..., t])
    return store


def test_frames_come_back_in_any_order(store, run):
    for t in (3, 0, 4, 1, 2, 3):
        frame = store.frame(t)
        assert frame.dtype == np.float32
        np.testing.assert_array_equal(frame, run[..., t])


@pytest.mark.parametrize(("first", "last"), [(0, 7), (0, 1), (2, 5), (6, 7)])
def test_a_slab_holds_its_slices_of_all_frames(store, run, first, last):
    np.testing.assert_array_equal(store.slab(first, last), run[:, :, first:last])


def test_a_slab_is_written_over_its_slices_alone(store, run):
    store.write_slab(2, -run[:, :, 2:5])
    expected = run.copy()
    expected[:, :, 2:5] *= -1
    np.testing.assert_array_equal(store.slab(0, 7), expected)
    np.testing.assert_array_equal(store.frame(3), expected[..., 3])


@pytest.mark.parametrize("shape", [(1, 1, 1), (4, 1, 3), (3, 2, 1)])
def test_thin_frames_come_back(shape):
    store, frame = FrameStore(shape, 2), np.random.default_rng(0).random(shape, np.float32)
    store.write(0, frame)
    store.write(1, 2 * frame)
    np.testing.assert_array_equal(store.slab(0, shape[2]), np.stack([frame, 2 * frame], axis=-1))


@pytest.mark.parametrize("kind", [np.float64, np.int16, bool, ">f4"])
def test_other_types_and_layouts_are_stored_as_float32(kind):
    store, frame = FrameStore(SHAPE, 1), (np.indices(SHAPE).sum(axis=0) % 2).astype(kind)
    for layout in (np.ascontiguousarray(frame), np.asfortranarray(frame), np.repeat(frame, 2, axis=0)[::2]):
        store.write(0, layout)
        np.testing.assert_array_equal(store.frame(0), frame.astype(np.float32))


def test_values_that_are_not_finite_come_back():
    store, frame = FrameStore(SHAPE, 1), np.zeros(SHAPE, np.float32)
    frame[1, 2, 3], frame[0, 0, 0] = np.nan, -np.inf
    store.write(0, frame)
    np.testing.assert_array_equal(store.frame(0), frame)


def test_what_was_read_can_be_changed_without_changing_the_file(store, run):
    store.frame(1)[:] = 0
    store.slab(0, 7)[:] = 0
    np.testing.assert_array_equal(store.frame(1), run[..., 1])


def test_the_file_has_no_name_and_goes_with_the_store(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = FrameStore(SHAPE, FRAMES)
    store.write(FRAMES - 1, np.ones(SHAPE))
    assert list(tmp_path.iterdir()) == []
    number = store._file.fileno()
    assert os.fstat(number).st_size == 4 * np.prod(SHAPE) * FRAMES
    del store
    gc.collect()
    with pytest.raises(OSError):
        os.fstat(number)


def test_a_write_that_the_system_takes_in_parts_is_completed(monkeypatch, run):
    whole, parts = os.pwrite, []

    def in_parts(number, data, at):
        parts.append(len(data))
        return whole(number, data[:1000], at)

    monkeypatch.setattr(os, "pwrite", in_parts)
    store = FrameStore(SHAPE, 1)
    store.write(0, run[..., 3])
    assert parts == [2016, 1016, 16]
    np.testing.assert_array_equal(store.frame(0), run[..., 3])


def test_a_full_disk_is_said_with_the_size_and_the_way_out(monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    monkeypatch.setattr("tempfile.tempdir", "/small")
    store = FrameStore.__new__(FrameStore)
    store.shape, store.n_frames, store._slice_bytes, store._begin = (1000, 500, 100), 10, 4 * 1000 * 500, 0
    store.dtype = np.dtype(np.float32)
    with open(os.devnull, "wb") as store._file:
        with pytest.raises(InputError, match=r"a temporary file of 2 GB does not fit into /small: No space left on device.*TMPDIR"):
            store.write(0, np.zeros((1, 1, 1)))


def test_many_stores_share_few_files_and_none_another_s_frames(tmp_path, monkeypatch):
    """A process may hold few files open: 256 on a Mac."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    gc.collect()
    before = len(os.listdir("/dev/fd"))
    shapes = [(3, 2, 1 + number % 4) for number in range(100)]
    stores = [FrameStore(shape, 2) for shape in shapes]
    assert len(os.listdir("/dev/fd")) - before <= 16
    for number, store in enumerate(stores):
        for t in range(2):
            store.write(t, np.full(store.shape, 10 * number + t))
    for number, store in enumerate(stores):
        np.testing.assert_array_equal(store.slab(0, store.shape[2]), np.broadcast_to([10 * number, 10 * number + 1], (*store.shape, 2)))
    del store, stores
    gc.collect()
    assert len(os.listdir("/dev/fd")) == before


def test_that_no_file_more_may_be_open_is_said(monkeypatch):
    def refuse():
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(InputError, match="a temporary file .* does not fit into .*: Too many open files"):
        [FrameStore(SHAPE, FRAMES) for _ in range(17)]
