"""The bar of one volume: on a terminal only, one for all mirror images, and taken back where tiles are run again."""

import io
import sys

import keras
import numpy as np
import pytest

from keras_mri.inference import volume_bar as module
from keras_mri.inference.tiles import predictor
from keras_mri.inference.volume_bar import is_notebook, rewrites, volume_bar


class Notebook(io.StringIO):
    """What a cell of a notebook gives as sys.stderr: no terminal, told by its class."""


Notebook.__module__ = "ipykernel.iostream"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def terminal(monkeypatch, delay=0.0):
    """Let stderr be a terminal; within a test, because pytest sets stderr anew before each."""
    monkeypatch.setattr(module, "_DELAY", delay)
    monkeypatch.setattr(sys, "stderr", Terminal())
    return sys.stderr


@pytest.fixture(scope="module")
def network():
    inputs = keras.Input((None, None, None, 1))
    return keras.Model(inputs, keras.layers.Rescaling(2.0)(inputs))


def test_one_bar_for_all_tiles_and_mirror_images(monkeypatch, network):
    stream = terminal(monkeypatch)
    predictor(network, (9, 8, 7), (5, 5, 5), mirror_axes=(0,), progress=True)(np.ones((9, 8, 7, 1), np.float32))
    text = stream.getvalue()
    assert "restoring   0 %" in text and "left" in text and "\n" not in text


@pytest.mark.parametrize("shown", [None, False])
def test_nothing_is_shown_unless_asked_for(monkeypatch, network, shown):
    stream = terminal(monkeypatch)
    predictor(network, (9, 8, 7), (5, 5, 5), progress=shown)(np.ones((9, 8, 7, 1), np.float32))
    assert stream.getvalue() == ""


def test_nothing_is_shown_where_stderr_is_no_terminal(monkeypatch, network, capsys):
    monkeypatch.setattr(module, "_DELAY", 0.0)
    predictor(network, (9, 8, 7), (5, 5, 5), progress=True)(np.ones((9, 8, 7, 1), np.float32))
    assert capsys.readouterr().err == ""


def test_tiles_that_are_run_again_are_taken_back(monkeypatch):
    terminal(monkeypatch)
    with volume_bar((9, 8, 7), 2, True) as advance:
        assert [advance(share) for share in (0.5, 0.25, -0.75, 1.0)] == pytest.approx([0.5, 0.75, 0.0, 1.0])


def test_a_small_volume_that_is_quick_shows_no_bar(monkeypatch):
    stream = terminal(monkeypatch, delay=1.0)
    with volume_bar((9, 8, 7), 1, True) as advance:
        advance(1.0)
    assert "restoring" not in stream.getvalue()


def test_a_large_volume_shows_its_bar_at_once(monkeypatch):
    stream = terminal(monkeypatch, delay=1.0)
    with volume_bar((200, 200, 160), 1, True):
        assert "restoring   0 %" in stream.getvalue()


def test_a_notebook_shows_the_bar_and_takes_it_back(monkeypatch):
    terminal(monkeypatch)
    stream = Notebook()
    monkeypatch.setattr(sys, "stderr", stream)
    with volume_bar((9, 8, 7), 2, True) as advance:
        advance(1.0)
        advance(1.0)
    lines = stream.getvalue().split("\r")
    assert "restoring   0 %" in lines[1] and "\n" not in stream.getvalue() and not lines[-1].strip()


def test_lines_are_rewritten_on_a_terminal_and_in_a_notebook_and_not_in_a_file():
    assert [rewrites(stream) for stream in (Terminal(), Notebook(), io.StringIO())] == [True, True, False]
    assert [is_notebook(stream) for stream in (Terminal(), Notebook(), io.StringIO())] == [False, True, False]


def test_a_kernel_is_known_by_its_stream():
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    code = f"import sys\nsys.path[:0] = {sys.path!r}\nfrom keras_mri.inference.volume_bar import rewrites, is_notebook\n"
    code += "print(is_notebook(sys.stderr), rewrites(sys.stderr), sys.stderr.isatty())"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    assert notebook.cells[0].outputs[0]["text"] == "True True False\n"
