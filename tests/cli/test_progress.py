import contextlib
import io
import re

import keras
import numpy as np
import pytest

from keras_mri.cli import progress as progress_module
from keras_mri.cli.progress import TrainingProgress, counted, counted_in_notebook, progress_bar
from keras_mri.io.volumes import Volume
from keras_mri.training.callbacks import FollowPace
from keras_mri.training.clock import Clock, running
from keras_mri.training.pace import Pace


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Notebook(io.StringIO):
    """What a cell of a notebook gives as sys.stderr: no terminal, told by its class."""


Notebook.__module__ = "ipykernel.iostream"


def fit(stream, steps=8, name="error"):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", loss="mae", metrics=[keras.metrics.MeanAbsoluteError(name=name)])
    data = np.ones((8, 1), np.float32)
    progress, pace = TrainingProgress(stream), Pace(steps=steps) if steps else None
    progress.pace = pace
    callbacks = [*([FollowPace(pace)] if pace else []), progress]
    model.fit(data, data, batch_size=2, epochs=2, verbose=0, callbacks=callbacks, validation_data=(data, data))


def test_a_log_file_gets_one_line_for_each_epoch():
    stream = io.StringIO()
    fit(stream)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2 and "\r" not in stream.getvalue()
    assert re.fullmatch(r"epoch   1 ██████████··········  50 %  0:\d\d, 0:\d\d left  error \d\.\d{5}  held out \d\.\d{5}", lines[0])
    assert "100 %" in lines[1] and "0:00 left" in lines[1]


def test_without_a_pace_there_is_no_bar():
    stream = io.StringIO()
    fit(stream, steps=None)
    lines = stream.getvalue().splitlines()
    assert re.fullmatch(r"epoch   1  error \d\.\d{5}  held out \d\.\d{5}", lines[0]) and len(lines) == 2


def test_without_an_error_none_is_shown():
    stream = io.StringIO()
    fit(stream, name="another")
    assert "error" not in stream.getvalue() and "held out" not in stream.getvalue() and "50 %" in stream.getvalue()


def test_a_terminal_gets_one_moving_line():
    stream = Terminal()
    fit(stream)
    assert stream.getvalue().count("\r") >= 3


def test_a_notebook_gets_one_line_for_all_epochs_without_signs_of_a_terminal(monkeypatch):
    monkeypatch.setattr(progress_module, "_SECONDS_BETWEEN", 0.0)
    stream = Notebook()
    fit(stream)
    text = stream.getvalue()
    assert text.count("\n") == 1 and text.endswith("\n") and "\x1b" not in text
    lines = text.strip("\r\n").split("\r")
    assert len(lines) == 10 and lines[0].startswith("epoch   1") and lines[-1].startswith("epoch   2")
    assert re.fullmatch(r"epoch   2 █{20} 100 %  0:\d\d, 0:00 left  error \d\.\d{5}  held out \d\.\d{5} *", lines[-1])
    # A shorter line leaves nothing of a longer one.
    assert all(len(new) >= len(old.rstrip()) for old, new in zip(lines, lines[1:]))
    # The held-out error of the first epoch stays while the second one trains.
    assert lines[4].split("held out")[1] == lines[5].split("held out")[1]


def test_frames_that_are_read_one_after_another_are_counted_in_a_notebook(affine, rng, monkeypatch):
    monkeypatch.setattr(progress_module, "_SECONDS_OF_A_BRIEF_ONE", 0.0)
    run = Volume.from_array(rng.random((4, 3, 2, 12), dtype=np.float32), affine)
    run.facts["chosen"] = "epi"
    stream = Notebook()
    counting = counted_in_notebook(run, stream)
    counting.frame(6)
    assert stream.getvalue() == ""
    np.testing.assert_array_equal(counting.data, run.data)
    text = stream.getvalue()
    # In the end nothing of it is left.
    assert text.startswith("\rframes:") and "| 0/12 [" in text and "\n" not in text and not text.split("\r")[-1].strip()
    assert counting.facts is run.facts


@pytest.mark.parametrize("order", [[3], [0, 5], [5, 6, 7], [0, 3, 2, 1]])
def test_looking_at_single_frames_shows_no_bar(order, affine, rng):
    run = Volume.from_array(rng.random((4, 3, 2, 9), dtype=np.float32), affine)
    stream = Notebook()
    counting = counted_in_notebook(run, stream)
    for t in order:
        np.testing.assert_array_equal(counting.frame(t), run.frame(t))
    assert stream.getvalue() == ""


def test_every_frame_is_counted_once_those_that_were_read_before_as_well(affine, rng, monkeypatch):
    steps = []

    @contextlib.contextmanager
    def recording(total, what, stream, brief):
        yield lambda more=1: steps.append(more)
        steps.append("end")

    monkeypatch.setattr(progress_module, "progress_bar", recording)
    run = Volume.from_array(rng.random((4, 3, 2, 12), dtype=np.float32), affine)
    counting = counted_in_notebook(run, Notebook())
    counting.frame(6)
    for frame in counting.frames():
        assert frame.shape == (4, 3, 2)
    assert steps[-1] == "end" and sum(steps[:-1]) == 12 and "end" not in steps[:-1]


def test_frames_that_are_quick_show_no_bar(affine, rng):
    run = Volume.from_array(rng.random((4, 3, 2, 12), dtype=np.float32), affine)
    stream = Notebook()
    np.testing.assert_array_equal(counted_in_notebook(run, stream).data, run.data)
    assert not stream.getvalue().strip()


def test_outside_of_notebooks_a_result_is_what_it_was(affine, rng):
    run = Volume.from_array(rng.random((4, 3, 2, 3), dtype=np.float32), affine)
    assert counted_in_notebook(run, Terminal()) is run and counted_in_notebook(run, io.StringIO()) is run
    volume = Volume.from_array(rng.random((4, 3, 2), dtype=np.float32), affine)
    assert counted_in_notebook(volume, Notebook()) is volume


def test_frames_are_counted_on_a_terminal_only(affine, rng):
    run = Volume.from_array(rng.random((4, 3, 2, 3), dtype=np.float32), affine)
    stream = Terminal()
    np.testing.assert_array_equal(counted(run, stream).data, run.data)
    assert stream.getvalue().startswith("\rframes:   0%") and "| 3/3 [" in stream.getvalue() and stream.getvalue().endswith("\n")
    assert counted(run, io.StringIO()) is run


def test_one_frame_alone_is_not_counted(affine, rng):
    volume = Volume.from_array(rng.random((4, 3, 2), dtype=np.float32), affine)
    assert counted(volume, Terminal()) is volume


def test_a_bar_counts_steps_on_a_terminal_and_in_a_notebook_only():
    terminal, notebook, file = Terminal(), Notebook(), io.StringIO()
    for stream in (terminal, notebook, file):
        with progress_bar(5, "tile", stream) as advance:
            advance()
            advance(4)
    for stream in (terminal, notebook):
        assert "tiles: 100%" in stream.getvalue() and "5/5" in stream.getvalue()
    assert file.getvalue() == ""


@pytest.mark.parametrize(("passed", "told"), [(5.0, False), (31.0, True)])
def test_until_when_is_said_and_that_a_budget_is_over_before_the_first_update(passed, told):
    moments = iter([0.0, passed] + [passed] * 20)
    with running(Clock(30.0, now=lambda: next(moments))):
        progress = TrainingProgress(io.StringIO())
        progress.pace = Pace(8, 30.0)
    progress.on_train_begin()
    said = progress.stream.getvalue()
    assert re.search(r"training until \d\d:\d\d:\d\d\n$", said)
    assert ("31 s of the time budget of 30 s are over before the first update: every stage makes one update" in said) == told
