"""Networks of runs that need no training, and runs to give them."""

import numpy as np

from keras_mri.imaging import phantoms
from keras_mri.io.volumes import Volume
from keras_mri.networks.run_unet import run_unet
from keras_mri.systems.network_files import checkpoint_for
from keras_mri.systems.wgan.settings import Config, PredictConfig

# Places in the logits of `run_unet`: the voxel itself, and the widest average.
ITSELF, WIDEST = 13, 30
FLOAT32 = PredictConfig(precision="float32")


def network_that_takes(choice, filters=(2, 2), depths=(1, 1)):
    """Return a network whose output is one of its choices at every voxel: the map itself, or an average of it."""
    network = run_unet(filters, depths)
    kernel, bias = network.get_layer("logits").get_weights()
    network.get_layer("logits").set_weights([np.zeros_like(kernel), np.where(np.arange(len(bias)) == choice, 100.0, 0.0)])
    return network


def wilful_network(seed=0):
    """Return a network whose choices differ from voxel to voxel and depend on all channels."""
    network, rng = run_unet((3, 4), (1, 1)), np.random.default_rng(seed)
    for layer in network.layers:
        if layer.trainable and layer.weights:
            # Drawn here, whatever Keras drew: the same in every run of the tests.
            layer.set_weights([rng.normal(0, 0.3, weight.shape) for weight in layer.get_weights()])
    return network


def checkpoint_of(network, keep=0.9):
    """Return a network of runs as prediction takes it, with the facts that training would give it."""
    return checkpoint_for(network, "wgan", Config(keep=keep), {"input": "maps"})


def head_run(shape, sigma=15.0, seed=0, offset=0.0):
    """Return a head that does not change plus noise: float32, never negative."""
    head, brain = phantoms.head(shape[:3], seed)
    noise = np.random.default_rng(seed).normal(0, sigma, shape)
    return np.maximum(head[..., None] + offset + noise, 0).astype(np.float32), brain


def volume_of(run, repetition_time=2.0, name="bold.nii.gz"):
    """Return a run as a Volume on an oblique grid, with a header."""
    import nibabel

    header = nibabel.Nifti1Header()
    header.set_data_shape(run.shape)
    header.set_zooms((2.0, 2.5, 3.0, repetition_time or 0.0)[: run.ndim])
    header.set_xyzt_units("mm", "sec")
    return Volume.from_array(run, phantoms.oblique_affine(), header, name)
