import dataclasses
import types

import keras
import numpy as np
import pytest

from keras_mri.io.volumes import Volume
from keras_mri.networks.latent_diffusion import Parts, latent_only, parts
from keras_mri.networks.volume_autoencoder import volume_decoder, volume_encoder
from keras_mri.systems.ldm.conditions import coarse_view
from keras_mri.systems.ldm.labelled_runs import labelled_runs
from keras_mri.systems.ldm.settings import Config
from keras_mri.systems.ldm.system import train
from keras_mri.systems.ldm.training import encoded, fit_autoencoder, fit_denoiser, moments

CONFIG = Config(
    filters=(4, 4), unet_filters=(4, 6), latent_channels=2, codes=8, diffusion_steps=20, diffusion_batch_size=4, precision="float32",
)  # fmt: skip


class Space:
    """Two channels: the voxels, shifted, and their double."""

    config = types.SimpleNamespace(latent_channels=2, condition=True, coarse=(2, 2, 2), any_grid=False)

    def padded(self, data):
        return data

    def encode(self, volume):
        return np.stack([volume + 3, 2 * volume], axis=-1)


@pytest.fixture
def data(rng, affine):
    return labelled_runs([Volume.from_array(rng.random((8, 8, 4, 5)), affine)], Config(scaling="minmax", labels=("a",)))


def test_moments_are_those_of_all_frames(data):
    run = data.runs[0]
    mean, deviation = moments(Space(), [run, run + 1])
    both = np.concatenate([run.ravel(), run.ravel() + 1])
    np.testing.assert_allclose(mean, [both.mean() + 3, 2 * both.mean()], rtol=1e-5)
    np.testing.assert_allclose(deviation, [both.std(), 2 * both.std()], rtol=1e-5)
    assert moments(Space(), [np.zeros((4, 4, 4, 2), np.float32)])[1].tolist() == [1, 1]


def test_every_frame_has_a_coarse_view_first_and_then_damaged_ones(data, rng):
    latents = encoded(Space(), data, rng)
    run = data.runs[0]
    assert latents.clean.shape == (5, 8, 8, 4, 2) and latents.views.shape == (5, 1 + 4, 8, 8, 4, 4)
    assert (latents.codes == 0).all()
    for t in range(5):
        np.testing.assert_allclose(latents.clean[t, ..., 0], run[..., t] + 3)
        np.testing.assert_allclose(latents.views[t, 0, ..., 0], coarse_view(run[..., t], (2, 2, 2)) + 3, rtol=1e-5)
        assert (latents.views[t, 0, ..., 2:] == 1).all() and (latents.views[t, 1:, ..., 3] == 0).all()
        for view in latents.views[t, 1:]:
            known = view[..., 2] == 1
            assert not known.all()
            np.testing.assert_allclose(view[known][:, 0], run[..., t][known] + 3, rtol=1e-6)


def test_on_any_grid_crops_come_with_their_views_and_places(rng, affine):
    """Of two grids, one of them larger than a sample: each latent is the crop that its place says."""
    volumes = [Volume.from_array(rng.random(shape), affine, name=str(shape)) for shape in ((8, 8, 4), (12, 8, 4, 3))]
    data = labelled_runs(volumes, Config(scaling="minmax", labels=("a", "b"), any_grid=True))
    space = Space()
    space.config, space.cell, space.factor = types.SimpleNamespace(**{**vars(Space.config), "any_grid": True}), 1, 4
    latents = encoded(space, data, rng)
    shape = data.grid.shape
    assert latents.clean.shape[1:4] == shape and latents.positions.shape[1:] == (*shape, 3) and set(latents.codes) == {0, 1}
    for clean, code, places, views in zip(latents.clean, latents.codes, latents.positions, latents.views):
        run, zooms = data.runs[code], data.zooms[code]
        corner = np.rint(places[0, 0, 0] * 100 / zooms + np.array(run.shape[:3]) / 2 - 0.5).astype(int)
        box = tuple(slice(start, start + side) for start, side in zip(corner, shape))
        assert min(np.abs(run[box][..., t] + 3 - clean[..., 0]).max() for t in range(run.shape[3])) < 1e-6
        whole = [coarse_view(run[..., t], (2, 2, 2))[box] + 3 for t in range(run.shape[3])]
        assert min(np.abs(view - views[0, ..., 0]).max() for view in whole) < 1e-5


def test_a_short_time_encodes_fewer_frames_and_at_least_one(data, rng):
    assert len(encoded(Space(), data, rng, seconds=1e-9).clean) == 1
    assert len(encoded(Space(), data, rng, seconds=1e6).clean) == 5


def test_hidden_layers_in_bfloat16_give_finite_networks_in_float32(eagerly, rng, affine):
    # Not smaller: in bfloat16, TensorFlow's gradient of a convolution over two voxels a side is undefined on some processors.
    volume = Volume.from_array(rng.random((16, 16, 16, 5)), affine)
    data = labelled_runs([volume], Config(scaling="minmax", labels=("a",)))
    config = dataclasses.replace(CONFIG, latent="vq", precision="bfloat16", epochs=1, steps_per_epoch=1, stage="both")
    training, held_out = data.divided()
    pair = fit_autoencoder(training, held_out, config)
    assert pair.codebooks.dtype == np.float32 and latent_only(pair.encoder) is pair.encoder
    denoiser = fit_denoiser(pair, training, held_out, config)
    for network in (pair.encoder, pair.decoder, denoiser):
        assert {layer.compute_dtype for layer in network.layers if layer.weights} == {"float32"}
        assert all(np.isfinite(weight).all() for weight in network.get_weights())


def test_the_averaged_weights_are_what_is_returned(eagerly, data):
    """With a decay of nearly one, the average stays where the first step left it."""
    config = dataclasses.replace(CONFIG, ema=0.99999, epochs=2, steps_per_epoch=5, anneal=False, stage="both")
    start = Parts(*(build((4, 4), 1, 2) for build in (volume_encoder, volume_decoder)), None, None)
    start = start._replace(encoder=latent_only(start.encoder))
    denoiser = fit_denoiser(start, *data.divided(), config)
    # Adam moves a weight by the learning rate, 1e-3, in its first step; the weights themselves go farther in the four that follow.
    assert np.abs(denoiser.get_layer("said").get_weights()[0]).max() == pytest.approx(1e-3, rel=0.2)


class Interrupts(keras.callbacks.Callback):
    """Ctrl-C as the given epoch of all stages begins; counts those that began."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch, self.begun = epoch, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.begun += 1
        if self.begun == self.epoch:
            raise KeyboardInterrupt


STAGES = dataclasses.replace(CONFIG, stage="both", epochs=4, steps_per_epoch=1, autoencoder_share=0.5)


def test_ctrl_c_before_the_first_epoch_has_ended_leaves_no_network(eagerly, data):
    interrupts = Interrupts(1)
    with pytest.raises(KeyboardInterrupt):
        train(data, STAGES, [interrupts])
    assert interrupts.begun == 1


@pytest.mark.parametrize("epoch", [2, 3])
def test_ctrl_c_in_the_first_stage_or_before_the_second_has_an_epoch_keeps_the_autoencoder_alone(eagerly, data, caplog, epoch):
    interrupts = Interrupts(epoch)
    assert parts(train(data, STAGES, [interrupts])).denoiser is None
    # No epoch more is begun.
    assert interrupts.begun == epoch
    assert "the network has no denoiser yet: train it with `stage` diffusion, and this one as `initial`" in caplog.text


def test_ctrl_c_in_the_second_stage_keeps_its_best_epoch(eagerly, data):
    assert parts(train(data, STAGES, [Interrupts(4)])).denoiser is not None
