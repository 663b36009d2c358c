"""The benchmark of experiments/: its noise, its files, and which networks it takes."""

import csv
import os

import numpy as np
import pytest
from skimage.io import imread

from experiments import denoising_benchmark as benchmark
from experiments.baselines import BASELINES
from experiments.data import FOLDER
from keras_mri.imaging import phantoms
from keras_mri.networks.residual_unet import residual_slice_unet, residual_unet
from keras_mri.networks.unet3d import unet3d
from keras_mri.saving import checkpoints
from keras_mri.systems.cnn import settings as cnn
from keras_mri.systems.network_files import checkpoint_for
from keras_mri.systems.sr import settings as sr
from keras_mri.systems.wgan import settings as wgan


@pytest.fixture
def networks(tmp_path):
    """Files of untrained networks, which give back what they get; and one that is no denoiser."""
    kinds = {
        "slices": (residual_slice_unet(filters=(2, 3), depths=(1, 1)), "cnn", cnn),
        "frame": (residual_unet((None, None, None, 1), (2, 2), (1, 1)), "wgan", wgan),
        "frames": (residual_unet((None, None, None, 5), (2, 2), (1, 1)), "wgan", wgan),
        "finer": (unet3d(2, 2, residual=True, normalization="none"), "sr", sr),
    }
    for name, (network, system, settings) in kinds.items():
        checkpoints.save(checkpoint_for(network, system, settings.Config()), tmp_path / f"{name}.h5")
    return [str(tmp_path / f"{name}.h5") for name in kinds]


def rows_of(folder):
    with open(folder / "benchmark.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_a_volume_gives_table_text_and_figure(networks, tmp_path, capsys):
    out = tmp_path / "out"
    benchmark.main(["phantom", "--quick", "--networks", *networks, "n2a_t1w", "--baselines", "wavelet", "-o", str(out)])
    rows = rows_of(out)
    methods = ["input as is", "Gaussian, best of 8 FWHM", "scikit-image wavelet", "ours: slices", "ours: frame", "ours: n2a_t1w"]
    # Filters whose package is not installed are left out, and that is said.
    said = capsys.readouterr().out
    methods = [method for method in methods if f"skipped {method}" not in said]
    assert list(dict.fromkeys(row["method"] for row in rows)) == methods
    assert "skipped frames.h5" in said and "skipped finer.h5" in said
    score = {(row["method"], float(row["percent"])): float(row["psnr"]) for row in rows}
    # Of white noise of p %, by definition: -20 log10(p / 100).
    for percent, wanted in ((1, 40.00), (5, 26.02), (15, 16.48)):
        assert score["input as is", percent] == pytest.approx(wanted, abs=0.1)
        # What an untrained network gives back is its input, but for what is below zero and the background.
        assert score["ours: slices", percent] == pytest.approx(score["input as is", percent], abs=0.05)
        assert score["Gaussian, best of 8 FWHM", percent] > score["input as is", percent] - 0.1
    assert score["ours: n2a_t1w", 15] > score["input as is", 15] + 3
    text = (out / "benchmark.md").read_text()
    assert "| ours: n2a_t1w | blind |" in text and "p = 15" in text and "SSIM" in text and "phantom, gaussian noise" in text
    assert min(imread(out / "benchmark.png").shape[:2]) > 300
    assert {"seconds", "cpu_seconds", "peak_mb", "kind", "seed", "noise", "ssim"} <= set(rows[0])


def test_a_run_is_scored_at_its_middle_frame_against_its_mean(networks, tmp_path, write_nifti, affine):
    data, *_ = phantoms.bold_run((20, 18, 12, 7), amplitude=0, drift=0)
    path = str(write_nifti(data))
    scan = benchmark.load_scan(path)
    assert scan.frames.shape == (20, 18, 12, 7) and scan.tested == 3 and scan.truth.max() == 1
    np.testing.assert_allclose(scan.truth, data[..., 0] / data.max(), atol=1e-6)
    arguments = ["--networks", *networks, "--baselines", "none", "--percent", "5", "--seeds", "0", "1", "--noise", "rician"]
    benchmark.main([path, *arguments, "-o", str(tmp_path / "out")])
    rows = rows_of(tmp_path / "out")
    assert {row["method"] for row in rows if row["method"].startswith("ours")} == {"ours: slices", "ours: frame", "ours: frames"}
    # Two draws for ours and the input, one for what is told more.
    assert [sum(row["method"] == name for row in rows) for name in ("ours: frames", "input as is", "Gaussian, best of 8 FWHM")] == [2, 2, 1]


def test_noise_that_is_not_what_it_should_be_stops_everything(rng):
    scan = benchmark.load_scan("phantom", quick=True)
    noisy = scan.frames + 0.06 * rng.standard_normal(scan.frames.shape, dtype=np.float32)
    benchmark._check_noise(scan, noisy, 0.06, "gaussian")
    with pytest.raises(AssertionError, match="noise of SD 0.05 has a PSNR of 24.4"):
        benchmark._check_noise(scan, noisy, 0.05, "gaussian")


def test_noise_of_other_kinds_is_drawn_anew_for_each_frame(rng):
    frames = np.full((20, 18, 16, 2), 0.5, np.float32)
    noise = benchmark.with_noise(frames, "smoothed", 0.1, rng) - frames
    assert noise.std() == pytest.approx(0.1, rel=0.1) and abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.1
    # White in the third axis, not in the first.
    noise = benchmark.with_noise(frames, "zero-filled .5", 0.1, rng)[..., 0] - 0.5
    pairs = (noise[:-1], noise[1:]), (noise[..., :-1], noise[..., 1:])
    neighbours = [np.corrcoef(first.ravel(), second.ravel())[0, 1] for first, second in pairs]
    assert neighbours == pytest.approx([0.63, 0], abs=0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["nowhere.nii"], "nowhere.nii is not a file"), (["phantom", "--networks", "wgann"], "no pre-trained network 'wgann'")],
)
def test_what_cannot_be_opened_is_one_message(tmp_path, arguments, message):
    with pytest.raises(SystemExit, match=message):
        benchmark.main([*arguments, "--quick", "-o", str(tmp_path / "out")])


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="only Linux tells the peak of a part of a process")
def test_method_memory_is_the_peak_of_the_block():
    from experiments.data import method_memory

    with method_memory() as before:
        pass
    with method_memory() as during:
        np.ones(40_000_000, np.float32).sum()
    with method_memory() as after:
        pass
    assert during.peak_mb > before.peak_mb + 100
    assert after.peak_mb < during.peak_mb - 100


@pytest.mark.slow
@pytest.mark.parametrize(
    "image",
    [
        "phantom",
        pytest.param(
            "t1w", marks=[pytest.mark.real_data, pytest.mark.skipif(not (FOLDER / "adi-t1t2").is_dir(), reason="needs the scans")]
        ),
        pytest.param(
            "bold", marks=[pytest.mark.real_data, pytest.mark.skipif(not (FOLDER / "forrest-bold").is_dir(), reason="needs the scans")]
        ),
    ],
)
def test_the_quick_form_runs_with_every_filter_that_is_installed(tmp_path, image, capsys):
    benchmark.main([image, "--quick", "-o", str(tmp_path)])
    rows = rows_of(tmp_path)
    expected = {name for name, (_, _, whole) in BASELINES.items() if image == "bold" or not whole}
    said = capsys.readouterr().out
    ran = {row["method"] for row in rows}
    assert expected - ran == {name for name in expected if f"skipped {name}" in said}
    assert all(np.isfinite(float(row["psnr"])) and float(row["ssim"]) <= 1 for row in rows)
    # Under 3 minutes on two cores that do nothing else: the processor's time, not the clock's.
    assert sum(float(row["cpu_seconds"]) for row in rows) < 2 * 150


def test_networks_that_learnt_from_a_head_are_not_scored_on_it_unless_they_are_named():
    names = {image: [os.path.basename(path) for path in benchmark.strangers(image)] for image in (None, "t1w", "bold", "scan.nii.gz")}
    assert names["t1w"] == names[None] and "wgan_t1w.h5" in names["t1w"] and "wgan_epi.h5" not in names["t1w"]
    assert names["bold"] == ["wgan_epi.h5"] and {"wgan_epi.h5", "wgan_t1w.h5"} <= set(names["scan.nii.gz"])
