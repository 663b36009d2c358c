"""What prediction and generation need of a training, as the network's file states it."""

import dataclasses

from keras_mri.imaging.intensity import POLICIES
from keras_mri.saving.stored_values import number, one_of, or_none, record, several
from keras_mri.systems.ldm.diffusion.schedules import PREDICTIONS, SCHEDULES


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inference:
    """The values that prediction and generation need, stored in the network's file.

    Parameters
    ----------
    scaling, schedule, diffusion_steps, prediction, condition, coarse, filters, unet_filters, latent_channels
        As the options of these names.
    grid : dict or None
        Shape and affine of the training's volumes; with `any_grid` those of the first, which samples get.
    labels : tuple of str
        In order of their codes.
    intensity : tuple of float or None
        Offset and scale of network units.
    any_grid : bool
        Whether scans on any grid may come; before release 0.2 none could.
    one_step : bool
        Whether the denoiser has learnt to say, from noise alone, what all samples of a condition are on average.
    generates : bool
        Whether it has learnt from volumes of which nothing is known.
    """

    scaling: str
    schedule: str
    diffusion_steps: int
    prediction: str
    condition: bool
    coarse: tuple[float, float, float]
    filters: tuple[int, ...]
    unet_filters: tuple[int, ...]
    latent_channels: int
    grid: dict | None
    labels: tuple[str, ...]
    intensity: tuple[float, float] | None
    any_grid: bool = False
    one_step: bool = False
    generates: bool = True

    @classmethod
    def from_json(cls, values):
        """Build it from the values in a file."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: _hashable(values[name]) for name in names if name in values})


def _hashable(value):
    return tuple(value) if isinstance(value, list) else value


_OPTIONS_OF_INFERENCE = (
    "scaling", "schedule", "diffusion_steps", "prediction", "condition", "coarse", "filters", "unet_filters", "latent_channels",
)  # fmt: skip


def inference(config, training):
    """Return the values that prediction needs, as `Inference` has them, for JSON."""
    names = (*_OPTIONS_OF_INFERENCE, "any_grid")
    learnt = dict(
        one_step=config.condition and config.prediction == "velocity", generates=not config.condition or config.condition_drop > 0
    )
    return {**{name: value for name, value in config.to_json().items() if name in names}, **learnt, **_of_data(training)}


def inference_of_format_1(config, training):
    """Return the same from the settings of a file of format 1."""
    return {**{name: config[name] for name in _OPTIONS_OF_INFERENCE}, **_of_data(training)}


def _of_data(training):
    return {"grid": training.get("grid"), "labels": training.get("labels", []), "intensity": training.get("scaling")}


_CHANNELS = number(1, 1e5, whole=True)
# Name of a value: what tells whether a value from a file can be right.
CHECKS = {
    "scaling": one_of(*POLICIES),
    "schedule": one_of(*SCHEDULES),
    "diffusion_steps": number(1, 1e6, whole=True),
    "prediction": one_of(*PREDICTIONS),
    "condition": one_of(True, False),
    "coarse": several(number(0, 1e3), 3),
    "filters": several(_CHANNELS),
    "unet_filters": several(_CHANNELS),
    "latent_channels": _CHANNELS,
    "grid": or_none(record(shape=several(number(1, 1e6, whole=True), 3), affine=several(several(number(), 4), 4))),
    "labels": lambda value: isinstance(value, list) and all(isinstance(label, str) for label in value),
    "intensity": or_none(several(number(), 2)),
    "any_grid": one_of(True, False, None),
    "one_step": one_of(True, False, None),
    "generates": one_of(True, False, None),
}
