"""A repetition time is that of header and side-car, in whatever unit it was meant, or refused with both numbers."""

import json
import math

import nibabel
import numpy as np
import pytest

from keras_mri.errors import InputError, remarks_kept
from keras_mri.io.nifti_reading import open_image
from keras_mri.io.volumes import Volume

N_FRAMES = 4


@pytest.fixture
def scan(tmp_path, write_nifti, rng):
    """Return a function that writes a run and its side-car, and opens it."""

    def write(step, unit="sec", sidecar=None, name="run.nii.gz"):
        header = nibabel.Nifti1Header()
        header.set_data_shape((5, 4, 3, N_FRAMES))
        header.set_xyzt_units("mm", unit)
        header["pixdim"][4] = step
        if sidecar is not None:
            (tmp_path / "run.json").write_text(json.dumps(sidecar))
        return open_image(write_nifti(rng.random((5, 4, 3, N_FRAMES)).astype(np.float32), name, header=header))

    return write


def timed(volume):
    """Return the repetition time and the remarks."""
    with remarks_kept() as remarks:
        return volume.repetition_time, remarks


@pytest.mark.parametrize(
    ("step", "unit", "seconds"),
    [
        (2.0, "sec", 2.0), (0.05, "sec", 0.05), (0.392, "sec", 0.392), (30.0, "sec", 30.0), (720, "msec", 0.72), (30_000, "msec", 30),
        (2.2e6, "usec", 2.2), (3.0, "unknown", 3.0), (0, "sec", None), (-2, "sec", None), (math.nan, "sec", None), (math.inf, "sec", None),
        (1.0, "sec", 1.0),
    ],
)  # fmt: skip
def test_an_ordinary_header_gives_its_time_in_silence(scan, step, unit, seconds):
    found, remarks = timed(scan(step, unit))
    assert found == (None if seconds is None else pytest.approx(seconds, rel=1e-6)) and remarks == []


@pytest.mark.parametrize(
    ("step", "unit", "seconds", "said"),
    [
        (2000, "sec", 2.0, "2000 s, which is read as 2 s"),
        (720, "unknown", 0.72, "720 without a unit of time, which is read as 0.72 s"),
        (2.5e6, "sec", 2.5, "2.5e+06 s, which is read as 2.5 s"),
        (2.0, "msec", 2.0, "2 ms, which is read as 2 s"),
        (2.0, "usec", 2.0, "2 µs, which is read as 2 s"),
        (1500, "usec", 1.5, "1500 µs, which is read as 1.5 s"),
        (60, "sec", 60.0, "60 s, which is unusually long"),
        (100, "sec", 100.0, "100 s, which is unusually long"),
        (101, "sec", 0.101, "101 s, which is read as 0.101 s"),
        (1.0, "unknown", 1.0, "1 without a unit, the placeholder of some programs; 1 s is used"),
        (0.01, "sec", None, "0.01 s, which is impossible"),
        (1e30, "sec", None, "1e+30 s, which is impossible"),
        (1e-30, "msec", None, "1e-30 ms, which is impossible"),
    ],
)
def test_a_header_that_cannot_be_meant_so_is_read_otherwise_and_named(scan, step, unit, seconds, said):
    found, remarks = timed(scan(step, unit))
    assert found == (None if seconds is None else pytest.approx(seconds, rel=1e-6))
    assert len(remarks) == 1 and remarks[0].startswith(f"run.nii.gz: its header gives a repetition time of {said}") and "`tr`" in remarks[0]


@pytest.mark.parametrize(
    ("step", "unit", "stated", "seconds", "said"),
    [
        (2.0, "sec", 2, 2.0, None),
        (720, "msec", 0.72, 0.72, None),
        (0, "sec", 2.0, 2.0, None),
        (2000, "sec", 2.0, 2.0, "its header gives a repetition time of 2000 s, its side-car one of 2 s, which is used"),
        (2.0, "msec", 2.0, 2.0, "its header gives a repetition time of 2 ms, its side-car one of 2 s, which is used"),
        (2.51, "sec", 2.5, 2.5, "its header gives a repetition time of 2.51 s, its side-car one of 2.5 s, which is used"),
        (0.003, "sec", 2.0, 2.0, "its header gives a repetition time of 0.003 s, which is impossible; 2 s of its side-car are used"),
        (2.0, "sec", 2000, 2.0, "the repetition time of its side-car, 2000 s, is read as 2 s; state another with `tr`"),
        (2.0, "sec", 1e9, 2.0, "RepetitionTime of its side-car is ignored: 1e+09 s is impossible"),
        (2.0, "sec", "2.0", 2.0, "RepetitionTime of its side-car is ignored: expected seconds above 0, received '2.0'"),
        (2.0, "sec", True, 2.0, "RepetitionTime of its side-car is ignored: expected seconds above 0, received 'True'"),
        (2.0, "sec", [2.0], 2.0, "RepetitionTime of its side-car is ignored: expected seconds above 0, received '[2.0]'"),
        (2.0, "sec", None, 2.0, "RepetitionTime of its side-car is ignored: expected seconds above 0, received 'None'"),
        (2.0, "sec", 0, 2.0, "RepetitionTime of its side-car is ignored: expected seconds above 0, received '0'"),
        (2.0, "sec", -2, 2.0, "RepetitionTime of its side-car is ignored: expected seconds above 0, received '-2'"),
    ],
)
def test_header_and_side_car_that_can_be_reconciled(scan, step, unit, stated, seconds, said):
    found, remarks = timed(scan(step, unit, {"RepetitionTime": stated}))
    assert found == pytest.approx(seconds, rel=1e-6)
    assert remarks == ([] if said is None else [f"run.nii.gz: {said}"])


@pytest.mark.parametrize(
    ("step", "unit", "words", "stated", "other"),
    [(1.0, "sec", "1 s", 2, "2 s"), (1, "unknown", "1 without a unit of time", 2.0, "2 s"), (2500, "msec", "2500 ms", 1.25, "1.25 s"),
     (2000, "sec", "2000 s", 2.5, "2.5 s"), (2.0, "sec", "2 s", 2.05, "2.05 s"), (60, "sec", "60 s", 2.0, "2 s")],
)  # fmt: skip
def test_two_times_are_refused_with_both_numbers_and_the_user_s_own_decides(scan, step, unit, words, stated, other):
    run = scan(step, unit, {"RepetitionTime": stated})
    said = rf"run.nii.gz has two repetition times: {words} in its header and {other} in run.json. .*state it with `tr`, in seconds"
    with pytest.raises(InputError, match=said):
        run.repetition_time  # noqa: B018
    assert timed(run.with_repetition_time(3)) == (3.0, [])
    assert timed(run.with_repetition_time(3).with_frames(run.frame)) == (3.0, [])


@pytest.mark.parametrize(
    ("sidecar", "step", "seconds", "said"),
    [
        ({"VolumeTiming": [0, 2.5, 5, 7.5]}, 2.5, 2.5, None),
        ({"VolumeTiming": [0, 2.5, 5, 7.5]}, 0, 2.5, None),
        ({"VolumeTiming": [1, 3.5, 6, 8.5]}, 2500, 2.5, "its header gives a repetition time of 2500 s, its side-car one of 2.5 s"),
        ({"VolumeTiming": [0, 2, 4, 9]}, 2.0, None, "its volumes are not evenly spaced in time (VolumeTiming)"),
        ({"VolumeTiming": [0, 2, 4]}, 2.0, 2.0, "VolumeTiming of its side-car is ignored: expected 4 rising times"),
        ({"VolumeTiming": [0, 4, 2, 6]}, 2.0, 2.0, "VolumeTiming of its side-car is ignored"),
        ({"VolumeTiming": [0, "2", 4, 6]}, 2.0, 2.0, "VolumeTiming of its side-car is ignored"),
        ({"VolumeTiming": 2.0}, 2.0, 2.0, "VolumeTiming of its side-car is ignored"),
        ({"RepetitionTime": 2.0, "VolumeTiming": "damaged"}, 2.0, 2.0, None),
        ({"RepetitionTimePreparation": 4.0}, 0, 4.0, None),
        ({"RepetitionTimePreparation": [4, 4, 4, 4]}, 0, 4.0, None),
        ({"RepetitionTimePreparation": [4, 4, 4, 9]}, 0, None, None),
        ({"RepetitionTimePreparation": []}, 0, None, None),
        # Of a scan that averages: the header counts what the volumes are apart.
        ({"RepetitionTimePreparation": 4.0}, 8.0, 8.0, None),
    ],
)
def test_other_fields_of_time(scan, sidecar, step, seconds, said):
    found, remarks = timed(scan(step, "sec", sidecar))
    assert found == (None if seconds is None else pytest.approx(seconds))
    assert remarks == [] if said is None else (len(remarks) == 1 and remarks[0].startswith(f"run.nii.gz: {said}"))


def test_volumes_and_images_in_memory_need_no_side_car(scan, tmp_path, affine, monkeypatch):
    run = scan(1.0, "sec", {"RepetitionTime": 2.0})
    monkeypatch.chdir(tmp_path)
    assert timed(Volume.from_array(run.data, affine, run.header, "run.nii.gz")) == (1.0, [])
    assert timed(Volume.from_array(run.data[..., 0], affine, run.header)) == (None, [])
    assert timed(Volume.from_array(run.data[..., 0], affine).with_repetition_time(2)) == (None, [])
    in_memory = nibabel.Nifti1Image(run.data, affine, run.header)
    assert timed(open_image(in_memory)) == (1.0, [])
    with pytest.raises(InputError, match="two repetition times"):
        open_image(nibabel.load(tmp_path / "run.nii.gz")).repetition_time  # noqa: B018


def test_showing_a_run_says_nothing_and_raises_nothing(scan):
    run = scan(2000, "sec", {"RepetitionTime": 2.5})
    with remarks_kept() as remarks:
        assert "TR=2 s" in repr(run)
    assert remarks == [] and "TR=2.5 s" in repr(run.with_repetition_time(2.5))


def test_a_remark_on_a_run_comes_once(scan):
    run = scan(2000)
    with remarks_kept() as remarks:
        said = [run.repetition_time, run.with_frames(run.frame).repetition_time, run.repetition_time]
    assert said == [2.0, 2.0, 2.0] and len(remarks) == 1


def test_the_sample_of_nibabel_is_read_as_two_seconds():
    found, remarks = timed(open_image("sample"))
    assert found == 2.0 and remarks == [
        "example4d.nii.gz: its header gives a repetition time of 2000 s, which is read as 2 s; state another with `tr`"
    ]


def test_the_header_stays_as_it_was(scan, tmp_path):
    run = scan(2000, "sec", {"RepetitionTime": 2.0})
    assert run.repetition_time == 2.0
    run.with_repetition_time(3.0).save(tmp_path / "out.nii.gz")
    assert nibabel.load(tmp_path / "out.nii.gz").header.get_zooms()[3] == 2000
