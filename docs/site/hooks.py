"""What MkDocs does differently for these pages, which are written for forges and lie in several folders.

* Pages outside of docs/ belong to the site: README, changelog, model cards, the README of each experiment.
* A link to source code leads to a page with the code; a link to another file, to a copy of the file.
* Lists are indented, and begin, as Markdown's specification allows; Python-Markdown is stricter.
* A comment `<!-- api: NAME -->` becomes what the docstrings of NAME say.
* Formulas become MathML: no script, no network.
"""

import html
import os
import pathlib
import posixpath
import re

from latex2mathml import converter
from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Pages of the site whose names are not those of their files.
_RENAMED = {"README.md": "overview.md"}
_OUTSIDE = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "pretrained/*.md", "experiments/*/README.md")
_EXPERIMENTS = "experiments/README.md"
_CODE = {".py": "python", ".sh": "bash", ".cfg": "ini", ".toml": "toml"}
_LINK = re.compile(r"(\]\()([^)\s]+)(\))")
_FENCE = re.compile(r"^ *(`{3,}).*?^ *\1`* *$", re.MULTILINE | re.DOTALL)
_ITEM = re.compile(r"( *)([*+-]|\d+\.)( +)")
# A heading, what follows it, and the comment: the docstrings' own heading, with the signature, takes the place of the first.
_API = re.compile(r"^### `([\w.]+)`\n\n((?:(?!^#).)*?)<!-- api: ([\w.]+) -->", re.MULTILINE | re.DOTALL)
_DIRECTIVE = "::: {2}\n    options:\n      heading: {0}\n      toc_label: {0}\n\n{1}"
_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)


def on_files(files, config):
    """Add the pages outside of docs/, and all files that pages link to; write the groups of the navigation that grow by themselves."""
    paths = [path for pattern in _OUTSIDE for path in sorted(ROOT.glob(pattern))]
    for path in paths:
        files.append(File.generated(config, page_of(name_of(path)), abs_src_path=str(path)))
    for page in [*ROOT.glob("docs/**/*.md"), *paths]:
        for target in linked(page):
            if not target.is_relative_to(ROOT / "docs") or target.suffix in _CODE:
                add_file(files, config, target)
    experiments = [path for path in paths if path.parent.parent.name == "experiments"]
    files.append(File.generated(config, _EXPERIMENTS, content=index_of(experiments)))
    networks = [path for path in paths if path.parent.name == "pretrained" and path.stem != "README"]
    grown = {
        "EXPERIMENTS": [_EXPERIMENTS, *({path.parent.name.replace("_", " "): name_of(path)} for path in experiments)],
        "NETWORKS": ["pretrained/README.md", *({path.stem: name_of(path)} for path in networks)],
    }
    config.nav = [{title: grown.get(str(entry), entry)} for group in config.nav for title, entry in group.items()]
    return files


def on_page_markdown(markdown, page, config, files):
    """Make a forge's Markdown one that MkDocs reads."""
    source = repository_path(page.file)
    if source is None:
        return markdown
    markdown = outside_fences(
        markdown, lambda text: _LINK.sub(lambda link: link[1] + relinked(link[2], source, page.file.src_uri) + link[3], text)
    )
    return _API.sub(lambda found: _DIRECTIVE.format(found[1], found[2], found[3]), indented(markdown))


def on_page_content(content, page, config, files):
    """Draw formulas, and let links to lines of code lead to them."""
    # Of a docstring: neither a difference nor a tuple.
    content = re.sub(r"<code>\((.*?), path - like(.*?)\)</code>", r"<code>\1, path-like\2</code>", content)
    content = re.sub(r'href="([^"]*\.html)\?line=(\d+)"', r'href="\1#__codelineno-0-\2"', content)
    return _FORMULA.sub(lambda found: mathml(html.unescape(found[2]), "block" if found[1] == "div" else "inline"), content)


def mathml(formula, display):
    """Return a formula of LaTeX as MathML."""
    return converter.convert(formula.strip(), display=display)


def name_of(path):
    """Return the path of a file in the repository, with forward slashes."""
    return path.relative_to(ROOT).as_posix()


def page_of(name):
    """Return the name in the site of a file of the repository."""
    name = name.removeprefix("docs/") if name.startswith("docs/") else _RENAMED.get(name, name)
    return f"code/{name}.md" if pathlib.PurePosixPath(name).suffix in _CODE else name


def repository_path(file):
    """Return the file of the repository that a page of the site is made of, or None: a page of code."""
    path = pathlib.Path(file.abs_src_path) if file.abs_src_path else None
    return path if path and path.is_relative_to(ROOT) and path.suffix == ".md" else None


def index_of(experiments):
    """Return a page that lists experiments by their questions: Markdown."""
    questions = [path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ") for path in experiments]
    rows = [f"* [{path.parent.name}]({path.parent.name}/README.md): {question}" for path, question in zip(experiments, questions)]
    return "# Experiments\n\nEach measurement has its question, its command, `results.csv` and a figure.\n\n" + "\n".join(rows) + "\n"


def linked(page):
    """Yield the files of the repository that a page links to."""
    for _, target, _ in _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        path = (page.parent / target.partition("#")[0]).resolve()
        if not re.match(r"\w+:|#", target) and path.is_relative_to(ROOT) and path.is_file():
            yield path


def add_file(files, config, path):
    """Add a file of the repository to the site, once; code as a page."""
    name = page_of(name_of(path))
    if files.get_file_from_path(name) is not None:
        return
    if path.suffix in _CODE:
        code = path.read_text(encoding="utf-8").rstrip()
        text = f'---\nsearch:\n  exclude: true\n---\n# {name_of(path)}\n\n``````{_CODE[path.suffix]} linenums="1"\n{code}\n``````\n'
        files.append(File.generated(config, name, content=text))
    else:
        files.append(File.generated(config, name, abs_src_path=str(path)))


def relinked(target, source, here):
    """Return a link of a file of the repository as the site needs it."""
    if re.match(r"\w+:|#", target):
        return target
    path, _, anchor = target.partition("#")
    path = pathlib.Path(os.path.normpath(source.parent / path))
    # A folder is shown by its README; that of the experiments is written above.
    path = path / "README.md" if path.is_dir() else path
    there = posixpath.relpath(page_of(name_of(path)), posixpath.dirname(here) or ".")
    if line := re.fullmatch(r"L(\d+)", anchor):
        return f"{there}?line={line[1]}"
    return there + (f"#{anchor}" if anchor else "")


def outside_fences(markdown, change):
    """Apply a function to all of a page but its blocks of code."""
    parts, last = [], 0
    for fence in _FENCE.finditer(markdown):
        parts += [change(markdown[last : fence.start()]), fence[0]]
        last = fence.end()
    return "".join([*parts, change(markdown[last:])])


def indented(markdown):
    """Indent what belongs to an item of a list by four spaces for each level, and part lists from the paragraph before."""
    lines, contents, fence, before = [], [], None, ""
    for line in markdown.splitlines():
        if found := re.match(r" *(`{3,})", line):
            fence = None if fence and found[1].startswith(fence) else fence or found[1]
        if fence or found or not line.strip():
            lines.append(line if not contents or not line.startswith("  ") else " " * 4 * len(contents) + line.strip())
            before = ""
            continue
        item, indent = _ITEM.match(line), len(line) - len(line.lstrip())
        while contents and indent < contents[-1] and (item or before == ""):
            contents.pop()
        if item and not contents and before and not _ITEM.match(before):
            lines.append("")
        lines.append(" " * 4 * len(contents) + line.lstrip() if contents or item else line)
        if item:
            contents.append(item.end())
        before = line
    return "\n".join(lines) + "\n"
