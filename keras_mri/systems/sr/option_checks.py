"""Options of prediction and the kind of a network, which must belong together."""

from keras_mri.errors import CheckpointError, InputError
from keras_mri.systems.sr.thick_slices import MOST


def check_options(options, slices):
    """Check that no option is one of the other kind of network, which would do nothing, and that one of them names the grid.

    Parameters
    ----------
    options : keras_mri.systems.sr.settings.PredictConfig
    slices : bool
        Whether the network is one of thick slices.

    Raises
    ------
    InputError
    """
    if not slices:
        named = [f"`{name}`" for name in ("voxel", "slice_profile") if vars(options)[name] is not None]
        if named:
            raise InputError(
                f"{' and '.join(named)} can be used with a network of thick slices only, such as the pre-trained sr. This one was "
                "trained on pairs of scans: it takes `upsample`, how many times more voxels along each axis."
            )
        return
    if options.mask is not None:
        raise InputError("`mask` cannot be used with a network of thick slices, which needs none. Leave it out.")
    if options.upsample and options.voxel is not None:
        raise InputError("`upsample` and `voxel` both name the grid to reach. Leave one of them out.")
    if options.upsample and not 1 < max(options.upsample) <= MOST:
        received = " ".join(map(str, options.upsample))
        raise InputError(f"`upsample` needs a factor above 1 along at least one axis, and {MOST:g} at most. Received: {received}.")


def check_channels(network, slices):
    """Check that the network is of the kind that its file says.

    Parameters
    ----------
    network : keras.Model
    slices : bool
        Whether it should be one of thick slices.

    Raises
    ------
    CheckpointError
    """
    channels, expected = network.input_shape[-1], 2 if slices else 1
    if channels != expected:
        kind = "of thick slices" if slices else "trained on pairs of scans"
        raise CheckpointError(f"the network's file is damaged: it says that the network is {kind}, but it takes {channels} channel(s).")
