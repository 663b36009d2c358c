"""containers/: what they name is there, both recipes take the same steps, and the descriptor is that of the command as it is now."""

import configparser
import json
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

import keras_mri
from containers import describe, smoke_test
from keras_mri.cli import study_options
from keras_mri.systems import automatic, get_settings
from keras_mri.systems.network_files import is_network

ROOT = pathlib.Path(__file__).parents[1]
FOLDER = ROOT / "containers"


def instructions():
    """Return the instructions of the Containerfile: pairs of word and text, continued lines joined."""
    lines = [line for line in (FOLDER / "Containerfile").read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    text = "\n".join(lines).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def of(word):
    return [text for name, text in instructions() if name == word]


def sections():
    """Return the sections of the recipe of Apptainer: the lines of each, without comments."""
    parts = re.split(r"^%(\w+)\n", (FOLDER / "apptainer.def").read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {
        name: [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
        for name, text in zip(parts[1::2], parts[2::2])
    }


def steps(commands):
    """Return the single commands of a row of shell lines, but for those that only tidy up and those of the shell itself."""
    single = [part.strip() for command in commands for part in re.split(r"&&|\n", command)]
    return [" ".join(part.split()) for part in single if not re.match(r"set |rm -rf /(src|var)\b", part)]


def described():
    return json.loads((FOLDER / "boutiques.json").read_text(encoding="utf-8"))


def environment():
    return dict(word.split("=", 1) for text in of("ENV") for word in shlex.split(text))


def test_the_entry_of_the_image_is_the_command_in_the_form_of_bids_apps():
    (entry,) = of("ENTRYPOINT")
    assert json.loads(entry) == study_options.PROG.split()
    assert sections()["runscript"] == [f'exec {study_options.PROG} "$@"']
    assert described()["command-line"].startswith(f"{study_options.PROG} [BIDS_DIR]")
    line = study_options.read("/bids /out participant --model epi".split())
    assert line.is_study and line.arguments[0] == "epi"


def test_everything_that_is_copied_is_there_and_nothing_that_the_package_is_built_from_is_missing():
    copied = [word for text in of("COPY") if not text.startswith("--from") for word in text.split()[:-1]]
    assert copied and all((ROOT / name).exists() for name in copied)
    assert copied == [line.split()[0] for line in sections()["files"]]
    assert all(line.split()[1] == f"/src/{line.split()[0]}" for line in sections()["files"])
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    named = [setup["metadata"]["long_description"].removeprefix("file:").strip(), *setup["metadata"]["license_files"].split()]
    data = [pattern.split("/")[0] for text in setup["options.data_files"].values() for pattern in text.split()]
    assert {"setup.cfg", "pyproject.toml", "keras_mri", *named, *data} <= set(copied)


def test_both_recipes_take_the_same_steps():
    build, _, final = "\0".join(f"{word} {text}" for word, text in instructions()).partition("\0FROM ${BASE}\0")
    runs = [text.removeprefix("RUN ") for text in build.split("\0") if text.startswith("RUN ")]
    posts = [line.replace("{{ TENSORFLOW }}", "${TENSORFLOW}") for line in sections()["post"]]
    assert steps(runs) == steps(posts) and len(steps(runs)) > 5
    # What Python needs at run time is installed in the second stage, too.
    runs_of_final = [text.removeprefix("RUN ") for text in final.split("\0") if text.startswith("RUN ")]
    assert steps(runs_of_final) == [command.replace(" python3-venv", "") for command in steps(runs)[:2]]
    assert f"From: {of('ARG')[0].partition('=')[2]}" in (FOLDER / "apptainer.def").read_text(encoding="utf-8").splitlines()
    assert sections()["arguments"] == [of("ARG")[1]]


def test_caches_go_to_a_temporary_folder_and_both_recipes_set_the_same():
    exported = dict(line.removeprefix("export ").split("=", 1) for line in sections()["environment"] if line.startswith("export"))
    image = environment()
    assert set(exported) == set(image) - {"HOME"}
    caches = {"HOME", "KERAS_HOME", "MPLCONFIGDIR"}
    assert all(image[name].startswith("/tmp") for name in caches)
    assert {name: value for name, value in exported.items() if name not in caches} == {
        name: value for name, value in image.items() if name not in caches
    }
    assert image["PATH"].split(":")[0] == "/opt/keras_mri/bin" and not of("USER")


def test_every_version_is_that_of_the_package():
    labels = dict(word.split("=", 1) for text in of("LABEL") for word in shlex.split(text))
    assert labels == dict(line.split(maxsplit=1) for line in sections()["labels"])
    image = described()["container-image"]["image"]
    versions = {labels["org.opencontainers.image.version"], described()["tool-version"], image.split(":")[1]}
    assert versions == {keras_mri.__version__}


def test_the_descriptor_is_that_of_the_command_as_it_is():
    written = (FOLDER / "boutiques.json").read_text(encoding="utf-8")
    assert written == describe.text(), "the command has changed: python -m containers.describe"


def actions(system):
    made = study_options.parser(get_settings(system).PredictConfig)
    return {flag: action for action in made._actions for flag in action.option_strings}


def test_every_input_of_the_descriptor_is_a_flag_of_the_command_and_no_flag_is_missing():
    """By its own look at the parsers and the file, not by that of `describe`."""
    written = described()
    known = {**actions("sr"), **actions(automatic.SYSTEM)}
    flags = {entry["command-line-flag"]: entry for entry in written["inputs"] if "command-line-flag" in entry}
    first = {action.option_strings[0] for action in known.values()}
    assert set(flags) == first - {"-h"}
    for flag, entry in flags.items():
        action = known[flag]
        assert (entry["type"] == "Flag") == (action.nargs == 0), flag
        assert entry.get("list", False) == (action.nargs not in (None, 0)), flag
        if flag != "--model":
            assert entry.get("value-choices") == (list(action.choices) if action.choices else None), flag
    by_id = {entry["id"]: entry for entry in written["inputs"]}
    assert by_id["dtype"]["default-value"] == known["--dtype"].default
    assert by_id["mirror"]["default-value"] == get_settings(automatic.SYSTEM).PredictConfig().mirror
    assert by_id["precision"]["default-value"] == get_settings("sr").PredictConfig().precision
    assert (by_id["tile"]["min-list-entries"], by_id["tile"]["integer"], by_id["tr"]["integer"]) == (3, True, False)
    # A container is given a File, and nothing else of the host.
    assert {name for name, entry in by_id.items() if entry["type"] == "File"} == {"bids_dir", "network_file", "mask"}
    words = [entry["value-key"] for entry in written["inputs"]]
    assert written["command-line"].split() == [*study_options.PROG.split(), *words]


def test_every_network_that_the_descriptor_offers_is_one():
    (choices,) = (entry["value-choices"] for entry in described()["inputs"] if entry["id"] == "model")
    assert choices[0] == automatic.NAME and {"epi", "run", "t1w", "any", "sr"} == set(choices[1:])
    assert all(is_network(name) for name in choices[1:])


def test_boutiques_finds_the_descriptor_valid_and_makes_a_command_line_that_ours_takes(tmp_path):
    pytest.importorskip("boutiques", reason="the tool of Boutiques is needed only here: pip install boutiques")
    bosh = pathlib.Path(sys.executable).with_name("bosh")
    file = FOLDER / "boutiques.json"
    assert subprocess.run([bosh, "validate", file], capture_output=True, text=True).stdout.strip() == "OK"
    chosen = {"participant_label": ["01", "02"], "tile": [16, 24, 32], "report": True, "keep_bias": True}
    (tmp_path / "invocation.json").write_text(json.dumps({"bids_dir": "bids", "output_dir": "out", "model": "epi", **chosen}))
    made = subprocess.run([bosh, "exec", "simulate", file, "-i", tmp_path / "invocation.json"], capture_output=True, text=True)
    (command,) = (line for line in made.stdout.splitlines() if line.startswith(study_options.PROG))
    line = study_options.read(shlex.split(command)[3:])
    parsed = study_options.parser(line.options).parse_all(line.arguments)
    assert line.is_study and (parsed.model, str(parsed.study), str(parsed.derivatives)) == ("epi", "bids", "out")
    assert {name: vars(parsed)[name] for name in chosen} == chosen


def test_the_smoke_test_asks_what_its_study_can_answer(tmp_path):
    smoke_test.write_study(tmp_path / "bids")
    scans = {path.relative_to(tmp_path / "bids").as_posix() for path in (tmp_path / "bids").rglob("*.nii.gz")}
    every = list(smoke_test.cases(tmp_path / "bids", tmp_path / "out", tmp_path / "refused"))
    assert {f"{name}.nii.gz" for case in every for name in case.images} == scans
    assert {case.status for case in every} == {0, 1, 2}
    assert all(study_options.read(case.words.split()).is_study for case in every)
