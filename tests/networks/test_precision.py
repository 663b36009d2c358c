import keras
import numpy as np
import pytest

from keras_mri.networks import precision
from keras_mri.networks.dense_unet import dense_unet
from keras_mri.networks.munet import munet
from keras_mri.networks.precision import hidden_layers_in, in_float32, with_hidden_layers_in
from keras_mri.networks.residual_unet import residual_slice_unet, residual_unet
from keras_mri.networks.unet3d import unet3d


def test_hidden_layers_compute_in_bfloat16_and_what_enters_and_leaves_in_float32():
    with hidden_layers_in("bfloat16"):
        network = residual_unet((None, None, None, 1), (2, 2), (1, 1))
    hidden = {layer.compute_dtype for layer in network.layers if isinstance(layer, keras.layers.LeakyReLU)}
    assert hidden == {"bfloat16"}
    assert {network.get_layer(name).compute_dtype for name in ("noise_units", "local_mean", "local_contrast", "residual", "restored")} == {
        "float32"
    }
    assert {weight.dtype for weight in network.weights} == {"float32"}


def test_the_global_policy_is_put_back_even_after_an_error():
    before = keras.config.dtype_policy().name
    try:
        with hidden_layers_in("bfloat16"):
            raise KeyError
    except KeyError:
        pass
    assert keras.config.dtype_policy().name == before


@pytest.mark.parametrize(
    ("available", "faster", "expected"), [(True, True, "bfloat16"), (True, False, "float32"), (False, True, "float32")]
)
def test_auto_takes_bfloat16_only_where_it_is_there_and_faster(monkeypatch, available, faster, expected):
    monkeypatch.setattr(precision, "has_bfloat16", lambda: available)
    monkeypatch.setattr(precision, "_faster_in_bfloat16", lambda: faster)
    with hidden_layers_in("auto") as chosen:
        assert chosen == expected


@pytest.mark.parametrize(("slow", "expected"), [("float32", True), ("mixed_bfloat16", False)])
def test_the_faster_precision_is_found_by_the_clock(monkeypatch, slow, expected):
    now = [0.0]

    class Layer:
        def __init__(self, *_, dtype, **__):
            self.dtype = dtype

        def __call__(self, data):
            now[0] += 2.0 if self.dtype == slow else 1.0
            return data

    monkeypatch.setattr(precision.keras.layers, "Conv3D", Layer)
    monkeypatch.setattr(precision.time, "perf_counter", lambda: now[0])
    assert precision._faster_in_bfloat16.__wrapped__() == expected


def test_a_copy_in_float32_has_the_same_weights_and_filter(rng):
    with hidden_layers_in("bfloat16"):
        network = residual_unet((None, None, None, 3), (2, 3), (1, 1), frame_weights=(0.25, 0.5, 0.25))
    network.set_weights([rng.normal(0, 0.2, weight.shape) for weight in network.get_weights()])
    copy = in_float32(network)
    assert {layer.compute_dtype for layer in copy.layers} == {"float32"}
    assert len(copy.trainable_weights) == len(network.trainable_weights) == len(copy.weights) - 1
    for found, wanted in zip(copy.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(found, wanted)
    data = rng.random((1, 8, 6, 4, 3), dtype=np.float32)
    np.testing.assert_allclose(copy.predict_on_batch(data), network.predict_on_batch(data), atol=0.02)


BUILDERS = {
    "residual_unet": lambda: residual_unet((None, None, None, 3), (2, 3), (1, 1), frame_weights=(0.25, 0.5, 0.25)),
    "residual_unet with image": lambda: residual_unet((None, None, None, 1), (2, 3), (1, 1), with_image=True),
    "dense_unet": lambda: dense_unet((None, None, None, 1), 2, "batch", levels=1),
    "munet": lambda: munet(1, 3, noise_scale=0.05),
    "unet3d": lambda: unet3d(4, 2, residual=True, normalization="none", detail_scale=0.1),
    "residual_slice_unet": lambda: residual_slice_unet(filters=(2, 3), depths=(1, 1)),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_a_saved_network_gets_back_the_precision_it_was_built_with(name):
    with hidden_layers_in("bfloat16"):
        built = BUILDERS[name]()
    again = with_hidden_layers_in(in_float32(built), "bfloat16")
    # What is fed by intensities alone, or gives them, is float32; a layer between convolutions is not.
    convolutions = [layer.name for layer in built.layers if "Conv" in type(layer).__name__]
    for layer in built.layers:
        if layer.name in convolutions or layer.compute_dtype == "float32":
            assert again.get_layer(layer.name).compute_dtype == layer.compute_dtype, layer.name


def test_in_float32_nothing_changes_and_in_bfloat16_little(rng):
    network = munet(1, 4, noise_scale=0.05)
    network.set_weights([rng.normal(0, 0.1, weight.shape) for weight in network.get_weights()])
    data = rng.random((1, 8, 6, 4, 1), dtype=np.float32)
    wanted = network.predict_on_batch(data)
    np.testing.assert_array_equal(with_hidden_layers_in(network, "float32").predict_on_batch(data), wanted)
    found = with_hidden_layers_in(network, "bfloat16").predict_on_batch(data)
    assert 0 < np.abs(found - wanted).max() < 0.03 * np.abs(wanted - data).max()
