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
_SHORTER = {"quick_start": ('TIME_BUDGET = "2m"', 'TIME_BUDGET = "8s"'), "noise2average": ("steps_per_epoch=40", "steps_per_epoch=3")}
_HOLDS = {
    "quick_start": "denoised.shape == (128, 96, 24) and np.isfinite(denoised).all() and np.abs(again - denoised).max() < 0.02 * scale",
    "noise2average": "score(denoised) > score(average) + 1",
}
_WRITTEN = {
    "quick_start": {"denoised.nii.gz", "denoiser.h5", "denoiser.csv", "denoiser.png", "report.html"},
    "noise2average": {"denoised.nii.gz", "n2a.h5"},
}
# Characters of a notebook with its outputs: small figures only.
_LARGEST = 500_000


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
