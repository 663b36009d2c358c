import hashlib
import re

import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.imaging import phantoms
from keras_mri.imaging.intensity import fit_scaling
from keras_mri.imaging.kspace import resampled, truncated
from keras_mri.imaging.metrics import psnr
from keras_mri.imaging.noise import add_gaussian_noise
from keras_mri.io.nifti_reading import open_image
from keras_mri.io.volumes import Volume
from keras_mri.saving import checkpoints, pretrained
from keras_mri.systems import that_restore
from keras_mri.systems.ldm import system as ldm
from keras_mri.systems.ldm.settings import GenerateConfig, PredictConfig
from keras_mri.systems.network_files import load_network
from keras_mri.systems.wgan.run_channels import run_channels


def test_a_network_is_found_in_the_first_folder_that_has_it(tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    (folders[1] / "n2a_t1w.h5").touch()
    assert pretrained.path_of("n2a_t1w.h5", folders) == folders[1] / "n2a_t1w.h5"
    (folders[0] / "n2a_t1w.h5").touch()
    assert pretrained.path_of("n2a_t1w.h5", folders) == folders[0] / "n2a_t1w.h5"


def test_a_network_that_is_nowhere_is_an_error_that_names_the_folders(tmp_path):
    with pytest.raises(InputError, match="n2a_t1w.h5 was not found in .*one or .*two. Copy it there, or train without it"):
        pretrained.path_of("n2a_t1w.h5", [tmp_path / "one", tmp_path / "two"])


def test_the_start_of_noise2average_is_in_this_checkout():
    assert pretrained.path_of("n2a_t1w.h5").stat().st_size <= 5_000_000


@pytest.fixture
def folders(tmp_path):
    """Two folders: networks of the first hide those of the same name in the second."""
    places = [tmp_path / "one", tmp_path / "two"]
    for place, names in zip(places, (["wgan_epi", "n2a_t1w"], ["n2a_epi", "n2a_t1w", "sr_t1w_7t", "ldm_bold"])):
        place.mkdir()
        for name in names:
            (place / f"{name}.h5").touch()
    return [*places, tmp_path / "three"]


def test_networks_have_a_full_and_a_short_name(folders):
    one, two, _ = folders
    assert pretrained.networks(("wgan", "sr", "n2a"), folders) == {
        "wgan_epi": one / "wgan_epi.h5",
        "n2a_epi": two / "n2a_epi.h5",
        "n2a_t1w": one / "n2a_t1w.h5",
        "sr_t1w_7t": two / "sr_t1w_7t.h5",
        "ldm_bold": two / "ldm_bold.h5",
        # One scan is enough for wgan; n2a needs repetitions.
        "epi": one / "wgan_epi.h5",
        "t1w": one / "n2a_t1w.h5",
        "t1w_7t": two / "sr_t1w_7t.h5",
    }


def test_the_order_of_the_systems_decides_whose_a_short_name_is(folders):
    assert pretrained.resolve("epi", ("n2a", "wgan"), folders).name == "n2a_epi.h5"
    assert set(pretrained.networks((), folders)) == {"wgan_epi", "n2a_epi", "n2a_t1w", "sr_t1w_7t", "ldm_bold"}
    # The commands take the order of the table of systems.
    assert pretrained.networks(that_restore(), folders)["epi"].name == "wgan_epi.h5"


def test_the_network_of_thick_slices_is_called_as_its_system(folders):
    for name in ("sr_any", "wgan_any"):
        (folders[1] / f"{name}.h5").touch()
        known = pretrained.networks(("wgan", "sr", "n2a"), folders)
        # The denoiser of any scan is "any", whether it is there or not.
        assert known["sr"] == known["sr_any"] == folders[1] / "sr_any.h5"
        assert known.get("any") == (folders[1] / "wgan_any.h5" if name == "wgan_any" else None)


def test_epi_denoises_whatever_else_there_is(tmp_path):
    (tmp_path / "sr_epi.h5").touch()
    assert pretrained.networks(("wgan", "sr"), [tmp_path]) == {"sr_epi": tmp_path / "sr_epi.h5"}


def test_a_name_is_resolved_and_a_path_is_left_alone(folders, tmp_path, monkeypatch):
    assert pretrained.resolve("epi", ("wgan",), folders) == folders[0] / "wgan_epi.h5"
    for path in ("epi.h5", "networks/epi", "./epi", "scan.nii.gz", str(tmp_path / "epi")):
        assert str(pretrained.resolve(path, ("wgan",), folders)) == str(pretrained.pathlib.Path(path))
    # A file of the user's comes first.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "epi").touch()
    assert str(pretrained.resolve("epi", ("wgan",), folders)) == "epi"


@pytest.mark.parametrize(("name", "hint"), [("epi1", " Did you mean 'epi'?"), ("wgan_ep", " Did you mean 'wgan_epi'?"), ("xyz", "")])
def test_a_name_that_is_none_is_an_error_with_the_nearest(folders, name, hint):
    with pytest.raises(InputError) as caught:
        pretrained.resolve(name, ("wgan", "n2a", "sr"), folders)
    known = "epi, ldm_bold, n2a_epi, n2a_t1w, sr_t1w_7t, t1w, t1w_7t, wgan_epi"
    assert (
        str(caught.value)
        == f"there is no pre-trained network {name!r}. Expected the path of a network's file (.h5 or .keras) or one of: {known}.{hint}"
    )


def test_without_any_network_that_is_said(tmp_path):
    with pytest.raises(InputError, match="or one of: none.$"):
        pretrained.resolve("epi", ("wgan",), [tmp_path])


def test_every_network_of_this_checkout_has_a_card_and_a_checksum():
    folder = pretrained.FOLDERS[0]
    sums = (folder / "SHA256SUMS").read_text()
    for path in folder.glob("*.h5"):
        assert path.with_suffix(".md").is_file() and f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" in sums
        assert path.stat().st_size <= 5e6


def paths_of(*systems):
    return [path for path in sorted(pretrained.FOLDERS[0].glob("*.h5")) if path.stem.split("_")[0] in systems]


@pytest.mark.regression
@pytest.mark.parametrize("path", [path for path in paths_of("wgan", "n2a") if path.stem != "wgan_run"], ids=lambda path: path.stem)
def test_the_card_says_what_the_network_does_to_the_phantom(path):
    said = re.search(r"phantom.*?([\d.]+) dB in, ([\d.]+) dB out", path.with_suffix(".md").read_text())
    # No scanner measures an edge as sharp as the phantom's.
    clean = truncated(phantoms.head((64, 64, 64), seed=3)[0], (1.5, 1.5, 1.5))
    clean = clean / clean.max()
    noisy = add_gaussian_noise(clean, 0.05, np.random.default_rng(0))
    denoised = fit_scaling(noisy).invert(checkpoints.load(path).network.predict_on_batch(fit_scaling(noisy).apply(noisy)[None, ..., None]))
    found = [psnr(clean, image, clean > 10 / 255, 1.0) for image in (noisy, denoised[0, ..., 0])]
    np.testing.assert_allclose(found, [float(value) for value in said.groups()], atol=0.05)


@pytest.mark.regression
def test_the_card_says_what_the_network_of_runs_does_to_a_phantom():
    path = pretrained.path_of("wgan_run.h5")
    said = re.search(r"phantom.*?([\d.]+) dB in, ([\d.]+) dB out; ([\d.]+) of the activation kept", path.with_suffix(".md").read_text())
    clean, _, active, course = phantoms.bold_run((32, 28, 20, 48), amplitude=0.03, drift=0.0)
    clean = clean / clean.max() + 0.2
    noisy = add_gaussian_noise(clean, 0.03, np.random.default_rng(0))
    seen = run_channels(noisy, 2.0)
    maps = checkpoints.load(path).network.predict_on_batch(seen.channels)[..., 0]
    denoised = seen.mean[..., None] + seen.sigma[..., None] * np.tensordot(maps, seen.basis, (0, 1))
    found = [psnr(clean, image, clean > 0.3, 1.0) for image in (noisy, denoised)]
    weights = course - course.mean()
    found.append((denoised[active] @ weights).sum() / (clean[active] @ weights).sum())
    np.testing.assert_allclose(found, [float(value) for value in said.groups()], atol=0.05)


@pytest.mark.slow
@pytest.mark.regression
def test_the_card_says_what_the_network_makes_of_half_the_resolution_of_the_sample():
    """The scan inside nibabel, which no network was trained on."""
    path, scan = pretrained.path_of("ldm_epi.h5"), open_image("sample")
    said = re.search(r"half the resolution of the sample: ([\d.]+) dB, zero-filled ([\d.]+) dB", path.with_suffix(".md").read_text())
    checkpoint, frame = load_network(path), scan.frame(0)
    low = ldm.predict(checkpoint, [Volume.from_array(frame, scan.affine)], PredictConfig(task="coarsening"))
    fine = ldm.predict(checkpoint, [low], PredictConfig(task="super-resolution")).frame(0)
    bright = frame > 0.2 * frame.max()
    found = [psnr(frame, image, bright, float(frame.max())) for image in (fine, resampled(low.frame(0), frame.shape))]
    np.testing.assert_allclose(found, [float(value) for value in said.groups()], atol=0.05)


@pytest.mark.slow
@pytest.mark.regression
def test_the_card_says_how_bright_samples_are():
    path = pretrained.path_of("ldm_heads.h5")
    checkpoint = load_network(path)
    said = re.findall(r"`--label (\w+) --steps 10`: mean (\d+), SD (\d+)", path.with_suffix(".md").read_text())
    assert [label for label, *_ in said] == checkpoint.training["labels"]
    for label, *numbers in said:
        (sample,) = ldm.generate(checkpoint, 1, GenerateConfig(label=label, steps=10))
        np.testing.assert_allclose([sample.data.mean(), sample.data.std()], [float(number) for number in numbers], rtol=0.01)
