"""On one device ours are Keras' optimizers; on several, tests/test_replicas.py trains with both."""

import keras
import numpy as np
import pytest

from keras_mri.training import optimizers


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
@pytest.mark.parametrize("clipping", [{"clipnorm": 0.5}, {"global_clipnorm": 0.5}, {}])
def test_on_one_device_the_steps_are_those_of_keras(name, clipping, rng):
    gradients = [rng.normal(size=(5, 3)).astype(np.float32) for _ in range(4)]
    weights = []
    for module in (optimizers, keras.optimizers):
        weight = keras.Variable(np.ones((5, 3), np.float32))
        optimizer = getattr(module, name)(0.1, **clipping)
        for gradient in gradients:
            optimizer.apply([keras.ops.convert_to_tensor(gradient)], [weight])
        weights.append(weight.numpy())
    np.testing.assert_array_equal(*weights)
    assert np.abs(weights[0] - 1).max() > 0.01


def test_a_network_that_trains_with_ours_is_copied_with_it():
    network = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    network.compile(optimizers.Adam(0.5, clipnorm=1.0), loss="mse")
    copied = keras.models.clone_model(network).optimizer
    assert type(copied) is optimizers.Adam and copied.clipnorm == 1.0
