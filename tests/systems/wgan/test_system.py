import keras
import nibabel
import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.imaging import phantoms
from keras_mri.imaging.metrics import psnr
from keras_mri.imaging.noise import add_rician_noise
from keras_mri.io import nifti_reading
from keras_mri.io.volumes import Volume
from keras_mri.networks.residual_unet import residual_unet
from keras_mri.systems.network_files import checkpoint_for
from keras_mri.systems.wgan import system as wgan
from keras_mri.systems.wgan.settings import FILTERS, PRESETS, Config, PredictConfig
from tests.systems.contract import check_contract, trained

# Of single frames: what a run of ten frames gives by default is tested in test_run_training.py.
SMALL = dict(frames=1, filters=(2, 3), depths=(1, 1), patch_shape=(8, 8, 4), precision="float32")


@pytest.fixture
def run_path(tmp_path, affine):
    data, *_ = phantoms.bold_run((19, 17, 11, 12), seed=1)
    noisy = phantoms.noisy_volume(data, 20, seed=2, model="rician").data
    image = nibabel.Nifti1Image(noisy, affine)
    image.header.set_zooms((*image.header.get_zooms()[:3], 1.75))
    image.header.set_xyzt_units("mm", "sec")
    image.header["descrip"] = b"phantom"
    nibabel.save(image, tmp_path / "run.nii.gz")
    return tmp_path / "run.nii.gz"


def identity(frames=1):
    return checkpoint_for(residual_unet((None, None, None, frames), (2, 2), (1, 1)), "wgan", Config())


@pytest.mark.parametrize(
    "settings",
    [
        dict(frames=5, warm_up=0.5, critic_steps=2),
        dict(once=True, frames=1, noise="rician", target="neighbour"),
        dict(once=True, frames=3, generator="dense_unet", growth_rate=2, adversarial_weight=0.0),
    ],
)
def test_the_contract(run_path, tmp_path, settings):
    checkpoint, restored = check_contract("wgan", [run_path], tmp_path, **{**SMALL, **settings})
    assert checkpoint.network.input_shape == (None, None, None, None, settings["frames"])
    assert restored.extremes[0] >= 0


@pytest.mark.slow
def test_the_contract_of_the_published_preset(tmp_path, write_nifti):
    data, *_ = phantoms.bold_run((24, 22, 10, 3))
    path = write_nifti(data)
    published = {name: value for name, value in PRESETS["published"].items() if name not in ("epochs", "steps_per_epoch", "batch_size")}
    # The published sizes take a minute to trace and are tested below; every layer, halving and loss is as published.
    small = dict(growth_rate=2, patch_shape=(16, 12, 8), critic_steps=1)
    check_contract("wgan", [path], tmp_path, once=True, **{**published, **small})


def test_the_published_preset_has_the_networks_of_the_original():
    config = Config(**PRESETS["published"])
    network = wgan._generator(config, config.frames, wgan._levels(config, config.patch_shape))
    critic = wgan._critic(config, config.patch_shape)
    assert (network.count_params(), critic.count_params()) == (272_929, 1_307_225)


def test_a_single_volume_and_thin_and_odd_shapes_train(eagerly, write_nifti):
    for number, shape in enumerate([(17, 21, 3), (12, 30, 1), (20, 9, 8)]):
        path = write_nifti(phantoms.head(shape)[0] + 1, f"scan{number}.nii.gz")
        network = trained(
            wgan.SYSTEM, [path], Config(epochs=1, steps_per_epoch=1, batch_size=1, filters=(2, 2), depths=(1, 1), adversarial_weight=0.0)
        )
        assert network.input_shape[-1] == 1
        restored = wgan.predict(checkpoint_for(network, "wgan", Config()), [path], PredictConfig())
        assert restored.frame(0).shape == shape


def test_several_scans_of_different_shapes_train_together(eagerly, write_nifti):
    paths = [
        write_nifti(phantoms.head(shape, seed)[0], f"scan{seed}.nii")
        for seed, shape in enumerate([(20, 18, 9), (14, 22, 12), (16, 16, 16)])
    ]
    network = trained(wgan.SYSTEM, paths, Config(epochs=1, steps_per_epoch=2, **{**SMALL, "patch_shape": None}))
    assert all(np.isfinite(weight).all() for weight in network.get_weights())


def test_another_seed_gives_other_weights(eagerly, run_path):
    networks = [
        trained(wgan.SYSTEM, [run_path], Config(epochs=1, steps_per_epoch=1, seed=seed, adversarial_weight=0.0, **SMALL)) for seed in (0, 1)
    ]
    assert any(not np.array_equal(a, b) for a, b in zip(networks[0].get_weights(), networks[1].get_weights()))


@pytest.mark.slow
def test_training_denoises_a_phantom_it_has_not_seen(tmp_path, affine):
    clean, *_ = phantoms.bold_run((32, 32, 16, 20), seed=0)
    config = Config(epochs=5, steps_per_epoch=80, filters=(8, 16), depths=(1, 2), frames=1, adversarial_weight=0.0, learning_rate=3e-3)
    network = trained(wgan.SYSTEM, [Volume.from_array(clean, affine)], config)
    unseen, brain = phantoms.head((36, 30, 18), seed=5)
    noisy = phantoms.noisy_volume(unseen, 80, seed=3)
    restored = wgan.predict(checkpoint_for(network, "wgan", Config()), [noisy], PredictConfig()).frame(0)
    assert psnr(unseen, restored, brain) > psnr(unseen, noisy.frame(0), brain) + 1


def test_an_untrained_network_gives_back_the_scan(run_path):
    for frames in (1, 3, 5):
        restored = wgan.predict(identity(frames), [run_path], PredictConfig())
        np.testing.assert_allclose(restored.data, nifti_reading.open_image(run_path).data, rtol=1e-5, atol=1e-3)


def test_neighbours_are_mirrored_at_the_ends_of_the_run():
    assert [wgan._neighbours(t, 5, 4) for t in range(4)] == [[2, 1, 0, 1, 2], [1, 0, 1, 2, 3], [0, 1, 2, 3, 2], [1, 2, 3, 2, 1]]


def test_outside_the_mask_the_input_stays(run_path, write_nifti):
    image = nifti_reading.open_image(run_path)
    mask = np.zeros(image.shape[:3], np.uint8)
    mask[5:10, 4:12, 3:9] = 1
    network = identity().network
    network.get_layer("residual").set_weights([np.ones((1, 1, 1, 2, 1)), np.full(1, 0.5)])
    checkpoint = checkpoint_for(network, "wgan", Config())
    masked = wgan.predict(checkpoint, [run_path], PredictConfig(mask=str(write_nifti(mask, "mask.nii.gz")))).frame(3)
    free = wgan.predict(checkpoint, [run_path], PredictConfig()).frame(3)
    np.testing.assert_array_equal(masked[mask == 0], image.frame(3)[mask == 0])
    np.testing.assert_array_equal(masked[mask == 1], free[mask == 1])
    assert np.abs(free - image.frame(3)).max() > 1


def test_negative_values_are_kept_but_not_invented(affine, rng):
    network = identity().network
    network.get_layer("residual").set_weights([np.zeros((1, 1, 1, 2, 1)), np.full(1, -100.0)])
    checkpoint = checkpoint_for(network, "wgan", Config())
    magnitude = rng.random((8, 7, 6), dtype=np.float32)
    assert wgan.predict(checkpoint, [Volume.from_array(magnitude, affine)], PredictConfig()).frame(0).min() == 0
    assert wgan.predict(checkpoint, [Volume.from_array(magnitude - 0.5, affine)], PredictConfig()).frame(0).min() < 0


def test_the_example_shows_noisy_denoised_and_clean(run_path):
    shown = wgan.outcome(identity(3), [nifti_reading.open_image(run_path)], Config())
    noisy, denoised, clean = shown.panels.values()
    assert list(shown.panels)[1:] == ["denoised", "as measured"]
    # The verdict is about the scan as measured, here the frames of one window.
    assert shown.judged.shape == (19, 17, 11, 3)
    np.testing.assert_allclose(shown.judged.data, shown.judged.source.data, rtol=1e-3, atol=0.1)
    assert noisy.shape == denoised.shape == clean.shape == (19, 17, 11)
    assert np.abs(noisy - clean).mean() > 10


def test_memory_of_prediction_does_not_grow_with_the_run(run_path):
    image = nifti_reading.open_image(run_path)
    read = []
    watched = Volume(lambda t: read.append(t) or image.frame(t), image.shape, image.affine)
    watched.extremes = image.extremes
    restored = wgan.predict(identity(3), [watched], PredictConfig())
    # To scale intensities a few frames are sampled; nothing is restored, and no frame kept, before it is asked for.
    assert len(read) <= 16
    for t in range(image.n_frames):
        read.clear()
        restored.frame(t)
        assert set(read) <= {t - 1, t, t + 1}
    assert watched._read_frame.cache_info().currsize <= 8 and restored._read_frame.cache_info().currsize <= 8


def test_a_volume_given_to_a_network_that_looks_at_five_frames(affine, rng):
    volume = Volume.from_array(rng.random((8, 7, 6), dtype=np.float32), affine, name="t1.nii.gz")
    with pytest.raises(InputError, match="looks at 5 neighbouring frames. Received: t1.nii.gz with 1 frame.*`frames` 1"):
        wgan.predict(identity(5), [volume], PredictConfig())


def test_a_patch_larger_than_the_volume_names_the_largest_valid(run_path):
    with pytest.raises(
        InputError, match=r"`patch_shape` must lie inside.*\(32, 32, 8\), volume \(19, 17, 11\).*Largest valid: \(19, 17, 8\)"
    ):
        trained(wgan.SYSTEM, [run_path], Config(frames=1, patch_shape=(32, 32, 8)))


def test_a_patch_that_the_network_cannot_halve_names_the_nearest(run_path):
    with pytest.raises(InputError, match=r"divisible by 2.*\(9, 8, 4\).*Nearest valid: \(8, 8, 4\)"):
        trained(wgan.SYSTEM, [run_path], Config(**{**SMALL, "patch_shape": (9, 8, 4)}))


def test_five_frames_of_a_run_of_three_are_refused(write_nifti, rng):
    path = write_nifti(rng.random((9, 8, 7, 3)).astype(np.float32))
    with pytest.raises(InputError, match="spans 5 frames. Received: a run of 3. Use `frames` 1 "):
        trained(wgan.SYSTEM, [path], Config(**{**SMALL, "frames": 5}))


def test_ctrl_c_keeps_the_best_network_so_far(eagerly, run_path, caplog):
    import keras

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    network = trained(wgan.SYSTEM, [run_path], Config(epochs=50, steps_per_epoch=2, **SMALL), [Interrupt()])
    assert "interrupted: keeping the best network so far" in caplog.text
    assert all(np.isfinite(weight).all() for weight in network.get_weights())


@pytest.mark.regression
@pytest.mark.parametrize(("frames", "parameters"), [(5, 562_913), (1, 614_753)])
def test_the_default_generator_has_the_parameters_that_the_readme_prints(frames, parameters):
    assert wgan._generator(Config(filters=FILTERS), frames, levels=1).count_params() == parameters


def _smoothing_network():
    """A network of one convolution, a Gaussian of SD 1.2 voxels."""
    taps = np.exp(-0.5 * (np.arange(-3, 4) / 1.2) ** 2)
    kernel = np.einsum("i,j,k->ijk", *[taps / taps.sum()] * 3).astype(np.float32)
    image = keras.Input((None, None, None, 1))
    layer = keras.layers.Conv3D(1, 7, padding="same", use_bias=False)
    network = keras.Model(image, layer(image))
    layer.set_weights([kernel[..., None, None]])
    return network


def test_the_bias_of_magnitude_noise_goes_with_the_noise_unless_it_is_kept(affine, rng):
    clean, _ = phantoms.head((40, 38, 34))
    noisy = add_rician_noise(clean, 60.0, rng)
    checkpoint = checkpoint_for(_smoothing_network(), "wgan", Config())
    corner = (slice(2, 6),) * 3
    removed, kept = (wgan.predict(checkpoint, [Volume.from_array(noisy, affine)], PredictConfig(keep_bias=keep)) for keep in (False, True))
    assert removed.frame(0)[corner].mean() < 0.1 * kept.frame(0)[corner].mean()
    assert kept.frame(0)[corner].mean() == pytest.approx(60 * np.sqrt(np.pi / 2), rel=0.1)
    assert set(removed.facts) == {"bias", "precision"} and set(kept.facts) == {"precision"}
