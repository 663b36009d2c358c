"""Published MU-Nets, `.h5` files of Keras 2 with two inputs: recognised by their weights, built anew, never deserialised.

Such a file takes the image and a mask that its loss needs, and returns the residual and that mask side by side. Ours takes
the image and returns image + residual, with the same weights in its convolutions.
"""

import dataclasses
import json

import numpy as np

from keras_mri.errors import CheckpointError, InputError
from keras_mri.networks.munet import DIFFUSION, STRUCTURAL, munet, munet_diffusion, widths
from keras_mri.saving import checkpoints, h5_guard
from keras_mri.systems.n2a.connections import connections
from keras_mri.systems.n2a.settings import PRESETS, Config, inference

SYSTEM = "n2a"

_EXPECTED = "a published MU-Net (.h5)"
_CONVOLUTION = ("kernel", "bias")
_NORMALIZATION = ("gamma", "beta", "moving_mean", "moving_variance")
# A pair each, and the head.
_PLANS = {2 * len(plan) + 1: plan for plan in (STRUCTURAL, DIFFUSION)}


@dataclasses.dataclass(frozen=True)
class _Layer:
    """A layer with weights: its name in the file, and what it holds (data sets, or arrays) by name."""

    name: str
    weights: dict

    @property
    def shapes(self):
        return {name: tuple(weight.shape) for name, weight in self.weights.items()}


def load_published_munet(path):
    """Rebuild a published MU-Net with its weights.

    Parameters
    ----------
    path : str or path-like
        A whole network, or the weights alone (`save_weights`), as TensorFlow 2.2 to 2.15 wrote them to HDF5.

    Returns
    -------
    keras.Model
        `munet` or `munet_diffusion`: from the image (batch, x, y, z, channels) to image + residual.

    Raises
    ------
    CheckpointError
        If the file cannot be read, names a class that could run code, or holds another network than a MU-Net. Weights alone
        do not tell how they are connected: there, only names and shapes are checked.
    """
    with h5_guard.opened(path, _EXPECTED) as file:
        written = file.attrs.get("model_config")
        config = None if written is None else h5_guard.checked_config(written, path)
        stored = _stored_layers(file, path)
        plan, channels, filters = _recognised(stored, path)
        h5_guard.check_contents(file, path)
        stored = [_Layer(layer.name, {name: np.asarray(weight, np.float32) for name, weight in layer.weights.items()}) for layer in stored]
    network = munet(channels, filters) if plan is STRUCTURAL else munet_diffusion(channels, filters)
    twins = _fill(network, stored)
    if config is not None:
        _check_connections(config, network, twins, path)
    return network


def load_checkpoint(path):
    """Load a published MU-Net as a checkpoint of Noise2Average with the published settings; parameters and errors as above."""
    config = Config(**PRESETS["published"])
    return checkpoints.Checkpoint(load_published_munet(path), SYSTEM, config.to_json(), {}, inference(config, {}))


def is_published_munet(path):
    """Tell a published MU-Net by the shapes of its weights; nothing is built.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    bool
        False also for what cannot be read, and for networks that keras_mri saved: `checkpoints.load` knows what to say.
    """
    try:
        with h5_guard.opened(path, _EXPECTED) as file:
            if checkpoints.ATTRIBUTE in file.attrs:
                return False
            _recognised(_stored_layers(file, path), path)
    except CheckpointError:
        return False
    return True


def _stored_layers(file, path):
    """Return the layers that have weights, in the order of the network, without reading the numbers."""
    group = file["model_weights"] if "model_weights" in file else file
    stored = []
    for name in _names(group, "layer_names"):
        paths = _names(group[name], "weight_names")
        weights = {weight.split("/")[-1].split(":")[0]: group[name][weight] for weight in paths}
        if len(weights) < len(paths):
            raise CheckpointError(f"{path} is not a published MU-Net: its layer {name!r} is a network of its own.")
        for weight in weights.values():
            _check_numbers(weight, name, file, path)
        if weights:
            stored.append(_Layer(name, weights))
    return stored


def _names(group, attribute):
    return [str(h5_guard.text(name)) for name in np.ravel(group.attrs.get(attribute, ()))]


def _check_numbers(weight, name, file, path):
    """Raise unless these are numbers that lie in this very file: HDF5 can also point to any other file of the reader's."""
    numbers = getattr(getattr(weight, "dtype", None), "kind", None) == "f"
    if not numbers or weight.external or weight.is_virtual or weight.file.filename != file.filename:
        raise CheckpointError(f"{path} is refused: the weights of {name!r} are no floating-point numbers stored in the file itself.")


def _recognised(stored, path):
    """Return (plan, channels, filters), or raise CheckpointError where a layer does not fit."""
    convolutions, normalizations = _of_kind(stored, _CONVOLUTION), _of_kind(stored, _NORMALIZATION)
    for layer in stored:
        if layer not in convolutions + normalizations:
            found = ", ".join(f"{name} {shape}" for name, shape in layer.shapes.items())
            raise CheckpointError(
                f"{path} is not a published MU-Net: its layer {layer.name!r} holds {found}. "
                "Expected convolutions with a bias and batch normalisations, and nothing else."
            )
    if len(convolutions) not in _PLANS:
        raise CheckpointError(
            f"{path} is not a published MU-Net: it holds {len(convolutions)} layers with a kernel and a bias. "
            "Expected 19 convolutions (structural) or 11 (diffusion)."
        )
    plan = _PLANS[len(convolutions)]
    wanted = len(convolutions) - 2 if plan is DIFFUSION else 0  # the first convolution and the head have none
    if len(normalizations) != wanted:
        raise CheckpointError(
            f"{path} is not a published MU-Net: it holds {len(normalizations)} batch normalisations "
            f"beside {len(convolutions)} convolutions. Expected {wanted}."
        )
    channels, filters = (0, 0, *convolutions[0].shapes["kernel"])[-2:]
    kernels = _kernel_shapes(plan, channels, filters)
    _check_shapes(convolutions, [{"kernel": kernel, "bias": kernel[-1:]} for kernel in kernels], path)
    _check_shapes(normalizations, [dict.fromkeys(_NORMALIZATION, kernel[-1:]) for kernel in kernels[1:-1]][:wanted], path)
    return plan, channels, filters


def _of_kind(stored, names):
    return [layer for layer in stored if set(layer.weights) == set(names)]


def _check_shapes(stored, expected, path):
    for layer, shapes in zip(stored, expected, strict=True):
        for name, shape in shapes.items():
            if layer.shapes[name] != shape or 0 in shape:
                raise CheckpointError(
                    f"{path} is not a published MU-Net: the {name} of {layer.name!r} has the shape {layer.shapes[name]}. "
                    f"Expected {shape}, judging by the first convolution."
                )


def _kernel_shapes(plan, channels, filters):
    shapes, outputs = [], [channels]
    for sources, (first, second) in zip(plan, widths(plan, filters)):
        shapes += [(3, 3, 3, sum(outputs[source] for source in sources), first), (3, 3, 3, first, second)]
        outputs.append(second)
    return [*shapes, (3, 3, 3, outputs[-1], channels)]


def _fill(network, stored):
    """Copy the weights, and return for each stored layer's name the name of its twin in `network`."""
    twins = {}
    for names in (_CONVOLUTION, _NORMALIZATION):
        ours = [layer for layer in network.layers if {weight.name for weight in layer.weights} == set(names)]
        for layer, twin in zip(_of_kind(stored, names), ours, strict=True):
            twin.set_weights([layer.weights[name] for name in names])
            twins[layer.name] = twin.name
    return twins


def _check_connections(config, network, twins, path):
    """Raise CheckpointError unless each layer of the file reads what its twin reads, and the residual comes out first."""
    ours = connections(json.loads(network.to_json()), {name: name for name in twins.values()})
    try:
        theirs = connections(config, twins)
    except InputError as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    for name, twin in twins.items():
        if theirs[twin] != ours[twin]:
            raise CheckpointError(f"{path} is not a published MU-Net: {name!r} is a {theirs[twin]}. Expected: {ours[twin]}.")
    if theirs["output"].split(", ")[0] != "residual":
        raise CheckpointError(
            f"{path} is not a published MU-Net: it returns {theirs['output']}. Expected the last convolution (residual) first."
        )
