"""Keras toolkit that restores and synthesises MR volumes: NIfTI in, a trained network, NIfTI out.

>>> import keras_mri
>>> restored = keras_mri.restore("epi", "sample")
>>> restored.shape
(128, 96, 24, 2)

`import keras_mri` imports neither Keras nor TensorFlow; the functions below do when they need them.
"""

import importlib
import time

# Where a command is a process, this is its beginning: a time budget counts from here.
IMPORTED = time.monotonic()
__version__ = "0.2.0"

# Each name of the door, and the module that it comes from.
_DOOR = {
    **dict.fromkeys(("restore", "fit", "sample", "Network"), "keras_mri.api"),
    **dict.fromkeys(("estimate_noise", "judge", "plot", "compare_headers"), "keras_mri.images"),
    **dict.fromkeys(("open_image", "Image"), "keras_mri.io.nifti_reading"),
    "Volume": "keras_mri.io.volumes",
    "TrainedNetwork": "keras_mri.systems.trained",
    "run_channels": "keras_mri.systems.wgan.run_channels",
    "InputError": "keras_mri.errors",
}
__all__ = sorted([*_DOOR, "evaluate", "__version__"])


def __getattr__(name):
    """Import a name of the door when it is first used."""
    if name == "evaluate":
        # The command of this name, which can be called: it must not matter whether it was imported before.
        return importlib.import_module("keras_mri.evaluate")
    if name not in _DOOR:
        raise AttributeError(f"module 'keras_mri' has no attribute {name!r}")
    return getattr(importlib.import_module(_DOOR[name]), name)


def __dir__():
    return __all__
