"""Networks in files: a functional Keras network plus its facts as JSON, checked before and after it is written."""

import dataclasses
import pathlib
import shutil

import numpy as np

from keras_mri.errors import CheckpointError, InputError
from keras_mri.io.whole_files import replacing
from keras_mri.saving import building, file_facts, h5_guard, keras_files

ATTRIBUTE = h5_guard.FACTS
SUFFIXES = (".h5", ".keras")
_FILLING = 1 << 20
_READERS = {".h5": h5_guard.read, ".keras": keras_files.read}


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A trained network and what must be known to use it.

    Parameters
    ----------
    network : keras.Model
        Functional, float32.
    system : str
        Name of the system that trained it.
    config : dict
        Settings of the training, as the system's Config gives them to JSON. History: shown, never parsed.
    training : dict
        Facts of the training data: `zooms` (a list of mm for each scan), `sigma` (range of noise SD in network units).
    inference : dict or None
        Values that prediction needs, as the system documents them: few, and among them whatever it takes to read them in a later
        version. None if the file is of format 1, whose `config` held them (`systems.network_files` upgrades it).
    """

    network: "keras.Model"  # noqa: F821 - Keras is imported only to build one
    system: str
    config: dict
    training: dict
    inference: dict | None = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class OpenedNetwork:
    """The file of a network, opened and checked once; the network itself is built by `load`.

    Parameters
    ----------
    path : pathlib.Path
    facts : dict
        format, version, system, inference (None in format 1), config, training.
    description : dict
        The network as Keras describes it in JSON; its layers are checked.
    numbers : int
        Numbers in all weights together.
    """

    path: pathlib.Path
    facts: dict
    description: dict
    numbers: int

    @property
    def system(self):
        """Name of the system that trained the network: str."""
        return self.facts["system"]

    def outline(self):
        """Describe the network without building it.

        Returns
        -------
        dict
            name (str), input_shape (list of int or None, without the batch), parameters (int).

        Raises
        ------
        CheckpointError
            If the description does not state the layers.
        """
        config = self.description["config"]
        return {"name": str(config.get("name")), "input_shape": _input_shape(config, self.path), "parameters": self.numbers}

    def load(self, system=None):
        """Build the network.

        Parameters
        ----------
        system : str, optional
            The system whose network is expected.

        Returns
        -------
        Checkpoint

        Raises
        ------
        CheckpointError
            If the network is of another system, or Keras cannot build it.
        """
        if system and self.system != system:
            raise CheckpointError(f"{self.path} holds a network of the system {self.system!r}. Expected: {system!r}.")
        network = building.built(self.path, self.numbers)
        return Checkpoint(network, self.system, self.facts["config"], self.facts["training"], self.facts["inference"])


def open_network(path):
    """Open and check the file of a network; nothing in it is run or built.

    Parameters
    ----------
    path : str or path-like
        Ends in `.h5` or `.keras`.

    Returns
    -------
    OpenedNetwork

    Raises
    ------
    CheckpointError
        If the file is missing, truncated, of another format, or holds layers that are not Keras' own.
    ForeignNetworkError
        If it holds no network, or one that keras_mri did not write.
    """
    path = pathlib.Path(path)
    if path.suffix not in _READERS:
        # Keras chooses the reader by the ending: under another one it would read what was not checked here.
        raise CheckpointError(f"{path} must end in {' or '.join(SUFFIXES)}. Expected a network trained by keras_mri.")
    stored = _READERS[path.suffix](path)
    return OpenedNetwork(path, file_facts.from_json(stored.facts, path), stored.description, stored.numbers)


def load(path, system=None):
    """Load a Checkpoint: `open_network` and its `load`; parameters and errors as there."""
    return open_network(path).load(system)


def inspect(path):
    """Return the facts of a network's file, `OpenedNetwork.facts`, without building anything; errors as for `open_network`."""
    return open_network(path).facts


def outline(path):
    """Describe the network of a file, as `OpenedNetwork.outline` does; errors as there and for `open_network`."""
    return open_network(path).outline()


def save(checkpoint, path):
    """Write a Checkpoint to a temporary file, load that again, compare, and rename it.

    Parameters
    ----------
    checkpoint : Checkpoint
    path : str or path-like
        Ends in `.h5`, or in `.keras` for Keras' own format.

    Raises
    ------
    CheckpointError
        If the file does not give back the same network.
    InputError
        If it cannot be written.
    """
    path = pathlib.Path(path)
    if path.suffix not in SUFFIXES:
        raise InputError(f"`path` must end in {' or '.join(SUFFIXES)}. Received: {path}.")
    facts = file_facts.to_json(checkpoint.system, checkpoint.inference, checkpoint.config, checkpoint.training)
    needed = _check_space(checkpoint.network, path)
    with replacing(path) as temporary:
        _fill(temporary, needed)
        with building.quiet():
            if path.suffix == ".keras":
                keras_files.write(checkpoint.network, temporary, facts)
            else:
                checkpoint.network.save(temporary, include_optimizer=False)
                h5_guard.write_attribute(temporary, ATTRIBUTE, facts)
        _verify(checkpoint.network, temporary)


def _input_shape(config, path):
    """Return the sides of a network's first input, without the batch; none if it has no input layer."""
    try:
        inputs = [layer["config"].get("batch_shape") for layer in config.get("layers", ()) if layer.get("class_name") == "InputLayer"]
        return [None if side is None else int(side) for side in (inputs[0] if inputs and inputs[0] else ())[1:]]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CheckpointError(f"{path} is damaged: its description does not say what its layers are.") from error


def _check_space(network, path):
    """Return the bytes that a file needs; raise if they are not there: HDF5 does not survive a disk that fills under it."""
    needed = 2 * sum(weight.nbytes for weight in network.get_weights()) + 1_000_000
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise InputError(
            f"{path} needs {needed / 1e6:.0f} MB; the disk has {free / 1e6:.0f} MB left. Free some space or choose another folder."
        )
    return needed


def _fill(path, size):
    """Write as many bytes as a network may need: only so, quotas and limits of the system speak up before HDF5 meets them."""
    with open(path, "wb") as file:
        for begin in range(0, size, _FILLING):
            file.write(bytes(min(_FILLING, size - begin)))


def _verify(network, path):
    """Raise CheckpointError unless the file gives back every weight and the same output."""
    import keras

    with building.quiet():
        again = keras.models.load_model(path, compile=False)
    same = all(np.array_equal(a, b, equal_nan=True) for a, b in zip(network.get_weights(), again.get_weights(), strict=True))
    if not (same and same_output(network, again)):
        raise CheckpointError(f"{path.name} does not give back the network that was saved. This is a defect: please report it.")


def same_output(first, second, tolerance=1e-5):
    """Compare the outputs of two networks for one random example, whatever their inputs and outputs.

    Parameters
    ----------
    first, second : keras.Model
        Functional.
    tolerance : float

    Returns
    -------
    bool
        True if no output differs by more than `tolerance`.
    """
    rng = np.random.default_rng(0)
    # Integer inputs are counts, a label or a step: they get a 0.
    examples = [
        rng.random([1, *(side or 16 for side in tensor.shape[1:])], dtype=np.float32)
        if "float" in tensor.dtype
        else np.zeros([1, *(side or 1 for side in tensor.shape[1:])], np.int32)
        for tensor in first.inputs
    ]
    examples = examples[0] if len(examples) == 1 else examples
    outputs = [network.predict_on_batch(examples) for network in (first, second)]
    outputs = [output if isinstance(output, list) else [output] for output in outputs]
    return all(np.allclose(a, b, atol=tolerance, equal_nan=True) for a, b in zip(*outputs, strict=True))
