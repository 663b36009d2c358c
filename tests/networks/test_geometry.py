import keras
import numpy as np
import pytest

from keras_mri.networks.dense_unet import dense_unet
from keras_mri.networks.geometry import geometry
from keras_mri.networks.residual_unet import residual_unet


def shaken(network, seed=0):
    """Give every weight a random value, so that nothing cancels or is zero."""
    rng = np.random.default_rng(seed)
    network.set_weights([rng.normal(0, 0.3, weight.shape) for weight in network.get_weights()])
    return network


def measured_reach(network, shape, positions):
    """Oracle: change one input voxel and see how far away the output changes."""
    base = np.random.default_rng(1).random((1, *shape, network.input_shape[-1]), dtype=np.float32)
    before = network.predict_on_batch(base)[0, ..., 0]
    reach = np.zeros(3, int)
    for position in positions:
        poked = base.copy()
        poked[(0, *position)] += 10
        changed = np.argwhere(network.predict_on_batch(poked)[0, ..., 0] != before)
        reach = np.maximum(reach, np.abs(changed - position).max(axis=0))
    return tuple(int(side) for side in reach)


def strided(padding):
    inputs = keras.Input((None, None, None, 1))
    tensor = keras.layers.ZeroPadding3D(1)(inputs) if padding == "valid" else inputs
    tensor = keras.layers.Conv3D(2, 3, strides=2, padding=padding)(tensor)
    tensor = keras.layers.Conv3DTranspose(1, 3, strides=2, padding="same")(tensor)
    return keras.Model(inputs, tensor)


@pytest.mark.parametrize(
    ("network", "stride"),
    [
        (lambda: residual_unet((None, None, None, 3), (2, 3), (1, 1)), 2),
        (lambda: dense_unet((None, None, None, 1), 2, "none", levels=0), 1),
        (lambda: dense_unet((None, None, None, 1), 1, "none", levels=1), 2),
        (lambda: strided("same"), 2),
        (lambda: strided("valid"), 2),
    ],
)
def test_no_output_changes_beyond_the_reach_and_the_bound_is_tight(network, stride):
    network = shaken(network())
    facts = geometry(network)
    assert facts.stride == stride
    shape = tuple(4 * (reach // 2 + 1) + 4 for reach in facts.reach)
    middle = [side // 2 for side in shape]
    measured = measured_reach(network, shape, [middle, [side + 1 for side in middle]])
    # At the rim of the reach a ReLU may be shut: allow for one block there.
    assert all(seen <= reach <= seen + 2 * stride for seen, reach in zip(measured, facts.reach)), (measured, facts.reach)


@pytest.mark.parametrize("layer", [keras.layers.GroupNormalization(groups=1), keras.layers.GlobalAveragePooling3D(keepdims=True)])
def test_layers_that_see_everything_have_no_reach(layer):
    inputs = keras.Input((None, None, None, 2))
    tensor = keras.layers.Conv3D(1, 1)(keras.layers.Add()([layer(inputs), inputs]))
    assert geometry(keras.Model(inputs, tensor)).reach is None


def test_behind_a_layer_that_sees_everything_the_halvings_are_still_counted():
    inputs = keras.Input((None, None, None, 2))
    tensor = keras.layers.GroupNormalization(groups=-1)(inputs)
    tensor = keras.layers.AveragePooling3D(2)(keras.layers.AveragePooling3D(2)(tensor))
    facts = geometry(keras.Model(inputs, keras.layers.UpSampling3D(4)(tensor)))
    assert facts.reach is None and facts.stride == 4


def test_memory_grows_with_the_channels_alive():
    narrow, wide = (geometry(residual_unet((None, None, None, 1), (width, 4), (1, 1))).bytes_per_voxel for width in (8, 32))
    assert wide > 3 * narrow >= 3 * 8 * 4


def test_the_network_itself_is_left_as_it_was(rng):
    network = residual_unet((None, None, None, 1), (2, 2), (1, 1))
    config = network.get_config()
    geometry(network)
    assert keras.Model.from_config(network.get_config()).get_config() == keras.Model.from_config(config).get_config()
