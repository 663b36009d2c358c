"""Run a notebook from top to bottom and store its outputs: python experiments/notebooks/execute.py [NOTEBOOK…]

Needs `pip install nbclient ipykernel`. Without this script: `jupyter nbconvert --to notebook --execute --inplace NOTEBOOK`.

With `--repository OWNER/NAME` nothing is run: badges and first cells of the notebooks get the address of the repository on GitHub.
"""

import json
import os
import pathlib
import re
import sys
import tempfile

# Messages that TensorFlow and the root logger print on their own, and that tell a reader nothing.
_CHATTER = re.compile(
    r"^(WARNING: All log messages before|[IWE]0000 |To enable the following instructions|WARNING:tensorflow:|INFO:keras_mri).*\n?",
    re.MULTILINE,
)
# Where a notebook names its repository: the badge, and what pip installs.
_ADDRESS = re.compile(r"(git\+https://github\.com/|colab\.research\.google\.com/github/)[\w.-]+/[\w.-]+")
_FOLDER = pathlib.Path(__file__).resolve().parent


def main(names):
    """Execute the notebooks that are named, or all of them."""
    if names[:1] == ["--repository"]:
        for path in map(pathlib.Path, names[2:] or sorted(_FOLDER.glob("*.ipynb"))):
            set_repository(path, names[1])
        return
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


def set_repository(path, repository):
    """Write the address of the repository on GitHub, OWNER/NAME, into a notebook's badge and its first cell."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        sys.exit(f"--repository must be OWNER/NAME, as on GitHub. Received: {repository}")
    text = pathlib.Path(path).read_text(encoding="utf-8")
    pathlib.Path(path).write_text(_ADDRESS.sub(rf"\g<1>{repository}", text), encoding="utf-8")


def store(path, executed):
    """Put the outputs of executed cells into a notebook's file and leave the rest of it as it is."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    pairs = [pair for pair in zip(notebook["cells"], executed, strict=True) if pair[0]["cell_type"] == "code"]
    for number, (cell, done) in enumerate(pairs, start=1):
        cell["outputs"], cell["execution_count"] = settled(json.loads(json.dumps(done["outputs"]))), number
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def settled(outputs):
    """Return the outputs of a cell as they look in the end: one for each stream, bars at their last state, no chatter."""
    result = []
    for output in outputs:
        if output["output_type"] != "stream":
            result.append(output)
            continue
        output["text"] = "".join(output["text"])
        if result and result[-1].get("name") == output["name"]:
            result[-1]["text"] += output["text"]
        else:
            result.append(output)
    for output in result:
        if output["output_type"] == "stream":
            lines = (_last_state(line) for line in output["text"].split("\n"))
            output["text"] = _CHATTER.sub("", "\n".join(lines)).splitlines(keepends=True)
    return [output for output in result if output["output_type"] != "stream" or "".join(output["text"]).strip()]


def _last_state(line):
    """Return what stays of a line that was written anew: its last state; nothing of one that was wiped out."""
    return line.split("\r")[-1].rstrip() if "\r" in line else line


if __name__ == "__main__":
    main(sys.argv[1:])
