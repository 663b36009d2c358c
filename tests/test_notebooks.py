"""The notebooks: plain Python, small outputs without paths or errors, and run from top to bottom as a reader would."""

import importlib
import json
import pathlib
import re
import subprocess
import sys

import pytest

_FOLDER = pathlib.Path(__file__).parents[1] / "experiments" / "notebooks"
_NOTEBOOKS = sorted(_FOLDER.glob("*.ipynb"))
# What is shortened, and what must hold at the end.
_SHORTER = {
    "denoise_run": ("epochs=2, steps_per_epoch=50", "epochs=1, steps_per_epoch=1"),
    "noise2average": ("steps_per_epoch=15", "steps_per_epoch=3"),
    "super_resolve": ("epochs=2, steps_per_epoch=20", "epochs=1, steps_per_epoch=1"),
}
_HOLDS = {
    # Of an amplitude of 2 %, most is kept, and much less noise surrounds it; by hand and by `restore` is the same.
    "denoise_run": "amplitude(restored).data[active].mean() > 1.6 and verdict.word == 'noise removed' "
    "and np.abs(by_hand - restored.data).max() < 0.05 * verdict.noise",
    "noise2average": "score(denoised) > score(average) + 1 and difference.std() < 0.05 * (average.data - once.data)[inside].std()",
    # Better than a spline by more than the step that `restore` adds.
    "super_resolve": "all(keras_mri.evaluate(truth, better, mask=mask)['psnr_in'] > "
    "keras_mri.evaluate(truth, spline(scan, fine), mask=mask)['psnr_in'] + 2 for better in (fine, taught))",
}
_WRITTEN = {
    "denoise_run": {"phantom_bold.nii.gz", "denoised.nii.gz", "denoiser.h5", "denoiser.csv", "denoiser.png"},
    "noise2average": {"denoised.nii.gz", "n2a.h5"},
    "super_resolve": {"fine.nii.gz", "sr.h5"},
}
# Characters of a notebook with its outputs: small figures only.
_LARGEST = 300_000
# The variable that takes a reader's own scan.
_OWN = {"denoise_run": "MY_RUN", "noise2average": "MY_REPETITIONS", "super_resolve": "MY_SCAN"}


def code(path):
    """Return the code cells of a notebook."""
    return ["".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", _NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_plain_python_and_installs_first(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    cells = code(path)
    assert "pip" in cells[0] and "SOURCE" in cells[0]
    for number, source in enumerate(cells):
        compile(source, f"{path.name}, cell {number}", "exec")


@pytest.mark.parametrize("path", _NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_opens_in_colab_takes_an_own_scan_and_ends_in_plain_keras(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    badge = re.search(r"\(https://colab\.research\.google\.com/github/([\w.-]+/[\w.-]+)/blob/main/(\S+)\)", "".join(cells[0]["source"]))
    assert (_FOLDER.parents[1] / badge[2]).samefile(path)
    assert f"git+https://github.com/{badge[1]}" in code(path)[0]
    assert f"{_OWN[path.stem]} = None" in code(path)[1] and f"set `{_OWN[path.stem]}`" in json.dumps(cells)
    assert "keras_mri.plot(" in "".join(code(path)) and "keras.models.load_model(" in code(path)[-1]


@pytest.mark.parametrize("path", _NOTEBOOKS, ids=lambda path: path.stem)
def test_the_outputs_of_a_notebook_are_stored(path):
    cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    pictures = [output for cell in cells for output in cell["outputs"] if "image/png" in output.get("data", {})]
    assert len(pictures) >= 3 and cells[-1]["outputs"]
    texts = ["".join(output["text"]) for cell in cells for output in cell["outputs"] if output["output_type"] == "stream"]
    assert not [text for text in texts if "\r" in text or "\x1b" in text]
    # A bar or line of progress leaves its last state, not a flood.
    assert all(text.count("\n") < 20 for text in texts)


@pytest.mark.parametrize("path", _NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_of_a_notebook_are_small_and_show_neither_errors_nor_paths(path):
    text = path.read_text(encoding="utf-8")
    outputs = [output for cell in json.loads(text)["cells"] for output in cell.get("outputs", ())]
    assert len(text) < _LARGEST
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert not re.search(r"(?<![\w.:/])/\w+/\w+", json.dumps([output.get("text", "") for output in outputs]))


@pytest.mark.parametrize("executed", [True, False])
def test_executing_a_notebook_stores_outputs_and_leaves_its_cells(executed, tmp_path):
    execute = importlib.import_module("experiments.notebooks.execute")
    path = tmp_path / "copy.ipynb"
    path.write_text(_NOTEBOOKS[0].read_text(encoding="utf-8"), encoding="utf-8")
    before = json.loads(path.read_text(encoding="utf-8"))
    outputs = [{"output_type": "stream", "name": "stdout", "text": ["σ\n"]}] if executed else []
    execute.store(path, [{**cell, "outputs": outputs} for cell in before["cells"]])
    after = json.loads(path.read_text(encoding="utf-8"))
    assert [cell["source"] for cell in after["cells"]] == [cell["source"] for cell in before["cells"]]
    counted = [cell for cell in after["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in counted] == list(range(1, len(counted) + 1))
    assert all(cell["outputs"] == outputs for cell in counted)


def test_stored_streams_are_one_each_without_chatter_and_with_bars_at_their_end():
    execute = importlib.import_module("experiments.notebooks.execute")

    def stream(name, text):
        return {"output_type": "stream", "name": name, "text": text}

    outputs = [
        stream("stderr", "I0000 00:00 port.cc] oneDNN\ntraining until 12:00:00\n\repoch   1 ██··"),
        stream("stderr", "\repoch   2 ████  \n\rframes: 50%|███ "),
        stream("stderr", "\r               \r"),
        stream("stdout", ["two ", "parts\n"]),
        {"output_type": "execute_result", "data": {"text/plain": "7"}},
        stream("stdout", "three\n"),
        stream("stderr", "\r  \r"),
        stream("stdout", "four\n"),
    ]
    assert execute.settled(outputs) == [
        stream("stderr", ["training until 12:00:00\n", "epoch   2 ████\n"]),
        stream("stdout", ["two parts\n"]),
        {"output_type": "execute_result", "data": {"text/plain": "7"}},
        stream("stdout", ["three\n", "four\n"]),
    ]


def test_the_address_of_the_repository_is_written_into_badge_and_first_cell(tmp_path):
    execute = importlib.import_module("experiments.notebooks.execute")
    path = tmp_path / "copy.ipynb"
    path.write_text(_NOTEBOOKS[0].read_text(encoding="utf-8"), encoding="utf-8")
    execute.main(["--repository", "some-one/keras.mri", path])
    text = path.read_text(encoding="utf-8")
    assert "google.com/github/some-one/keras.mri/blob/main/experiments/notebooks/denoise_run.ipynb" in text
    assert "git+https://github.com/some-one/keras.mri" in code(path)[0] and "OWNER" not in text
    json.loads(text)
    with pytest.raises(SystemExit, match="--repository must be OWNER/NAME"):
        execute.main(["--repository", "https://github.com/a/b", path])
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.slow
@pytest.mark.parametrize("path", _NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(path, tmp_path, in_this_checkout):
    source = "\n\n".join(code(path))
    long, short = _SHORTER[path.stem]
    assert long in source
    script = tmp_path / "notebook.py"
    script.write_text(source.replace(long, short) + f"\n\nassert {_HOLDS[path.stem]}\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script.name], cwd=tmp_path, env={**in_this_checkout, "MPLBACKEND": "Agg"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    written = {file.name for file in tmp_path.iterdir()}
    assert _WRITTEN[path.stem] <= written
