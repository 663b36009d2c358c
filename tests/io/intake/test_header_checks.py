"""What a header claims is measured against its file; the cases of whole images are in test_hostile_files."""

import functools
import gzip
import io
import struct

import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.io.intake.header_checks import check_affine, check_data, check_extensions


def _check(path, offset, shape, itemsize):
    check_data(path, functools.partial(gzip.open if path.suffix == ".gz" else open, path, "rb"), offset, shape, itemsize)


@pytest.mark.parametrize(("sides", "good"), [((9, 8, 7), True), ((9, 8, 8), False), ((9, 8, 7, 1), True), ((9, 8, 7, 2), False)])
@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
def test_a_file_must_be_as_long_as_header_and_voxels(tmp_path, name, sides, good):
    # Compresses so well that it has to be looked through.
    content = bytes(100 + 2 * 9 * 8 * 7)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    if good:
        _check(tmp_path / name, 100, sides, 2)
        return
    with pytest.raises(InputError, match=rf"claims the shape .*, {(100 + 2 * np.prod(sides)) / 1000:.3g} kB, and the file holds 1.11 kB"):
        _check(tmp_path / name, 100, sides, 2)


def test_a_file_that_breaks_off_holds_what_can_be_read(tmp_path):
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(gzip.compress(bytes(10_000))[:-12])
    with pytest.raises(InputError, match="and the file holds 0 bytes"):
        _check(path, 0, (100, 100, 1), 1)


@pytest.mark.parametrize(("shape", "offset"), [((3, 0, 2), 0), ((3, -1, 2), 0), ((), 0), ((3, 2, 2), -4)])
def test_sides_are_positive(tmp_path, shape, offset):
    (tmp_path / "scan.nii").write_bytes(bytes(100))
    with pytest.raises(InputError, match=r"the header of .*scan.nii is damaged: it claims the shape \(.*bytes into the file"):
        _check(tmp_path / "scan.nii", offset, shape, 1)


def test_a_frame_must_fit_in_memory_but_not_the_run(tmp_path, monkeypatch):
    (tmp_path / "scan.nii").write_bytes(bytes(20_000))
    monkeypatch.setattr("keras_mri.io.intake.header_checks.available_bytes", lambda: 13_000)
    _check(tmp_path / "scan.nii", 0, (10, 10, 10, 20), 1)
    with pytest.raises(InputError, match=r"a volume of the shape \(10, 10, 10\) needs 14 kB of memory, and 13 kB are free"):
        _check(tmp_path / "scan.nii", 0, (10, 10, 10, 10), 2)


def _extensions(*sizes, flag=b"\1\0\0\0", order="<"):
    return io.BytesIO(flag + b"".join(struct.pack(order + "ii", size, 6).ljust(size, b"x") for size in sizes))


@pytest.mark.parametrize("order", "<>")
def test_extensions_that_fill_their_room(order):
    check_extensions("scan.nii", _extensions(16, 32, order=order), 52, order)
    check_extensions("scan.hdr", _extensions(16, 32, order=order), None, order)
    check_extensions("scan.nii", _extensions(flag=b""), 0)
    check_extensions("scan.nii", _extensions(flag=b"\0\0\0\0"), 1000)


@pytest.mark.parametrize(("end", "sizes", "claimed", "room"), [(52, (16, 48), 48, 32), (100, (16, 32), -1, 48), (20, (32,), 32, 16)])
def test_extensions_that_do_not(end, sizes, claimed, room):
    with pytest.raises(
        InputError, match=f"the header of scan.nii is damaged: an extension claims {claimed} bytes where .* for {room}. Copy"
    ):
        check_extensions("scan.nii", _extensions(*sizes), end)


def test_an_oblique_affine_is_one_and_a_flat_one_is_none(affine):
    check_affine("scan.nii", affine)
    flat = affine.copy()
    flat[:3, 2] = affine[:3, 0] + affine[:3, 1]
    infinite = affine.copy()
    infinite[1, 3] = np.inf
    for wrong in (flat, infinite, 1e9 * affine, 1e-9 * affine, 0 * affine):
        with pytest.raises(InputError, match=r"scan.nii must say where its voxels lie. Received: an affine .* \[\[.*\]\]. Set the sform"):
            check_affine("scan.nii", wrong)
