"""The tables of experiments/05_pretrained: share of the possible gain in closed form, crops, rows that outlive a stop, the Markdown."""

import importlib
import pathlib

import numpy as np
import pytest
from skimage.io import imread

from experiments.data import read_rows
from keras_mri.networks.residual_unet import residual_unet
from keras_mri.saving import checkpoints
from keras_mri.systems.network_files import checkpoint_for
from keras_mri.systems.wgan import settings as wgan

denoisers, gain, head_tables, heads, real_noise, rows, simulated = (
    importlib.import_module(f"experiments.05_pretrained.{name}")
    for name in ("denoisers", "gain", "head_tables", "heads", "real_noise", "rows", "simulated")
)
SIGMA = 2.0


@pytest.fixture
def white(rng):
    """Frames of a ramp with white noise of SD 2, without drift; the ramp; everywhere."""
    ramp = np.broadcast_to(100 + np.arange(30.0)[:, None, None], (30, 28, 26)).astype(np.float32)
    frames = ramp[..., None] + SIGMA * rng.standard_normal((*ramp.shape, 4), dtype=np.float32)
    return frames, ramp, np.ones(ramp.shape, bool)


def test_the_share_of_the_gain_is_0_as_it_is_and_1_without_noise(white):
    frames, ramp, mask = white
    others = gain.others(frames, 1)
    np.testing.assert_allclose(others, frames[..., [0, 2, 3]].mean(axis=-1), rtol=1e-5)
    before, free = gain.distance(frames[..., 1], others, mask), gain.distance(ramp, others, mask)
    # σ √(1 + 1/3) and σ √(1/3).
    assert before == pytest.approx(SIGMA * np.sqrt(4 / 3), rel=0.01) and free == pytest.approx(SIGMA / np.sqrt(3), rel=0.01)
    assert gain.share(before, before, 4) == gain.share_of_rms(before, before, 4) == 0
    assert gain.share(before, free, 4) == pytest.approx(1, abs=0.02) and gain.share_of_rms(before, free, 4) == pytest.approx(1, abs=0.02)
    assert gain.share_of_noise(before, free, SIGMA) == pytest.approx(1, abs=0.02)
    # Half of the noise's amplitude: a quarter of its variance is left.
    half = gain.distance((frames[..., 1] + ramp) / 2, others, mask)
    assert gain.share(before, half, 4) == pytest.approx(0.75, abs=0.02)
    # 4/3, 1/12 + … : (√(4/3) − √(1/4 + 1/3)) / (√(4/3) − √(1/3)).
    wanted = (np.sqrt(4 / 3) - np.sqrt(7 / 12)) / (np.sqrt(4 / 3) - np.sqrt(1 / 3))
    assert gain.share_of_rms(before, half, 4) == pytest.approx(wanted, abs=0.02)
    assert gain.share(1.0, 1.1, 4) < 0


def test_drift_lowers_the_share_but_not_that_of_noise(white):
    frames, ramp, mask = white
    drifting = frames + np.float32(3) * np.arange(4, dtype=np.float32)
    assert gain.noise_of_frames(drifting, mask) == pytest.approx(SIGMA, rel=0.02)
    # The last frame is 3 · 2 = 6 above the mean of the others; a noise-free one, too.
    others = gain.others(drifting, 3)
    before, free = gain.distance(drifting[..., 3], others, mask), gain.distance(ramp + 9, others, mask)
    assert before == pytest.approx(np.sqrt(36 + SIGMA**2 * 4 / 3), rel=0.01)
    assert gain.share(before, free, 4) < 0.2 and gain.share_of_noise(before, free, SIGMA) == pytest.approx(1, abs=0.1)


def test_noise_of_a_pair_is_that_of_its_difference_and_spectra_are_found(white, rng):
    frames, ramp, mask = white
    assert gain.noise_of_frames(frames[..., :2], mask) == pytest.approx(SIGMA, rel=0.01)
    assert gain.neighbours_of_frames(frames, mask) == pytest.approx([0, 0, 0], abs=0.02)
    flat = gain.spectrum_of_frames(frames, mask, width=3)
    assert flat.shape == mask.shape and flat.mean() == pytest.approx(1) and flat.std() < 0.1
    # Means of neighbours along x: correlation ½, power 2 cos²(π f).
    pairs = (frames + np.roll(frames, 1, axis=0)) / np.sqrt(2)
    assert gain.neighbours_of_frames(pairs, mask) == pytest.approx([0.5, 0, 0], abs=0.04)
    profile = gain.spectrum_of_frames(pairs, mask, width=1).mean(axis=(1, 2))
    np.testing.assert_allclose(profile, 2 * np.cos(np.pi * np.fft.fftfreq(30)) ** 2, atol=0.25)


def test_quiet_voxels_are_those_without_pulsation(white, rng):
    frames, ramp, mask = white
    frames[:8] += 10 * rng.standard_normal(frames[:8].shape, dtype=np.float32)
    quiet = gain.quiet(frames, mask)
    assert not quiet[:6].any() and quiet[12:].all()


def test_every_head_of_the_tests_is_named_once_and_no_person_of_a_training_is_among_them():
    assert len(heads.NAMES) == 16 and {heads.group_of(name) for name in heads.NAMES} == set(heads.GROUPS)
    files = [file for source in heads._SOURCES.values() for file in source.files]
    learnt = ("label-maps", "forrest-t1w", "prisma", "epi-short", "head01", "head04", "head08", "head09", "head10")
    assert not [file for file in files if any(part in file for part in learnt)]


def test_a_crop_begins_in_the_air_beside_the_head():
    data = np.full((50, 60, 40), 0.1)
    data[20:45, 10:55, 5:38] = 100
    box = heads.crop(data, (24, 30, 20))
    # The brightened voxels reach one further, by the mean over 3³.
    assert [(part.start, part.stop) for part in box] == [(13, 37), (17, 47), (11, 31)]
    assert heads.crop(data, (24, 30, 20), end=True)[0] == slice(26, 50)
    assert heads.crop(data[:, :, :12], (24, 30, 20))[2] == slice(0, 12)


def test_scores_of_a_crop_are_what_was_done_to_it(rng):
    clean = np.zeros((40, 30, 20), np.float32)
    clean[12:, 4:26, 3:17], clean[13:26, 5:25, 4:16] = 0.5, 1.0
    head = heads.head("box", "T1w", clean, np.eye(4))
    known = denoisers.Known(clean, head.region, 0.05)
    scores = simulated.score(head, clean, known, clean + np.float32(0.05))
    assert scores["psnr"] == pytest.approx(-20 * np.log10(0.05), abs=1e-3)
    assert [scores[name] for name in ("air", "dark", "bright")] == pytest.approx([5, 5, 5], abs=1e-4) and scores["zeros"] == 100
    assert simulated.score(head, clean, known, clean)["zeros"] == 0 and not (head.air & head.region).any()
    assert simulated.score(head, clean, known, clean)["psnr"] == np.inf


def test_the_best_gaussian_is_never_worse_than_none_and_bias_goes(rng):
    truth = rng.standard_normal((12, 10, 8)).astype(np.float32)
    known = denoisers.Known(truth, np.ones(truth.shape, bool), 0.1)
    assert denoisers.FILTERS["best Gaussian"].restore(truth, known, None) is truth
    # √(A² + σ²) is what is left of A where the mean of squares is right; below σ nothing is.
    np.testing.assert_allclose(denoisers.without_bias(np.float32([5, np.sqrt(26), 0.5]), 1.0), [np.sqrt(24), 5, 0], rtol=1e-6)
    assert denoisers.groups_of("a/wgan_t1w.h5") == ("T1w",) and denoisers.groups_of("wgan_any") == heads.GROUPS


def test_rows_are_kept_over_a_stop_and_forgotten_with_their_network(tmp_path):
    columns = ("head", "noise", "percent", "method", "network", "psnr")
    row = dict(head="h", noise="white", percent=5, method="ours: n", network="aaaa", psnr=30.123456)
    first = rows.Rows(tmp_path / "r.csv", columns)
    first.add(row)
    first.add(row | dict(method="BM4D", network=""))
    again = rows.Rows(tmp_path / "r.csv", columns)
    assert row in again and row | dict(percent=5.0) in again and row | dict(percent=9) not in again
    assert read_rows(tmp_path / "r.csv")[0]["psnr"] == "30.123"
    again.forget("ours: n", "aaaa")
    assert row in again
    again.forget("ours: n", "bbbb")
    assert row not in again and [kept["method"] for kept in read_rows(tmp_path / "r.csv")] == ["BM4D"]


def write(folder):
    """Write rows of two heads and a run: ours is 2 dB above its input where BM4D is 1 dB above it."""
    table, psnrs = rows.Rows(folder / "simulated_filters.csv", simulated.COLUMNS), {"input": 26, "best Gaussian": 26.5, "BM4D": 27}
    for network, added in (("", psnrs), ("abcd", {"ours: wgan_t1w": 28})):
        table = rows.Rows(folder / f"simulated_{'networks' if network else 'filters'}.csv", simulated.COLUMNS)
        for number, head in enumerate(("one", "two")):
            for method, value in added.items():
                for noise in ("white", "rician"):
                    facts = dict(head=head, group="T1w", noise=noise, percent=5, method=method, network=network, told="")
                    air = 0.3 if network else 6.0
                    table.add(facts | dict(psnr=value + number, ssim=0.9, air=air, dark=0.1, bright=-0.1, zeros="", seconds=1.0))
        real = rows.Rows(folder / f"real_{'networks' if network else 'filters'}.csv", real_noise.COLUMNS)
        for frame in "12":
            method = "ours: wgan_t1w" if network else "input"
            facts = dict(set="ge-seepi", frame=frame, method=method, network=network, told="", count=4, d_in=2.0, sigma=1.5)
            after = 1.5 if network else 2.0
            share = gain.share(2.0, after, 4)
            facts |= dict(d_out=after, share=share, share_rms=share, share_noise=share, quiet_in=1.0, quiet_out=0.5)
            real.add(facts | dict(zeros=0.0, x=0.4, y=0.3, z=0.0, seconds=1.0))


def test_tables_have_means_over_heads_and_set_ours_against_what_was_asked(tmp_path, capsys):
    write(tmp_path)
    assert head_tables.main(["--folder", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "| ours: wgan_t1w |  | 28.50 ± 0.71 | 28.50 ± 0.71 |" in text and "mean ± SD over 2 heads (one, two)" in text
    # (4 − 2.25) / (4 − 1) of the gain, 1.5 / 2 is left; (2 − 1.5) / (2 − 1), 1.75 / 1.5², in quiet voxels (1 − .25) / (1 − .25).
    assert "0.583 (0.583); 0.750" in text and "0.500; 0.778; 1.000" in text
    assert "| ours: wgan_t1w, ge-seepi | ≥ .4, never < 0 | 0.583 (lowest 0.583) |" in text
    # 1.5² · 4/3 / 2².
    assert "| noise's part of d_in² |  | 0.75 |" in text
    assert "told σ: ≥ −0.3, 0, 0, 0, 0 dB | —, —, +1.00 (+1.00), —, — |" in text
    assert "worst row − input: ≥ −0.05 dB | +2.00 (" in text and "over the input's: ≤ .1 | +0.05, — |" in text
    assert min(imread(tmp_path / "heads.png").shape[:2]) > 300


def test_tables_without_any_rows_are_empty(tmp_path, capsys):
    assert head_tables.main(["--folder", str(tmp_path)]) == 0 and capsys.readouterr().out.strip() == ""


@pytest.mark.parametrize("module", [simulated, real_noise])
def test_a_network_that_is_not_there_is_one_message(module, tmp_path):
    with pytest.raises(SystemExit, match="error: there is no pre-trained network 'wgann'"):
        module.main(["networks", "wgann", "-o", str(tmp_path)])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("module", [simulated, real_noise])
def test_networks_have_to_be_named(module, capsys):
    for arguments, message in ((["networks"], "name the networks"), (["filters", "wgan_t1w"], "takes no networks")):
        with pytest.raises(SystemExit, match="2"):
            module.main(arguments)
        assert message in capsys.readouterr().err


def save_untrained(path, filters):
    """Save an untrained network, which gives back what it gets."""
    network = residual_unet((None, None, None, 1), filters, (1, 1))
    checkpoints.save(checkpoint_for(network, "wgan", wgan.Config()), path)
    return str(path)


@pytest.fixture
def untrained(tmp_path):
    return save_untrained(tmp_path / "wgan_epi.h5", (2, 2))


def test_seconds_are_those_of_whole_predictions(untrained, write_nifti, rng, capsys):
    seconds = importlib.import_module("experiments.05_pretrained.seconds")
    path = write_nifti(rng.random((20, 18, 16), dtype=np.float32))
    assert seconds.main([untrained, "--scan", str(path), "--repeats", "2"]) == 0
    text = capsys.readouterr().out
    assert "20 × 18 × 16 voxels, " in text and "then median" in text and "peak memory" in text


def test_a_network_is_scored_on_its_heads_and_again_once_its_file_is_another(untrained, tmp_path, monkeypatch, rng):
    crops = {name: heads.head(name, group, rng.random((16, 16, 16)), np.eye(4)) for name, group in (("a", "EPI"), ("b", "T1w"))}
    monkeypatch.setattr(heads, "NAMES", tuple(crops))
    monkeypatch.setattr(heads, "load", crops.get)
    monkeypatch.setattr(heads, "group_of", lambda name: crops[name].group)
    monkeypatch.setattr(simulated, "CASES", (("white", 5), ("growing", 5)))
    for _ in range(2):
        assert simulated.main(["networks", untrained, "-o", str(tmp_path)]) == 0
    found = read_rows(tmp_path / "simulated_networks.csv")
    assert [(row["head"], row["noise"]) for row in found] == [("a", "white"), ("a", "growing")]
    assert found[0]["method"] == "ours: wgan_epi" and len(found[0]["network"]) == 8
    # The SD of the noise is 5 % of the range; in growing noise the mean square exceeds the squared mean.
    assert float(found[0]["psnr"]) == pytest.approx(26.02, abs=0.3) and float(found[1]["psnr"]) < float(found[0]["psnr"])
    pathlib.Path(untrained).unlink()
    save_untrained(untrained, (2, 3))
    assert simulated.main(["networks", untrained, "--all-heads", "-o", str(tmp_path)]) == 0
    again = read_rows(tmp_path / "simulated_networks.csv")
    assert len(again) == 4 and again[0]["network"] != found[0]["network"]


def test_frames_are_scored_against_the_mean_of_the_others(untrained, tmp_path, white, monkeypatch):
    frames, ramp, mask = white
    repeats = real_noise.Repeats("run", ("0", "2"), (0, 2), frames, mask, np.eye(4))
    monkeypatch.setattr(real_noise, "SETS", {"run": lambda: iter([repeats])})
    assert real_noise.main(["filters", "--filters", "input", "best Gaussian", "-o", str(tmp_path), "--sets", "run"]) == 0
    assert real_noise.main(["networks", untrained, "-o", str(tmp_path), "--sets", "run"]) == 0
    found = {row["method"]: row for row in head_tables.rows_of(tmp_path, "real") if row["frame"] == "2"}
    # σ is 2 % of a mean of 114.5; the truth of 3 frames adds a third of its variance.
    assert found["input"]["d_in"] == pytest.approx(100 * SIGMA * np.sqrt(4 / 3) / 114.5, rel=0.02) and found["input"]["share"] == 0
    assert found["input"]["sigma"] == pytest.approx(100 * SIGMA / 114.5, rel=0.02)
    # White noise on a ramp is what a Gaussian is good at.
    assert found["best Gaussian"]["share"] > 0.9
    assert found["ours: wgan_epi"]["share"] == pytest.approx(0, abs=0.01) and found["ours: wgan_epi"]["zeros"] is None
