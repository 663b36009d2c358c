"""What predict says of its result, and what it writes beside it: verdict, residual, noise map, exit status."""

import argparse
import re

import nibabel
import numpy as np
import pytest

from keras_mri import predict
from keras_mri.cli.judged import judge_of
from keras_mri.imaging import phantoms
from keras_mri.io.volumes import Volume
from keras_mri.networks.residual_unet import residual_unet
from keras_mri.saving import checkpoints
from keras_mri.systems.network_files import checkpoint_for
from keras_mri.systems.wgan.settings import Config

SHAPE, SIGMA = (22, 20, 18), 30.0


@pytest.fixture
def save_network(tmp_path):
    """Return a function that saves a network whose output is a multiple of the intensity range below its input."""

    def save(removed):
        network = residual_unet((None, None, None, 1), (2, 2), (1, 1))
        network.get_layer("residual").set_weights([np.zeros((1, 1, 1, 2, 1)), np.full(1, -removed)])
        checkpoints.save(checkpoint_for(network, "wgan", Config()), tmp_path / "model.h5")
        return str(tmp_path / "model.h5")

    return save


@pytest.fixture
def scan(write_nifti, rng):
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_xyzt_units("mm", "sec")
    header["pixdim"][4] = 2.5
    header["descrip"] = b"a phantom"
    run = 200 + phantoms.head(SHAPE)[0][..., None] + rng.normal(0, SIGMA, (*SHAPE, 12))
    return str(write_nifti(run.astype(np.int16), "bold.nii.gz", header=header))


def test_a_result_that_is_darker_everywhere_has_lost_the_same_in_every_frame(save_network, scan, tmp_path, capsys):
    arguments = [save_network(0.3), scan, "-o", str(tmp_path / "out.nii.gz")]
    assert predict.main(arguments) == 0
    *_, line, remark = capsys.readouterr().err.splitlines()
    found = re.fullmatch(
        r"bold\.nii\.gz: noise SD ([\d.]+) \(differences of frames\); removed SD ([\d.]+) in the brain = ([\d.]+) of the noise, 100 % of "
        r"it the same in every frame; tSNR ([\d.]+) -> ([\d.]+): anatomy removed",
        line,
    )
    assert float(found[1]) == pytest.approx(SIGMA, rel=0.05)
    removed = nibabel.load(scan).get_fdata() - nibabel.load(tmp_path / "out.nii.gz").get_fdata()
    assert float(found[2]) == pytest.approx(removed.mean(), rel=0.01)
    assert float(found[3]) == pytest.approx(float(found[2]) / float(found[1]), abs=0.01)
    assert remark.startswith("  more than 10 % of what was removed is anatomy: train longer, or use")
    assert predict.main([*arguments, "--overwrite", "--strict"]) == 1
    assert (tmp_path / "out.nii.gz").is_file()


def test_a_network_that_changes_nothing_leaves_the_scan_as_it_is(save_network, scan, tmp_path, capsys):
    arguments = [save_network(0.0), scan, "-o", str(tmp_path / "out.nii.gz")]
    assert predict.main(arguments) == 0
    assert ": left nearly as it is\n  less than 10 % of the noise was removed" in capsys.readouterr().err
    assert predict.main([*arguments, "--overwrite", "--strict"]) == 1


def test_removed_noise_passes_the_strict(save_network, scan, tmp_path, capsys, monkeypatch):
    clean = 200 + phantoms.head(SHAPE)[0]

    def denoised(network, images, **options):
        return images[0].with_frames(lambda t: clean + (images[0].frame(t) - clean) / 2)

    monkeypatch.setattr(predict.api, "restore", denoised)
    assert predict.main([save_network(0.0), scan, "-o", str(tmp_path / "out.nii.gz"), "--strict"]) == 0
    assert capsys.readouterr().err.endswith(": noise removed\n")


@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_residual_and_noise_map_are_written_from_the_same_pass(save_network, scan, tmp_path, dtype, capsys):
    paths = {name: tmp_path / f"{name}.nii.gz" for name in ("out", "residual", "sigma")}
    written = ["-o", str(paths["out"]), "--residual", str(paths["residual"]), "--noise-map", str(paths["sigma"])]
    assert predict.main([save_network(0.3), scan, *written, "--dtype", dtype]) == 0
    assert [line for line in capsys.readouterr().err.splitlines() if line.startswith("wrote")] == [f"wrote {p}" for p in paths.values()]
    before, after, residual, sigma = (nibabel.load(path) for path in (scan, *paths.values()))
    step = 0.0 if dtype == "float32" else np.ptp(before.get_fdata()) / 65535
    np.testing.assert_allclose(residual.get_fdata(), before.get_fdata() - after.get_fdata(), atol=step + 1e-3)
    assert (residual.shape, residual.get_data_dtype(), sigma.shape, sigma.get_data_dtype()) == (before.shape, np.float32, SHAPE, np.float32)
    assert residual.get_fdata().mean() > 10 and np.median(sigma.get_fdata()) == pytest.approx(SIGMA, rel=0.1)
    for image in (residual, sigma):
        np.testing.assert_array_equal(image.affine, before.affine)
        assert image.header["descrip"] == b"a phantom" and image.header.get_xyzt_units() == ("mm", "sec")
    assert residual.header.get_zooms()[3] == 2.5


def test_a_volume_has_a_verdict_and_a_residual_but_no_noise_map(save_network, write_nifti, rng, tmp_path, capsys):
    scan = str(write_nifti((200 + phantoms.head(SHAPE)[0] + rng.normal(0, SIGMA, SHAPE)).astype(np.float32), "t1w.nii"))
    out, residual = str(tmp_path / "out.nii.gz"), tmp_path / "residual.nii.gz"
    assert predict.main([save_network(0.3), scan, "-o", out, "--residual", str(residual)]) == 0
    assert re.search(r"\nt1w\.nii: noise SD [\d.]+ \(image\); removed SD .* in the brain = ", capsys.readouterr().err)
    np.testing.assert_allclose(
        nibabel.load(residual).get_fdata(), nibabel.load(scan).get_fdata() - nibabel.load(out).get_fdata(), atol=1e-3
    )
    assert predict.main([save_network(0.3), scan, "-o", str(tmp_path / "2.nii"), "--noise-map", str(tmp_path / "sigma.nii")]) == 2
    assert "--noise-map needs a run of at least 3 frames" in capsys.readouterr().err
    assert not list(tmp_path.glob("2.nii")) and not list(tmp_path.glob("*sigma*"))


def test_the_mask_of_the_prediction_is_that_of_the_verdict(save_network, scan, write_nifti, tmp_path, capsys):
    mask = write_nifti(phantoms.head(SHAPE)[1].astype(np.uint8), "mask.nii.gz")
    assert predict.main([save_network(0.3), scan, "-o", str(tmp_path / "out.nii.gz"), "--mask", str(mask)]) == 0
    assert " in the mask = " in capsys.readouterr().err


def test_the_report_opens_with_the_verdict(save_network, scan, tmp_path):
    page = tmp_path / "page.html"
    assert predict.main([save_network(0.3), scan, "-o", str(tmp_path / "out.nii.gz"), "--report", str(page)]) == 0
    text = page.read_text()
    verdict = text.index('<h2>Verdict: <span class="bad">anatomy removed</span></h2>')
    assert verdict < text.index("Before and after") and verdict < text.index("peak memory")
    assert "its power the same in every frame</th><td>100 %" in text and "<th>temporal SNR, trend removed</th>" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--residual", "{out}"], "-o/--output and --residual name one file, {out}. Name two files."),
        (["--residual", "a.nii", "--noise-map", "./a.nii"], "--residual and --noise-map name one file, a.nii"),
        (["--residual", "{scan}", "--overwrite"], "--residual names an input, {scan}. Name another file."),
        (["--residual", "a.mnc"], "--residual must end in .nii.gz or .nii"),
        (["--noise-map", "{scan}"], "bold.nii.gz exists. Name another file with --noise-map, or replace it with --overwrite."),
        (["--noise-map", "gone/a.nii"], "gone does not exist. Create it, or choose another with --noise-map."),
    ],
)
def test_wrong_names_of_files_leave_nothing(options, message, save_network, scan, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    names = {"out": str(folder / "out.nii.gz"), "scan": scan}
    assert predict.main([save_network(0.3), scan, "-o", names["out"], *(option.format(**names) for option in options)]) == 2
    assert message.format(**names) in capsys.readouterr().err
    assert not list(folder.iterdir())


def test_a_failing_frame_leaves_neither_result_nor_residual(save_network, scan, tmp_path, capsys):
    content = open(scan, "rb").read()
    (tmp_path / "cut.nii.gz").write_bytes(content[: len(content) * 9 // 10])
    options = ["-o", str(tmp_path / "out.nii"), "--residual", str(tmp_path / "residual.nii"), "--noise-map", str(tmp_path / "sigma.nii")]
    assert predict.main([save_network(0.3), str(tmp_path / "cut.nii.gz"), *options]) == 2
    assert "truncated or damaged" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bold.nii.gz", "cut.nii.gz", "model.h5"]


@pytest.mark.parametrize("option", [["--residual", "residual.nii"], ["--strict"]])
def test_a_result_on_a_finer_grid_has_no_verdict(tmp_path, write_nifti, monkeypatch, capsys, option):
    from keras_mri.networks.unet3d import unet3d
    from keras_mri.systems.sr import settings as sr

    monkeypatch.chdir(tmp_path)
    checkpoints.save(checkpoint_for(unet3d(2, 2, residual=True, normalization="none"), "sr", sr.Config()), "sr.h5")
    scan = str(write_nifti(phantoms.head((19, 17, 14))[0]))
    finer = ["sr.h5", scan, "-o", "out.nii", "--upsample", "2", "1", "1"]
    assert predict.main(finer) == 0
    assert "noise SD" not in capsys.readouterr().err
    assert predict.main([*finer, "--overwrite", *option]) == 2
    assert f"{option[0]} needs a result on the grid of its input" in capsys.readouterr().err
    assert not list(tmp_path.glob("*residual*"))


def test_what_fills_missing_voxels_is_not_judged(affine, rng):
    before = Volume.from_array(rng.random((9, 8, 7)), affine)
    result = before.with_frames(lambda t: before.frame(t) + 1)
    assert judge_of(before, result, argparse.Namespace(missing="missing.nii.gz")) is None
    assert judge_of(before, result, argparse.Namespace(missing=None)) is not None
