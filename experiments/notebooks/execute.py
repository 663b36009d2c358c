"""Run a notebook from top to bottom and store its outputs: python experiments/notebooks/execute.py [NOTEBOOK…]

Needs `pip install nbclient ipykernel`. Without this script: `jupyter nbconvert --to notebook --execute --inplace NOTEBOOK`.
"""

import json
import pathlib
import shutil
import sys
import tempfile

_FOLDER = pathlib.Path(__file__).parent
_CHECKOUT = _FOLDER.parents[1]


def main(names):
    """Execute the notebooks that are named, or all of them."""
    try:
        import nbclient
        import nbformat
    except ImportError as error:
        sys.exit(f"{error}: pip install nbclient ipykernel, or use jupyter nbconvert --to notebook --execute --inplace NOTEBOOK")
    for path in map(pathlib.Path, names or sorted(_FOLDER.glob("*.ipynb"))):
        notebook = nbformat.read(path, as_version=4)
        # Whatever a cell writes goes to a folder that is removed; the first cell finds the package of this checkout.
        folder = pathlib.Path(tempfile.mkdtemp())
        try:
            in_this_checkout = nbformat.v4.new_code_cell(f"import sys\nsys.path.insert(0, {str(_CHECKOUT)!r})")
            notebook.cells.insert(0, in_this_checkout)
            nbclient.NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": str(folder)}}).execute()
        finally:
            shutil.rmtree(folder)
        store(path, notebook.cells[1:])
        print(f"{path}: {sum(len(cell.get('outputs', ())) for cell in notebook.cells)} outputs")


def store(path, executed):
    """Put the outputs of executed cells into a notebook's file and leave the rest of it as it is."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for number, (cell, done) in enumerate(zip(notebook["cells"], executed, strict=True), start=1):
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = json.loads(json.dumps(done["outputs"])), number
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
