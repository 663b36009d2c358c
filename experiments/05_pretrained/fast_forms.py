"""The same layers in the forms that an accelerator computes fast: matrix products and 2D convolutions instead of 3D ones.

Libraries tune 2D convolutions and matrix products first: README.md has what it brought on an H200.
Weights, names and files are those of Keras' own layers, and so are results, up to rounding.
"""

import math

from keras import layers, ops


def use():
    """Let Conv3D, Conv3DTranspose and AveragePooling3D compute so, in this process, where they are of the kinds our networks have."""
    _conv, _transposed, _pool = layers.Conv3D.convolution_op, layers.Conv3DTranspose.call, layers.AveragePooling3D.call

    def convolution_op(self, inputs, kernel):
        if self.strides == self.kernel_size:
            return _matrix_product(inputs, kernel)
        if self.kernel_size == (3, 3, 3) and self.strides == (1, 1, 1) and self.padding == "same":
            return _narrow(inputs, kernel) if inputs.shape[-1] < 8 else _by_slices(inputs, kernel)
        return _conv(self, inputs, kernel)

    def transposed(self, inputs):
        if self.strides != self.kernel_size or self.activation.__name__ != "linear":
            return _transposed(self, inputs)
        return _spread(inputs, self.kernel) + self.bias

    def pool(self, inputs):
        if self.strides != (1, 1, 1) or self.padding != "same" or inputs.shape[-1] != 1:
            return _pool(self, inputs)
        for axis, width in enumerate(self.pool_size, start=1):
            inputs = _running_mean(inputs, axis, width)
        return inputs

    layers.Conv3D.convolution_op, layers.Conv3DTranspose.call, layers.AveragePooling3D.call = convolution_op, transposed, pool


def _matrix_product(inputs, kernel):
    """Convolve blocks that touch but do not overlap: stride and kernel are the same."""
    sides, (batch, *shape, channels) = kernel.shape[:3], ops.shape(inputs)
    if sides != (1, 1, 1):
        x, y, z = (count // side for count, side in zip(shape, sides))
        inputs = ops.reshape(inputs, (batch, x, sides[0], y, sides[1], z, sides[2], channels))
        inputs = ops.reshape(ops.transpose(inputs, (0, 1, 3, 5, 2, 4, 6, 7)), (batch, x, y, z, math.prod(sides) * channels))
    return ops.matmul(inputs, ops.reshape(kernel, (-1, kernel.shape[-1])))


def _spread(inputs, kernel):
    """Turn each voxel into a block: the transposed convolution whose stride and kernel are the same; kernel (x, y, z, out, in)."""
    (batch, x, y, z, _), (a, b, c, filters, channels) = ops.shape(inputs), kernel.shape
    blocks = ops.matmul(inputs, ops.transpose(ops.reshape(kernel, (-1, channels))))
    blocks = ops.transpose(ops.reshape(blocks, (batch, x, y, z, a, b, c, filters)), (0, 1, 4, 2, 5, 3, 6, 7))
    return ops.reshape(blocks, (batch, x * a, y * b, z * c, filters))


def _by_slices(inputs, kernel):
    """Put the slices before and after beside each slice, as channels, and convolve in 2D."""
    batch, x, y, z, channels = ops.shape(inputs)
    padded = ops.pad(inputs, ((0, 0), (1, 1), (0, 0), (0, 0), (0, 0)))
    three = ops.reshape(ops.concatenate([padded[:, i : i + x] for i in range(3)], axis=-1), (batch * x, y, z, 3 * channels))
    kernel = ops.reshape(ops.transpose(kernel, (1, 2, 0, 3, 4)), (3, 3, 3 * channels, -1))
    return ops.reshape(ops.conv(three, kernel, padding="same"), (batch, x, y, z, -1))


def _narrow(inputs, kernel):
    """Put all 27 neighbours beside each voxel, which few channels allow, and multiply."""
    _, x, y, z, channels = ops.shape(inputs)
    padded = ops.pad(inputs, ((0, 0), (1, 1), (1, 1), (1, 1), (0, 0)))
    moved = [padded[:, i : i + x, j : j + y, k : k + z] for i in range(3) for j in range(3) for k in range(3)]
    return ops.matmul(ops.concatenate(moved, axis=-1), ops.reshape(kernel, (27 * channels, -1)))


def _running_mean(inputs, axis, width):
    """Average neighbours along an axis; at the border those that there are."""
    half, count = width // 2, ops.shape(inputs)[axis]
    margins = [(0, 0)] * 5
    margins[axis] = (half, width - 1 - half)

    def total(values):
        padded = ops.pad(values, margins)
        pieces = [padded[(slice(None),) * axis + (slice(i, i + count),)] for i in range(width)]
        return sum(pieces[1:], pieces[0])

    return total(inputs) / total(ops.ones_like(inputs))
