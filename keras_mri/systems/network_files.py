"""A network's file, ours or one of the originals': which system it belongs to, and what it holds."""

from keras_mri.errors import ForeignNetworkError
from keras_mri.networks.backends import check_usable
from keras_mri.saving import checkpoints


def system_of(path):
    """Return the system that a file's network belongs to; networks of the originals have one, too.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    str

    Raises
    ------
    CheckpointError
        As `checkpoints.inspect`, unless the file is one of the originals'.
    """
    try:
        return checkpoints.inspect(path)["system"]
    except ForeignNetworkError:
        # Only here: it imports Keras.
        check_usable()
        from keras_mri.systems.n2a import published_munet as published

        if not published.is_published_munet(path):
            raise
        return published.SYSTEM


def load_network(path):
    """Load a network that keras_mri or one of the originals wrote.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    Checkpoint

    Raises
    ------
    CheckpointError
        As `checkpoints.load` and `published.load_checkpoint`.
    """
    from keras_mri.systems.n2a import published_munet as published

    return published.load_checkpoint(path) if published.is_published_munet(path) else checkpoints.load(path)
