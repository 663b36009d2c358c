"""The evaluate command: its numbers, its three forms of output, and what it refuses."""

import csv
import json
import math

import numpy as np
import pytest
from scipy import ndimage
from skimage.metrics import structural_similarity

from keras_mri import evaluate
from keras_mri.imaging import phantoms


@pytest.fixture
def scans(write_nifti):
    """A head, the same with noise of 5 % of its maximum, and its brain: paths."""
    truth, brain = phantoms.head((33, 29, 25))
    noisy = phantoms.noisy_volume(truth, 0.05 * float(truth.max()), seed=1).data
    return [str(write_nifti(d, n)) for d, n in ((truth, "truth.nii.gz"), (noisy, "noisy.nii.gz"), (brain.astype(np.uint8), "brain.nii.gz"))]


def _rows(capsys, arguments):
    """Run the command with --json: its images."""
    assert evaluate.main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("percent", [1, 3, 9])
def test_the_psnr_of_a_noisy_scan_is_that_of_its_noise(write_nifti, capsys, percent):
    truth, _ = phantoms.head((33, 29, 25))
    noisy = phantoms.noisy_volume(truth, percent / 100 * float(truth.max()), seed=2).data
    (row,) = _rows(capsys, [write_nifti(truth, "truth.nii"), write_nifti(noisy, "noisy.nii")])["images"]
    expected = 20 * math.log10(100 / percent)
    assert [row["psnr"], row["psnr_in"], row["psnr_out"]] == pytest.approx([expected] * 3, abs=0.2)


def test_json_names_the_reference_the_peak_and_the_region(scans, capsys):
    truth, noisy, brain = scans
    answer = _rows(capsys, [truth, noisy, noisy, "--mask", brain, "--data-range", 1500])
    assert (answer["reference"], answer["data_range"], answer["region"]) == (truth, 1500, f"inside {brain}")
    assert [row["image"] for row in answer["images"]] == [noisy, noisy]
    assert set(answer["images"][0]) == {"image"} | {m + r for m in ("psnr", "ssim", "nrmse") for r in ("", "_in", "_out")}


def test_numbers_in_a_mask_are_those_of_numpy_and_scikit_image(scans, capsys):
    truth, brain = phantoms.head((33, 29, 25))
    image = phantoms.noisy_volume(truth, 0.05 * float(truth.max()), seed=1).data
    (row,) = _rows(capsys, [*scans[:2], "--mask", scans[2]])["images"]
    squares = (image.astype(float) - truth) ** 2
    _, similarity = structural_similarity(truth, image, win_size=7, data_range=truth.max(), full=True)
    for suffix, region in (("", brain | True), ("_in", brain), ("_out", ~brain)):
        assert row["psnr" + suffix] == pytest.approx(20 * math.log10(truth.max() / math.sqrt(squares[region].mean())), abs=1e-3)
        assert row["nrmse" + suffix] == pytest.approx(math.sqrt(squares[region].sum() / (truth[region].astype(float) ** 2).sum()), rel=1e-4)
        assert row["ssim" + suffix] == pytest.approx(similarity[region].mean(), abs=1e-4)


def test_the_table_has_a_heading_and_a_line_for_each_image(scans, capsys):
    assert evaluate.main([*scans[:2], scans[1]]) == 0
    first, heading, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith(f"reference {scans[0]}, data range ")
    assert first.endswith("“in” is where the reference exceeds 10/255 of the data range")
    assert heading.split() == ["image", *(m + r for r in ("", "_in", "_out") for m in ("psnr", "ssim", "nrmse"))]
    assert len({len(line) for line in (heading, *lines)}) == 1
    assert [line.split()[0] for line in lines] == [scans[1]] * 2
    assert float(lines[0].split()[1]) == pytest.approx(20 * math.log10(20), abs=0.2)


def test_the_csv_repeats_the_table_and_is_not_overwritten(scans, capsys, tmp_path):
    path = tmp_path / "out.csv"
    (row,) = _rows(capsys, [*scans[:2], "--mask", scans[2], "--csv", path])["images"]
    with open(path, newline="") as file:
        (read,) = csv.DictReader(file)
    assert read.pop("image") == row.pop("image")
    assert float(read.pop("data_range")) == pytest.approx(float(phantoms.head((33, 29, 25))[0].max()))
    assert {name: float(value) for name, value in read.items()} == row
    assert evaluate.main([*scans[:2], "--csv", str(path)]) == 2
    assert "out.csv exists" in capsys.readouterr().err
    assert evaluate.main([*scans[:2], "--csv", str(path), "--overwrite"]) == 0


def test_infinity_is_null_in_json(scans, capsys):
    (row,) = _rows(capsys, [scans[0], scans[0]])["images"]
    assert row["psnr"] is None
    assert (row["nrmse"], row["ssim"]) == (0, pytest.approx(1))


def test_a_run_also_gets_its_tsnr_and_smoothness(write_nifti, capsys):
    clean, brain, *_ = phantoms.bold_run((17, 15, 13, 20), amplitude=0, drift=0)
    noisy = phantoms.noisy_volume(clean, 10.0, seed=3).data
    paths = [write_nifti(d, n) for d, n in ((clean[..., 0], "truth.nii"), (noisy, "run.nii"), (brain.astype(np.uint8), "brain.nii"))]
    (row,) = _rows(capsys, [*paths[:2], "--mask", paths[2]])["images"]
    assert row["tsnr"] == pytest.approx(np.median((noisy.mean(-1) / noisy.std(-1, ddof=1))[brain]), rel=1e-4)
    assert row["psnr"] == pytest.approx(20 * math.log10(clean[..., 0].max() / 10), abs=0.2)
    # White noise is narrower than the smallest voxel side.
    assert row["fwhm"] is None or row["fwhm"] < 2.0


def test_a_mask_on_another_grid_exits_2_and_prints_both_grids(scans, write_nifti, capsys):
    mask = write_nifti(np.eye(25, dtype=np.uint8)[:, :, None], "small.nii")
    assert evaluate.main([*scans[:2], "--mask", str(mask)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("keras_mri: error: the mask must lie on the grid of the image.\n")
    assert f"{scans[0]}  shape (33, 29, 25)" in captured.err
    assert f"{mask}  shape (25, 25, 1)" in captured.err


@pytest.mark.parametrize("peak", ["-5", "0", "nan"])
def test_a_data_range_that_is_not_positive_is_refused_by_its_name(scans, capsys, peak):
    assert evaluate.main([*scans[:2], f"--data-range={peak}"]) == 2
    error = capsys.readouterr().err
    assert "--data-range" in error
    assert "reference whose maximum" not in error


def test_a_reference_without_positive_values_needs_a_data_range(write_nifti, capsys, rng):
    path = str(write_nifti(-rng.random((9, 8, 7)).astype(np.float32) - 1))
    assert evaluate.main([path, path]) == 2
    assert "cannot be taken from a reference whose maximum is -1" in capsys.readouterr().err
    assert evaluate.main([path, path, "--data-range", "5"]) == 2
    assert "no voxel of the reference is brighter than 10/255 of the data range; give the region with --mask" in capsys.readouterr().err


def test_nan_is_refused_unless_it_is_to_be_read_as_zero(scans, write_nifti, capsys):
    data = phantoms.head((33, 29, 25))[0]
    data[16, 14, 12] = np.nan
    path = str(write_nifti(data, "nan.nii"))
    assert evaluate.main([scans[0], path]) == 2
    assert "NaN or infinity in 1 voxels, the first at (16, 14, 12)" in capsys.readouterr().err
    assert evaluate.main([scans[0], path, "--replace-nonfinite"]) == 0


@pytest.fixture
def runs(write_nifti, rng):
    """A noisy run of 30 frames and two denoisers' results, half of the noise removed and blurred; and the brain: paths."""
    clean, brain = phantoms.head((22, 20, 18))
    noise = rng.normal(0, 20, (*clean.shape, 30))
    noisy = clean[..., None] + noise
    blurred = ndimage.gaussian_filter(noisy, (0.6, 0.6, 0.6, 0))
    arrays = {"noisy": noisy, "denoised": noisy - noise / 2, "blurred": blurred, "brain": brain}
    return {name: str(write_nifti(data.astype(np.float32), f"{name}.nii.gz")) for name, data in arrays.items()}


def test_results_of_any_denoiser_are_judged_without_a_reference(runs, capsys):
    answer = _rows(capsys, ["--before", runs["noisy"], runs["denoised"], runs["blurred"], "--mask", runs["brain"]])
    assert answer["before"] == runs["noisy"]
    denoised, blurred = answer["images"]
    assert [row["image"] for row in (denoised, blurred)] == [runs["denoised"], runs["blurred"]]
    assert [row["verdict"] for row in (denoised, blurred)] == ["noise removed", "anatomy removed"]
    assert denoised["noise"] == blurred["noise"] == pytest.approx(20, rel=0.03)
    assert denoised["share"] == pytest.approx(0.5, abs=0.02) and denoised["tsnr_after"] == pytest.approx(
        2 * denoised["tsnr_before"], rel=0.01
    )
    assert denoised["anatomy"] < 0.01 and blurred["anatomy"] > 0.3


def test_the_table_before_and_after_ends_with_the_verdict(runs, capsys):
    assert evaluate.main([runs["denoised"], runs["blurred"], "--before", runs["noisy"]]) == 0
    first, heading, denoised, blurred, remark = capsys.readouterr().out.splitlines()
    assert first == f"before {runs['noisy']}; noise from differences of frames, in the brain; anatomy is the share of the removed power"
    expected = (
        "image noise removed share anatomy tsnr_before tsnr_after fwhm_before fwhm_after autocorrelation_before autocorrelation_after"
    )
    assert heading.split() == [*expected.split(), "verdict"]
    assert denoised.endswith("  noise removed") and blurred.endswith("  anatomy removed") and len(denoised) == len(heading)
    assert remark.startswith(f"{runs['blurred']}: more than 10 % of what was removed is anatomy")


def test_the_csv_of_verdicts_has_every_number(runs, capsys, tmp_path):
    path = tmp_path / "out.csv"
    (row,) = _rows(capsys, ["--before", runs["noisy"], runs["denoised"], "--csv", path])["images"]
    with open(path, newline="") as file:
        (read,) = csv.DictReader(file)
    assert list(read) == list(row) and float(read["removed"]) == row["removed"] and read["keep_measured"] == ""


def test_a_pair_of_volumes_is_judged_too(scans, capsys):
    truth, noisy, brain = scans
    (row,) = _rows(capsys, ["--before", noisy, truth, "--mask", brain])["images"]
    assert (row["noise_from"], row["anatomy_from"], row["tsnr_before"], row["verdict"]) == ("air", "edges", None, "noise removed")
    assert evaluate.main(["--before", noisy, truth]) == 0
    assert "tsnr" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("{noisy}", "no scan to compare with the reference. Name one after it, or name the input of a denoiser with --before."),
        ("--before {noisy}", "REFERENCE"),
        ("--before {noisy} {noisy}", "noisy.nii.gz is named twice. Expected different files: the input of a denoiser with --before"),
        ("--before {noisy} {denoised} {denoised}", "denoised.nii.gz is named twice"),
        ("--before {noisy} {brain}", "the images must have the same number of frames. Received: 30 in "),
        ("--before {noisy} {small}", "the images must lie on one grid"),
        ("--before {noisy} {denoised} --mask {small}", "the mask {small} must be 3D"),
        ("--before {noisy} {denoised} --data-range 5", "--data-range belongs to a comparison with a reference. Leave it out"),
        ("--before nowhere.nii {denoised}", "nowhere.nii is not a file"),
    ],
)
def test_what_cannot_be_judged_gets_one_message_and_exit_2(arguments, message, runs, write_nifti, rng, capsys):
    names = {**runs, "small": str(write_nifti(rng.random((9, 8, 7, 30)).astype(np.float32), "small.nii"))}
    assert evaluate.main(arguments.format(**names).split()) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and message.format(**names) in captured.err and captured.err.count("keras_mri: error") == 1
