"""The two records by which a system says what it can do: its settings, which need no Keras, and its verbs."""

import collections
import collections.abc
import dataclasses
import typing

import numpy as np

from keras_mri.errors import CheckpointError
from keras_mri.io.bids.names import kind_of
from keras_mri.io.nifti_reading import open_image, open_scan
from keras_mri.io.volumes import Volume
from keras_mri.saving.stored_values import wrong_values


def open_images(paths, config, replace_nonfinite=False):
    """Open every image that a training was given.

    Parameters
    ----------
    paths : sequence of str, path-like, nibabel image or Volume
    config : Options
        Not used here.
    replace_nonfinite : bool
        Read NaN and infinity as 0.

    Returns
    -------
    list of Volume
    """
    return [open_scan(path, replace_nonfinite) for path in paths]


def modalities(images):
    """Return what kinds of scans a training was given, as far as the names of their files tell.

    Parameters
    ----------
    images : sequence
        From `Settings.open_inputs`.

    Returns
    -------
    list of str
        Suffixes of BIDS, the most frequent first.
    """
    kinds = (kind_of(getattr(image, "name", "")) for image in images)
    return [kind for kind, _ in collections.Counter(kind for kind in kinds if kind).most_common()]


def voxel_sides(images, config):
    """Return the facts of a training that every system stores: the voxel sides of each image (mm), and no range of noise."""
    return {"zooms": [list(image.zooms) for image in images], "sigma": []}


def noisy_voxel_sides(images, config):
    """Return the facts of a training that adds noise: voxel sides (mm) and the range of the noise SD in network units."""
    return {**voxel_sides(images, config), "sigma": list(config.noise_range)}


def nothing(*_):
    """Return an empty dict, whatever is asked."""
    return {}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What a system can be asked for; built without Keras, so that `--help` and usage errors come at once.

    Parameters
    ----------
    Config, PredictConfig : type
        Subclasses of `keras_mri.config.Options`: the options of training and of prediction.
    presets : dict of str to dict
        Named sets of Config values.
    example : str
        A command that trains the system, for `--help`.
    GenerateConfig : type, optional
        Options of generation; None where the system makes no new volumes.
    images : int or None
        How many images prediction takes together; None for any number.
    restores : bool
        Whether prediction restores a scan of any shape, so that its pre-trained networks have short names.
    errors : tuple of str
        Name and unit of the error that training logs as `error` and `val_error`; of several stages, one for each. A training of
        several stages logs `stage` as well, from 1 on.
    error_by_epoch : bool
        Whether its curve is drawn against the epoch, and on logarithmic axes as well.
    images_argument : dict
        Changes to the IMAGE argument of the command line, as argparse takes them.
    open_inputs : callable
        `open_inputs(paths, config, replace_nonfinite)` returns what stands for the images, each with `zooms`.
    facts : callable
        `facts(images, config)` returns, for JSON, the `zooms` and `sigma` of the training data; `images` from `open_inputs`.
    results : tuple of str
        Endings of the files that training writes beside the network.
    outputs : dict of str to tuple of str
        Options that name further files of a training, with the endings allowed.
    keeps_last : bool
        Whether the network of the last epoch is saved too, as NAME_last.h5.
    inference : callable
        `inference(config, training)` returns, for JSON, the values that prediction needs: `config` a Config, `training` the facts.
    stored : dict of str to callable
        For each of these values, what tells whether one that a file states can be right; see `keras_mri.saving.stored_values`.
    inference_of_format_1 : callable
        The same from a file of format 1, which stored only the settings: `config` a dict of that release's names. Never changes.
    """

    Config: type
    PredictConfig: type
    presets: dict = dataclasses.field(default_factory=dict)
    example: str = ""
    GenerateConfig: type | None = None
    images: int | None = 1
    restores: bool = True
    errors: tuple = ("mean absolute error (network units)",)
    error_by_epoch: bool = False
    images_argument: dict = dataclasses.field(default_factory=dict)
    open_inputs: collections.abc.Callable = open_images
    facts: collections.abc.Callable = voxel_sides
    results: tuple = ()
    outputs: dict = dataclasses.field(default_factory=dict)
    keeps_last: bool = False
    inference: collections.abc.Callable = nothing
    stored: dict = dataclasses.field(default_factory=dict)
    inference_of_format_1: collections.abc.Callable = nothing


class Outcome(typing.NamedTuple):
    """What a trained network makes of the training's own data.

    Parameters
    ----------
    panels : dict of str to ndarray of float32, shape (x, y, z)
        Pictures for the figure beside the network, by title; the last one sets the grey scale.
    files : dict of str to Volume, str or callable
        By each ending in `Settings.results`: a volume, a text, or a function that writes the file at a path.
    affine : ndarray of float64, shape (4, 4), optional
        Of the panels: with it they are drawn upright, with the letters of their sides.
    judged : Volume, optional
        A scan of the training as the network restores it, whose `source` is the scan as measured: the verdict on the network.
    """

    panels: dict
    files: dict = {}
    affine: np.ndarray | None = None
    judged: Volume | None = None


def visible_factor(removed, scan):
    """Return the factor by which a picture of what was removed is half as bright as the scan, so that it can be seen.

    Parameters
    ----------
    removed, scan : ndarray of float, any shapes
        Magnitudes, where they count.

    Returns
    -------
    int
        Round, 5 to 500; 5 where nothing was removed.
    """
    highest = np.percentile(removed, 99)
    wanted = np.percentile(scan, 99) / (2 * highest) if highest > 0 else 0
    return next((times for times in (500, 200, 100, 50, 20, 10) if times <= wanted), 5)


def no_outcome(checkpoint, data, config):
    """Return an Outcome without pictures and files."""
    return Outcome({})


def as_volumes(images, config):
    """Return images (paths or Volumes) as a list of Volume."""
    return [open_image(image) for image in images]


def unchanged(config):
    """Return the options as they are."""
    return config


@dataclasses.dataclass(frozen=True, kw_only=True)
class System:
    """What a system does; the verbs that need Keras.

    Parameters
    ----------
    settings : Settings
    train : callable
        `train(data, config, callbacks=())` returns a functional keras.Model, float32. `data` from `prepare`, `config` from `settle`.
    predict : callable
        `predict(checkpoint, images, options)` returns a Volume, whose `source` is what a report compares it with.
    outcome : callable
        `outcome(checkpoint, data, config)` returns an Outcome.
    settle : callable
        `settle(config)` returns the Config with what depends on more than the options, such as a file to start from.
    prepare : callable
        `prepare(images, config)` returns the data that the other verbs of training take.
    facts : callable
        `facts(network, data, config)` returns, for JSON, facts of the training beside those of the settings.
    generate : callable, optional
        `generate(checkpoint, count, options)` yields Volumes that no scanner has seen; needs `settings.GenerateConfig`.
    """

    settings: Settings
    train: collections.abc.Callable
    predict: collections.abc.Callable
    outcome: collections.abc.Callable = no_outcome
    settle: collections.abc.Callable = unchanged
    prepare: collections.abc.Callable = as_volumes
    facts: collections.abc.Callable = nothing
    generate: collections.abc.Callable | None = None

    @property
    def images(self):
        """How many images prediction takes together; None for any number."""
        return self.settings.images

    @property
    def restores(self):
        """Whether prediction restores a scan of any shape."""
        return self.settings.restores


def stored_inference(facts, settings):
    """Return the values that prediction needs; of a file of format 1 they are taken from the training's settings.

    Parameters
    ----------
    facts : dict
        As `keras_mri.saving.checkpoints.inspect` returns it: `inference` (None in a file of format 1), `config`, `training`.
    settings : Settings
        Settings of the network's system.

    Returns
    -------
    dict

    Raises
    ------
    CheckpointError
        If they, or the settings of a file of format 1, are damaged.
    """
    values = facts["inference"]
    if values is None:
        try:
            values = settings.inference_of_format_1(facts["config"], facts["training"])
        except (KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"the network's file is damaged: its settings lack {error}. Copy it again, or train anew.") from error
    wrong = wrong_values(values, settings.stored)
    if wrong:
        names = ", ".join(f"{name} ({str(values[name])[:40]!r})" if name in values else f"{name} (missing)" for name in wrong)
        raise CheckpointError(f"the network's file is damaged: of what prediction needs, this cannot be right: {names}. Copy it again.")
    return values


def with_inference(checkpoint, settings):
    """Return a checkpoint that knows what prediction needs; parameters and errors as for `stored_inference`."""
    return dataclasses.replace(checkpoint, inference=stored_inference(vars(checkpoint), settings))
