"""`auto`: which network for which scan, the reason, and what is at hand; the networks are stand-ins."""

import json
import logging

import nibabel
import numpy as np
import pytest

import keras_mri
from keras_mri import info, predict
from keras_mri.errors import InputError
from keras_mri.imaging import phantoms
from keras_mri.networks.residual_unet import residual_unet
from keras_mri.saving import checkpoints, pretrained
from keras_mri.systems import automatic
from keras_mri.systems.network_files import checkpoint_for, path_of_network
from keras_mri.systems.wgan.settings import Config

ALL = ("wgan_run", "wgan_epi", "wgan_t1w", "wgan_any")


@pytest.fixture
def stand_ins(tmp_path, monkeypatch):
    """Return a function that lets only these networks be at hand; the smallest networks there are."""
    folder = tmp_path / "pretrained"
    folder.mkdir()
    monkeypatch.setattr(pretrained, "FOLDERS", (folder,))

    def make(*names, loadable=False):
        for name in names:
            if loadable:
                network = residual_unet((None, None, None, 1), (2, 2), (1, 1))
                checkpoints.save(checkpoint_for(network, "wgan", Config(), {"modalities": ["T1w"]}), folder / f"{name}.h5")
            else:
                (folder / f"{name}.h5").touch()
        return folder

    return make


@pytest.fixture
def scan(write_nifti):
    def make(name, frames=0):
        shape = (20, 18, 16)
        data = phantoms.bold_run((*shape, frames))[0] if frames else phantoms.head(shape)[0]
        return write_nifti((data + np.random.default_rng(0).normal(0, 20, data.shape)).astype(np.float32), name)

    return make


def chosen(path):
    return automatic.choose(keras_mri.open_image(path))


@pytest.mark.parametrize(
    ("name", "frames", "network"),
    [
        ("sub-01_bold.nii.gz", 10, "wgan_run"),
        ("sub-01_asl.nii.gz", 12, "wgan_run"),
        ("sub-01_bold.nii.gz", 9, "wgan_epi"),
        ("sub-01_bold.nii.gz", 0, "wgan_epi"),
        ("sub-01_sbref.nii.gz", 0, "wgan_epi"),
        ("sub-01_epi.nii.gz", 12, "wgan_epi"),
        ("sub-01_T1w.nii.gz", 0, "wgan_t1w"),
        ("sub-01_T1w.nii.gz", 3, "wgan_t1w"),
        ("mprage.nii", 0, "wgan_t1w"),
        ("sub-01_T2w.nii.gz", 0, "wgan_any"),
        ("sub-01_FLAIR.nii.gz", 0, "wgan_any"),
        ("sub-01_dwi.nii.gz", 30, "wgan_any"),
        ("sub-01_PDw.nii.gz", 0, "wgan_any"),
        ("scan1.nii.gz", 0, "wgan_any"),
    ],
)
def test_each_scan_has_its_network(stand_ins, scan, name, frames, network, caplog):
    folder = stand_ins(*ALL, "n2a_t1w", "sr_any")
    with caplog.at_level(logging.INFO, "keras_mri"):
        choice = chosen(scan(name, frames))
    assert choice.path == folder / f"{network}.h5"
    assert f"{name}: auto takes {network}: {choice.why}" in caplog.messages


def test_what_is_done_frame_by_frame_or_for_want_of_a_network_is_said(stand_ins, scan):
    stand_ins("wgan_epi", "wgan_any")
    assert chosen(scan("a_bold.nii", 4)).sentence == (
        "auto takes wgan_epi: its name says bold; 4 frames, fewer than 10, are restored one by one"
    )
    assert chosen(scan("a_bold.nii", 12)).sentence == (
        "auto takes wgan_epi: its name says bold; 12 frames are restored one by one (wgan_run is not at hand)"
    )
    assert chosen(scan("a_T1w.nii")).sentence == "auto takes wgan_any: its name says T1w (wgan_t1w is not at hand)"


def test_without_the_network_that_fits_nothing_is_guessed(stand_ins, scan, tmp_path, capsys):
    folder = stand_ins("wgan_t1w", "wgan_epi")
    said = f"would take wgan_any for .*a_T2w.nii .its name says T2w., and wgan_any.h5 is not at hand. Copy it to {folder}, or name another"
    with pytest.raises(InputError, match=f"{said} network: wgan_epi, wgan_t1w."):
        chosen(scan("a_T2w.nii"))
    assert predict.main(["auto", str(scan("a_T2w.nii")), "-o", str(tmp_path / "out.nii")]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and not (tmp_path / "out.nii").exists()


def test_without_any_network_that_is_said_before_the_scan_is_read(stand_ins, tmp_path, capsys):
    folder = stand_ins("n2a_t1w")
    assert predict.main(["auto", "absent.nii.gz", "-o", str(tmp_path / "out.nii")]) == 2
    message = f"auto has no network to choose from: none of wgan_run, wgan_epi, wgan_t1w, wgan_any is in {folder}."
    assert message in capsys.readouterr().err.replace("`", "")


def test_labels_and_maps_are_refused(stand_ins, write_nifti, scan, tmp_path, capsys):
    stand_ins(*ALL)
    labels = np.zeros((12, 11, 10), np.uint8)
    labels[2:9, 2:9, 2:9], labels[2:9, 2:9, 5:9] = 41, 2
    for path, said in ((write_nifti(labels, "l.nii"), "looks like a label map"), (scan("a_T1map.nii"), "is no scan of magnitudes")):
        assert predict.main(["auto", str(path), "-o", str(tmp_path / "out.nii")]) == 2
        assert said in capsys.readouterr().err and not (tmp_path / "out.nii").exists()


def test_predict_auto_is_predict_with_the_network_that_is_named(stand_ins, scan, tmp_path, capsys):
    stand_ins("wgan_t1w", loadable=True)
    path, outs, page = scan("sub-01_T1w.nii.gz"), [tmp_path / name for name in ("auto.nii", "named.nii")], tmp_path / "page.html"
    assert predict.main(["auto", str(path), "-o", str(outs[0]), "--mirror", "left-right", "--report", str(page)]) == 0
    assert "sub-01_T1w.nii.gz: auto takes wgan_t1w: its name says T1w\n" in capsys.readouterr().err
    assert predict.main(["t1w", str(path), "-o", str(outs[1]), "--mirror", "left-right"]) == 0
    assert "auto takes" not in capsys.readouterr().err
    np.testing.assert_array_equal(*(nibabel.load(out).get_fdata() for out in outs))
    assert "auto takes wgan_t1w: its name says T1w" in page.read_text()
    restored = keras_mri.restore("auto", path, mirror="left-right")
    np.testing.assert_array_equal(restored.data, nibabel.load(outs[0]).get_fdata())
    assert restored.facts["chosen"] == "auto takes wgan_t1w: its name says T1w"


def test_a_file_of_that_name_comes_first_and_options_are_those_of_wgan(stand_ins, tmp_path, monkeypatch, capsys):
    stand_ins(*ALL)
    assert predict.main(["auto", "absent.nii.gz", "-o", str(tmp_path / "o.nii"), "--sampler", "ddim"]) == 2
    assert "unknown option --sampler" in capsys.readouterr().err
    with pytest.raises(InputError, match="mirror"):
        keras_mri.restore("auto", "absent.nii.gz", mirror="sideways")
    with pytest.raises(InputError, match="one image at a time"):
        keras_mri.restore("auto", ["sample", "sample"])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "auto").write_text("mine")
    assert not automatic.is_auto("auto") and automatic.is_auto("./auto") is False


def test_other_commands_say_what_auto_is(stand_ins, capsys):
    stand_ins("wgan_epi")
    with pytest.raises(InputError, match="`auto` chooses a network for a scan that `predict` restores. Name a network here"):
        path_of_network("auto")
    assert info.main(["auto"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("auto: the pre-trained network that fits the scan") and len(lines) == 5
    assert "wgan_epi.h5" in lines[2] and lines[4].endswith("; not at hand")
    assert info.main(["auto", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert list(facts) == list(ALL) and facts["wgan_any"]["file"] is None


@pytest.fixture
def study(tmp_path, scan):
    """A study of two subjects with a run, a T1w, a map and a phase image; the second one lacks the run."""
    for name, frames in (("01/func/sub-01_task-rest_bold", 3), ("01/anat/sub-01_T1w", 0), ("02/anat/sub-02_T1w", 0),
                         ("01/anat/sub-01_T1map", 0), ("01/func/sub-01_task-rest_part-phase_bold", 3)):  # fmt: skip
        path = tmp_path / "bids" / f"sub-{name}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        scan(path.name, frames).rename(path)
    return tmp_path / "bids"


def test_a_study_has_a_network_for_each_of_its_scans(stand_ins, study, tmp_path, capsys):
    stand_ins("wgan_epi", "wgan_t1w", loadable=True)
    out = tmp_path / "derivatives"
    assert predict.main(["auto", str(study), str(out), "participant", "--report"]) == 0
    assert "3 restored" in capsys.readouterr().err
    found = {path.name: json.loads(path.read_text())["keras_mri"] for path in out.glob("sub-*/*/*.json")}
    assert {name: facts["network"] for name, facts in found.items()} == {
        "sub-01_task-rest_desc-denoised_bold.json": "wgan_epi.h5",
        "sub-01_desc-denoised_T1w.json": "wgan_t1w.h5",
        "sub-02_desc-denoised_T1w.json": "wgan_t1w.h5",
    }
    assert found["sub-02_desc-denoised_T1w.json"]["chosen"] == "auto takes wgan_t1w: its name says T1w"
    assert "auto takes wgan_epi" in (out / "sub-01/func/sub-01_task-rest_desc-denoised_bold.html").read_text()
    # Another time all is there, made by networks of these; of a part of the study the rest is not missed.
    assert predict.main([str(study), str(out), "participant", "--model", "auto"]) == 0
    said = capsys.readouterr().err
    assert "3 there already" in said and "another network" not in said
    assert predict.main(["auto", str(study), str(out), "--participant-label", "02"]) == 0
    assert predict.main(["auto", str(study), str(out), "--modality", "T1w", "--dry-run"]) == 0
    assert capsys.readouterr().out.count("->") == 2


def test_a_scan_of_a_study_without_its_network_fails_alone(stand_ins, study, tmp_path, capsys):
    stand_ins("wgan_t1w", loadable=True)
    assert predict.main(["auto", str(study), str(tmp_path / "derivatives")]) == 1
    said = capsys.readouterr().err
    assert "2 restored; 1 failed" in said and "auto would take wgan_epi for" in said.replace("`", "").replace("--", "")


def test_a_study_without_scans_says_what_there_is(stand_ins, tmp_path, scan, capsys):
    stand_ins(*ALL)
    path = tmp_path / "bids/sub-01/anat/sub-01_T1map.nii.gz"
    path.parent.mkdir(parents=True)
    scan(path.name).rename(path)
    assert predict.main(["auto", str(tmp_path / "bids"), str(tmp_path / "out")]) == 2
    assert "no restorable image in the chosen part of" in (said := capsys.readouterr().err) and "Found: T1map" in said
