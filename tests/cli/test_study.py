import json
import shutil

import nibabel
import numpy as np
import pytest

from keras_mri import predict
from keras_mri.cli import study, study_options
from keras_mri.errors import InputError
from keras_mri.io.locks import claimed
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
def folder(tmp_path, write_nifti, rng):
    for subject in ("01", "02"):
        path = tmp_path / "study" / f"sub-{subject}" / "func"
        path.mkdir(parents=True)
        write_nifti((1000 * rng.random((9, 8, 7, 2))).astype(np.float32), path / f"sub-{subject}_task-rest_bold.nii.gz")
    return tmp_path / "study"


def outputs(folder):
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    # Locks are hidden files and stay; every folder of derivatives has the other two.
    return sorted(name for name in files if not name.endswith(".lock") and name not in (".bidsignore", "README.md"))


FUNC = "sub-01/func/sub-01_task-rest_desc-denoised_bold"


def test_every_scan_of_a_study_becomes_a_derivative_equal_to_predict_s(model, folder, tmp_path, capsys):
    out = tmp_path / "derivatives"
    assert predict.main([model, str(folder), str(out), "participant", "--mirror", "left-right"]) == 0
    second = FUNC.replace("01", "02")
    assert outputs(out) == ["dataset_description.json", *(name + end for name in (FUNC, second) for end in (".json", ".nii.gz"))]
    assert "2 restored" in capsys.readouterr().err
    scan = folder / "sub-01/func/sub-01_task-rest_bold.nii.gz"
    predict.main([model, str(scan), "-o", str(tmp_path / "alone.nii.gz"), "--mirror", "left-right"])
    np.testing.assert_array_equal(nibabel.load(out / (FUNC + ".nii.gz")).get_fdata(), nibabel.load(tmp_path / "alone.nii.gz").get_fdata())
    facts = json.loads((out / (FUNC + ".json")).read_text())["keras_mri"]
    assert facts["network"] == "model.h5" and len(facts["sha256"]) == 64 and facts["options"]["mirror"] == "left-right"
    # Asked for, and used.
    assert facts["options"]["precision"] == "auto" and facts["precision"] == {"used": "float32"}


def test_each_scan_of_a_study_has_a_verdict_on_the_screen_and_in_its_side_car(model, folder, tmp_path, capsys):
    for path in folder.rglob("*bold.nii.gz"):
        run = np.random.default_rng(1).normal(100, 5, (9, 8, 7, 6)).astype(np.float32)
        nibabel.save(nibabel.Nifti1Image(run, np.eye(4)), path)
    out = tmp_path / "derivatives"
    assert predict.main([model, str(folder), str(out)]) == 0
    said = capsys.readouterr().err
    facts = json.loads((out / (FUNC + ".json")).read_text())["keras_mri"]
    assert facts["verdict"]["noise"] == pytest.approx(5, rel=0.2) and facts["verdict"]["verdict"] in said
    assert f"{FUNC.split('/')[-1].replace('_desc-denoised', '')}.nii.gz: noise SD " in said


def test_what_is_done_is_skipped_unless_overwritten(model, folder, tmp_path, capsys):
    out = tmp_path / "derivatives"
    predict.main([model, str(folder), str(out), "--participant-label", "01"])
    before = (out / (FUNC + ".nii.gz")).stat().st_mtime_ns
    assert predict.main([model, str(folder), str(out)]) == 0
    assert "1 restored; 1 there already" in capsys.readouterr().err
    assert (out / (FUNC + ".nii.gz")).stat().st_mtime_ns == before
    assert predict.main([model, str(folder), str(out), "--overwrite"]) == 0
    assert (out / (FUNC + ".nii.gz")).stat().st_mtime_ns > before


def test_a_scan_that_fails_is_named_and_the_others_go_on(model, folder, tmp_path, capsys):
    (folder / "sub-01/func/sub-01_task-rest_bold.nii.gz").write_bytes(b"no image")
    out = tmp_path / "derivatives"
    assert predict.main([model, str(folder), str(out)]) == 1
    said = capsys.readouterr().err
    assert "sub-01_task-rest_bold.nii.gz failed: " in said and "1 restored; 1 failed" in said and "Traceback" not in said
    assert outputs(out) == ["dataset_description.json", *(FUNC.replace("01", "02") + end for end in (".json", ".nii.gz"))]


def test_a_bug_of_ours_keeps_its_traceback_and_the_others_go_on(model, folder, tmp_path, capsys, monkeypatch):
    real = predict.api.restore

    def failing(network, volume, **options):
        if "sub-01" in volume.name:
            raise ZeroDivisionError
        return real(network, volume, **options)

    monkeypatch.setattr(predict.api, "restore", failing)
    assert predict.main([model, str(folder), str(tmp_path / "derivatives")]) == 1
    said = capsys.readouterr().err
    assert "ZeroDivisionError" in said and "Traceback" in said and "1 restored; 1 failed" in said


def test_a_scan_that_fails_while_it_is_written_leaves_no_sidecar(model, folder, tmp_path, monkeypatch):
    def full(result, path, dtype):
        raise InputError("no space left")

    monkeypatch.setattr(study.nifti_writing, "save", full)
    assert predict.main([model, str(folder), str(tmp_path / "out")]) == 1
    assert not [path.name for path in (tmp_path / "out").rglob("sub-*_bold.json")]


@pytest.mark.parametrize("error, status", [(InputError("no space left"), 1), (KeyboardInterrupt(), 130)])
def test_an_image_keeps_its_own_sidecar_where_its_successor_fails_or_is_interrupted(model, folder, tmp_path, monkeypatch, error, status):
    def failing(result, path, dtype):
        raise error

    line = [model, str(folder), str(tmp_path / "out"), "--participant-label", "01"]
    real = study.nifti_writing.save
    monkeypatch.setattr(study.nifti_writing, "save", failing)
    assert predict.main(line) == status
    assert not [path.name for path in (tmp_path / "out").rglob("sub-*") if path.is_file()]
    monkeypatch.setattr(study.nifti_writing, "save", real)
    assert predict.main(line) == 0
    before = (tmp_path / "out" / (FUNC + ".json")).read_text()
    monkeypatch.setattr(study.nifti_writing, "save", failing)
    assert predict.main([*line, "--overwrite", "--mirror", "none"]) == status
    assert (tmp_path / "out" / (FUNC + ".json")).read_text() == before


def test_what_another_job_is_making_is_left_to_it(model, folder, tmp_path, capsys):
    out = tmp_path / "derivatives"
    with claimed(out / (FUNC + ".nii.gz")):
        assert predict.main([model, str(folder), str(out)]) == 0
    assert "1 restored; 1 being made by another job" in capsys.readouterr().err
    assert not (out / (FUNC + ".nii.gz")).exists()


@pytest.mark.parametrize(
    "line",
    [
        "MODEL --overwrite STUDY OUT participant",
        "--dtype float32 MODEL STUDY OUT participant",
        "--overwrite --mirror none MODEL STUDY --tile 16 16 16 OUT --replace-nonfinite participant",
        "MODEL STUDY OUT --overwrite participant --participant-label 01 02",
        "MODEL --modality=bold STUDY OUT",
    ],
)
def test_options_may_stand_anywhere(model, folder, tmp_path, line):
    places = {"MODEL": model, "STUDY": str(folder), "OUT": str(tmp_path / "out")}
    assert predict.main([places.get(word, word) for word in line.split()]) == 0
    assert len(outputs(tmp_path / "out")) == 5


@pytest.mark.parametrize(
    "line", ["MODEL SCAN -o OUT", "MODEL --report FOLDER SCAN -o OUT", "MODEL -o FOLDER SCAN", "--mask FOLDER MODEL SCAN", "MODEL", "-h"]
)
def test_a_folder_elsewhere_makes_no_study(line, model, tmp_path):
    places = {"MODEL": model, "SCAN": "scan.nii.gz", "FOLDER": str(tmp_path), "OUT": "out.nii.gz"}
    assert not study_options.read([places.get(word, word) for word in line.split()]).is_study


def test_no_file_of_a_study_tells_where_the_user_s_files_are(folder, tmp_path, write_nifti):
    network = residual_unet((None, None, None, 1), (2, 2), (1, 1))
    # Unlike the scans, so that there is a warning about each.
    checkpoints.save(checkpoint_for(network, "wgan", Config(), {"zooms": [[9, 9, 9]]}), tmp_path / "model.h5")
    mask, out = tmp_path / "anna" / "mask.nii.gz", tmp_path / "out"
    mask.parent.mkdir()
    write_nifti(np.indices((9, 8, 7))[0].astype(np.uint8) % 2, mask)
    assert predict.main([str(tmp_path / "model.h5"), str(folder), str(out), "--mask", str(mask)]) == 0
    texts = [(out / name).read_text() for name in outputs(out) if name.endswith(".json")]
    assert len(texts) == 3 and not [text for text in texts if "anna" in text or str(tmp_path) in text]
    facts = json.loads((out / (FUNC + ".json")).read_text())["keras_mri"]
    assert facts["options"]["mask"] == "mask.nii.gz"
    said = [text.partition(" of ")[0] for text in facts["warnings"]]
    assert [text.partition(" voxels")[0] for text in said] == ["model.h5: does not record which kind", "sub-01_task-rest_bold.nii.gz: its"]
    command = json.loads((out / "dataset_description.json").read_text())["GeneratedBy"][0]["Description"]
    assert command == "python -m keras_mri.predict model.h5 study out --mask mask.nii.gz"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--participant-label", "09"], "has no sub-09. Found: 01, 02"),
        (["--description", "de-noised"], "--description must be letters and digits"),
        (["group"], "invalid choice: 'group'"),
        (["--mirors", "all"], "Did you mean --mirror?"),
    ],
)
def test_wrong_options_are_said_before_anything_is_written(model, folder, tmp_path, capsys, arguments, message):
    out = tmp_path / "derivatives"
    assert predict.main([model, str(folder), str(out), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_file_in_the_place_of_the_derivatives_is_kept(model, folder, tmp_path, capsys):
    (tmp_path / "out").write_text("mine")
    assert predict.main([model, str(folder), str(tmp_path / "out")]) == 2
    assert "out is a file. Expected the folder for the derivatives" in capsys.readouterr().err


def test_a_full_disk_ends_in_one_message_and_leaves_no_file(model, folder, tmp_path, capsys):
    resource = pytest.importorskip("resource", reason="limits of a file's size are a matter of POSIX")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        status = predict.main([str(folder), str(tmp_path / "out"), "participant", "--model", model])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    said = capsys.readouterr().err
    assert status == 2 and said.count("keras_mri: error: ") == 1 and "Traceback" not in said
    assert "out/dataset_description.json could not be written: File too large. Nothing was left behind" in said
    assert not outputs(tmp_path / "out")


@pytest.mark.parametrize("words", ["absent OUT participant --model MODEL", "MODEL absent OUT participant"])
def test_a_study_that_is_not_there_ends_in_one_message(model, tmp_path, capsys, words, monkeypatch):
    monkeypatch.chdir(tmp_path)
    places = {"MODEL": model, "OUT": str(tmp_path / "out")}
    assert predict.main([places.get(word, word) for word in words.split()]) == 2
    assert (
        capsys.readouterr().err
        == "keras_mri: error: absent is not a folder. Expected a BIDS folder, then the folder for its derivatives.\n"
    )
    assert not (tmp_path / "out").exists()


def test_help_without_a_network_says_where_further_options_are(capsys):
    with pytest.raises(SystemExit):
        predict.main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "Further options depend on MODEL: python -m keras_mri.predict MODEL --help." in text
    assert "For a whole study in BIDS: python -m keras_mri.predict MODEL BIDS_DIR OUTPUT_DIR [participant] --help." in text
    assert "example: python -m keras_mri.predict epi bold.nii.gz -o" in text and "--mask" not in text


def test_help_names_the_options_of_the_system(model, folder, capsys):
    with pytest.raises(SystemExit) as ended:
        predict.main([model, str(folder), "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "--participant-label" in text and "--mirror" in text and "BIDS_DIR" in text
    assert "example: python -m keras_mri.predict epi bids/ derivatives/ participant" in text
    assert "MODEL                 " in text and "a network file written by keras_mri.train" in text


def with_phase(folder):
    """Put a phase image and a hyphenated subject into a study."""
    source = folder / "sub-01/func/sub-01_task-rest_bold.nii.gz"
    (folder / "sub-PAT-01/func").mkdir(parents=True)
    shutil.copy(source, folder / "sub-PAT-01/func/sub-PAT-01_task-rest_bold.nii.gz")
    shutil.copy(source, folder / "sub-01/func/sub-01_task-rest_part-phase_bold.nii.gz")
    return folder


def test_what_was_asked_for_and_is_not_there_is_named_and_the_others_are_restored(model, folder, tmp_path, capsys):
    out = tmp_path / "out"
    line = [str(folder), str(out), "participant", "--model", model, "--participant_label", "02", "7", "--session_label"]
    assert predict.main(line[:-1]) == 1
    said = capsys.readouterr().err
    assert "asked for and not found: sub-7" in said and "1 restored" in said and (out / "sub-02/func").is_dir()
    assert predict.main([*line, "1"]) == 2 and "no subject of" in capsys.readouterr().err


def test_a_dry_run_prints_the_plan_and_writes_nothing(model, folder, tmp_path, capsys):
    out = tmp_path / "out"
    assert predict.main([model, str(with_phase(folder)), str(out), "participant", "--dry-run", "--report"]) == 0
    said = capsys.readouterr()
    lines = [
        f"{stem}_bold.nii.gz -> {out}/{stem}_desc-denoised_bold.nii.gz" for stem in (f"sub-{n}/func/sub-{n}_task-rest" for n in LABELS)
    ]
    assert said.out.splitlines() == lines
    assert "sub-01_task-rest_part-phase_bold.nii.gz: left out: part-phase" in said.err and not out.exists()


def test_a_dry_run_of_auto_says_which_network_each_scan_would_have_and_why(folder, tmp_path, capsys):
    (folder / "sub-02/func/sub-02_task-rest_bold.nii.gz").write_bytes(b"no image")
    out = tmp_path / "out"
    assert predict.main(["auto", str(folder), str(out), "participant", "--dry-run"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert "desc-denoised_bold.nii.gz (auto takes wgan_epi: its name says bold; 2 frames" in first
    assert "(cannot be restored: " in second and not out.exists()


LABELS = ("01", "02", "PAT-01")


def test_a_study_has_a_page_for_each_subject_and_an_index(model, folder, tmp_path, capsys):
    (with_phase(folder) / "sub-02/func/sub-02_task-rest_bold.nii.gz").write_bytes(b"no image")
    out = tmp_path / "out"
    assert predict.main([model, str(folder), str(out), "participant", "--report"]) == 1
    pages = {path.name: path.read_text(encoding="utf-8") for path in out.glob("*.html")}
    assert set(pages) == {"index.html", *(f"sub-{label}.html" for label in LABELS)}
    # The whole page of the scan, pictures and all, is part of its subject's.
    assert "Before and after" in pages["sub-PAT-01.html"] and pages["sub-PAT-01.html"].count("data:image/png") > 8
    assert "Failed: " in pages["sub-02.html"] and "sub-02_task-rest_bold.nii.gz" in pages["sub-02.html"]
    assert all(f'href="sub-{label}.html"' in pages["index.html"] for label in LABELS)
    assert "part-phase is not a magnitude image" in pages["index.html"] and "part-phase is not a magnitude image" in pages["sub-01.html"]
    every = [*pages.values(), *(path.read_text(encoding="utf-8") for path in out.rglob("*_bold.html"))]
    assert len(every) == 6 and not [page for page in every if str(tmp_path) in page]
    # Another day, another run: what was restored before is still there, and named as it is.
    capsys.readouterr()
    assert predict.main([model, str(folder), str(out), "--report", "--participant-label", "PAT-01", "--overwrite"]) == 0
    assert "sub-01_task-rest_desc-denoised_bold.nii.gz" in (out / "index.html").read_text(encoding="utf-8")


def test_a_derivative_of_another_network_is_kept_and_named(model, folder, tmp_path, capsys):
    out = tmp_path / "out"
    assert predict.main([model, str(folder), str(out), "--participant-label", "01"]) == 0
    assert predict.main([model, str(folder), str(out), "--participant-label", "01"]) == 0
    assert "is kept: it was made" not in capsys.readouterr().err
    assert predict.main([model, str(folder), str(out), "--participant-label", "01", "--mirror", "left-right"]) == 0
    assert f"{FUNC.split('/')[-1]}.nii.gz: is kept: it was made with other options" in capsys.readouterr().err
    network = residual_unet((None, None, None, 1), (2, 2), (1, 1))
    checkpoints.save(checkpoint_for(network, "wgan", Config()), tmp_path / "other.h5")
    assert predict.main([str(tmp_path / "other.h5"), str(folder), str(out), "--participant-label", "01"]) == 0
    assert "it was made with another network, model.h5; replace it with --overwrite" in capsys.readouterr().err


def test_a_scan_in_another_subject_s_folder_is_remarked_on(model, folder, tmp_path, capsys):
    func = folder / "sub-01/func"
    (func / "sub-01_task-rest_bold.nii.gz").rename(func / "sub-011_task-rest_bold.nii.gz")
    out = tmp_path / "out"
    assert predict.main([model, str(folder), str(out), "--participant-label", "01"]) == 0
    (path,) = out.rglob("*_bold.json")
    warnings = json.loads(path.read_text())["keras_mri"]["warnings"]
    assert (
        "sub-011_task-rest_bold.nii.gz: lies in the folder of sub-01, and so does its derivative; its name gives another subject"
        in warnings
    )


def test_a_network_says_when_it_meets_another_kind_of_scan(folder, tmp_path, capsys):
    network = residual_unet((None, None, None, 1), (2, 2), (1, 1))
    checkpoints.save(checkpoint_for(network, "wgan", Config(), {"modalities": ["T1w"]}), tmp_path / "model.h5")
    line = [str(tmp_path / "model.h5"), str(folder), str(tmp_path / "out"), "participant"]
    assert predict.main(line) == 2
    assert "no T1w image in the chosen part of" in capsys.readouterr().err
    assert predict.main([*line, "--modality", "bold"]) == 0
    remark = "sub-01_task-rest_bold.nii.gz: is a bold image by its name; the network was trained on T1w, and is applied all the same"
    assert remark in capsys.readouterr().err
    assert remark in json.loads((tmp_path / "out" / (FUNC + ".json")).read_text())["keras_mri"]["warnings"]
