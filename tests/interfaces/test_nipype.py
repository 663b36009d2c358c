import os
import pathlib
import re
import shlex
import subprocess
import sys

import nibabel
import numpy as np
import pytest

from keras_mri import predict
from keras_mri.cli import study_options
from keras_mri.networks.residual_unet import residual_unet
from keras_mri.saving import checkpoints
from keras_mri.systems import get_settings
from keras_mri.systems.network_files import checkpoint_for
from keras_mri.systems.wgan.settings import Config

# Nipype asks on the network whether there is a newer one.
os.environ["NIPYPE_NO_ET"] = "1"
NEEDS_NIPYPE = "nipype is an extra: pip install nipype"


@pytest.fixture
def predicting():
    return pytest.importorskip("keras_mri.interfaces.nipype", reason=NEEDS_NIPYPE, exc_type=ImportError)


@pytest.fixture
def files(tmp_path, write_nifti, rng, monkeypatch):
    """Return a folder whose name has blanks, with a network and a scan; the node's process finds this checkout."""
    folder = tmp_path / "a folder; of mine"
    folder.mkdir()
    network = residual_unet((None, None, None, 1), (2, 2), (1, 1))
    network.get_layer("residual").set_weights([np.full((1, 1, 1, 2, 1), 0.1), np.zeros(1)])
    checkpoints.save(checkpoint_for(network, "wgan", Config()), folder / "model.h5")
    write_nifti((1000 * rng.random((9, 8, 7, 3))).astype(np.float32), folder / "scan.nii.gz")
    monkeypatch.setenv("PYTHONPATH", str(pathlib.Path(__file__).parents[2]))
    monkeypatch.chdir(tmp_path)
    return folder


def shape_of_image(image):
    import nibabel

    return nibabel.load(image).shape


def test_without_nipype_the_module_names_its_extra(tmp_path, in_this_checkout):
    (tmp_path / "nipype.py").write_text("raise ImportError('none here')")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import keras_mri.interfaces.nipype"
    ended = subprocess.run([sys.executable, "-c", code], env=in_this_checkout, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.strip().endswith('keras_mri.interfaces.nipype needs nipype: pip install "keras-mri-toolkit[nipype]"')


def test_a_node_of_a_workflow_writes_what_predict_writes(predicting, files, tmp_path):
    from nipype.interfaces.utility import Function
    from nipype.pipeline.engine import Node, Workflow

    restore = Node(predicting.Predict(model=str(files / "model.h5"), residual="removed.nii.gz", mirror="left-right"), "restore")
    restore.inputs.in_file = str(files / "scan.nii.gz")
    shape_of = Node(Function(["image"], ["shape"], shape_of_image), "shape_of")
    workflow = Workflow("restoring", base_dir=str(tmp_path / "work here"))
    workflow.config["execution"] = {"crashdump_dir": str(tmp_path), "remove_unnecessary_outputs": False}
    workflow.connect(restore, "out_file", shape_of, "image")
    nodes = {node.name: node for node in workflow.run().nodes()}
    assert nodes["shape_of"].result.outputs.shape == (9, 8, 7, 3)
    written = nodes["restore"].result.outputs
    folder = tmp_path / "work here" / "restoring" / "restore"
    assert written.out_file == str(folder / "scan_restored.nii.gz") and written.residual == str(folder / "removed.nii.gz")
    expected = tmp_path / "expected.nii.gz"
    arguments = [str(files / "model.h5"), str(files / "scan.nii.gz"), "-o", str(expected), "--mirror", "left-right"]
    assert predict.main(arguments) == 0
    np.testing.assert_array_equal(nibabel.load(written.out_file).get_fdata(), nibabel.load(expected).get_fdata())


def test_what_the_command_refuses_ends_the_node_with_its_message(predicting, files, tmp_path):
    interface = predicting.Predict(model=str(files / "model.h5"), in_file=str(files / "scan.nii.gz"), tile=(16, 16, 0))
    with pytest.raises(RuntimeError, match="keras_mri: error: --tile must be at least 1"):
        interface.run()
    assert sorted(path.name for path in tmp_path.iterdir()) == [files.name]


def test_inputs_are_checked_before_anything_runs(predicting, files):
    from traits.api import TraitError

    for wrong in (dict(in_file="absent.nii.gz"), dict(mirror="top-bottom"), dict(tile=(1, 2)), dict(dtype="complex64"), dict(voxel="fine")):
        with pytest.raises(TraitError):
            predicting.Predict(**wrong)
    with pytest.raises(ValueError, match="requires a value for input 'in_file'"):
        predicting.Predict().run()


def test_the_command_line_has_one_word_for_each_value(predicting, files):
    scans = [str(files / "scan.nii.gz")] * 2
    interface = predicting.Predict(
        model="n2a_t1w", in_file=scans, out_file="mean of both.nii.gz", tile=(16, 24, 32), args="--task imputation"
    )
    words = shlex.split(interface.cmdline)
    assert words[:6] == [sys.executable, "-m", "keras_mri.predict", "n2a_t1w", *scans]
    assert {"-o mean of both.nii.gz", "--tile 16", "--task imputation"} <= {f"{a} {b}" for a, b in zip(words, words[1:])}


def test_every_input_is_an_option_of_the_command_with_the_same_choices(predicting):
    options = [get_settings(system).PredictConfig for system in ("wgan", "sr")]
    parsers = [predict._parser(entry) for entry in options]
    actions = {flag: action for parser in parsers for action in parser._actions for flag in action.option_strings}
    of_nipype = {"args", "environ", "model", "in_file"}
    traits = {name: trait for name, trait in predicting.PredictInputs().traits(transient=None).items() if trait.argstr}
    inputs = {name: trait for name, trait in traits.items() if name not in of_nipype}
    for name, trait in inputs.items():
        flag = trait.argstr.split()[0]
        assert flag in actions, name
        if actions[flag].choices:
            assert list(trait.trait_type.values) == list(actions[flag].choices), name
        if isinstance(actions[flag].nargs, int) and actions[flag].nargs:
            assert trait.argstr.count("%d") == actions[flag].nargs, name
    # And the other way round: no option of the command is missing.
    spelt = {trait.argstr.split()[0] for trait in inputs.values()}
    assert {action.dest for action in actions.values() if not spelt & set(action.option_strings)} == {"help", "named"}
    assert study_options.PROG.split()[1:] == predicting.Predict._cmd.split()[1:]


def test_the_workflow_of_the_page_runs(predicting, files, tmp_path):
    page = (pathlib.Path(__file__).parents[2] / "docs" / "containers.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```py\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (files / "scan.nii.gz").rename(tmp_path / "bold.nii.gz")
    exec(compile(block.replace('"epi"', repr(str(files / "model.h5"))), "containers.md", "exec"), {})  # noqa: S102 our own documentation
    assert nibabel.load(tmp_path / "work" / "restoring" / "restore" / "bold_restored.nii.gz").shape == (9, 8, 7, 3)
