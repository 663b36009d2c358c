"""A trained pair as a small file: python -m experiments.04_ldm.pack NETWORKS/kl.h5 pretrained/ldm_epi.h5

Weights are rounded to seven binary digits, whose zeros compress, and stay float32 for every reader: bare Keras opens the result.
"""

import dataclasses
import pathlib
import sys

import h5py
import keras
import numpy as np

from keras_mri.saving import checkpoints

# Binary digits that are kept; arrays of fewer numbers keep all.
BITS, SMALL = 7, 5000


def main(path, target):
    """Write the file, and print its size and how far what the network says is from before."""
    checkpoint, target = checkpoints.load(path, "ldm"), pathlib.Path(target)
    network = keras.models.clone_model(checkpoint.network)
    network.set_weights([rounded(weight) for weight in checkpoint.network.get_weights()])
    plain = target.with_suffix(".plain.h5")
    checkpoints.save(dataclasses.replace(checkpoint, network=network), plain)
    compress(plain, target)
    plain.unlink()
    again = checkpoints.load(target, "ldm").network
    assert all(np.array_equal(a, b) for a, b in zip(network.get_weights(), again.get_weights(), strict=True))
    print(
        f"{target}: {target.stat().st_size / 1e6:.2f} MB (was {pathlib.Path(path).stat().st_size / 1e6:.2f}), "
        f"outputs differ by {100 * difference(checkpoint.network, again):.1f} % of their SD (root mean square)"
    )


def difference(first, second):
    """Return the root mean square difference of two networks' outputs for one random example, in units of their SD; the largest."""
    rng = np.random.default_rng(0)
    examples = [
        rng.standard_normal([1, *(side or 16 for side in tensor.shape[1:])], np.float32)
        if "float" in tensor.dtype
        else np.zeros([1, *(side or 1 for side in tensor.shape[1:])], np.int32)
        for tensor in first.inputs
    ]
    pairs = zip(first.predict_on_batch(examples), second.predict_on_batch(examples), strict=True)
    return max(float(np.sqrt(np.mean((a - b) ** 2)) / a.std()) for a, b in pairs)


def rounded(weight):
    """Return a weight with fewer digits, each number off by at most 1/128 of itself; small arrays, scales among them, stay exact."""
    if weight.size < SMALL:
        return weight
    fraction, exponent = np.frexp(weight)
    return np.ldexp(np.round(fraction * 2**BITS) / 2**BITS, exponent).astype(weight.dtype)


def compress(source, target):
    """Copy an HDF5 file, every array of some size shuffled and deflated."""
    with h5py.File(source) as before, h5py.File(target, "w") as after:
        _copy_attributes(before, after)

        def copy(name, entry):
            if isinstance(entry, h5py.Group):
                made = after.require_group(name)
            else:
                packed = dict(compression="gzip", compression_opts=9, shuffle=True) if entry.size > 256 else {}
                made = after.create_dataset(name, data=entry[()], dtype=entry.dtype, **packed)
            _copy_attributes(entry, made)

        before.visititems(copy)


def _copy_attributes(before, after):
    for name, value in before.attrs.items():
        after.attrs[name] = value


if __name__ == "__main__":
    main(*sys.argv[1:3])
