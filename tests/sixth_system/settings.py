"""Settings of a toy system: one convolution that denoises."""

import dataclasses

from keras_mri.config import option
from keras_mri.systems.records import Settings, noisy_voxel_sides
from keras_mri.systems.shared_settings import PredictConfig as SharedPredictConfig
from keras_mri.systems.shared_settings import TrainConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(TrainConfig):
    """Options of its training."""

    noise_range: tuple[float, float] = option((0.0, 0.2), "range of the noise SD, network units", low=0.0, high=1.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictConfig(SharedPredictConfig):
    """Options of its prediction."""

    strength: float = option(1.0, "share of the noise that is removed", low=0.0, high=1.0)


def inference(config, training):
    """Return the values that prediction needs."""
    return {"largest": config.noise_range[1]}


SETTINGS = Settings(Config=Config, PredictConfig=PredictConfig, facts=noisy_voxel_sides, inference=inference)
