"""The docs site: every page is in it, every name is on the API page, links to lines hold, formulas can be drawn."""

import importlib
import re

import pytest

import keras_mri
from tests.docs.pieces import DOCS, is_picture, script

ROOT = DOCS.parent
lines = script("site/refresh_lines.py")
# What mkdocs.yml fills in, and pages that lie elsewhere in the repository.
_ELSEWHERE = {"overview.md": "README.md", "CHANGELOG.md": "CHANGELOG.md", "CONTRIBUTING.md": "CONTRIBUTING.md"}
_FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+?)\$")
LINE_LINKS = [link for page in lines.pages() for link in lines.links(page)]


def formulas():
    """Return the formulas of the pages that have some."""
    text = re.sub(r"^```.*?^```|`[^`\n]*`", "", (DOCS / "how-it-works.md").read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [block or inline for block, inline in _FORMULA.findall(text)]


def test_the_navigation_has_every_page_and_no_other():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    named = re.findall(r"[\w/.-]+\.md", navigation)
    assert len(named) == len(set(named))
    assert {*named} - {*_ELSEWHERE} == {*(path.name for path in DOCS.glob("*.md")), "gallery/README.md"}
    assert all((ROOT / _ELSEWHERE[name]).is_file() for name in named if name in _ELSEWHERE)


def test_the_index_has_a_row_for_every_page():
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| \[[\w/.-]+\]\(([\w/.-]+)\)", text, re.MULTILINE))
    assert rows == {*(path.name for path in DOCS.glob("*.md") if path.name != "index.md"), "gallery/README.md"}


def test_the_api_page_names_everything_public():
    headings = " ".join(re.findall(r"^### (.+)$", (DOCS / "api.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert not {name for name in keras_mri.__all__ if name != "__version__" and f"`keras_mri.{name}`" not in headings}


def test_what_the_api_page_shows_exists_and_is_documented():
    for path in re.findall(r"<!-- api: ([\w.]+) -->", (DOCS / "api.md").read_text(encoding="utf-8")):
        module, _, name = path.rpartition(".")
        assert getattr(importlib.import_module(module), name).__doc__, path


@pytest.mark.parametrize("link", LINE_LINKS, ids=lambda link: f"{link.page.stem}: {link.name}")
def test_a_link_to_a_line_leads_to_what_it_names(link):
    assert lines.line_of(link.name, link.file) == link.line, "run: python docs/site/refresh_lines.py"


def test_every_link_to_a_line_is_one_of_those():
    text = "".join(page.read_text(encoding="utf-8") for page in lines.pages())
    assert len(re.findall(r"\.py#L\d", text)) == len(LINE_LINKS) > 60


def test_lines_are_found_by_what_they_define(tmp_path, monkeypatch):
    (tmp_path / "code.py").write_text("x = trained(1)\ndef trained():\n    pass\nclass Part:\n    def use(self): pass\nMOST = 3\n")
    found = [lines.line_of(name, tmp_path / "code.py") for name in ("trained", "Part", "Part.use", "MOST", "use", "absent", "train")]
    assert found == [2, 4, 5, 6, 5, None, None]
    page = tmp_path / "page.md"
    page.write_text("[`trained`](code.py#L9), [`absent`](code.py#L9), [other](code.py#L9)")
    assert lines.refresh(page) == ["page.md: code.py defines no absent"]
    assert page.read_text() == "[`trained`](code.py#L2), [`absent`](code.py#L9), [other](code.py#L9)"


def test_forges_and_the_site_read_formulas_alike():
    """A forge takes a backslash before punctuation, and a star, for Markdown."""
    assert len(formulas()) > 60
    assert not [formula for formula in formulas() if re.search(r"\\[^A-Za-z ]|\*|[<>]", formula)]
    assert not [formula for formula in formulas() if formula.count("{") != formula.count("}")]


def test_every_system_has_a_schematic():
    drawn = set(
        re.findall(r"^SHEETS = \((.+)\)$", (DOCS / "schematics" / "draw.py").read_text(encoding="utf-8"), re.MULTILINE)[0].split(", ")
    )
    shown = set(re.findall(r"\]\(schematics/(\w+)\.png\)", (DOCS / "how-it-works.md").read_text(encoding="utf-8")))
    assert shown == drawn == {path.stem for path in (DOCS / "schematics").glob("*.png")} == {"wgan", "run", "n2a", "sr", "ldm", "cnn"}
    assert all(is_picture(DOCS / "schematics" / f"{name}.png") for name in shown)


@pytest.mark.slow
def test_schematics_are_drawn(tmp_path):
    for sheet in script("schematics/draw.py").SHEETS:
        sheet().save(tmp_path / f"{sheet.__name__}.png")
        assert is_picture(tmp_path / f"{sheet.__name__}.png")


@pytest.fixture
def hooks():
    """What only the site needs; .ci/run installs it and runs these tests a second time."""
    pytest.importorskip("mkdocs", reason="pip install -r docs/requirements.txt")
    pytest.importorskip("latex2mathml", reason="pip install -r docs/requirements.txt")
    return script("site/hooks.py")


def test_formulas_become_mathml_without_a_command_that_is_left(hooks):
    drawn = [hooks.mathml(formula, "inline") for formula in formulas()]
    assert not [formula for formula, text in zip(formulas(), drawn) if "\\" in text or not text.startswith("<math")]
    assert "<mfrac>" in hooks.mathml(r"\frac{a}{2}", "block")


def test_lists_are_indented_as_python_markdown_reads_them(hooks):
    forge = "Words\n* one\n  goes on\n  * two\n    * three\n\nAfter\n\n1. first\n   * inner\n\n```\n* code\n```\n"
    site = "Words\n\n* one\n    goes on\n    * two\n        * three\n\nAfter\n\n1. first\n    * inner\n\n```\n* code\n```\n"
    assert hooks.indented(forge) == site


@pytest.mark.parametrize(
    ("link", "source", "here", "expected"),
    [
        ("runs.md#limits", "docs/index.md", "index.md", "runs.md#limits"),
        ("docs/runs.md", "README.md", "overview.md", "runs.md"),
        ("../pretrained/README.md", "docs/runs.md", "runs.md", "pretrained/README.md"),
        ("../../pretrained/wgan_run.md", "experiments/07_runs/README.md", "experiments/07_runs/README.md", "../../pretrained/wgan_run.md"),
        ("../keras_mri/api.py#L24", "docs/api.md", "api.md", "code/keras_mri/api.py.md?line=24"),
        ("../experiments", "docs/developers.md", "developers.md", "experiments/README.md"),
        ("https://arxiv.org/abs/1704.00028", "docs/runs.md", "runs.md", "https://arxiv.org/abs/1704.00028"),
    ],
)
def test_links_that_leave_a_folder_lead_to_a_page_of_the_site(link, source, here, expected, hooks):
    assert hooks.relinked(link, ROOT / source, here) == expected


def test_a_line_of_code_has_its_anchor(hooks):
    text = hooks.on_page_content('<a href="code/keras_mri/api.py.html?line=24">', None, None, None)
    assert text == '<a href="code/keras_mri/api.py.html#__codelineno-0-24">'
