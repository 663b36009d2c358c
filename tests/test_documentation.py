"""README.md and docs/: every printed command and Python block works, every link and path leads somewhere, the README is short."""

import ast
import importlib
import json
import pathlib
import re
import shlex
import shutil
import typing

import nibabel
import numpy as np
import pytest

import keras_mri
from keras_mri.errors import InputError
from keras_mri.imaging import phantoms
from keras_mri.saving import hub

ROOT = pathlib.Path(__file__).parents[1]
# Printed commands are collected from these; links also from the others.
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINKED = [*PAGES, *sorted(ROOT.glob("docs/*/*.md")), ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "pretrained" / "README.md"]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_ABSENT = "absent.nii.gz"
_OUTPUTS = {"-o", "--output", "--report", "--save-dataset", "--csv", "--residual", "--noise-map"}
_FILE = re.compile(r"\.(nii\.gz|nii|npz|tsv|h5|keras)$|/$")
# Two machines cannot be had here: tests/training/test_machines.py trains on them. Its environment variable is read by the fast test.
_TWO_MACHINES = {"cluster": {"worker": ["node1:12345", "node2:12345"]}, "task": {"type": "worker", "index": 0}}
# Networks that a page uses without training them, and whose they are; the slow test takes a shipped network of that system.
_SYSTEM_OF = {"fmri_denoiser_generator": "wgan", "denoiser": "wgan", "n2a": "n2a", "autoencoder": "cnn", "ldm": "ldm", "sr": "sr"}
_SHIPPED = {"wgan": "wgan_epi.h5", "n2a": "n2a_t1w.h5"}


class Command(typing.NamedTuple):
    """One command line of ours that a page prints."""

    page: str
    name: str
    arguments: tuple


def blocks(page, python):
    """Return the fenced blocks of a page: those of Python, or all others."""
    return [text for language, text in _FENCE.findall(page.read_text(encoding="utf-8")) if (language == "python") == python]


def commands(page):
    """Return the commands of ours that a page prints, in order."""
    parts = [part for text in blocks(page, python=False) for line in text.splitlines() for part in line.split("&&")]
    return [command for part in parts if (command := _command(page.name, part))]


def _command(page, text):
    # A notebook's `!` and settings of the environment may stand before the command.
    words = shlex.split(text.strip().removeprefix("!"), comments=True)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    if words[:1] == ["keras-mri"]:
        return Command(page, words[1], tuple(words[2:]))
    if words[:2] == ["python", "-m"] and words[2].startswith("keras_mri."):
        return Command(page, words[2].removeprefix("keras_mri."), tuple(words[3:]))
    return None


COMMANDS = [command for page in PAGES for command in commands(page)]
PYTHON = [(page.name, number, text) for page in PAGES for number, text in enumerate(blocks(page, python=True))]


def _name(command):
    return f"{command.page}: {command.name} {' '.join(command.arguments)}"


def _main(command):
    return importlib.import_module(f"keras_mri.{command.name}").main


def write_stand_in(path, system):
    """Write a file that says it is a network of a system, and holds no weights."""
    import h5py

    with h5py.File(ROOT / "pretrained" / _SHIPPED["wgan"]) as shipped, h5py.File(path, "w") as file:
        file.attrs["model_config"] = shipped.attrs["model_config"]
        file.attrs["keras_mri"] = json.dumps({**json.loads(shipped.attrs["keras_mri"]), "system": system})


@pytest.fixture(autouse=True)
def hub_at_hand(monkeypatch):
    """Let every address on a hub be that of a shipped network."""

    def fetch(model):
        assert hub.parsed(model)
        return ROOT / "pretrained" / _SHIPPED["wgan"]

    monkeypatch.setattr(hub, "fetch", fetch)
    monkeypatch.setattr(hub, "fetch_card", lambda model: None)


def test_pages_print_commands_of_every_kind():
    assert {command.name for command in COMMANDS} == {"train", "predict", "generate", "evaluate", "info", "check"}
    assert {command.arguments[0] for command in COMMANDS if command.name == "train"} == {"wgan", "n2a", "sr", "ldm", "cnn"}
    # What needs no training comes first.
    assert commands(ROOT / "README.md")[0].name == "predict"


def what_a_command_reports(command, folder, monkeypatch, capsys):
    """Run a command where its images are missing; return its status, its message, and the names of what it reads."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TF_CONFIG", json.dumps(_TWO_MACHINES))
    (folder / "bids").mkdir()
    arguments = [_ABSENT if argument == "sample" else argument for argument in command.arguments]
    if command.name in ("predict", "generate", "info"):
        # Without a file at hand the options of its network are not known; a shipped pair would really generate.
        arguments[0] = "ldm.h5" if command.name == "generate" else arguments[0]
        if arguments[0].endswith(".h5"):
            write_stand_in(folder / arguments[0], _SYSTEM_OF[arguments[0].removesuffix(".h5").split("_simulated")[0]])
    status = _main(command)(arguments)
    written = {after for option, after in zip(arguments, arguments[1:]) if option in _OUTPUTS}
    read = [argument.rstrip("/") for argument in arguments if _FILE.search(argument) and argument not in written]
    return status, capsys.readouterr().err, read


@pytest.mark.parametrize("command", COMMANDS, ids=_name)
def test_a_printed_command_fails_only_because_its_files_are_missing(command, tmp_path, monkeypatch, capsys):
    status, message, read = what_a_command_reports(command, tmp_path, monkeypatch, capsys)
    if command.name == "info":
        assert (status, message) == (0, "")
        return
    assert status == 2 and any(name in message for name in read), message
    # Parsers point to it: an option, a system or a number that they do not know.
    assert "--help" not in message


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("predict", "epi bold.nii.gz -o denoised.nii.gz --miror all"),
        ("predict", "epi bold.nii.gz -o denoised.nii.gz --mirror everything"),
        ("predict", "ldm.h5 bold.nii.gz -o denoised.nii.gz --mirror all"),
        ("train", "wgan bold.nii.gz --time-budget 5minutes"),
        ("train", "gan bold.nii.gz"),
        ("generate", "ldm.h5 -n 8 --sampler euler -o samples/"),
        ("evaluate", "clean.nii.gz noisy.nii.gz --region mask.nii.gz"),
    ],
)
def test_a_command_that_nobody_could_type_would_be_noticed(name, arguments, tmp_path, monkeypatch, capsys):
    command = Command("a page", name, tuple(arguments.split()))
    status, message, read = what_a_command_reports(command, tmp_path, monkeypatch, capsys)
    assert status == 2 and ("--help" in message or not any(name in message for name in read)), message


@pytest.mark.parametrize(("page", "number", "text"), PYTHON, ids=lambda value: str(value)[:20])
def test_a_python_block_uses_only_names_and_options_that_exist(page, number, text, tmp_path, monkeypatch):
    tree = ast.parse(text)
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and getattr(node.value, "id", None) == "keras_mri"}
    assert not {name for name in names if not hasattr(keras_mri, name)}
    monkeypatch.chdir(tmp_path)
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if not (ast.unparse(call.func) in ("keras_mri.fit", "keras_mri.restore") and all(_is_literal(node) for node in call.args)):
            continue
        arguments = [ast.literal_eval(node) for node in call.args]
        options = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
        image = arguments[1] if isinstance(arguments[1], str) else arguments[1][0]
        # The image is missing, and that is all: an option nobody knows would be named instead.
        with pytest.raises(InputError, match=re.escape(image)):
            getattr(keras_mri, call.func.attr)(*arguments, **options)


def _is_literal(node):
    try:
        ast.literal_eval(node)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.name)
def test_links_of_a_page_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", _FENCE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name}: {target}"
        assert file.is_relative_to(ROOT), f"{page.name}: {target} leaves the repository"
        assert not anchor or anchor in anchors(file), f"{page.name}: {target}"


def anchors(page):
    """Return the anchors of a page's headings, as forges make them; of code, those of its lines."""
    if page.suffix == ".py":
        return {f"L{number}" for number, _ in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1)}
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_anchors_are_those_of_headings(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# One run, two\n\n```\n# a comment\n```\n\n## Which system for my data?\n## `cnn`\n")
    assert anchors(page) == {"one-run-two", "which-system-for-my-data", "cnn"}


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.name)
def test_scripts_and_tests_that_a_page_names_exist(page):
    text = page.read_text(encoding="utf-8")
    modules = [module.replace(".", "/") for module in re.findall(r"python -m (experiments\.[\w.]*\w)", text)]
    for name in {*re.findall(r"\b(?:tests|experiments)/[\w/]+\.py\b", text), *(f"{module}.py" for module in modules)}:
        assert (ROOT / name).is_file(), f"{page.name}: {name}"


def test_the_readme_is_short_and_starts_with_what_needs_no_training():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
    assert not any("pip install keras-mri" in page.read_text(encoding="utf-8") for page in LINKED)


def test_the_readme_has_a_row_for_every_system():
    from keras_mri.systems import SYSTEMS

    rows = re.findall(r"^\| \[`(\w+)`\]\((docs/[\w-]+\.md)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert {name for name, _ in rows} == set(SYSTEMS)


def test_version_changelog_and_citation_agree():
    newest = re.search(r"^## \[(\S+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)[1]
    cited = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)[1]
    assert (newest, cited) == (keras_mri.__version__,) * 2


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: page.stem)
def test_the_commands_of_a_page_run_in_the_order_they_are_printed(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TF_CONFIG", raising=False)
    write_scans(tmp_path)
    for command in commands(page):
        if "--workers" in command.arguments:
            continue
        arguments = _shortened(command)
        if arguments[0].endswith(".h5") and not pathlib.Path(arguments[0]).exists():
            shutil.copy(ROOT / "pretrained" / _SHIPPED[_SYSTEM_OF[arguments[0].removesuffix(".h5")]], arguments[0])
        status = _main(command)(arguments)
        message = capsys.readouterr().err
        # Headers of two different scans may differ; `check` says so by its status.
        assert status == 0 or (command.name, status) == ("check", 1), f"{_name(command)}\n{message}"


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted({page for page, *_ in PYTHON}))
def test_the_python_blocks_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_scans(tmp_path)
    shutil.copy(ROOT / "pretrained" / _SHIPPED["wgan"], "fmri_denoiser_generator.h5")
    for _, number, text in (entry for entry in PYTHON if entry[0] == page):
        for output in [*tmp_path.glob("denoise*"), *tmp_path.glob("network.*")]:
            output.unlink()
        shorter = text.replace('time_budget="5m"', "epochs=1, steps_per_epoch=1")
        exec(compile(shorter, f"{page}, block {number}", "exec"), {})  # noqa: S102 our own documentation


def _shortened(command):
    """Return a command's arguments: one update, one volume, few steps; outputs of the commands before it are replaced."""
    arguments = list(command.arguments)
    if command.name == "train":
        for option in ("--time-budget", "--epochs", "--steps-per-epoch"):
            if option in arguments:
                del arguments[arguments.index(option) : arguments.index(option) + 2]
        arguments += ["--epochs", "1", "--steps-per-epoch", "1"]
    # The last of two equal options counts.
    arguments += next((more.split() for start, more in _QUICKER.items() if f"{command.name} {' '.join(arguments)}".startswith(start)), ())
    if command.name in ("train", "predict", "generate") and "--overwrite" not in arguments:
        arguments.append("--overwrite")
    return arguments


# By the command's first words: less of what takes minutes.
_QUICKER = {
    "train n2a": "--iterations 1 --mirror none",
    "predict n2a": "--mirror left-right",
    "predict ldm": "--steps 2 --samples 1",
    "generate": "-n 1 --steps 2",
}


def write_scans(folder):
    """Write phantoms under the names that the pages use."""
    run, *_ = phantoms.bold_run((24, 20, 16, 12))
    head, brain = phantoms.head((24, 20, 16))
    rng = np.random.default_rng(0)
    noisy = {name: head + rng.normal(0, 30, head.shape) for name in ("noisy", "rep1", "rep2", "t1w", "t1a", "t1b", "t1_3t")}
    missing = np.zeros(head.shape)
    missing[:, :, 7:9] = 1
    coarse = phantoms.head((12, 10, 8))[0]
    images = {"bold": run, "clean": head, **noisy, "mask": brain, "missing": missing, "damaged": run * (1 - missing)[..., None]}
    for name, data in images.items():
        _write(folder / f"{name}.nii.gz", data)
    _write(folder / "low.nii.gz", coarse, voxel=6.0)
    _write(folder / "thick.nii.gz", phantoms.head((24, 20, 6))[0], voxel=(1.0, 1.0, 4.0))
    for name, data in (("thin1", noisy["t1a"]), ("thin2", noisy["t1b"])):
        _write(folder / f"{name}.nii.gz", data, voxel=1.0)
    for subject in ("01", "02", "03", "04", "05"):
        for session in ("1", "2"):
            for kind, suffix, data in (("anat", "T1w", head + rng.normal(0, 10, head.shape)), ("func", "bold", run)):
                stem = f"sub-{subject}_ses-{session}_{'task-rest_' if suffix == 'bold' else ''}{suffix}"
                _write(folder / "bids" / f"sub-{subject}" / f"ses-{session}" / kind / f"{stem}.nii.gz", data)
    scans = [f"bids/sub-{s}/ses-{{}}/anat/sub-{s}_ses-{{}}_T1w.nii.gz" for s in ("01", "02", "03", "04", "05")]
    rows = [f"0{n}\t{scan.format(1, 1)}\t{scan.format(2, 2)}" for n, scan in enumerate(scans, start=1)]
    (folder / "pairs.tsv").write_text("\n".join(["subject\tsource\ttarget", *rows]) + "\n")
    (folder / "events.tsv").write_text("onset\tduration\ttrial_type\n0\t12\tface\n12\t12\thouse\n")


def _write(path, data, voxel=3.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    sides = np.broadcast_to(voxel, 3)
    image = nibabel.Nifti1Image(data.astype(np.float32), np.diag([*sides, 1.0]))
    image.header.set_zooms([*sides] + [2.0] * (data.ndim - 3))
    nibabel.save(image, path)
