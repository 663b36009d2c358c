import inspect
import io
import subprocess
import sys
import typing

import nibabel
import numpy as np
import pytest

import keras_mri
from keras_mri import api, images
from keras_mri.imaging import phantoms
from keras_mri.imaging.noise import add_gaussian_noise
from keras_mri.networks.munet import munet
from keras_mri.networks.residual_unet import residual_unet
from keras_mri.saving import checkpoints
from keras_mri.systems import SYSTEMS, get_settings
from keras_mri.systems.network_files import checkpoint_for

SHAPE = (13, 12, 11)


def checkpoint(system="wgan", **options):
    """An untrained network, which gives back what it sees."""
    network = {"wgan": lambda: residual_unet((None, None, None, 1), (2, 2), (1, 1)), "n2a": lambda: munet(1, 2, 0.05)}[system]()
    return checkpoint_for(network, system, get_settings(system).Config(**options))


@pytest.fixture
def image(affine):
    return nibabel.Nifti1Image(phantoms.head(SHAPE, seed=1)[0], affine)


def _mask(image):
    return nibabel.Nifti1Image((image.get_fdata() > 100).astype(np.uint8), image.affine)


def _times(image, factor):
    return nibabel.Nifti1Image(image.get_fdata() * factor, image.affine)


def _five_dimensions(image):
    return nibabel.Nifti1Image(np.stack([np.stack([image.get_fdata()] * 2, axis=-1)] * 2, axis=-1), image.affine)


def test_importing_it_imports_no_heavy_library():
    code = (
        "import sys, keras_mri; print(sorted({name.split('.')[0] for name in sys.modules} & {'keras', 'tensorflow', 'numpy', 'nibabel'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_name_of_the_door_is_there_and_documented():
    assert set(keras_mri.__all__) >= {
        "restore",
        "fit",
        "sample",
        "estimate_noise",
        "evaluate",
        "judge",
        "plot",
        "compare_headers",
        "open_image",
        "Volume",
    }
    for name in set(keras_mri.__all__) - {"__version__"}:
        assert getattr(keras_mri, name) is not None and name in dir(keras_mri)
    with pytest.raises(AttributeError, match="restor"):
        keras_mri.restor  # noqa: B018


@pytest.mark.parametrize(
    "function",
    [api.restore, api.fit, api.sample, images.estimate_noise, images.evaluate, images.judge, images.plot, images.compare_headers],
)
def test_functions_are_annotated_and_have_runnable_examples(function):
    annotated = typing.get_type_hints(function)
    assert "return" in annotated
    assert all(name in annotated or name == "options" for name in inspect.signature(function).parameters)
    assert ">>> import keras_mri" in function.__doc__


@pytest.mark.parametrize("given", ["path", "nibabel", "volume", "list"])
def test_restore_takes_an_image_in_every_form(given, image, write_nifti):
    path = write_nifti(image.get_fdata().astype(np.float32))
    images = {"path": path, "nibabel": image, "volume": keras_mri.open_image(path), "list": [image]}[given]
    restored = keras_mri.restore(checkpoint(), images, mirror="left-right")
    np.testing.assert_allclose(restored.data, image.get_fdata(), rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(restored.affine, image.affine, atol=1e-5)


def test_restore_takes_repetitions_and_a_mask_in_memory(image, affine, rng):
    data = image.get_fdata()
    noisy = [nibabel.Nifti1Image((data + 20 * rng.standard_normal(SHAPE)).astype(np.float32), affine) for _ in range(2)]
    mask = nibabel.Nifti1Image((data > 100).astype(np.uint8), affine)
    restored = keras_mri.restore(checkpoint("n2a", initial="none", filters=2), noisy, mask=mask, align=False)
    np.testing.assert_allclose(restored.data, sum(one.get_fdata() for one in noisy) / 2, atol=1.0)


def test_a_network_is_given_by_name_path_or_object(image, tmp_path):
    path = tmp_path / "network.h5"
    checkpoints.save(checkpoint(), path)
    for network in (path, str(path), checkpoint()):
        assert keras_mri.restore(network, image).shape == SHAPE
    assert keras_mri.restore("epi", "sample").shape == (128, 96, 24, 2)


def test_fit_trains_like_the_command_and_writes_only_on_request(image, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network = keras_mri.fit("wgan", image, epochs=2, steps_per_epoch=1, filters=(2, 2), depths=(1, 1), patch_shape=[8, 8, 8], warm_up=1.0)
    assert [row["epoch"] for row in network.history] == [1, 2] and {"error", "val_error"} <= set(network.history[0])
    assert list(network.panels)[1] == "denoised" and not list(tmp_path.iterdir())
    assert keras_mri.restore(network, image).shape == SHAPE
    written = network.save("network.keras")
    assert sorted(path.name for path in written) == ["network.csv", "network.h5", "network.keras", "network.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["network.csv", "network.h5", "network.keras", "network.png"]
    with pytest.raises(keras_mri.InputError, match=r"network\.h5 exists"):
        network.save("network.h5")
    network.save("network.h5", overwrite=True)
    np.testing.assert_array_equal(keras_mri.restore("network.h5", image).data, keras_mri.restore("network.keras", image).data)
    assert "wgan" in repr(network)


def test_in_a_notebook_fit_shows_one_line_and_elsewhere_nothing(image, monkeypatch, capsys):
    notebook = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})()
    quick = {"epochs": 2, "steps_per_epoch": 1, "filters": (2, 2), "depths": (1, 1), "patch_shape": [8, 8, 8], "warm_up": 1.0}
    keras_mri.fit("wgan", image, **quick)
    assert "epoch" not in capsys.readouterr().err
    monkeypatch.setattr(sys, "stderr", notebook)
    keras_mri.fit("wgan", image, **quick)
    assert notebook.getvalue().count("\n") == 1 and "epoch   2" in notebook.getvalue()


@pytest.mark.parametrize("dimensions", [3, 4])
def test_noise_is_estimated_in_memory_within_ten_percent(dimensions, affine, rng):
    clean, brain = phantoms.head((40, 36, 32), seed=2)
    clean = clean if dimensions == 3 else np.stack([clean] * 6, axis=-1)
    noisy = nibabel.Nifti1Image(add_gaussian_noise(clean, 30.0, rng), affine)
    assert keras_mri.estimate_noise(noisy) == pytest.approx(30, rel=0.1)
    assert keras_mri.estimate_noise(noisy, nibabel.Nifti1Image(brain.astype(np.uint8), affine)) == pytest.approx(30, rel=0.1)


def test_evaluate_is_the_function_also_after_the_command_was_imported(image, affine):
    import keras_mri.evaluate

    worse = nibabel.Nifti1Image(image.get_fdata() + 10, affine)
    row = keras_mri.evaluate(image, worse, data_range=1000)
    assert row["psnr"] == pytest.approx(40.0, abs=1e-3) and row["psnr_in"] == pytest.approx(40.0, abs=1e-3)


def test_judge_finds_the_noise_and_what_was_removed_of_it_in_memory(affine, rng):
    clean, brain = phantoms.head((20, 18, 16))
    noise = rng.normal(0, 20, (*clean.shape, 30)).astype(np.float32)
    before, after, mask = (
        nibabel.Nifti1Image(data, affine) for data in (clean[..., None] + noise, clean[..., None] + 0.3 * noise, brain.astype(np.uint8))
    )
    verdict = keras_mri.judge(before, after, mask)
    assert verdict.noise == pytest.approx(20, rel=0.03) and verdict.share == pytest.approx(0.7, abs=0.02)
    assert (verdict.region, verdict.word) == ("mask", "noise removed")
    with pytest.raises(keras_mri.InputError, match="the images must lie on one grid"):
        keras_mri.judge(before, nibabel.Nifti1Image(clean[1:], affine))


@pytest.mark.parametrize("given", ["path", "nibabel", "volume"])
def test_plot_takes_an_image_in_every_form_and_saves_the_picture_once(given, image, write_nifti, tmp_path):
    path = write_nifti(image.get_fdata().astype(np.float32))
    before = {"path": path, "nibabel": image, "volume": keras_mri.open_image(path)}[given]
    picture = tmp_path / "picture.png"
    figure = keras_mri.plot(before, keras_mri.restore(checkpoint(), image, mirror="none"), path=picture)
    assert len(figure.axes) == 9 and picture.read_bytes()[:4] == b"\x89PNG"
    written = picture.read_bytes()
    with pytest.raises(keras_mri.InputError, match="picture.png exists. Name another file with `path`, or replace it by `savefig`"):
        keras_mri.plot(before, image, path=picture)
    assert picture.read_bytes() == written and sorted(file.name for file in tmp_path.iterdir()) == ["picture.png", "scan.nii.gz"]


def test_only_plot_imports_matplotlib():
    code = "import sys, keras_mri; keras_mri.restore, keras_mri.plot; print('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


def test_compare_headers_names_the_fields_that_differ(image, affine, tmp_path):
    other = nibabel.Nifti1Image(image.get_fdata(), affine, image.header)
    other.header["descrip"] = b"other"
    (field,) = [field for field in keras_mri.compare_headers(image, other) if field.name == "descrip"]
    assert field.after == "other"
    assert keras_mri.compare_headers("sample", "sample") == []


def test_sample_draws_volumes(tmp_path):
    (volume,) = keras_mri.sample("ldm_heads", 1, steps=2)
    assert volume.shape == (80, 80, 35)
    assert volume.save(tmp_path / "drawn.nii.gz") is None or (tmp_path / "drawn.nii.gz").is_file()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda image: keras_mri.restore("epj", image), "no pre-trained network 'epj'.*Did you mean 'epi'?"),
        (lambda image: keras_mri.restore(3, image), "`network` must be a name.*Received: int"),
        (lambda image: keras_mri.restore(checkpoint(), image, mirrow="all"), "unknown option `mirrow` of wgan. Did you mean `mirror`?"),
        (lambda image: keras_mri.restore(checkpoint(), image, mirror="up"), "`mirror` must be one of none, left-right, all"),
        (lambda image: keras_mri.restore(checkpoint(), image, tile="big"), "`tile`"),
        (lambda image: keras_mri.restore(checkpoint(), [image, image]), "one image at a time|1 image at a time"),
        (lambda image: keras_mri.restore(checkpoint(), []), "Received: 0 images"),
        (lambda image: keras_mri.restore(checkpoint(), np.zeros((3, 3, 3))), r"Received: ndarray.*Volume\.from_array"),
        (lambda image: keras_mri.restore(checkpoint(), "missing.nii"), "missing.nii is not a file"),
        (lambda image: keras_mri.fit("wgam", image), "unknown system 'wgam'.*Did you mean 'wgan'?"),
        (lambda image: keras_mri.fit("wgan", image, epoch=2), "unknown option `epoch` of wgan. Did you mean `epochs`?"),
        (lambda image: keras_mri.fit("wgan", image, epochs="two"), "`epochs` must be a whole number. Received: 'two'"),
        (lambda image: keras_mri.fit("wgan", image, epochs=True), "`epochs` must be a whole number"),
        (lambda image: keras_mri.fit("wgan", image, preset="publishd"), "`preset` must be one of published"),
        (lambda image: keras_mri.fit("wgan", image, devices=0), "`devices` must be"),
        (lambda image: keras_mri.sample(checkpoint(), 1), "cannot make new ones. Expected a network of one of: ldm"),
        (lambda image: keras_mri.sample("ldm_heads", 0), "`count` must be at least 1"),
        (lambda image: keras_mri.evaluate(image, image, data_range=-1), "`data_range` must be positive"),
        (lambda image: keras_mri.plot(image, "missing.nii"), "missing.nii is not a file"),
        (lambda image: keras_mri.plot(image, np.zeros((3, 3, 3))), r"Received: ndarray.*Volume\.from_array"),
        (lambda image: keras_mri.plot(image, image, frame=3), "`frame` must be a whole number 0: there is one frame"),
        (lambda image: keras_mri.plot(image, image, where=(900, 0, 0), path="a.png"), "`where` must lie in both images"),
        (lambda image: keras_mri.plot(image, image, path="picture.jpeg"), "`path` must end in .png or .pdf or .svg"),
        (lambda image: keras_mri.plot(image, image, path="no folder/a.png"), "the output folder no folder does not exist"),
        (lambda image: keras_mri.plot(image, image, path=3), "`path` must be the name of a picture"),
        (lambda image: keras_mri.plot(image, _mask(image)), "looks like a mask"),
        (lambda image: keras_mri.plot(_times(image, 0), image), "is constant or empty"),
        (lambda image: keras_mri.plot(image, _five_dimensions(image)), "5D"),
    ],
)
def test_wrong_input_is_one_message_that_names_arguments(call, message, image, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(keras_mri.InputError, match=message) as raised:
        call(image)
    assert "--" not in str(raised.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("broken", ["singular", "nan"])
def test_an_image_in_memory_with_an_impossible_affine_is_refused(broken, image):
    # As by arithmetic on the affine of an image at hand: nibabel's constructor would have refused it.
    image.affine[:3, 0] = 0 if broken == "singular" else np.nan
    with pytest.raises(keras_mri.InputError, match="affine|place"):
        keras_mri.restore(checkpoint(), image)


def test_options_have_the_defaults_and_the_checks_of_the_flags():
    for name in SYSTEMS:
        settings = get_settings(name)
        assert settings.Config.from_names(name, **({"initial": "none"} if name == "n2a" else {})).seed == settings.Config().seed
