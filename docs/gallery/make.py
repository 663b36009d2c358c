"""Run the examples of the gallery and write its pages: python docs/gallery/make.py [NAME…] [--pages]

An example is a script that draws one picture, NAME.png. Its docstring is the text of its page: a title, then a paragraph. With
`--pages` nothing is run: pages are written anew from the scripts, and what they print stays as it was.
"""

import ast
import os
import pathlib
import re
import subprocess
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
# In the order of the index.
GROUPS = {
    "Restore": ("denoise_epi", "auto_says_why", "denoise_run", "thick_slices", "judge_a_denoiser", "header_kept"),
    "Train": ("fit_wgan", "noise2average", "fit_slices"),
    "Generate and draw": ("synthetic_volumes", "fill_missing_slices", "painted_contrasts", "noise_of_scanners"),
    "Look inside": ("channels_of_a_run", "plain_keras"),
}
NAMES = [name for names in GROUPS.values() for name in names]
_INTRODUCTION = """# Gallery

Short scripts that run by themselves in seconds on a processor. They use the EPI scan inside nibabel, or heads that are drawn; no scan of a
person is needed. A picture leads to its page, with the code. To run one: `python docs/gallery/denoise_epi.py`, from a checkout, after
`pip install -r requirements.txt`; it writes its picture into the folder that it is called from.

`python docs/gallery/make.py` runs all of them and writes these pages; `make.py NAME` runs one. [drawing.py](drawing.py) is how pictures are
drawn, [drawn_head.py](drawn_head.py) the head that is no one's.
"""
_PRINTED = re.compile(r"^It prints:\n\n```text\n(.*?)```", re.MULTILINE | re.DOTALL)


def main(arguments):
    """Run the examples that are named, or all, and write the pages."""
    names = [argument for argument in arguments if argument != "--pages"]
    if unknown := sorted(set(names) - set(NAMES)):
        sys.exit(f"no such example: {', '.join(unknown)}. Expected: {', '.join(NAMES)}")
    for name in names or NAMES:
        printed = stored_output(name) if "--pages" in arguments else run(name, FOLDER)
        (FOLDER / f"{name}.md").write_text(page(name, printed), encoding="utf-8")
    (FOLDER / "README.md").write_text(index(), encoding="utf-8")


def run(name, folder):
    """Run an example, which writes its picture into a folder; return what it prints."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(FOLDER.parents[1]), os.environ.get("PYTHONPATH")]))
    script = [sys.executable, str(FOLDER / f"{name}.py")]
    done = subprocess.run(script, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name}.py failed:\n{done.stderr}")
    return done.stdout


def parts(name):
    """Return an example's title, its text, and its code without both."""
    source = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    title, text = ast.get_docstring(ast.parse(source)).split("\n\n", 1)
    return title, text, source.split('"""', 2)[2].lstrip("\n")


def page(name, printed):
    """Return the page of an example: Markdown."""
    title, text, code = parts(name)
    output = f"It prints:\n\n```text\n{printed.strip()}\n```\n\n" if printed.strip() else ""
    links = f"[{name}.py]({name}.py) · [all examples](README.md)"
    return f"# {title}\n\n{text}\n\n![{_plain(title)}]({name}.png)\n\n```python\n{code}```\n\n{output}{links}\n"


def index():
    """Return the page of all examples, with their pictures: Markdown."""
    lines = [_INTRODUCTION]
    for group, names in GROUPS.items():
        lines += [f"## {group}\n", "| | |", "|---|---|"]
        cells = [f"[![{_plain(parts(name)[0])}]({name}.png)]({name}.md)<br>[{parts(name)[0]}]({name}.md)" for name in names]
        lines += [f"| {' | '.join([*cells[first : first + 2], ''][:2])} |" for first in range(0, len(cells), 2)]
        lines.append("")
    return "\n".join(lines)


def stored_output(name):
    """Return what an example printed when its page was made."""
    path = FOLDER / f"{name}.md"
    found = _PRINTED.search(path.read_text(encoding="utf-8")) if path.exists() else None
    return found[1] if found else ""


def _plain(title):
    return title.replace("`", "")


if __name__ == "__main__":
    main(sys.argv[1:])
