"""The gallery: pages that agree with their scripts, pictures that show something, and examples that run by themselves."""

import ast

import numpy as np
import pytest
from PIL import Image

from tests.docs.pieces import DOCS, is_picture, script

GALLERY = DOCS / "gallery"
make = script("gallery/make.py")
# What examples share, and what writes the pages.
_HELPERS = {"drawing", "drawn_head", "make"}


def test_every_script_is_an_example_and_there_are_many():
    assert sorted(path.stem for path in GALLERY.glob("*.py") if path.stem not in _HELPERS) == sorted(make.NAMES)
    assert len(make.NAMES) == len(set(make.NAMES)) >= 8


@pytest.mark.parametrize("name", make.NAMES)
def test_a_page_shows_the_code_and_the_picture_of_its_script(name):
    written = (GALLERY / f"{name}.md").read_text(encoding="utf-8")
    assert written == make.page(name, make.stored_output(name)), "run: python docs/gallery/make.py --pages"
    title, text, code = make.parts(name)
    assert f"# {title}\n\n{text}\n" in written and f"```python\n{code}```" in written and f"]({name}.png)" in written


def test_the_index_shows_every_example():
    written = (GALLERY / "README.md").read_text(encoding="utf-8")
    assert written == make.index(), "run: python docs/gallery/make.py --pages"
    assert all(f"]({name}.png)]({name}.md)" in written for name in make.NAMES)


@pytest.mark.parametrize("name", make.NAMES)
def test_a_picture_is_small_and_not_blank(name):
    assert is_picture(GALLERY / f"{name}.png")


def test_a_blank_picture_and_a_large_one_would_be_noticed(tmp_path, rng):
    Image.fromarray(np.full((200, 200), 255, np.uint8)).save(tmp_path / "blank.png")
    Image.fromarray(rng.integers(0, 255, (600, 600), np.uint8)).save(tmp_path / "large.png")
    assert not is_picture(tmp_path / "blank.png") and not is_picture(tmp_path / "large.png")


@pytest.mark.parametrize("name", make.NAMES)
def test_a_script_writes_one_picture_and_reads_no_scan_of_its_own(name):
    source = (GALLERY / f"{name}.py").read_text(encoding="utf-8")
    calls = [ast.unparse(node) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    assert sum(call.startswith("save(") and call.endswith("__file__)") for call in calls) == 1
    assert "KERAS_MRI_DATA" not in source and "shared" not in source


def test_a_name_that_is_no_example_is_refused():
    with pytest.raises(SystemExit, match="no such example: denoise_bold. Expected: denoise_epi, "):
        make.main(["denoise_bold"])


def test_a_script_that_fails_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(make, "FOLDER", tmp_path)
    (tmp_path / "broken.py").write_text('raise RuntimeError("no such network")\n', encoding="utf-8")
    with pytest.raises(SystemExit, match=r"broken.py failed:\n(.|\n)*RuntimeError: no such network"):
        make.run("broken", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", make.NAMES)
def test_an_example_runs_by_itself_and_writes_its_picture(name, tmp_path):
    make.run(name, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.png"]
    assert is_picture(tmp_path / f"{name}.png")
