"""What a user may be told is one family of errors."""

import pathlib

import pytest

from keras_mri.errors import CheckpointError, GridMismatchError, InputError, first_line, remark, remarks_kept


@pytest.mark.parametrize("kind", [GridMismatchError, CheckpointError])
def test_every_error_for_the_user_is_caught_as_an_input_error(kind):
    with pytest.raises(InputError, match="^the message$"):
        raise kind("the message")


def test_an_input_error_is_a_value_error_for_programs_that_know_nothing_of_us():
    assert issubclass(InputError, ValueError)


def test_a_grid_mismatch_and_a_bad_checkpoint_are_told_apart():
    assert not issubclass(GridMismatchError, CheckpointError)
    assert not issubclass(CheckpointError, GridMismatchError)


@pytest.mark.parametrize(("error", "said"), [(ValueError("too long.\nmore"), "too long"), (OSError(), "OSError"), (KeyError(" "), "' '")])
def test_the_first_line_of_an_error_is_never_empty(error, said):
    assert first_line(error) == said


def test_a_remark_is_one_line_with_the_name_of_its_file(caplog):
    with remarks_kept() as kept:
        remark("/data/sub-01/bold\n.nii.gz", "looks\nodd")
        remark("/data/sub-01/bold\n.nii.gz", "looks\nodd")
        remark(pathlib.Path("elsewhere") / "t1.nii", "is dark")
    remark("t1.nii", "after the block")
    assert kept == ["bold .nii.gz: looks odd", "t1.nii: is dark"]
    assert [record.getMessage() for record in caplog.records][::3] == [
        "warning: bold .nii.gz: looks odd",
        "warning: t1.nii: after the block",
    ]
