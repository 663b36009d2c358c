"""What is handed on: the files of the sdist are those that git tracks, and every place that names release, title or licence agrees."""

import configparser
import json
import pathlib
import re
import subprocess

import pytest
import yaml

import keras_mri

ROOT = pathlib.Path(__file__).parents[1]
# Zenodo's deposit metadata, https://developers.zenodo.org/#representation: of the keys used here, the kind of value.
_ZENODO = {
    "title": str,
    "upload_type": str,
    "version": str,
    "description": str,
    "creators": list,
    "access_right": str,
    "license": str,
    "language": str,
    "keywords": list,
    "references": list,
}


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def citation():
    return yaml.safe_load(read("CITATION.cff"))


def settings():
    parser = configparser.ConfigParser()
    parser.read_string(read("setup.cfg"))
    return parser


def tracked():
    """Return the files that git tracks here; skip the test where this is no checkout."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode or not (ROOT / ".git").exists():
        pytest.skip("no checkout: nothing to compare the files with")
    return {name for name in done.stdout.split("\0") if name and (ROOT / name).exists()}


def listed(monkeypatch):
    """Return the files that MANIFEST.in chooses, read by setuptools."""
    egg_info = pytest.importorskip("setuptools.command.egg_info")
    monkeypatch.chdir(ROOT)
    files = egg_info.FileList()
    for line in read("MANIFEST.in").splitlines():
        if line and not line.startswith("#"):
            files.process_template_line(line)
    files.remove_duplicates()
    return {pathlib.PurePath(name).as_posix() for name in files.files}


def test_the_sdist_holds_every_tracked_file(monkeypatch):
    # Whatever the tests read is tracked: they pass from a fresh clone. A new folder at the top needs a line in MANIFEST.in.
    assert not tracked() - listed(monkeypatch)


def test_the_sdist_holds_nothing_that_git_ignores(monkeypatch):
    strange = listed(monkeypatch) - tracked()
    done = subprocess.run(["git", "check-ignore", "--stdin"], cwd=ROOT, input="\n".join(strange), capture_output=True, text=True)
    assert not done.stdout.splitlines()


def test_the_networks_and_their_cards_are_installed_where_they_are_looked_for():
    from keras_mri.saving import pretrained

    patterns = settings()["options.data_files"]["share/keras_mri/pretrained"].split()
    chosen = {path.name for pattern in patterns for path in ROOT.glob(pattern)}
    assert chosen == {path.name for path in (ROOT / "pretrained").iterdir()} >= {"wgan_epi.h5", "wgan_epi.md", "SHA256SUMS"}
    assert any(folder.parts[-3:] == ("share", "keras_mri", "pretrained") for folder in pretrained.FOLDERS)


def test_every_file_of_the_package_that_is_no_code_is_installed():
    patterns = settings()["options.package_data"]["keras_mri"].split()
    chosen = {path for pattern in patterns for path in (ROOT / "keras_mri").glob(pattern)}
    files = {path for path in (ROOT / "keras_mri").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert {path for path in files if path.suffix != ".py"} == chosen


def test_there_is_one_version():
    newest = re.search(r"^## \[(\S+)\]", read("CHANGELOG.md"), re.MULTILINE)[1]
    assert (citation()["version"], json.loads(read(".zenodo.json"))["version"], newest) == (keras_mri.__version__,) * 3
    assert settings()["metadata"]["version"] == "attr: keras_mri.__version__"


def test_the_citation_has_what_its_format_asks_for():
    cited = citation()
    assert {"cff-version", "message", "title", "authors"} <= set(cited) and cited["cff-version"] == "1.2.0"
    assert all(set(author) == {"name"} or {"family-names", "given-names"} <= set(author) for author in cited["authors"])
    for reference in cited["references"]:
        assert {"type", "title", "authors"} <= set(reference), reference["title"]


def test_zenodo_gets_what_it_asks_for():
    deposit = json.loads(read(".zenodo.json"))
    assert {name: type(value) for name, value in deposit.items()} == _ZENODO
    assert (deposit["upload_type"], deposit["access_right"]) == ("software", "open")
    assert re.fullmatch("[a-z]{3}", deposit["language"])  # ISO 639
    assert all(creator["name"] and set(creator) <= {"name", "affiliation", "orcid"} for creator in deposit["creators"])
    assert all(isinstance(text, str) for text in (*deposit["keywords"], *deposit["references"]))


def test_zenodo_citation_and_package_say_the_same():
    deposit, cited, package = json.loads(read(".zenodo.json")), citation(), settings()["metadata"]
    assert (deposit["title"], deposit["description"], deposit["keywords"]) == (cited["title"], cited["abstract"], cited["keywords"])
    assert [creator["name"] for creator in deposit["creators"]] == [author["name"] for author in cited["authors"]]
    assert deposit["license"] == cited["license"] == package["license"]
    # One for each method, with its title and address.
    assert len(deposit["references"]) == len(cited["references"])
    for text, reference in zip(deposit["references"], cited["references"]):
        assert reference["title"] in text and text.endswith(reference["url"]) and reference["authors"][0]["family-names"] in text
