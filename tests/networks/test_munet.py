import keras
import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.networks.geometry import geometry
from keras_mri.networks.munet import munet, munet_diffusion


@pytest.fixture
def data(rng):
    return rng.random((2, 5, 7, 3, 2), dtype=np.float32)


def parameters(*convolutions):
    """Count by hand: 27 weights from each channel to each filter, and a bias for each filter."""
    return sum(27 * before * after + after for before, after in convolutions)


def joins(network):
    return [[tensor.shape[-1] for tensor in layer.input] for layer in network.layers if isinstance(layer, keras.layers.Concatenate)]


def test_structural_parameters_by_hand():
    # c1; second of c1, both of c2…c5, second of c6…c9: 13 from 64; first of c6…c9 from 128; the head.
    # (1,792) + 13 · (27·64·64 + 64 = 110,656) + 4 · (27·128·64 + 64 = 221,248) + (1,729)
    by_hand = 1_792 + 13 * 110_656 + 4 * 221_248 + 1_729
    assert by_hand == 2_327_041
    assert munet().count_params() == by_hand


def test_structural_parameters_with_other_widths():
    by_hand = parameters((2, 3), *[(3, 3)] * 13, *[(6, 3)] * 4, (3, 2))
    assert munet(channels=2, filters=3).count_params() == by_hand
    assert munet(channels=2, filters=3, noise_scale=0.1).count_params() == by_hand  # the front end has no weights


def test_published_diffusion_parameters_by_hand():
    # c1: 31,296 and one of six from 192 to 192 (995,520); c4 from 384: 1,990,848; c5: 995,424 and 124,464; the head to 6: 7,782.
    # Four numbers for each of the 7 · 192 + 96 + 48 normalised channels.
    by_hand = 31_296 + 6 * 995_520 + 1_990_848 + 995_424 + 124_464 + 7_782 + 4 * (7 * 192 + 96 + 48)
    assert by_hand == 9_128_886
    assert munet_diffusion(6).count_params() == by_hand


def test_diffusion_parameters_by_hand():
    # c1 (7→8, 8→8), c2, c3 (8→8 twice), c4 (16→8, 8→8), c5 (16→4, 4→2), head 2→7.
    convolutions = parameters((7, 8), *[(8, 8)] * 5, (16, 8), (8, 8), (16, 4), (4, 2), (2, 7))
    # Four numbers per filter and BatchNormalization; none after the first convolution and the head.
    normalizations = 4 * (8 * 7 + 4 + 2)
    network = munet_diffusion(channels=7, filters=8)
    assert network.count_params() == convolutions + normalizations
    assert sum(weight.shape[0] for weight in network.non_trainable_weights) == normalizations // 2


def test_pairs_are_joined_as_the_paper_draws_them():
    assert joins(munet(filters=3)) == [[3, 3]] * 4
    assert joins(munet_diffusion(2, filters=8)) == [[8, 8]] * 2


@pytest.mark.parametrize(
    ("network", "read"),
    [
        (
            munet(filters=2),
            {"c6_1": ["c4_2", "c5_2"], "c7_1": ["c3_2", "c6_2"], "c8_1": ["c2_2", "c7_2"], "c9_1": ["c1_2", "c8_2"]},
        ),
        (munet_diffusion(2, filters=4), {"c4_1": ["c3_2", "c1_2"], "c5_1": ["c4_2", "c2_2"]}),
    ],
    ids=["structural", "diffusion"],
)
def test_what_each_joined_pair_reads_and_in_which_order(network, read):
    def convolution(tensor):
        layer = tensor._keras_history.operation
        return layer.name if isinstance(layer, keras.layers.Conv3D) else convolution(layer.input)

    found = {name: [convolution(tensor) for tensor in network.get_layer(name).input._keras_history.operation.input] for name in read}
    assert found == read


def test_diffusion_normalises_before_the_relu_and_not_after_the_first():
    kinds = [type(layer).__name__ for layer in munet_diffusion(2, filters=4).layers]
    assert kinds[1:6] == ["Conv3D", "ReLU", "Conv3D", "BatchNormalization", "ReLU"]
    assert kinds.count("BatchNormalization") == 9


@pytest.mark.parametrize("network", [munet(2, 3), munet(2, 3, 0.1), munet_diffusion(2, 4)], ids=["published", "front end", "diffusion"])
def test_the_residual_is_added_to_the_image_on_any_sides(network, data):
    head = network.get_layer("residual")
    head.set_weights([np.zeros(head.kernel.shape), np.array([0.5, -2])])
    scale = next((layer.scale for layer in network.layers if layer.name == "image_units"), 1.0)
    np.testing.assert_allclose(network.predict_on_batch(data), data + scale * np.float32([0.5, -2]), atol=1e-6)


def test_with_a_front_end_it_starts_as_the_identity(data):
    np.testing.assert_array_equal(munet(2, 3, noise_scale=0.05).predict_on_batch(data), data)


def test_the_published_form_does_not_start_as_the_identity(data):
    assert np.abs(munet(2, 3).predict_on_batch(data) - data).max() > 0.01


def test_with_a_front_end_only_contrast_counts_and_nothing_is_switched_off(data):
    network = munet(2, 3, noise_scale=0.5)
    assert {type(layer).__name__ for layer in network.layers} & {"ReLU", "LeakyReLU"} == {"LeakyReLU"}
    network.get_layer("residual").set_weights([np.ones((3, 3, 3, 3, 2)), np.zeros(2)])
    residual = network.predict_on_batch(data) - data
    np.testing.assert_allclose(network.predict_on_batch(data + 3) - (data + 3), residual, atol=1e-4)
    assert np.abs(residual).max() > 0.01


def test_the_longest_way_sets_how_far_it_looks():
    # One voxel for each of the convolutions in a row; the front end's 5³ mean adds two.
    assert geometry(munet(filters=2)).reach == (19, 19, 19)
    assert geometry(munet(filters=2, noise_scale=0.1)).reach == (21, 21, 21)
    assert geometry(munet_diffusion(2, filters=4)).reach == (11, 11, 11)


@pytest.mark.parametrize("network", [munet(2, 3), munet(2, 3, 0.1), munet_diffusion(2, 4)], ids=["published", "front end", "diffusion"])
def test_bare_keras_loads_it_from_h5(network, data, rng, tmp_path):
    network.set_weights([rng.uniform(0.05, 0.2, weight.shape) for weight in network.get_weights()])
    network.save(tmp_path / "munet.h5")
    again = keras.models.load_model(tmp_path / "munet.h5", compile=False)
    np.testing.assert_allclose(again.predict_on_batch(data), network.predict_on_batch(data), rtol=1e-5)


def test_diffusion_filters_are_halved_twice():
    with pytest.raises(InputError, match="at least 4: the last pair has a half and a quarter of them. Received: 3"):
        munet_diffusion(2, filters=3)
