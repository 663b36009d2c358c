import re
import subprocess
import sys

import nibabel
import numpy as np
import pytest

from keras_mri import predict
from keras_mri.imaging import phantoms
from keras_mri.imaging.kspace import finer_affine
from keras_mri.networks.residual_unet import residual_unet
from keras_mri.saving import checkpoints
from keras_mri.systems.network_files import checkpoint_for
from keras_mri.systems.wgan.settings import Config


@pytest.fixture
def model(tmp_path):
    network = residual_unet((None, None, None, 1), (2, 2), (1, 1))
    network.get_layer("residual").set_weights([np.full((1, 1, 1, 2, 1), 0.1), np.zeros(1)])
    checkpoints.save(checkpoint_for(network, "wgan", Config()), tmp_path / "model.h5")
    return str(tmp_path / "model.h5")


@pytest.fixture
def scan(write_nifti, rng, affine):
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_xyzt_units("mm", "sec")
    return str(write_nifti((1000 * rng.random((9, 8, 7, 3))).astype(np.int16), header=header))


def test_predict_writes_float32_on_the_same_grid(model, scan, tmp_path):
    out = tmp_path / "out.nii.gz"
    assert predict.main([model, scan, "-o", str(out)]) == 0
    before, after = nibabel.load(scan), nibabel.load(out)
    assert after.shape == before.shape and after.get_data_dtype() == np.float32
    np.testing.assert_array_equal(after.affine, before.affine)
    assert 0 < np.abs(after.get_fdata() - before.get_fdata()).max() < 500


def test_a_report_shows_what_was_done(model, scan, tmp_path, capsys):
    out, page = tmp_path / "out.nii.gz", tmp_path / "page.html"
    arguments = [model, scan, "-o", str(out), "--report", str(page)]
    assert predict.main(arguments) == 0
    plain = tmp_path / "plain.nii.gz"
    predict.main([model, scan, "-o", str(plain)])
    np.testing.assert_array_equal(nibabel.load(out).get_fdata(), nibabel.load(plain).get_fdata())
    text = page.read_text()
    assert "scan.nii.gz → out.nii.gz" in text and "Frame 1 of 0 to 2" in text and "43 of 45 fields are equal" in text
    capsys.readouterr()
    assert predict.main([*arguments[:3], str(tmp_path / "other.nii"), *arguments[4:]]) == 2
    assert "page.html exists. Name another file with --report, or replace it with --overwrite." in capsys.readouterr().err
    assert not (tmp_path / "other.nii").exists()


def test_mgh_comes_out_as_mgh_with_the_values_of_nifti(model, scan, tmp_path, capsys):
    for name in ("out.nii", "out.mgz"):
        assert predict.main([model, scan, "-o", str(tmp_path / name), "--report", str(tmp_path / f"{name}.html")]) == 0
    nifti, mgh = (nibabel.load(tmp_path / name) for name in ("out.nii", "out.mgz"))
    assert type(mgh) is nibabel.MGHImage
    np.testing.assert_array_equal(mgh.get_fdata(), nifti.get_fdata())
    capsys.readouterr()
    assert predict.main([model, scan, "-o", str(tmp_path / "other.mgz"), "--dtype", "float64"]) == 2
    assert "--dtype of an MGH file must be one of float32, int16, uint8. Received: float64" in capsys.readouterr().err


def test_labels_and_dicom_are_refused_as_scans(model, write_nifti, tmp_path, capsys):
    labels = np.zeros((12, 11, 10), np.uint8)
    labels[2:9, 2:9, 2:9], labels[2:9, 2:9, 5:9] = 41, 2
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "IM1").write_bytes(bytes(128) + b"DICM")
    for image, message in ((write_nifti(labels), "scan.nii.gz looks like a label map"), (tmp_path / "series" / "IM1", "dcm2niix")):
        assert predict.main([model, str(image), "-o", str(tmp_path / "out.nii.gz")]) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "out.nii.gz").exists()


def test_options_of_the_system_are_known(model, scan, tmp_path):
    outs = [tmp_path / f"{number}.nii.gz" for number in range(2)]
    predict.main([model, scan, "-o", str(outs[0])])
    assert predict.main([model, scan, "-o", str(outs[1]), "--mirror", "left-right", "--tile", "16", "16", "16", "--dtype", "int16"]) == 0
    first, second = (nibabel.load(out) for out in outs)
    assert second.get_data_dtype() == np.int16
    assert not np.array_equal(first.get_fdata(), second.get_fdata())


def test_an_output_that_exists_is_kept_unless_overwritten(model, scan, tmp_path, capsys):
    out = tmp_path / "out.nii.gz"
    out.write_text("mine")
    assert predict.main([model, scan, "-o", str(out)]) == 2
    assert "out.nii.gz exists" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert predict.main([model, scan, "-o", str(out), "--overwrite"]) == 0
    assert nibabel.load(out).shape == (9, 8, 7, 3)


def test_nonfinite_values_are_refused_or_replaced(model, write_nifti, rng, tmp_path, capsys):
    data = rng.random((9, 8, 7)).astype(np.float32)
    data[4, 5, 6] = np.nan
    scan, out = str(write_nifti(data, "nan.nii.gz")), str(tmp_path / "out.nii.gz")
    assert predict.main([model, scan, "-o", out]) == 2
    assert "NaN or infinity in 1 voxels, the first at (4, 5, 6)" in capsys.readouterr().err
    assert predict.main([model, scan, "-o", out, "--replace-nonfinite"]) == 0
    assert np.isfinite(nibabel.load(out).get_fdata()).all()


def test_a_scan_truncated_in_its_last_frame_leaves_no_output(model, scan, tmp_path, capsys):
    content = open(scan, "rb").read()
    (tmp_path / "cut.nii.gz").write_bytes(content[: len(content) * 9 // 10])
    assert predict.main([model, str(tmp_path / "cut.nii.gz"), "-o", str(tmp_path / "out.nii.gz")]) == 2
    assert "truncated or damaged" in capsys.readouterr().err
    assert sorted(file.name for file in tmp_path.iterdir()) == ["cut.nii.gz", "model.h5", "scan.nii.gz"]


def test_a_mask_on_another_grid_prints_both(model, scan, write_nifti, tmp_path, capsys):
    mask = write_nifti(np.indices((9, 8, 6))[0].astype(np.uint8) % 2, "mask.nii.gz")
    assert predict.main([model, scan, "-o", str(tmp_path / "out.nii.gz"), "--mask", str(mask)]) == 2
    message = capsys.readouterr().err
    assert "shape (9, 8, 7)" in message and "shape (9, 8, 6)" in message and "mask.nii.gz" in message


def test_ctrl_c_leaves_no_output(model, scan, tmp_path, capsys, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(predict.nifti_writing, "save", interrupted)
    assert predict.main([model, scan, "-o", str(tmp_path / "out.nii.gz")]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert not (tmp_path / "out.nii.gz").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{model}", "{scan}"], "-o/--output"),
        (["{model}", "{scan}", "-o", "out.nii", "--miror"], "unknown option --miror. Did you mean --mirror?"),
        (["{model}", "{scan}", "-o", "out.mnc"], "must end in .nii.gz or .nii"),
        (["{model}", "{scan}", "-o", "out.nii", "--report", "out.pdf"], "--report must end in .html"),
        (["missing.h5", "{scan}", "-o", "out.nii"], "missing.h5 is not a file"),
        (["{scan}", "{model}", "-o", "out.nii"], "scan.nii.gz must end in .h5"),
        (["{model}", "nowhere.nii", "-o", "out.nii"], "nowhere.nii is not a file"),
    ],
)
def test_wrong_usage_gets_one_message_and_exit_2_without_tensorflow(arguments, message, model, scan, tmp_path, in_this_checkout):
    folder = tmp_path / "empty"
    folder.mkdir()
    code = (
        "import sys; from keras_mri.predict import main; status = main(sys.argv[1:]); assert 'keras' not in sys.modules; sys.exit(status)"
    )
    arguments = [argument.format(model=model, scan=scan) for argument in arguments]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=folder, env=in_this_checkout)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr and "Traceback" not in done.stderr
    assert list(folder.iterdir()) == []


def test_a_published_network_of_two_inputs_denoises_repetitions(tmp_path, write_nifti, rng, capsys):
    from tests.systems.n2a.test_published_munet import structural

    clean = phantoms.head((20, 18, 16))[0]
    paths = [str(write_nifti(clean + rng.normal(0, 20, clean.shape).astype(np.float32), f"rep{k}.nii.gz")) for k in (1, 2)]
    network = structural(filters=2)
    network.save(tmp_path / "original.h5")
    page = tmp_path / "page.html"
    arguments = [*paths, "-o", str(tmp_path / "out.nii.gz"), "--no-align", "--report", str(page)]
    assert predict.main([str(tmp_path / "original.h5"), *arguments]) == 0
    assert "<th>input 2</th>" in page.read_text() and "rep2.nii.gz" in page.read_text()
    denoised = nibabel.load(tmp_path / "out.nii.gz").get_fdata()
    assert denoised.shape == clean.shape and np.isfinite(denoised).all()


def test_super_resolution_predicts_on_a_finer_grid(tmp_path, write_nifti):
    from keras_mri.networks.unet3d import unet3d
    from keras_mri.systems.sr import settings as sr

    model, out, page = tmp_path / "sr.h5", tmp_path / "out.nii.gz", tmp_path / "page.html"
    checkpoints.save(checkpoint_for(unet3d(2, 2, residual=True, normalization="none"), "sr", sr.Config()), model)
    scan = str(write_nifti(phantoms.head((19, 17, 14))[0]))
    mask = str(write_nifti(phantoms.head((19, 17, 14))[1].astype(np.uint8), "mask.nii.gz"))
    assert predict.main([str(model), scan, "-o", str(out), "--upsample", "2", "2", "1", "--mask", mask, "--report", str(page)]) == 0
    assert "brought to them in k-space" in page.read_text() and "Temporal SNR" not in page.read_text()
    before, after = nibabel.load(scan), nibabel.load(out)
    assert after.shape == (38, 34, 14)
    # The outer face of the first voxel stays where it was.
    np.testing.assert_allclose(after.affine @ [-0.5, -0.5, -0.5, 1], before.affine @ [-0.5, -0.5, -0.5, 1], atol=1e-4)
    np.testing.assert_allclose(after.header.get_zooms(), np.array(before.header.get_zooms()) / (2, 2, 1), rtol=1e-5)


def test_a_pre_trained_network_is_called_by_its_name(model, scan, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("keras_mri.saving.pretrained.FOLDERS", [tmp_path])
    (tmp_path / "model.h5").rename(tmp_path / "wgan_epi.h5")
    for name in ("epi", "wgan_epi"):
        out = tmp_path / f"{name}.nii.gz"
        # --mirror is an option of the system: the name must have been understood before the options.
        assert predict.main([name, scan, "-o", str(out), "--mirror", "left-right"]) == 0
        assert nibabel.load(out).shape == (9, 8, 7, 3)
    assert predict.main(["ep", scan, "-o", str(tmp_path / "none.nii.gz"), "--mask", "mask.nii"]) == 2
    assert (
        "no pre-trained network 'ep'. Expected the path of a network's file (.h5 or .keras) or one of: epi, wgan_epi. Did you mean 'epi'?"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({"zooms": [[2, 2.5, 3]], "sigma": [0.0, 0.9]}, ()),
        ({"zooms": [[1, 1, 1]], "sigma": [0.0, 0.9]}, ("its voxels are 2 × 2.5 × 3 mm; the network was trained on 1 × 1 × 1 mm",)),
        ({"zooms": [[1, 1, 1]], "sigma": [0.0, 0.01]}, ("voxels are", "the network was trained on 0 to 0.01: some of it will stay")),
        ({}, ()),
    ],
)
def test_a_scan_unlike_the_training_is_told_and_restored(scan, tmp_path, capsys, training, said):
    network = residual_unet((None, None, None, 1), (2, 2), (1, 1))
    checkpoints.save(checkpoint_for(network, "wgan", Config(), training), tmp_path / "told.h5")
    assert predict.main([str(tmp_path / "told.h5"), scan, "-o", str(tmp_path / "out.nii.gz")]) == 0
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == len(said) and all(text in line for text, line in zip(said, warnings))
    assert (tmp_path / "out.nii.gz").is_file()


def test_imputation_fills_what_is_missing_and_keeps_the_rest_bit_by_bit(trained_pair, tmp_path, affine):
    before, mask = nibabel.load(trained_pair.scan), np.zeros((13, 15, 11), np.uint8)
    mask[:, 4:6] = 1
    nibabel.save(nibabel.Nifti1Image(mask, affine), tmp_path / "missing.nii.gz")
    task = ["--task", "imputation", "--missing", str(tmp_path / "missing.nii.gz"), "--steps", "2", "--samples", "2"]
    assert predict.main([trained_pair.path, trained_pair.scan, *task, "-o", str(tmp_path / "repaired.nii.gz")]) == 0
    after = nibabel.load(tmp_path / "repaired.nii.gz")
    assert after.shape == before.shape and after.header.get_zooms()[3] == 2.0
    before, after = before.get_fdata(), after.get_fdata()
    np.testing.assert_array_equal(after[mask == 0], before[mask == 0])
    assert np.isfinite(after).all() and np.abs(after - before)[mask > 0].max() > 1


def test_latent_diffusion_returns_a_coarse_volume_on_the_grid_of_its_training(trained_pair, tmp_path, affine):
    low = phantoms.head((6, 8, 6))[0] + 20
    nibabel.save(nibabel.Nifti1Image(low, finer_affine(affine, (6 / 13, 8 / 15, 6 / 11))), tmp_path / "low.nii.gz")
    task = ["--task", "super-resolution", "--steps", "2", "--samples", "1"]
    assert predict.main([trained_pair.path, str(tmp_path / "low.nii.gz"), *task, "-o", str(tmp_path / "high.nii.gz")]) == 0
    high = nibabel.load(tmp_path / "high.nii.gz")
    assert high.shape == (13, 15, 11) and np.isfinite(high.get_fdata()).all()
    np.testing.assert_allclose(high.affine, affine, atol=1e-4)


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        ("trained", ["--task", "imputation", "--missing", "other"], "other.nii.gz must have the image's shape"),
        ("trained", ["--task", "imputation"], "--missing marks the voxels that --task imputation fills"),
        ("trained", ["--task", "super-resolution"], "does not lie on the grid that the network knows"),
        ("other", ["--task", "super-resolution"], r"does not lie on the grid(.|\n)*expected  shape \(6, 8, 6\)"),
        ("other", [], r"does not lie on the grid(.|\n)*\(13, 15, 11\)(.|\n)*Resample it"),
        ("trained", ["--task", "imputation", "--missing", "slab", "--steps", "21"], "--steps must lie between 1 and 20"),
        ("trained", ["--task", "imputation", "--missing", "slab", "--label", "face"], "unknown label 'face'. Known: lh, rh, lf, rf, t"),
    ],
)
def test_what_latent_diffusion_cannot_use_leaves_nothing(image, options, message, trained_pair, write_nifti, tmp_path, capsys):
    slab = np.zeros((13, 15, 11), np.uint8)
    slab[:, 4:6] = 1
    paths = {"trained": trained_pair.scan, "slab": str(write_nifti(slab, "slab.nii.gz"))}
    paths["other"] = str(write_nifti(phantoms.head((9, 8, 7))[0], "other.nii.gz"))
    out = tmp_path / "out.nii.gz"
    assert predict.main([trained_pair.path, paths[image], *(paths.get(option, option) for option in options), "-o", str(out)]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not list(tmp_path.glob("*out*"))
