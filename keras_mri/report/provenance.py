"""Provenance of a result: versions of programs, digests of files, memory used."""

import hashlib
import importlib.metadata
import platform
import sys

import keras_mri

_LIBRARIES = ("keras", "tensorflow", "jax", "torch", "numpy", "scipy", "nibabel")


def versions():
    """Return the versions of the programs in use, dict of str to str, without importing any of them."""
    found = {"keras_mri": keras_mri.__version__}
    for name in _LIBRARIES:
        # The other backends count only where they are in use.
        if name in ("tensorflow", "jax", "torch") and name not in sys.modules:
            continue
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {**found, "Python": platform.python_version(), "system": platform.platform()}


def digest(path):
    """Return the SHA-256 of a file, in hexadecimal.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    str
    """
    with open(path, "rb") as file:
        return (
            hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else hashlib.sha256(file.read()).hexdigest()
        )


def peak_memory():
    """Return the peak memory of this process, bytes; None where the system does not report it (Windows)."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in units of 1,024 bytes, macOS in bytes.
    return peak if sys.platform == "darwin" else 1024 * peak
