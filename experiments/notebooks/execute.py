"""Run a notebook from top to bottom and store its outputs: python experiments/notebooks/execute.py [NOTEBOOK…]

Needs `pip install nbclient ipykernel`. Without this script: `jupyter nbconvert --to notebook --execute --inplace NOTEBOOK`.
"""

import json
import os
import pathlib
import re
import sys
import tempfile

# Messages that TensorFlow and the root logger print on their own, and that tell a reader nothing.
_CHATTER = re.compile(r"^(WARNING: All log messages before|I0000 |WARNING:tensorflow:|INFO:keras_mri).*\n?", re.MULTILINE)
_FOLDER = pathlib.Path(__file__).resolve().parent


def main(names):
    """Execute the notebooks that are named, or all of them."""
    try:
        import nbclient
        import nbformat
    except ImportError as error:
        sys.exit(f"{error}: pip install nbclient ipykernel, or use jupyter nbconvert --to notebook --execute --inplace NOTEBOOK")
    # The kernel inherits it: the package of this checkout, and no start-up messages of TensorFlow.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_FOLDER.parents[1]), os.environ.get("PYTHONPATH")]))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for path in map(pathlib.Path, names or sorted(_FOLDER.glob("*.ipynb"))):
        notebook = nbformat.read(path, as_version=4)
        # Whatever a cell writes goes to a folder that is removed.
        with tempfile.TemporaryDirectory() as folder:
            nbclient.NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": folder}}).execute()
        store(path, notebook.cells)
        print(f"{path}: {sum(len(cell.get('outputs', ())) for cell in notebook.cells)} outputs")


def store(path, executed):
    """Put the outputs of executed cells into a notebook's file and leave the rest of it as it is."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    pairs = [pair for pair in zip(notebook["cells"], executed, strict=True) if pair[0]["cell_type"] == "code"]
    for number, (cell, done) in enumerate(pairs, start=1):
        outputs = [_without_chatter(output) for output in json.loads(json.dumps(done["outputs"]))]
        cell["outputs"], cell["execution_count"] = [output for output in outputs if output.get("text") != ""], number
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _without_chatter(output):
    """Return an output of a cell without the lines of `_CHATTER`."""
    text = output.get("text")
    return {**output, "text": _CHATTER.sub("", text)} if isinstance(text, str) else output


if __name__ == "__main__":
    main(sys.argv[1:])
