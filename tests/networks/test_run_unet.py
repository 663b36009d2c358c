"""The network of runs averages: it starts as the identity, and nothing it gives is beyond what lies around a voxel."""

import keras
import numpy as np
import pytest
from keras import layers
from scipy import ndimage

from keras_mri.errors import InputError
from keras_mri.networks.geometry import geometry
from keras_mri.networks.run_unet import run_unet

# Half of the width of the widest average: three boxes of 3 and one of 5.
_FAR = 1 + 1 + 1 + 2


@pytest.fixture(scope="module")
def network():
    return run_unet((4, 6), (1, 2))


@pytest.fixture(scope="module")
def wilful():
    """A network that chooses for itself at every voxel, weights of all kinds."""
    network, rng = run_unet((4, 6), (1, 2)), np.random.default_rng(3)
    kernel, bias = network.get_layer("logits").get_weights()
    network.get_layer("logits").set_weights([rng.normal(0, 2, kernel.shape), rng.normal(0, 2, bias.shape)])
    return network


def choosing(number):
    """Return a network that takes one of its choices everywhere."""
    network = run_unet((2, 2), (1, 1))
    kernel, bias = network.get_layer("logits").get_weights()
    network.get_layer("logits").set_weights([np.zeros_like(kernel), np.where(np.arange(len(bias)) == number, 100.0, 0.0)])
    return network


def channels(shape, seed=0):
    return np.random.default_rng(seed).standard_normal((*shape, 5), dtype=np.float32)


def test_before_training_the_voxel_itself_has_almost_all_of_the_weight(network):
    inputs = channels((2, 16, 14, 12))
    outputs = network.predict_on_batch(inputs)
    assert outputs.shape == (2, 16, 14, 12, 1) and outputs.dtype == np.float32
    # Of thirty-one choices one has e⁸ times the weight of the others: 0.990.
    own = np.exp(8) / (np.exp(8) + 30)
    around = (outputs - own * inputs[..., :1])[0, ..., 0] * (np.exp(8) + 30)
    values = inputs[0, ..., 0].astype(np.float64)
    boxes = [27 * ndimage.uniform_filter(values, 3, mode="constant") - values]
    for side in (3, 3, 3, 5):
        values = ndimage.uniform_filter(values, side, mode="constant")
        boxes.append(values)
    inside = (slice(_FAR, -_FAR),) * 3
    np.testing.assert_allclose(around[inside], sum(boxes)[inside], atol=1e-2)


def test_before_training_it_is_the_identity_within_two_percent(network):
    inputs = channels((2, 12, 10, 8))
    change = network.predict_on_batch(inputs) - inputs[..., :1]
    assert change.std() < 0.02 * inputs[..., 0].std()


def test_only_the_map_is_passed_on_and_guides_only_choose(network, wilful):
    inputs = channels((1, 8, 6, 4))
    others = inputs.copy()
    others[..., 1:] = channels((1, 8, 6, 4), seed=1)[..., 1:]
    np.testing.assert_array_equal(network.predict_on_batch(inputs), network.predict_on_batch(others))
    assert np.abs(wilful.predict_on_batch(inputs) - wilful.predict_on_batch(others)).max() > 0.1
    inputs[..., 0] = 0
    np.testing.assert_array_equal(wilful.predict_on_batch(inputs), np.zeros((1, 8, 6, 4, 1)))


def test_nothing_is_beyond_the_range_of_the_map_around(wilful):
    inputs = channels((1, 14, 12, 10))
    outputs, values = wilful.predict_on_batch(inputs)[0, ..., 0], inputs[0, ..., 0]
    # What lies beyond the faces is zero to the 27 neighbours.
    beyond = np.pad(values, 1)
    low = ndimage.minimum_filter(beyond, 2 * _FAR + 1)[1:-1, 1:-1, 1:-1]
    high = ndimage.maximum_filter(beyond, 2 * _FAR + 1)[1:-1, 1:-1, 1:-1]
    assert (outputs >= low - 1e-5).all() and (outputs <= high + 1e-5).all()
    assert outputs.std() > 0.05
    inputs[..., 0] = np.abs(inputs[..., 0])
    assert wilful.predict_on_batch(inputs).min() >= 0


def test_weights_sum_to_one_inside(wilful):
    inputs = channels((1, 16, 14, 12))
    inputs[..., 0] = 7.5
    inside = (0, *(slice(1, -1),) * 3, 0)
    np.testing.assert_allclose(wilful.predict_on_batch(inputs)[inside], 7.5, rtol=1e-5)
    weights = keras.Model(wilful.input, wilful.get_layer("weights").output).predict_on_batch(inputs)
    assert weights.shape[-1] == 31 and weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-5)


@pytest.mark.parametrize("number", [0, 5, 13, 26])
def test_a_choice_is_a_neighbour(number):
    inputs = channels((1, 8, 6, 4))
    x, y, z = np.unravel_index(number, (3, 3, 3))
    padded = np.pad(inputs[0, ..., 0], 1)
    shifted = padded[x : x + 8, y : y + 6, z : z + 4]
    np.testing.assert_allclose(choosing(number).predict_on_batch(inputs)[0, ..., 0], shifted, atol=1e-6)


@pytest.mark.parametrize(("number", "sides"), [(27, [3]), (28, [3, 3]), (29, [3, 3, 3]), (30, [3, 3, 3, 5])])
def test_a_choice_is_an_average_of_growing_width(number, sides):
    inputs = channels((1, 16, 14, 12))
    expected = inputs[0, ..., 0].astype(np.float64)
    for side in sides:
        expected = ndimage.uniform_filter(expected, side, mode="constant")
    outputs = choosing(number).predict_on_batch(inputs)[0, ..., 0]
    inside = (slice(_FAR, -_FAR),) * 3
    np.testing.assert_allclose(outputs[inside], expected[inside], atol=1e-6)
    # At the faces the mean is over the voxels that there are: a constant stays one.
    np.testing.assert_allclose(choosing(number).predict_on_batch(np.ones((1, 8, 6, 4, 5), np.float32)), 1, atol=1e-6)


def test_it_has_built_in_layers_alone_and_loads_in_bare_keras(wilful, tmp_path):
    for layer in wilful.layers:
        assert type(layer) is getattr(layers, type(layer).__name__) or type(layer).__name__ == "InputLayer"
    wilful.save(tmp_path / "network.h5")
    inputs = channels((1, 8, 6, 4))
    bare = keras.models.load_model(tmp_path / "network.h5", compile=False)
    np.testing.assert_array_equal(bare.predict_on_batch(inputs), wilful.predict_on_batch(inputs))


def test_what_averages_does_not_train():
    network = run_unet((2, 3), (1, 1))
    fixed = {layer.name for layer in network.layers if layer.weights and not layer.trainable}
    assert fixed == {"map", "around", "restored"}
    # 5→2, down 2→3 (2³), 3→3, up 3→2 (2³), 2→2, and a logit for each choice.
    by_hand = (27 * 5 * 2 + 2) + (8 * 2 * 3 + 3) + (27 * 3 * 3 + 3) + (8 * 3 * 2 + 2) + (27 * 2 * 2 + 2) + (2 * 31 + 31)
    assert sum(int(np.prod(weight.shape)) for weight in network.trainable_weights) == by_hand


def test_half_of_the_layers_may_compute_in_half_precision(wilful):
    """Averages stay exact where hidden layers do not: they are float32 by name."""
    exact = {"map", "around", "logits", "weights", "restored"}
    assert all(wilful.get_layer(name).compute_dtype == "float32" for name in exact)


@pytest.mark.parametrize(("filters", "depths", "factor"), [((3,), (2,), 1), ((2, 3), (1, 2), 2), ((2, 3, 4), (1, 1, 1), 4)])
def test_levels_halve_the_grid_and_start_as_the_identity(filters, depths, factor):
    network = run_unet(filters, depths)
    inputs = channels((1, 3 * factor, 2 * factor, factor))
    outputs = network.predict_on_batch(inputs)
    assert outputs.shape == inputs.shape[:-1] + (1,)
    assert np.abs(outputs - inputs[..., :1]).std() < 0.05


def test_its_reach_is_known_so_that_tiles_are_exact():
    facts = geometry(run_unet())
    assert facts.stride == 2
    assert facts.reach is not None and min(facts.reach) >= _FAR


def test_sides_that_cannot_be_halved_are_refused():
    with pytest.raises(InputError, match=r"divisible by 2.*Received"):
        run_unet((2, 3), (1, 1), sides=(8, 7, 6))
