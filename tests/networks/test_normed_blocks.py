import keras
import numpy as np
import pytest

from keras_mri.networks.normed_blocks import doubled, halved, normed, residual_block


@pytest.mark.parametrize(("channels", "groups"), [(2, 1), (4, 2), (6, 1), (16, 8), (64, 8)])
def test_groups_have_at_least_two_channels(channels, groups):
    network = keras.Model(inputs := keras.Input((4, 4, 4, channels)), normed(inputs))
    assert network.layers[1].groups == groups and channels // groups >= 2


def test_the_embedding_reaches_every_voxel_of_a_block(rng):
    image, told = keras.Input((None, None, None, 2)), keras.Input((3,))
    block = keras.Model([image, told], residual_block(image, 4, told))
    data = rng.random((2, 5, 4, 3, 2), dtype=np.float32)
    outputs = [block.predict_on_batch([data, np.full((2, 3), value, np.float32)]) for value in (0, 1)]
    assert outputs[0].shape == (2, 5, 4, 3, 4)
    assert (np.abs(outputs[1] - outputs[0]).max(axis=-1) > 1e-6).all()


def test_halving_and_doubling_give_back_the_shape():
    image = keras.Input((12, 8, 6, 2))
    small = halved(image, 3)
    assert small.shape == (None, 6, 4, 3, 3) and doubled(small, 5).shape == (None, 12, 8, 6, 5)
