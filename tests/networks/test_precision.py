import keras

from keras_mri.networks.precision import has_bfloat16, hidden_layers_in
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


def test_auto_follows_the_processor():
    with hidden_layers_in("auto") as chosen:
        assert chosen == ("bfloat16" if has_bfloat16() else "float32")
