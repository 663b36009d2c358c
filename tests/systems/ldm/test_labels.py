import csv

import numpy as np
import pytest

from experiments.data import FOLDER
from keras_mri.errors import InputError, remarks_kept
from keras_mri.systems.ldm.labels import MOTOR, Event, codes, known_names, labels_of_events, read_events, read_volume_labels


def written(tmp_path, *lines):
    path = tmp_path / "table.tsv"
    path.write_text("\n".join(line.replace(" ", "\t") for line in lines) + "\n")
    return path


def test_events_are_read_in_order_of_onset(tmp_path):
    path = written(tmp_path, "trial_type onset duration extra", "rh 12.5 3 x", "lh 2 3 x", "n/a 4 1 x", "t 20 n/a x")
    assert read_events(path) == [Event(2.0, 3.0, "lh"), Event(12.5, 3.0, "rh"), Event(20.0, 0.0, "t")]


def test_a_volume_has_the_label_of_what_happened_a_lag_before_it_began():
    # Response 7 … 13 s; volumes begin at 0, 2, 4, 6, 8, 10, 12, 14 s.
    labels = labels_of_events([Event(2, 6, "lh")], 8, 2.0, lag=5.0)
    assert labels == [None, None, None, None, "lh", "lh", "lh", None]


def test_a_brief_event_labels_one_volume():
    assert labels_of_events([Event(0, 0.1, "flash")], 5, 2.0, lag=5.0) == [None, None, None, "flash", None]


def test_trials_of_one_block_leave_no_gaps():
    trials = [Event(onset, 0.9, "face") for onset in np.arange(0, 6, 1.0)]
    assert labels_of_events(trials, 6, 2.0, lag=2.0) == [None, "face", "face", "face", None, None]


def test_what_lags_beyond_the_end_labels_nothing():
    assert labels_of_events([Event(8, 1, "lh")], 5, 2.0, lag=5.0) == [None] * 5


@pytest.mark.parametrize("event", [Event(10, 1, "late"), Event(-3, 1, "early")])
def test_events_outside_the_run_are_named(event):
    with pytest.raises(InputError, match=rf"events.tsv must lie inside the run, 0 … 10 s \(5 volumes of 2 s\).*1 .*'{event.name}' at"):
        labels_of_events([event], 5, 2.0, 5.0, "events.tsv")


@pytest.mark.real_data
@pytest.mark.skipif(not (FOLDER / "forrest-bold").is_dir(), reason="needs forrest-bold")
def test_the_labels_of_the_studyforrest_run_are_those_that_come_with_it():
    events = read_events(FOLDER / "forrest-bold" / "events.tsv")
    with open(FOLDER / "forrest-bold" / "volumes.tsv", newline="") as file:
        expected = [row["label_lag5s"] for row in csv.DictReader(file, delimiter="\t")]
    found = [label or "rest" for label in labels_of_events(events, len(expected), 2.0, 5.0)]
    assert found == expected


def test_one_label_per_volume_from_a_table(tmp_path):
    path = written(tmp_path, "volume label_lag5s", "0 lh", "1 n/a", "2 rest")
    assert read_volume_labels(path, 3) == ["lh", None, "rest"]
    with pytest.raises(InputError, match="one line per volume, 4. Received: 3 lines"):
        read_volume_labels(path, 4)


def test_the_motor_task_has_its_own_codes_even_where_a_run_holds_few_of_them():
    assert known_names(["t", None, "lh"]) == MOTOR
    np.testing.assert_array_equal(codes(["lh", "rh", "lf", "rf", "t", None], MOTOR), [0, 1, 2, 3, 4, 5])


def test_other_names_are_kept_in_alphabetical_order():
    names = known_names(["scene", None, "face", "scene", "lh"])
    assert names == ("face", "lh", "scene")
    np.testing.assert_array_equal(codes(["scene", None, "face"], names), [2, 3, 0])
    assert known_names([None, None]) == ()


def test_an_unknown_label_lists_those_that_are_known():
    with pytest.raises(InputError, match="unknown label 'hand'. Known: face, scene"):
        codes(["hand"], ("face", "scene"))
    with pytest.raises(InputError, match="the network was trained without labels"):
        codes(["hand"], ())


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["onset duration", "1 2"], "has no column trial_type. Expected onset, duration, trial_type. Found: onset, duration"),
        (
            ["onset duration trial_type", "soon 2 lh"],
            "line 2: onset and duration must be seconds, the latter not negative. Received: 'soon', '2'",
        ),
    ],
)
def test_tables_of_events_that_cannot_be_read(lines, message, tmp_path):
    with pytest.raises(InputError, match=message):
        read_events(written(tmp_path, *lines))


def test_tables_of_labels_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="nowhere.tsv is not a file. Expected a table with one label per volume"):
        read_volume_labels(tmp_path / "nowhere.tsv", 3)
    with pytest.raises(InputError, match="has no column `label`. Found: volume, name"):
        read_volume_labels(written(tmp_path, "volume name", "0 lh"), 1)
    (tmp_path / "image.tsv").write_bytes(b"\x1f\x8b\xff\xfe")
    with pytest.raises(InputError, match="is not a text table"):
        read_volume_labels(tmp_path / "image.tsv", 3)


def test_events_without_an_onset_are_counted_in_a_remark_and_left_out(tmp_path):
    path = written(tmp_path, "onset duration trial_type", "0 2 lh", "n/a 1 missed", "4 n/a rh", "n/a n/a n/a")
    with remarks_kept() as remarks:
        assert read_events(path) == [Event(0.0, 2.0, "lh"), Event(4.0, 0.0, "rh")]
    assert remarks == ["table.tsv: 2 of 4 event(s) without an onset (n/a) left out"]


def test_of_an_aborted_run_the_events_it_still_has_count():
    events = [Event(onset, 2, name) for onset, name in ((0, "lh"), (4, "rh"), (10, "lh"), (300, "t"))]
    with remarks_kept() as remarks:
        labels = labels_of_events(events, 5, 2.0, 2.0, "/somewhere/events.tsv")
    assert labels == [None, "lh", None, "rh", None]
    late = (
        "events.tsv: 2 of 4 event(s) after the end of the run, 0 … 10 s (5 volumes of 2 s), left out: an aborted run, or the wrong table?"
    )
    assert len(remarks) == 1 and remarks[0].startswith(late)


def test_of_events_before_the_run_what_reaches_into_it_counts():
    """As where dummy scans are left out: a block under way, a stimulus whose response comes later, and one long gone."""
    events = [Event(-100, 1, "gone"), Event(-3, 0.5, "lh"), Event(-1, 4, "rh"), Event(6, 2, "t")]
    with remarks_kept() as remarks:
        labels = labels_of_events(events, 6, 2.0, 4.0, "events.tsv")
    # Responses: −96 … −95, 1 … 1.5, 3 … 7, 10 … 12 s.
    assert labels == [None, "lh", "rh", "rh", None, "t"]
    assert remarks == ["events.tsv: 3 of 4 event(s) before the run, 0 … 12 s (6 volumes of 2 s): what reaches into it is used"]


def test_a_table_that_fits_is_not_remarked_on():
    with remarks_kept() as remarks:
        labels_of_events([Event(0, 20, "lh")], 5, 2.0, 5.0, "events.tsv")
    assert not remarks


@pytest.mark.parametrize("line", [" 2 lh", "0 -1 lh", "nan 1 lh", "1,5 2 lh", "0 2,5 lh", "N/A 1 lh", "1e999 1 lh", "0 inf lh"])
def test_what_bids_does_not_allow_stays_an_error_that_names_the_line(line, tmp_path):
    path = written(tmp_path, "onset duration trial_type", "0 1 rh", line)
    with pytest.raises(InputError, match="table.tsv, line 3: onset and duration must be seconds"):
        read_events(path)
