import subprocess
import sys

import nibabel
import numpy as np
import pytest

from keras_mri import checkpoints, generate
from keras_mri.checkpoints import Checkpoint
from tests.systems.test_ldm import SHAPE, checkpoint


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "ldm.h5"
    checkpoints.save(checkpoint(), path)
    return str(path)


def test_generate_writes_volumes_and_a_contact_sheet(model, tmp_path, capsys):
    out = tmp_path / "samples"
    assert generate.main([model, "-n", "3", "--label", "lh", "--guidance", "2", "--steps", "3", "--seed", "1", "-o", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == [*(f"sample_000{k}.nii.gz" for k in (1, 2, 3)), "samples.png"]
    images = [nibabel.load(path).get_fdata() for path in sorted(out.glob("*.nii.gz"))]
    assert {image.shape for image in images} == {SHAPE} and np.abs(images[0] - images[1]).max() > 0
    assert "3 synthetic volumes" in capsys.readouterr().err
    # What is there is not mixed with new ones unasked.
    assert generate.main([model, "-n", "1", "--steps", "2", "-o", str(out)]) == 2
    assert "is not empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--label", "face"], "unknown label 'face'. Known: lh, rh, lf, rf, t"),
        (["--steps", "1000"], "--steps must lie between 1 and 20"),
    ],
)
def test_what_cannot_be_drawn_leaves_nothing(options, message, model, tmp_path, capsys):
    assert generate.main([model, *options, "-o", str(tmp_path / "samples")]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_cannot_generate_is_named(tmp_path, capsys):
    from keras_mri.networks.residual_unet import residual_unet

    path = tmp_path / "wgan.h5"
    checkpoints.save(Checkpoint(residual_unet((None, None, None, 1), (2, 2), (1, 1)), "wgan", {}, {}), path)
    assert generate.main([str(path), "-o", str(tmp_path / "samples")]) == 2
    assert "holds a network of 'wgan', which restores scans and cannot make new ones" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.h5", "-o", "samples"], "missing.h5 is not a file"),
        (["{model}"], "-o/--output"),
        (["{model}", "-o", "no/such/folder"], "the folder no/such does not exist"),
        (["{model}", "-n", "0", "-o", "samples"], "-n must be at least 1. Received: 0"),
        (["{model}", "-o", "samples", "--sampler", "euler"], "--sampler"),
    ],
)
def test_wrong_usage_gets_one_message_and_exit_2_without_tensorflow(arguments, message, model, tmp_path, in_this_checkout):
    code = (
        "import sys; from keras_mri.generate import main; status = main(sys.argv[1:]); assert 'keras' not in sys.modules; sys.exit(status)"
    )
    arguments = [argument.format(model=model) for argument in arguments]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=tmp_path, env=in_this_checkout)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
