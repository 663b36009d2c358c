import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.networks.dense_unet import dense_critic, dense_unet, published_levels


def counts(network):
    trainable = sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)
    return network.count_params(), trainable, network.count_params() - trainable


@pytest.mark.parametrize(
    ("shape", "expected"), [((32, 32, 8, 1), (272_929, 270_433, 2_496)), ((64, 64, 64, 1), (3_132_489, 3_124_073, 8_416))]
)
def test_the_generator_has_the_published_parameters(shape, expected):
    assert counts(dense_unet(shape)) == expected


@pytest.mark.parametrize(
    ("shape", "expected"), [((32, 32, 8, 1), (1_307_225, 1_304_857, 2_368)), ((64, 64, 64, 1), (2_208_315, 2_203_691, 4_624))]
)
def test_the_critic_has_the_published_parameters(shape, expected):
    assert counts(dense_critic(shape)) == expected


def test_growth_rate_counts_of_one_dense_layer_by_hand():
    # Growing the rate from 1 to 2 without normalisation, 8 layers on 32 + k * g channels:
    # each layer has (c + 1) * 4g weights of its 1³ and (27 * 4g + 1) * g of its 3³ convolution; the head has 32 + 8g + 1.
    def expected(growth):
        layers = sum((32 + k * growth + 1) * 4 * growth + (27 * 4 * growth + 1) * growth for k in range(8))
        return 27 * 32 + 32 + layers + 32 + 8 * growth + 1

    for growth in (1, 2):
        assert dense_unet((8, 8, 8, 1), growth, "none").count_params() == expected(growth)


def test_levels_follow_the_shortest_side():
    assert [published_levels(shape) for shape in ((32, 32, 8), (64, 64, 64), (64, 32, 32), (16, 16, 16))] == [0, 3, 2, 1]


def test_the_residual_network_starts_as_the_middle_frame(rng):
    frames = rng.random((1, 6, 8, 4, 5), dtype=np.float32)
    network = dense_unet((None, None, None, 5), 2, "none", residual=True, levels=1)
    np.testing.assert_array_equal(network.predict_on_batch(frames)[..., 0], frames[..., 2])


def test_sides_that_cannot_be_halved_are_refused_with_the_nearest():
    with pytest.raises(InputError, match=r"divisible by 8.*halves them 3 times.*\(60, 64, 64\).*Nearest valid: \(64, 64, 64\)"):
        dense_unet((60, 64, 64, 1), levels=3)


def test_open_sides_need_levels():
    with pytest.raises(InputError, match="needs `levels`"):
        dense_unet((None, None, None, 1))


def test_an_unknown_normalization_is_refused():
    with pytest.raises(InputError, match="must be one of batch, none. Received: 'layer'"):
        dense_unet((8, 8, 8, 1), 2, "layer")
