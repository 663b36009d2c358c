"""Every system that asks for the precision that fits: its result is that of one precision or of the other, and its facts say which."""

import numpy as np
import pytest

from keras_mri.imaging import phantoms
from keras_mri.inference import fitting_precision
from keras_mri.io.volumes import Volume
from keras_mri.networks.munet import munet
from keras_mri.networks.residual_unet import residual_slice_unet, residual_unet, thick_slices_unet
from keras_mri.systems.cnn import system as cnn
from keras_mri.systems.cnn.settings import Config as SliceConfig
from keras_mri.systems.n2a import system as n2a
from keras_mri.systems.n2a.settings import Config as RepetitionConfig
from keras_mri.systems.network_files import checkpoint_for
from keras_mri.systems.shared_settings import PredictConfig as Shared
from keras_mri.systems.sr import system as sr
from keras_mri.systems.sr.settings import Config as FineConfig
from keras_mri.systems.wgan import system as wgan
from keras_mri.systems.wgan.settings import Config
from tests.systems.wgan.run_networks import checkpoint_of, head_run, volume_of, wilful_network

SHAPE = (19, 17, 14)


def rounding(network):
    """Give a network weights that round in bfloat16."""
    rng = np.random.default_rng(2)
    network.set_weights([rng.normal(0, 0.15, weight.shape) for weight in network.get_weights()])
    return network


def head(affine, seed=4):
    noisy = phantoms.noisy_volume(phantoms.head(SHAPE, seed=3)[0], 40, seed=seed, model="rician")
    return Volume.from_array(noisy.data, affine, name="scan.nii")


def volumes(affine, **options):
    checkpoint = checkpoint_for(rounding(residual_unet((None, None, None, 1), (2, 3), (1, 1))), "wgan", Config())
    return wgan.predict(checkpoint, [head(affine)], wgan.PredictConfig(**options))


def windows(affine, **options):
    network = rounding(residual_unet((None, None, None, 3), (2, 3), (1, 1), frame_weights=(0.25, 0.5, 0.25)))
    run = Volume.from_array(head_run((*SHAPE, 4))[0], affine, name="scan.nii")
    return wgan.predict(checkpoint_for(network, "wgan", Config()), [run], wgan.PredictConfig(**options))


def runs(affine, **options):
    return wgan.predict(checkpoint_of(wilful_network()), [volume_of(head_run((*SHAPE, 12))[0])], wgan.PredictConfig(**options))


def pairs(affine, **options):
    network = rounding(residual_unet((None, None, None, 1), (2, 3), (1, 1), 0.2, with_image=True))
    checkpoint = checkpoint_for(network, "sr", FineConfig(simulate=(2.0, 2.0, 1.0)))
    return sr.predict(checkpoint, [head(affine)], sr.SETTINGS.PredictConfig(**options))


def finer(affine, **options):
    return pairs(affine, upsample=(2, 2, 1), **options)


def thick(affine, **options):
    network = rounding(thick_slices_unet((2, 3), (1, 1), 0.1))
    checkpoint = checkpoint_for(network, "sr", FineConfig(thick_slices=(2.0, 6.0)), {"voxel": (1.0, 1.0)})
    return sr.predict(checkpoint, [head(np.diag([1.0, 1.0, 3.0, 1.0]))], sr.SETTINGS.PredictConfig(**options))


def repetitions(affine, **options):
    checkpoint = checkpoint_for(rounding(munet(1, 2, 0.05)), "n2a", RepetitionConfig(initial="none", filters=2))
    mask = Volume.from_array(phantoms.head(SHAPE, seed=3)[1], affine)
    both = [head(affine, seed) for seed in (4, 5)]
    return n2a.predict(checkpoint, both, n2a.SETTINGS.PredictConfig(mask=mask, align=False, mirror="none", **options))


THAT_FIT = [volumes, windows, runs, pairs, finer, thick, repetitions]


@pytest.fixture
def made_for_it(monkeypatch):
    monkeypatch.setattr(fitting_precision, "has_bfloat16", lambda: True)
    monkeypatch.setattr(fitting_precision, "LEAST_VOXELS", 1)


def test_the_default_is_auto():
    assert Shared().precision == "auto"


@pytest.mark.parametrize("restore", THAT_FIT)
def test_auto_gives_one_of_the_two_and_says_which(restore, affine, made_for_it, monkeypatch):
    plain, rounded = restore(affine, precision="float32"), restore(affine, precision="bfloat16")
    assert np.abs(plain.data - rounded.data).max() > 0
    assert (plain.facts["precision"], rounded.facts["precision"]) == ({"used": "float32"}, {"used": "bfloat16"})
    for most, expected in ((np.inf, rounded), (0.0, plain)):
        monkeypatch.setattr(fitting_precision, "MOST_OF_NOISE", most)
        found = restore(affine)
        np.testing.assert_array_equal(found.data, expected.data)
        assert found.facts["precision"]["used"] == expected.facts["precision"]["used"]
        assert 0 < found.facts["precision"]["difference"] < 1


@pytest.mark.parametrize("restore", THAT_FIT)
def test_elsewhere_auto_is_float32(restore, affine, monkeypatch):
    monkeypatch.setattr(fitting_precision, "has_bfloat16", lambda: False)
    monkeypatch.setattr(fitting_precision, "LEAST_VOXELS", 1)
    np.testing.assert_array_equal(restore(affine).data, restore(affine, precision="float32").data)


def test_slices_stay_in_float32(affine, made_for_it):
    checkpoint = checkpoint_for(rounding(residual_slice_unet(filters=(2, 3), depths=(1, 1))), "cnn", SliceConfig())
    by_itself, plain = (
        cnn.predict(checkpoint, [head(affine)], cnn.SETTINGS.PredictConfig(**o)).data for o in ({}, {"precision": "float32"})
    )
    np.testing.assert_array_equal(by_itself, plain)
