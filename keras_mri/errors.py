"""What a user may be told; anything else that escapes is a defect of ours and keeps its traceback."""


class InputError(ValueError):
    """The data or the options are wrong, and the message says what was expected, what came and what to do."""


class GridMismatchError(InputError):
    """Two images that must share a voxel grid do not."""


class CheckpointError(InputError):
    """A `.h5` file cannot be used as the network that was asked for."""


class ForeignNetworkError(CheckpointError):
    """An HDF5 file with a network or weights that keras_mri did not write."""


def first_line(error):
    """Return what an exception of another library says first, without a full stop, or its kind if it says nothing: str."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
