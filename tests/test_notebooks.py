"""The notebooks: committed without outputs, and run from top to bottom as a reader would."""

import json
import pathlib
import subprocess
import sys

import pytest

_FOLDER = pathlib.Path(__file__).parents[1] / "experiments" / "notebooks"
_NOTEBOOKS = sorted(_FOLDER.glob("*.ipynb"))
# What is shortened, and what must hold at the end.
_SHORTER = {"quick_start": ('TIME_BUDGET = "2m"', 'TIME_BUDGET = "8s"'), "noise2average": ("steps_per_epoch=40", "steps_per_epoch=3")}
_HOLDS = {
    "quick_start": "denoised.shape == (128, 96, 24) and np.isfinite(denoised).all() and 0 < np.abs(before - denoised).mean() < 0.2 * scale",
    "noise2average": "metrics.psnr(clean, denoised, brain) > metrics.psnr(clean, average, brain) + 1",
}


def code(path):
    """Return the code cells of a notebook."""
    return ["".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", _NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_plain_python_without_outputs_and_installs_first(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    for cell in notebook["cells"]:
        assert cell["cell_type"] == "markdown" or (cell["outputs"], cell["execution_count"]) == ([], None)
    cells = code(path)
    assert "pip" in cells[0] and "SOURCE" in cells[0]
    for number, source in enumerate(cells):
        compile(source, f"{path.name}, cell {number}", "exec")


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
    assert {"denoised.nii.gz", "report.html"} <= written
