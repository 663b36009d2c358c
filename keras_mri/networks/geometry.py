"""A network's reach, its stride and its memory per voxel, read off its graph."""

import dataclasses
import math

import keras

from keras_mri.networks.precision import without_optimizer

# Layers that treat every voxel by itself, or join tensors of one grid.
_POINTWISE = (
    "Activation Add Average BatchNormalization Concatenate Dense Dropout ELU GaussianNoise LeakyReLU Maximum Multiply PReLU ReLU "
    "Rescaling SpatialDropout3D Subtract"
).split()
_BYTES = {"bfloat16": 2, "float16": 2, "float64": 8}


@dataclasses.dataclass(frozen=True)
class Geometry:
    """The facts about a network that tiling needs.

    Parameters
    ----------
    reach : tuple of int or None
        An output voxel depends on no input further than this many voxels away, along (x, y, z); None: no bound.
    stride : int
        The network sees the grid in blocks of this side: shapes and tile corners must be multiples of it.
    bytes_per_voxel : float
        Memory of all tensors alive at once, at worst, per input voxel.
    """

    reach: tuple[int, int, int] | None
    stride: int
    bytes_per_voxel: float


@dataclasses.dataclass(frozen=True)
class _Axis:
    """Output index i depends on input voxels i * jump + low … i * jump + high."""

    low: float = 0.0
    high: float = 0.0
    jump: float = 1.0

    def shifted(self, voxels):
        return _Axis(self.low + voxels * self.jump, self.high + voxels * self.jump, self.jump)


def geometry(network):
    """Read a functional network's reach, stride and memory off its graph.

    Parameters
    ----------
    network : keras.Model
        Functional, one input of shape (batch, x, y, z, channels).

    Returns
    -------
    Geometry
    """
    graph = _Graph(network)
    final = graph.axes.get(id(graph.output))
    strides = [axis.jump for tensor in graph.axes.values() if tensor for axis in tensor]
    bounded = final and all(math.isfinite(axis.high) for axis in final[:3])
    reach = tuple(math.ceil(max(-axis.low, axis.high, 0)) for axis in final[:3]) if bounded else None
    return Geometry(reach, int(max(strides)), _peak_bytes(graph.steps, graph.axes))


class _Graph:
    """A network's layers in the order in which they are called, and the four axes of every tensor between them.

    Keras has no public way to walk a graph. `clone_model` calls every layer once, in order, through a function of ours: that function
    records the calls. The clone itself, which shares all layers, is not used.
    """

    def __init__(self, network):
        # Tensors are known by their identity, which is unique as long as they live: `kept` keeps them alive.
        self.axes, self.steps, self.kept = {}, [], []
        source = keras.Input(batch_shape=network.inputs[0].shape, dtype=network.inputs[0].dtype)
        self.axes[id(source)] = [_Axis()] * 4
        self.kept.append(source)
        with without_optimizer(network):
            clone = keras.models.clone_model(network, input_tensors=source, call_function=self._record, clone_function=lambda layer: layer)
        self.output = clone.outputs[0]

    def _record(self, layer, *inputs, **options):
        outputs = layer(*inputs, **options)
        tensors = [tensor for tensor in keras.tree.flatten(inputs) if hasattr(tensor, "shape")]
        known = [self.axes.get(id(tensor)) for tensor in tensors]
        self.axes[id(outputs)] = None if None in known or not known else _through(layer, known)
        size = (outputs.shape[-1] or 1) * _BYTES.get(outputs.dtype, 4)
        self.steps.append(([id(tensor) for tensor in tensors], id(outputs), size))
        self.kept.append(outputs)
        return outputs


def _through(layer, inputs):
    """Return the four axes (x, y, z, channel) behind a layer, or None if it does not keep a grid."""
    kind, first = type(layer).__name__, inputs[0]
    if kind == "GroupNormalization":
        # Its statistics come from everywhere; what follows is still laid out on the grid.
        return [_Axis(-math.inf, math.inf, axis.jump) for axis in first]
    if kind in _POINTWISE or (kind == "Softmax" and layer.axis in (-1, 4)):
        return [_Axis(min(a.low for a in same), max(a.high for a in same), same[0].jump) for same in zip(*inputs)]
    if kind == "Permute":
        return [first[dimension - 1] for dimension in layer.dims]
    if kind == "Cropping3D":
        return [axis.shifted(cut[0]) for axis, cut in zip(first, layer.cropping)] + first[3:]
    if kind == "ZeroPadding3D":
        return [axis.shifted(-pad[0]) for axis, pad in zip(first, layer.padding)] + first[3:]
    if kind == "UpSampling3D":
        return [_up(axis, scale, scale, 0) for axis, scale in zip(first, layer.size)] + first[3:]
    if kind == "Conv3DTranspose":
        before = [(k - s) // 2 if layer.padding == "same" else 0 for k, s in zip(layer.kernel_size, layer.strides)]
        return [_up(*geometry) for geometry in zip(first, layer.kernel_size, layer.strides, before)] + first[3:]
    if kind == "Conv3D":
        sizes = [(k - 1) * d + 1 for k, d in zip(layer.kernel_size, layer.dilation_rate)]
        return [_down(*geometry, layer.padding) for geometry in zip(first, sizes, layer.strides)] + first[3:]
    if kind in ("AveragePooling3D", "MaxPooling3D"):
        return [_down(*geometry, layer.padding) for geometry in zip(first, layer.pool_size, layer.strides)] + first[3:]
    return None


def _down(axis, size, stride, padding):
    # Padding "same" puts the smaller half before: output i reads i * stride - before … + size - 1.
    before = max(size - stride, 0) // 2 if padding == "same" else 0
    return _Axis(axis.low - before * axis.jump, axis.high + (size - 1 - before) * axis.jump, axis.jump * stride)


def _up(axis, size, stride, before):
    # Output o comes from inputs i with i * stride between o + before - (size - 1) and o + before.
    jump = axis.jump / stride
    return _Axis(axis.low + (before - (size - 1)) * jump, axis.high + before * jump, jump)


def _peak_bytes(steps, axes):
    """Return the largest sum of bytes alive at once, each tensor's weighted by its share of the full grid."""
    last_use = {tensor: number for number, (inputs, _, _) in enumerate(steps) for tensor in inputs}
    alive, peak = {}, 0.0
    for number, (_, output, size) in enumerate(steps):
        share = 1.0
        for axis in (axes.get(output) or [])[:3]:
            share /= axis.jump
        alive[output] = size * share
        # A convolution on the CPU keeps re-ordered copies of what it reads and writes: count its output twice.
        peak = max(peak, sum(alive.values()) + alive[output])
        alive = {tensor: size for tensor, size in alive.items() if last_use.get(tensor, -1) > number}
    return peak
