import keras
import numpy as np
import pytest

from keras_mri.networks import precision
from keras_mri.networks.precision import hidden_layers_in, in_float32
from keras_mri.networks.residual_unet import residual_unet


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
