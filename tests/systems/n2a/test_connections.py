import json

import keras
import pytest
from keras import layers

from keras_mri.errors import InputError
from keras_mri.systems.n2a.connections import connections


def described(inputs, outputs):
    network = keras.Model(inputs, outputs)
    return connections(json.loads(network.to_json()), {layer.name: layer.name for layer in network.layers if layer.weights})


@pytest.fixture
def image():
    return keras.Input((None, None, None, 2), name="image")


def test_what_is_read_in_which_order_and_what_is_returned(image):
    first = layers.Conv3D(3, 3, padding="same", activation="relu", name="first")(image)
    second = layers.ReLU()(layers.BatchNormalization(name="norm")(layers.Conv3D(3, 3, padding="same", name="second")(first)))
    third = layers.Conv3D(2, 3, padding="same", name="third")(layers.Concatenate()([second, image, first]))
    assert described(image, layers.Add()([image, third])) == {
        "first": "Conv3D of input",
        "second": "Conv3D of first → relu",
        "norm": "BatchNormalization of second",
        "third": "Conv3D of norm → relu, input, first → relu",
        "output": "Add",
    }


def test_keras_2_tells_the_same():
    convolution = {"class_name": "Conv3D", "config": {"name": "conv3d", "activation": "relu", "strides": [1, 1, 1], "padding": "same"}}
    config = {
        "layers": [
            {"class_name": "InputLayer", "config": {"name": "input_1"}, "inbound_nodes": []},
            {**convolution, "inbound_nodes": [[["input_1", 0, 0, {}]]]},
            {"class_name": "Concatenate", "config": {"name": "join"}, "inbound_nodes": [[["conv3d", 0, 0, {}], ["input_1", 0, 0, {}]]]},
        ],
        "output_layers": [["join", 0, 0]],
    }
    found = connections({"class_name": "Model", "config": config}, {"conv3d": "residual"})
    assert found == {"residual": "Conv3D of input", "output": "residual → relu, input"}


def test_settings_that_shapes_do_not_betray_are_told(image):
    strided = layers.Conv3D(2, 3, strides=2, padding="same", name="strided")(image)
    dilated = layers.Conv3D(2, 3, dilation_rate=2, name="dilated")(layers.ReLU(negative_slope=0.5)(strided))
    found = described(image, layers.BatchNormalization(epsilon=0.01, name="norm")(layers.Activation("tanh")(dilated)))
    assert found == {
        "strided": "Conv3D (strides [2, 2, 2]) of input",
        "dilated": "Conv3D (padding valid, dilation_rate [2, 2, 2]) of strided → relu (negative_slope 0.5)",
        "norm": "BatchNormalization (epsilon 0.01) of dilated → tanh",
        "output": "norm",
    }


@pytest.mark.parametrize(
    "config",
    [
        None,
        {"config": {"layers": []}},
        {"config": {"layers": [{"config": {}}], "output_layers": []}},
        {"config": {"layers": [{"class_name": "Conv3D", "config": {"name": "conv3d"}}], "output_layers": []}},
        {"config": {"layers": [], "output_layers": [["absent", 0, 0]]}},
    ],
)
def test_a_damaged_description(config):
    with pytest.raises(InputError, match="does not say how the layers are connected"):
        connections(config, {"conv3d": "c1_1"})


def test_activations_in_a_ring_end():
    ring = {"class_name": "ReLU", "config": {"name": "ring"}, "inbound_nodes": [[["ring", 0, 0, {}]]]}
    assert connections({"config": {"layers": [ring], "output_layers": [["ring", 0, 0]]}}, {}) == {"output": "ReLU → relu"}
