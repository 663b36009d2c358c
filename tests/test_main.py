"""python -m keras_mri: which command, what version, and no TensorFlow before it is needed."""

import pathlib
import subprocess
import sys

import pytest

import keras_mri
from keras_mri import __main__ as front

# Hands the arguments over as the shell would, then tells the exit status and which heavy libraries were imported.
_PROBE = """
import sys
status = 0
if sys.argv[1:]:
    from keras_mri.__main__ import main
    try:
        status = main(sys.argv[1:])
    except SystemExit as stop:
        status = stop.code
else:
    import keras_mri
heavy = sorted({name.split(".")[0] for name in sys.modules} & {"tensorflow", "keras", "jax", "torch", "matplotlib"})
print("PROBE", status or 0, *heavy)
"""


def _python(*arguments):
    root = pathlib.Path(keras_mri.__file__).parents[1]
    return subprocess.run([sys.executable, *arguments], cwd=root, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ((), 0),
        (("--help",), 0),
        (("train", "--help"), 0),
        (("train", "wgan", "--help"), 0),
        (("predict", "--help"), 0),
        (("generate", "--help"), 0),
        (("evaluate", "--help"), 0),
        (("info", "--help"), 0),
        (("train", "wgann", "scan.nii"), 2),
        (("train", "wgan", "scan.nii", "--epoch", "3"), 2),
        (("train", "wgan", "scan.nii", "--epochs", "0"), 2),
        (("train", "wgan", "missing.nii", "-o", "/tmp/never-written.h5"), 2),
        (("predict", "missing.h5", "scan.nii", "-o", "out.nii"), 2),
        (("generate", "missing.h5", "-o", "/tmp/never-written"), 2),
        (("evaluate", "missing.nii", "missing.nii"), 2),
        (("predict", "t1ww", "scan.nii", "-o", "out.nii"), 2),
        (("info", "missing.h5"), 2),
        (("info", "n2a_t1w"), 0),
        (("check", "--help"), 0),
        (("check", "sample", "sample"), 0),
        (("check", "sample", "missing.nii"), 2),
    ],
    ids=lambda value: "_".join(value) or "import" if isinstance(value, tuple) else "",
)
def test_neither_import_nor_help_nor_a_usage_error_imports_tensorflow(arguments, status):
    result = _python("-c", _PROBE, *arguments)
    assert result.stdout.splitlines()[-1:] == [f"PROBE {status}"]
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("keras_mri: error: ") == (status == 2)


def test_the_probe_would_notice_keras():
    assert _python("-c", "import sys; sys.modules['keras'] = sys\n" + _PROBE).stdout == "PROBE 0 keras\n"


def test_python_m_keras_mri_is_the_front_door():
    result = _python("-m", "keras_mri", "--version")
    assert (result.returncode, result.stdout, result.stderr) == (0, keras_mri.__version__ + "\n", "")


def test_python_m_keras_mri_exits_with_the_status_of_the_command():
    result = _python("-m", "keras_mri", "evaluate", "missing.nii", "missing.nii")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        "keras_mri: error: missing.nii is not a file. Expected a NIfTI image (.nii or .nii.gz); check the path."
    ]


@pytest.mark.parametrize(("arguments", "status"), [([], 2), (["--help"], 0), (["-h"], 0)])
def test_help_lists_every_command_with_what_it_does(capsys, arguments, status):
    assert front.main(arguments) == status
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("usage: keras-mri COMMAND")
    assert [line.split(maxsplit=1) for line in lines[2:]] == [list(entry) for entry in front.COMMANDS.items()]


@pytest.mark.parametrize(
    ("name", "hint"), [("trian", " Did you mean train?"), ("evalute", " Did you mean evaluate?"), ("xyz", ""), ("--verbose", "")]
)
def test_an_unknown_command_exits_2_and_names_the_nearest(capsys, name, hint):
    assert front.main([name, "scan.nii"]) == 2
    captured = capsys.readouterr()
    expected = f"keras_mri: error: unknown command {name!r}. Expected one of: {', '.join(front.COMMANDS)}.{hint}\n"
    assert (captured.out, captured.err) == ("", expected)


@pytest.mark.parametrize("name", front.COMMANDS)
def test_each_command_is_handed_what_follows_its_name(monkeypatch, name):
    monkeypatch.setattr(f"keras_mri.{name}.main", lambda arguments: [name, *arguments])
    assert front.main([name, "a", "--b"]) == [name, "a", "--b"]


def test_the_arguments_are_those_of_the_process_by_default(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["keras-mri", "--version"])
    assert front.main() == 0
    assert capsys.readouterr().out == keras_mri.__version__ + "\n"
