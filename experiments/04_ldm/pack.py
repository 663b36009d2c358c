"""A trained pair as a small file: python -m experiments.04_ldm.pack NETWORKS/kl.h5 pretrained/ldm_epi.h5

Weights are rounded to half precision, whose zeros compress, and stay float32 for every reader: bare Keras opens the result.
"""

import dataclasses
import pathlib
import sys

import h5py
import keras
import numpy as np

from keras_mri import checkpoints


def main(path, target):
    """Write the file, and print its size and the largest change of what the network says."""
    checkpoint, target = checkpoints.load(path, "ldm"), pathlib.Path(target)
    network = keras.models.clone_model(checkpoint.network)
    network.set_weights([rounded(weight) for weight in checkpoint.network.get_weights()])
    plain = target.with_suffix(".plain.h5")
    checkpoints.save(dataclasses.replace(checkpoint, network=network), plain)
    compress(plain, target)
    plain.unlink()
    again = checkpoints.load(target, "ldm").network
    assert all(np.array_equal(a, b) for a, b in zip(network.get_weights(), again.get_weights(), strict=True))
    close = next(exponent for exponent in range(-6, 7) if checkpoints.same_output(checkpoint.network, again, 10.0**exponent))
    print(f"{target}: {target.stat().st_size / 1e6:.2f} MB (was {pathlib.Path(path).stat().st_size / 1e6:.2f}), outputs within 1e{close}")


def rounded(weight):
    """Return a weight in half precision's steps; what that cannot hold stays as it is."""
    with np.errstate(over="ignore"):
        half = weight.astype(np.float16).astype(weight.dtype)
    return np.where(np.isfinite(half), half, weight)


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
