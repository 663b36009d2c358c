"""What reads what in a functional network, told from its JSON alone: nothing is deserialised, so nothing in it can run."""

from keras_mri.errors import InputError

# Settings that shapes of weights do not betray; what differs from these is told.
_USUAL = {"strides": [1, 1, 1], "padding": "same", "data_format": "channels_last", "dilation_rate": [1, 1, 1], "epsilon": 1e-3}
_BENT = ("max_value", "negative_slope", "threshold")


def connections(config, names):
    """Describe each layer with weights by what it reads, and the network by what it returns, in words that can be compared.

    Parameters
    ----------
    config : dict
        Configuration of a functional network, as Keras 2 or 3 writes it to JSON.
    names : dict of str to str
        The layers to describe: their names in `config` → their names in the answer.

    Returns
    -------
    dict of str to str
        For example {"c6_1": "Conv3D of c4_2 → relu, c5_2 → relu", "output": "residual, input"}.

    Raises
    ------
    InputError
        If `config` does not say how the layers are connected.
    """
    try:
        layers = {layer["config"]["name"]: layer for layer in config["config"]["layers"]}
        found = {
            names[name]: f"{_kind(layers[name])} of {_reads(layers, names, _sources(layers[name]['inbound_nodes']))}" for name in names
        }
        return {**found, "output": _reads(layers, names, _sources(config["config"]["output_layers"]))}
    except (KeyError, TypeError, AttributeError, IndexError, ValueError, RecursionError) as error:
        raise InputError("its description does not say how the layers are connected.") from error


def _kind(layer):
    settings = [f"{name} {layer['config'][name]}" for name, usual in _USUAL.items() if layer["config"].get(name, usual) != usual]
    return layer["class_name"] + (f" ({', '.join(settings)})" if settings else "")


def _reads(layers, names, sources):
    if len(sources) == 1 and layers[sources[0]]["class_name"] == "Concatenate":
        sources = _sources(layers[sources[0]]["inbound_nodes"])
    return ", ".join(_path(layers, names, source) for source in sources)


def _path(layers, names, source):
    """Follow activations back to the layer that they are applied to."""
    words = []
    for _ in layers:  # no further: the connections of a damaged file may form a ring
        layer = layers[source]
        words[:0] = _activation(layer)
        if source in names or layer["class_name"] not in ("Activation", "ReLU"):
            break
        (source,) = _sources(layer["inbound_nodes"]) or [None]
    origin = "input" if layer["class_name"] == "InputLayer" else names.get(source, layer["class_name"])
    return " → ".join([origin, *words])


def _activation(layer):
    if layer["class_name"] == "ReLU":
        bends = [f"{name} {layer['config'][name]}" for name in _BENT if layer["config"].get(name)]
        return [f"relu ({', '.join(bends)})" if bends else "relu"]
    name = layer["config"].get("activation") or "linear"
    return [] if name == "linear" else [str(name)]


def _sources(part):
    """Return the names of the layers behind the tensors that JSON refers to: [name, node, tensor], however deeply wrapped."""
    if isinstance(part, dict):
        part = list(part.values())
    if not isinstance(part, list):
        return []
    if len(part) >= 3 and isinstance(part[0], str) and isinstance(part[1], int) and isinstance(part[2], int):
        return part[:1]
    return [name for inner in part for name in _sources(inner)]
