"""Frame and place that both scans have; each wrong argument is one message."""

import numpy as np
import pytest

import keras_mri
from keras_mri.imaging import phantoms
from keras_mri.report.shown_position import choose_shown

SHAPE = (12, 11, 10)


def scan(shape=SHAPE, affine=None, name="scan", shift=(0, 0, 0)):
    affine = np.diag([2.0, 2.0, 3.0, 1.0]) if affine is None else affine.copy()
    affine[:3, 3] += shift
    return keras_mri.Volume.from_array(np.arange(np.prod(shape), dtype=np.float32).reshape(shape), affine, name=name)


def test_by_default_both_are_cut_at_the_centre_of_the_foreground(affine):
    data = np.zeros((20, 18, 16), np.float32)
    data[10:16, 3:9, 4:12] = 100 + np.arange(6)[:, None, None]
    volume = keras_mri.Volume.from_array(data, affine)
    shown = choose_shown(volume, volume)
    np.testing.assert_allclose(shown.place, affine[:3, :3] @ (12.5, 5.5, 7.5) + affine[:3, 3])
    assert shown.same_grid and shown.centres[0] == pytest.approx((13 / 20, 6 / 18, 8 / 16))


def test_where_the_second_shows_a_part_the_cut_is_within_it():
    head, _ = phantoms.head((20, 20, 20))
    whole = keras_mri.Volume.from_array(head, np.eye(4))
    lower = np.eye(4)
    part = keras_mri.Volume.from_array(head[:, :, :6], lower)
    shown = choose_shown(whole, part)
    assert not shown.same_grid and 0 <= shown.place[2] <= 5
    assert shown.centres[1][2] == pytest.approx((shown.place[2] + 0.5) / 6)


def test_an_affine_rounded_otherwise_is_the_same_grid():
    assert choose_shown(scan(), scan(shift=(0.01, 0, 0))).same_grid
    assert not choose_shown(scan(), scan(shift=(0.5, 0, 0))).same_grid


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: choose_shown(scan(), scan(shift=(500, 0, 0), name="far")), "scan and far do not overlap: no voxel of the first"),
        (
            lambda: choose_shown(scan(), scan(), where=(500, 0, 0)),
            "in both images.*outside of scan.* x -1 to 23, y -1 to 21, z",
        ),
        (lambda: choose_shown(scan(), scan(shift=(10, 0, 0), name="other"), where=(1, 1, 1)), "outside of other"),
        (lambda: choose_shown(scan(), scan(), where=(12, 0, 0), unit="voxel"), "`where` must lie in both.*voxel"),
        (lambda: choose_shown(scan(), scan(), where=(1, 2)), "`where` must be three numbers"),
        (lambda: choose_shown(scan(), scan(), where="1 2 3"), "`where` must be three numbers"),
        (lambda: choose_shown(scan(), scan(), where=7), "`where` must be three numbers"),
        (lambda: choose_shown(scan(), scan(), where=(1, float("nan"), 3)), "`where` must be three numbers"),
        (lambda: choose_shown(scan(), scan(), where=(1, 2, 10**400)), "`where` must be three numbers"),
        (lambda: choose_shown(scan(), scan(), unit="cm"), "`unit` must be one of mm, voxel. Received: 'cm'"),
        (lambda: choose_shown(scan(), scan(), unit=["mm"]), "`unit` must be one of"),
        (lambda: choose_shown(scan(), scan(), frame=1), "`frame` must be a whole number 0: there is one frame. Received: 1"),
        (lambda: choose_shown(scan((*SHAPE, 5)), scan((*SHAPE, 5)), frame=5), "`frame` must be a whole number from 0 to 4. Received: 5"),
        (lambda: choose_shown(scan((*SHAPE, 5)), scan((*SHAPE, 5)), frame=-1), "`frame` must be"),
        (lambda: choose_shown(scan((*SHAPE, 5)), scan((*SHAPE, 5)), frame=1.5), "`frame` must be"),
        (lambda: choose_shown(scan((*SHAPE, 5)), scan((*SHAPE, 5)), frame=True), "`frame` must be"),
        (lambda: choose_shown(scan((*SHAPE, 5)), scan((*SHAPE, 4), name="short")), "same number of frames.*5 in scan, 4 in short"),
    ],
)
def test_what_cannot_be_shown_is_one_message(call, message):
    with pytest.raises(keras_mri.InputError, match=message):
        call()


@pytest.mark.parametrize("value", [0.0, 7.0, np.nan])
@pytest.mark.parametrize("place", ["before", "after"])
def test_a_frame_without_anything_to_see_is_refused(value, place):
    run = scan((*SHAPE, 3), name="run")
    blank = run.with_frames(lambda t: np.full(SHAPE, value, np.float32) if t == 1 else run.frame(t))
    pair = (blank, run) if place == "before" else (run, blank)
    with pytest.raises(keras_mri.InputError, match="run, frame 1, (is constant|has NaN)"):
        choose_shown(*pair)
    assert choose_shown(*pair, frame=2).frame == 2
