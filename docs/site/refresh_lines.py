"""Links to lines of code: find them, tell whether the line still holds what the link names, and renew the numbers.

`python docs/site/refresh_lines.py` renews the numbers in all pages of docs/. A link such as [`penalty`](FILE.py#L209) names a function,
class or constant of that file; of a method, the name behind the dot counts.
"""

import os
import pathlib
import re
import sys
import typing

ROOT = pathlib.Path(__file__).resolve().parents[2]
_LINK = re.compile(r"\[`([\w.]+)`\]\(([^)#\s]+\.py)#L(\d+)\)")


class LineLink(typing.NamedTuple):
    """A link to a line of a file of the repository."""

    page: pathlib.Path
    name: str
    file: pathlib.Path
    line: int


def pages():
    """Return the pages that may have such links."""
    return sorted(ROOT.glob("docs/**/*.md"))


def links(page):
    """Return the links to lines of code of a page."""
    return [
        LineLink(page, name, (page.parent / target).resolve(), int(line))
        for name, target, line in _LINK.findall(page.read_text(encoding="utf-8"))
    ]


def line_of(name, file):
    """Return the number of the line where a file defines a name, from 1 on; None where it does not, or is not there."""
    name = re.escape(name.split(".")[-1])
    defined = re.compile(rf"^\s*(?:def {name}\(|class {name}\b)|^{name}\b.*?=")
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else ()
    return next((number for number, line in enumerate(lines, start=1) if defined.match(line)), None)


def place_of(name, file):
    """Return the file and the line that define a name: this file, or one of its name to which it was moved; None if there is none."""
    files = [file, *(other for other in sorted(ROOT.glob(f"keras_mri/**/{file.name}")) if other != file)]
    return next(((other, line) for other in files if (line := line_of(name, other))), None)


def refresh(page):
    """Write a page with the right files and numbers; return what nothing defines."""
    missing = []

    def right(found):
        name, target, _ = found.groups()
        place = place_of(name, (page.parent / target).resolve())
        if place is None:
            missing.append(f"{page.name}: {target} defines no {name}")
            return found[0]
        return f"[`{name}`]({pathlib.PurePath(os.path.relpath(place[0], page.parent)).as_posix()}#L{place[1]})"

    text = page.read_text(encoding="utf-8")
    renewed = _LINK.sub(right, text)
    if renewed != text:
        page.write_text(renewed, encoding="utf-8")
    return missing


if __name__ == "__main__":
    if unknown := [line for page in pages() for line in refresh(page)]:
        sys.exit("\n".join(unknown))
