import pathlib
import subprocess
import sys

import nibabel
import numpy as np
import pytest

from keras_mri import generate
from keras_mri.saving import checkpoints, pretrained
from keras_mri.saving.checkpoints import Checkpoint


@pytest.fixture
def model(trained_pair):
    return trained_pair.path


def test_generate_writes_volumes_and_a_contact_sheet(model, trained_pair, tmp_path, capsys):
    out = tmp_path / "samples"
    assert generate.main([model, "-n", "3", "--label", "lh", "--guidance", "2", "--steps", "3", "--seed", "1", "-o", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == [*(f"sample_000{k}.nii.gz" for k in (1, 2, 3)), "samples.png"]
    images, scan = [nibabel.load(path) for path in sorted(out.glob("*.nii.gz"))], nibabel.load(trained_pair.scan)
    for image in images:
        assert image.shape == scan.shape[:3]
        np.testing.assert_allclose(image.affine, scan.affine, atol=1e-5)
    assert np.abs(images[0].get_fdata() - images[1].get_fdata()).max() > 1
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


def test_a_pre_trained_network_is_called_by_its_name(model, tmp_path, monkeypatch, capsys):
    (tmp_path / "ldm_phantom.h5").write_bytes(pathlib.Path(model).read_bytes())
    monkeypatch.setattr(pretrained, "FOLDERS", [tmp_path])
    assert generate.main(["ldm_phantom", "--label", "face", "-o", str(tmp_path / "samples")]) == 2
    assert "unknown label 'face'" in capsys.readouterr().err
    assert generate.main(["ldm_phantoms", "-o", str(tmp_path / "samples")]) == 2
    assert "Did you mean 'ldm_phantom'?" in capsys.readouterr().err


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
