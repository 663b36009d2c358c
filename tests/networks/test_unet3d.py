import keras
import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.networks.geometry import geometry
from keras_mri.networks.unet3d import check_patch, unet3d


@pytest.mark.parametrize(
    ("size", "parameters"),
    [
        ((32, 4), 58_817_985), ((8, 4), 3_678_129), ((16, 4), 14_707_169), ((16, 3), 3_645_409),
        ((32, 3), 14_576_065), ((32, 2), 3_514_305), ((8, 3), 912_049),
    ],
)  # fmt: skip
def test_the_published_sizes_have_the_published_number_of_parameters(size, parameters):
    assert unet3d(*size).count_params() == parameters


@pytest.mark.parametrize("options", [dict(), dict(residual=True), dict(residual=True, normalization="none")])
def test_any_sides_that_can_be_halved_come_back(options, rng):
    network = unet3d(2, 2, **options)
    assert network.input_shape == network.output_shape == (None, None, None, None, 1)
    for shape in ((8, 12, 4), (4, 4, 16)):
        assert network.predict_on_batch(rng.random((1, *shape, 1), dtype=np.float32)).shape == (1, *shape, 1)


def test_a_residual_network_starts_as_the_identity(rng):
    data = rng.normal(size=(2, 8, 8, 4, 1)).astype(np.float32)
    for normalization in ("instance", "none"):
        np.testing.assert_array_equal(unet3d(2, 2, residual=True, normalization=normalization).predict_on_batch(data), data)


def test_halving_and_doubling_keep_a_voxel_where_it_is():
    """Oracle: convolutions whose kernel is 1 at its centre read and write every second voxel, beginning with the first."""
    network = unet3d(1, 1, normalization="none")
    steps = {type(layer).__name__: layer for layer in network.layers if getattr(layer, "strides", (1,))[0] == 2}
    for layer in steps.values():
        kernel = np.zeros(layer.kernel.shape)
        kernel[1, 1, 1] = np.eye(2)
        layer.set_weights([kernel, np.zeros(2)])
    data = np.arange(6 * 4 * 8, dtype=np.float32).reshape(1, 6, 4, 8, 1).repeat(2, axis=-1)
    padding = next(layer for layer in network.layers if isinstance(layer, keras.layers.ZeroPadding3D))
    cropping = next(layer for layer in network.layers if isinstance(layer, keras.layers.Cropping3D))
    half = steps["Conv3D"](padding(data))
    np.testing.assert_array_equal(half, data[:, ::2, ::2, ::2])
    whole = np.asarray(cropping(steps["Conv3DTranspose"](half)))
    np.testing.assert_array_equal(whole[:, ::2, ::2, ::2], data[:, ::2, ::2, ::2])
    assert whole.shape == data.shape and not whole[:, 1::2].any()


def test_without_normalisation_the_reach_is_bounded_and_with_it_the_grid_is_still_known():
    plain, normalised = (geometry(unet3d(1, 2, normalization=name)) for name in ("none", "instance"))
    assert plain.reach and plain.stride == 4
    assert normalised.reach is None and normalised.stride == 4
    assert normalised.bytes_per_voxel < 8 * plain.bytes_per_voxel


def test_the_default_options_give_between_one_and_five_million_parameters():
    from keras_mri.systems.sr.settings import Config

    config = Config(generator="unet3d")
    network = unet3d(config.base_filters, config.levels, config.residual, config.normalization)
    assert 1_000_000 < network.count_params() < 5_000_000
    assert not network.get_layer("residual").kernel.numpy().any()


def test_patches_that_cannot_be_used_are_refused_with_what_can():
    check_patch((32, 32, 16), 3, "none")
    check_patch((32, 16, 16), 4, "instance")
    with pytest.raises(InputError, match=r"divisible by 8: the network halves them 3 times.*\(30, 32, 21\). Nearest valid: \(32, 32, 24\)"):
        check_patch((30, 32, 21), 3, "none")
    with pytest.raises(InputError, match=r"at least 32: 4 halvings leave a single voxel.*\(16, 16, 16\).*fewer `levels`"):
        check_patch((16, 16, 16), 4, "instance")
    with pytest.raises(InputError, match="`normalization` must be one of instance, none. Received: 'batch'"):
        unet3d(2, 1, normalization="batch")
