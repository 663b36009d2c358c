import logging
import re

import keras
import nibabel
import numpy as np
import pytest
from skimage.io import imread

from experiments.data import FOLDER
from keras_mri import train
from keras_mri.errors import InputError
from keras_mri.imaging import phantoms
from keras_mri.imaging.intensity import fit_image_scaling
from keras_mri.imaging.metrics import psnr
from keras_mri.imaging.noise import add_gaussian_noise
from keras_mri.io.volumes import Volume
from keras_mri.networks.residual_unet import residual_slice_unet
from keras_mri.networks.slice_autoencoder import slice_autoencoder
from keras_mri.saving import checkpoints
from keras_mri.systems.cnn import system as cnn
from keras_mri.systems.cnn.settings import PRESETS, Config, PredictConfig
from keras_mri.systems.cnn.slice_files import load_slices
from keras_mri.systems.network_files import checkpoint_for
from tests.systems.cnn.test_slices import cut_of
from tests.systems.contract import check_contract, trained

SMALL = dict(filters=(2, 3), depths=(1, 1), precision="float32")
BOLD = FOLDER / "prisma-mini" / "bold.nii.gz"
PUBLISHED = {name: value for name, value in PRESETS["published"].items() if name not in ("epochs", "steps_per_epoch", "batch_size")}


@pytest.fixture
def run_path(tmp_path, affine):
    data, *_ = phantoms.bold_run((19, 17, 11, 4), seed=1)
    noisy = phantoms.noisy_volume(data, 20, seed=2, model="rician").data
    image = nibabel.Nifti1Image(noisy, affine)
    image.header.set_zooms((*image.header.get_zooms()[:3], 1.75))
    image.header.set_xyzt_units("mm", "sec")
    image.header["descrip"] = b"phantom"
    nibabel.save(image, tmp_path / "run.nii.gz")
    return tmp_path / "run.nii.gz"


def identity(**values):
    config = Config(**{**SMALL, **values})
    return checkpoint_for(residual_slice_unet(filters=config.filters, depths=config.depths), "cnn", config)


def published(bias=0.0):
    """The published network with weights that show: zero but for the last bias, it gives sigmoid(bias) everywhere."""
    network = slice_autoencoder()
    for layer in network.layers:
        layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])
    network.get_layer("dec2").set_weights([np.zeros((3, 3, 16, 1)), np.full(1, bias)])
    return checkpoint_for(network, "cnn", Config(**PRESETS["published"]))


@pytest.mark.parametrize(
    "settings",
    [
        dict(),
        dict(once=True, axis=0, noise="rician", fresh_noise=False, filters=(2, 3, 4), depths=(1, 1, 1)),
        {**PUBLISHED, "once": True, "filters": (2, 3)},
    ],
)
def test_the_contract(run_path, tmp_path, settings):
    checkpoint, restored = check_contract("cnn", [run_path], tmp_path, **{**SMALL, **settings})
    assert checkpoint.network.input_shape == (None, None, None, 1)
    assert restored.extremes[0] >= 0


def test_the_contract_of_the_published_preset(run_path, tmp_path):
    checkpoint, _ = check_contract("cnn", [run_path], tmp_path, once=True, **PUBLISHED)
    assert checkpoint.network.count_params() == 9569


def test_an_untrained_network_gives_the_scan_back(run_path):
    restored = cnn.predict(identity(), [run_path], PredictConfig())
    np.testing.assert_allclose(restored.data, nibabel.load(run_path).get_fdata(), atol=1e-2)


def test_single_volumes_and_thin_and_odd_shapes_train_and_are_predicted(eagerly, write_nifti):
    for number, shape in enumerate([(17, 21, 5), (12, 30, 4), (20, 9, 8)]):
        path = write_nifti(phantoms.head(shape)[0] + 1, f"scan{number}.nii.gz")
        network = trained(cnn.SYSTEM, [path], Config(epochs=1, steps_per_epoch=1, batch_size=2, **SMALL))
        restored = cnn.predict(checkpoint_for(network, "cnn", Config()), [path], PredictConfig())
        assert restored.shape == shape and np.isfinite(restored.data).all()


def test_scans_are_cut_along_the_axis_of_the_training_or_another(run_path, rng):
    checkpoint = identity(axis=1)
    checkpoint.network.get_layer("residual").set_weights([rng.normal(0, 0.3, (1, 1, 2, 1)), np.zeros(1)])
    volume = Volume.from_array(nibabel.load(run_path).get_fdata()[..., 0], np.eye(4))
    scaling = fit_image_scaling(volume)
    for axis, options in ((1, PredictConfig()), (0, PredictConfig(axis=0))):
        restored = cnn.predict(checkpoint, [volume], options).data
        image = scaling.apply(np.take(volume.data, 5, axis))
        padded = np.pad(image, [(0, side % 2) for side in image.shape], mode="edge")[None, ..., None]
        wanted = scaling.invert(checkpoint.network.predict_on_batch(padded)[0, : image.shape[0], : image.shape[1], 0])
        np.testing.assert_allclose(np.take(restored, 5, axis), np.maximum(wanted, 0), atol=0.05)


def test_what_lies_beyond_the_range_of_the_published_network_is_put_back(affine):
    data = np.random.default_rng(0).uniform(100, 200, (10, 8, 6)).astype(np.float32)
    data[4, 4, 3] = 300
    volume = Volume.from_array(data, affine)
    low, high = np.percentile(data, (1, 99))
    # sigmoid(0) = 1/2 everywhere: the middle of the range, and beyond it what exceeds it.
    wanted = (low + high) / 2 + np.where(data > high, data - high, np.where(data < low, data - low, 0))
    np.testing.assert_allclose(cnn.predict(published(), [volume], PredictConfig()).data, wanted, atol=0.05)


def test_magnitudes_do_not_become_negative_and_signed_data_may(affine):
    checkpoint = identity()
    checkpoint.network.get_layer("residual").set_weights([np.zeros((1, 1, 2, 1)), np.full(1, -100.0)])
    data = np.random.default_rng(0).uniform(0, 1, (8, 6, 4)).astype(np.float32)
    assert cnn.predict(checkpoint, [Volume.from_array(data, affine)], PredictConfig()).data.min() == 0
    assert cnn.predict(checkpoint, [Volume.from_array(data - 0.5, affine)], PredictConfig()).data.min() < -1


def test_outside_a_mask_the_input_stays(write_nifti, rng):
    scan = write_nifti(rng.random((9, 8, 7)).astype(np.float32))
    inside = np.indices((9, 8, 7))[0] > 4
    mask = write_nifti(inside.astype(np.uint8), "mask.nii.gz")
    checkpoint = identity()
    checkpoint.network.get_layer("residual").set_weights([np.zeros((1, 1, 2, 1)), np.ones(1)])
    changed = cnn.predict(checkpoint, [scan], PredictConfig(mask=str(mask))).data != nibabel.load(scan).get_fdata(dtype=np.float32)
    np.testing.assert_array_equal(changed, inside)


def test_tiles_are_refused(run_path):
    with pytest.raises(InputError, match="sees whole slices. Received: `tile` 8 8 8. Leave it out"):
        cnn.predict(identity(), [run_path], PredictConfig(tile=(8, 8, 8)))


def test_a_data_set_scaled_in_another_way_is_refused(run_path, tmp_path):
    config = Config(**PRESETS["published"], save_dataset=str(tmp_path / "slices.npz"))
    outcome = cnn.outcome(published(), cnn.prepare([run_path], config), config)
    outcome.files["save_dataset"](tmp_path / "slices.npz")
    slices = load_slices(tmp_path / "slices.npz")
    with pytest.raises(InputError, match="cut with `percentiles` 1 99. Received: none. Set `percentiles` to 1 99"):
        cnn.prepare([slices], Config())
    with pytest.raises(InputError, match="cut with `axis` 2. Received: 1. Set `axis` to 2"):
        cnn.prepare([slices], Config(percentiles=(1.0, 99.0), axis=1))
    assert len(cnn.prepare([slices], config)) == len(slices)


def gain(caplog):
    """The PSNR of the held-out slices before and after, as the log tells them."""
    return tuple(float(number) for number in re.findall(r"PSNR (\S+) -> (\S+) dB", caplog.text)[-1])


@pytest.mark.slow
def test_training_removes_noise_from_slices_that_were_held_out(affine, caplog):
    caplog.set_level(logging.INFO, "keras_mri")
    clean = phantoms.head((48, 48, 32), seed=1)[0]
    volume = Volume.from_array(clean, affine)
    config = Config(epochs=6, noise_range=(0.06, 0.06), steps_per_epoch=60, batch_size=8)
    network = trained(cnn.SYSTEM, [volume], config)
    before, after = gain(caplog)
    assert after > before + 3
    # Noise of a generator of its own on the whole scan.
    noisy = add_gaussian_noise(clean, 0.06 * fit_image_scaling(volume).scale, np.random.default_rng(9))
    restored = cnn.predict(checkpoint_for(network, "cnn", config), [Volume.from_array(noisy, affine)], PredictConfig()).data
    assert psnr(clean, restored) > psnr(clean, noisy) + 2


@pytest.mark.slow
def test_the_published_network_learns(affine):
    class Errors(keras.callbacks.Callback):
        values = []

        def on_epoch_end(self, epoch, logs=None):
            self.values.append(logs["val_error"])

    errors = Errors()
    volume = Volume.from_array(phantoms.head((48, 48, 32), seed=1)[0], affine)
    trained(cnn.SYSTEM, [volume], Config(epochs=3, steps_per_epoch=60, batch_size=8, **PUBLISHED), [errors])
    # It has no skip to its input: what it is shown must be learned first.
    assert errors.values[-1] < 0.75 * errors.values[0]


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(not BOLD.is_file(), reason="needs the scans of experiments/data.py")
def test_by_itself_it_is_better_than_as_published_on_a_real_run(caplog):
    caplog.set_level(logging.INFO, "keras_mri")
    # The same steps, noise, slices and split for both; each as it is otherwise.
    same = dict(epochs=4, steps_per_epoch=60, batch_size=16, slices=10, noise_range=(0.06, 0.06), split="slices", percentiles=(1.0, 99.0))
    scores = []
    for settings in (dict(), PUBLISHED):
        trained(cnn.SYSTEM, [BOLD], Config(**{**settings, **same}))
        scores.append(gain(caplog))
    (_, default), (_, published) = scores
    assert default > published + 1
    assert default > scores[0][0] + 2


def test_ctrl_c_keeps_the_best_network_so_far(eagerly, run_path, caplog):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    network = trained(cnn.SYSTEM, [run_path], Config(epochs=50, steps_per_epoch=2, batch_size=2, **SMALL), [Interrupt()])
    assert "interrupted: keeping the best network so far" in caplog.text
    assert all(np.isfinite(weight).all() for weight in network.get_weights())


def test_scores_are_those_of_the_held_out_slices(eagerly, run_path, caplog):
    caplog.set_level(logging.INFO, "keras_mri")
    config = Config(epochs=1, steps_per_epoch=1, batch_size=2, learning_rate=1e-9, noise_range=(0.1, 0.1), **SMALL)
    trained(cnn.SYSTEM, [run_path], config)
    before, after = re.search(r"PSNR (\S+) -> (\S+) dB", caplog.text).groups()
    # White noise of SD 0.1 of the data range: 20 dB; a network that has not moved changes nothing.
    assert float(before) == pytest.approx(20, abs=0.5) and float(after) == pytest.approx(float(before), abs=0.02)


def test_the_example_is_one_slice_noisy_denoised_and_clean(run_path):
    config = Config(**SMALL)
    shown = cnn.outcome(identity(), cnn.prepare([run_path], config), config)
    panels = shown.panels
    # What was measured is not clean.
    assert [re.sub(r"[\d.]+", "N", title) for title in panels] == ["noise of SD N added, N dB", "denoised, N dB", "as measured"]
    assert {panel.shape for panel in panels.values()} == {(18, 16, 1)}
    np.testing.assert_allclose(shown.affine, nibabel.load(run_path).affine, rtol=1e-5)
    # What the verdict is about: the scan itself, which this network does not change.
    assert shown.judged.n_frames == 1
    np.testing.assert_allclose(shown.judged.data, shown.judged.source.data, rtol=1e-3, atol=0.1)
    slices = cut_of([Volume.from_array(nibabel.load(run_path).get_fdata(), np.eye(4))], config, 2)
    assert any(np.allclose(list(panels.values())[-1][..., 0], clean, atol=1e-4) for clean in slices.clean)


COMMAND = "--epochs 2 --steps-per-epoch 2 --batch-size 2 --filters 2 3 --depths 1 1 --precision float32".split()


def test_the_command_writes_network_history_figures_and_data_set(eagerly, run_path, tmp_path, capsys):
    out, data = tmp_path / "out" / "model.h5", tmp_path / "slices.npz"
    out.parent.mkdir()
    assert train.main(["cnn", str(run_path), *COMMAND, "-o", str(out), "--examples", "5", "--save-dataset", str(data)]) == 0
    assert sorted(path.name for path in out.parent.iterdir()) == ["model.csv", "model.h5", "model.png", "model_examples.png"]
    assert "val_error" in (out.with_suffix(".csv")).read_text().splitlines()[0]
    height, width = imread(out.with_name("model_examples.png")).shape[:2]
    assert height / width == pytest.approx(5 / 3, rel=0.01)
    errors = capsys.readouterr().err
    assert "held-out slices" in errors and "SSIM" in errors and "error nan" not in errors
    # The verdict on the training's own scan comes last, as after a prediction.
    verdict = errors[errors.index("wrote ") :].splitlines()[1:]
    assert re.match(rf"{run_path.name}: (noise SD|no noise found).*: [a-z ]+$", verdict[0])
    assert str(tmp_path) not in str(checkpoints.inspect(out))
    with np.load(data) as file:
        assert file["clean"].shape == file["noisy"].shape

    # The data set is not replaced unasked, and it can be trained from.
    assert train.main(["cnn", str(run_path), *COMMAND, "-o", str(tmp_path / "other.h5"), "--save-dataset", str(data)]) == 2
    assert "slices.npz exists" in capsys.readouterr().err
    again = tmp_path / "again.h5"
    assert train.main(["cnn", str(data), *COMMAND, "-o", str(again)]) == 0
    facts = checkpoints.inspect(again)["training"]
    np.testing.assert_allclose(facts["zooms"], [[2, 2.5, 3]], rtol=1e-4)
    assert 0 < facts["sigma"][0] < facts["sigma"][1] < 0.2


def test_slices_from_elsewhere_are_trained_from(eagerly, tmp_path, rng, capsys):
    clean = rng.random((20, 9, 8))
    np.savez(tmp_path / "data.npz", clean=clean, noisy=clean + rng.normal(0, 0.1, clean.shape))
    assert train.main(["cnn", str(tmp_path / "data.npz"), *COMMAND, "-o", str(tmp_path / "model.h5")]) == 0
    assert "may show anatomy that trains" in capsys.readouterr().err
    assert checkpoints.inspect(tmp_path / "model.h5")["training"] == {"zooms": [], "sigma": pytest.approx([0.1, 0.1], rel=0.1)}
