"""The convolutions of a network: each layer and the shapes that it meets, of which the least time of a network is made."""

import keras


def convolutions(network, shape):
    """List the convolutions for a batch of a shape.

    Parameters
    ----------
    network : keras.Model
        Functional; `shape` is that of its first input, others as the network says.
    shape : tuple of int
        Batch axis included.

    Returns
    -------
    list of tuple
        Layer, input shape, output shape.
    """
    calls = []

    def record(layer, *inputs, **options):
        output = layer(*inputs, **options)
        if isinstance(layer, (keras.layers.Conv3D, keras.layers.Conv3DTranspose)):
            calls.append((layer, tuple(inputs[0].shape), tuple(output.shape)))
        return output

    source = [keras.Input(shape[1:] if n == 0 else tensor.shape[1:], shape[0], tensor.dtype) for n, tensor in enumerate(network.inputs)]
    source = source if len(source) > 1 else source[0]
    keras.models.clone_model(network, input_tensors=source, call_function=record, clone_function=lambda layer: layer)
    return calls
