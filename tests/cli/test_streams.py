"""What a command writes to: screens that lack characters, pipes that nobody reads, streams that are closed or full."""

import io
import json
import os
import subprocess
import sys

import pytest

from keras_mri.cli import running, streams


def written(monkeypatch, encoding, text):
    """Return the bytes that `print` leaves on a screen of some encoding, within a command."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    assert running.run(lambda arguments: print(text, end=""), []) == 0
    return raw.getvalue()


@pytest.mark.parametrize(
    ("encoding", "text", "expected"),
    [
        ("ascii", "2 × 3 mm → 4 … “in” ±1", b'2 x 3 mm -> 4 ... "in" +-1'),
        ("ascii", "mm³, 10⁻⁷, x₀", b"mm^3, 10\\u207b7, x0"),
        ("ascii", "Häuser", b"H\\xe4user"),
        ("cp1252", "Häuser → 2 × 3 …", b"H\xe4user -> 2 \xd7 3 \x85"),
        ("latin-1", "scan\udcfc.nii", b"scan\xfc.nii"),
        ("utf-8", "scan\udcfc.nii → Häuser", b"scan\xfc.nii " + "→ Häuser".encode()),
        ("utf-8", "█·", "█·".encode()),
    ],
)
def test_a_screen_that_lacks_a_character_shows_another(monkeypatch, encoding, text, expected):
    assert written(monkeypatch, encoding, text) == expected


def test_afterwards_a_stream_is_as_strict_as_before(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    running.run(lambda arguments: None, [])
    with pytest.raises(UnicodeEncodeError):
        print("→")


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
def test_json_on_any_screen_gives_back_the_value(monkeypatch, encoding):
    value = {"file": "Häuser\\→.nii", "sides": [1.5, None]}
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    running.run(lambda arguments: print(streams.as_json(value)), [])
    assert json.loads(raw.getvalue().decode(encoding)) == value


class Full(io.StringIO):
    def flush(self):
        raise OSError(28, "No space left on device")


def test_a_text_that_could_not_be_written_is_no_success(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", Full())
    assert running.run(lambda arguments: 0, []) == 2
    assert capsys.readouterr().err.startswith("keras_mri: error: the output could not be written: No space left on device.")


class Unread(io.StringIO):
    def flush(self):
        raise BrokenPipeError


@pytest.mark.parametrize("status", [0, 1, 2])
def test_who_reads_only_the_first_lines_changes_no_status(monkeypatch, status):
    monkeypatch.setattr(sys, "stdout", Unread())
    assert running.run(lambda arguments: status, []) == status


_WHERE_IT_GOES = """
import os, sys
from keras_mri.cli import running

def command(arguments):
    with open(arguments[0], "w") as file:
        print("remark", file=sys.stderr, flush=True)
        print("result", flush=True)
        os.write(2, b"of a library")

sys.exit(running.run(command, sys.argv[1:]))
"""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_with_closed_streams_no_text_ends_up_in_a_file_of_the_user_s(tmp_path, closed):
    file = tmp_path / "result.h5"
    command = f'exec "{sys.executable}" -c \'{_WHERE_IT_GOES}\' "{file}" {closed}'
    shown = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": os.getcwd()})
    assert shown.returncode == 0 and file.read_bytes() == b""
    assert shown.stdout == ("" if ">&-" in closed.replace("2>&-", "") else "result\n")
