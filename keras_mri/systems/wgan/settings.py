"""What the 3D U-WGAN denoiser can be told."""

import dataclasses

from keras_mri import config
from keras_mri.config import RunTrainConfig, option
from keras_mri.errors import InputError
from keras_mri.imaging.intensity import POLICIES
from keras_mri.imaging.noise import MODELS

# Voxels of a training patch, where the options do not say.
PATCH_SHAPE = (32, 32, 16)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(RunTrainConfig):
    """Options of `keras_mri.train wgan`. Intensities and noise are in network units: 1 is the image's robust maximum."""

    batch_size: int | None = option(None, "patches per update; by itself 4, of single frames 2", low=1)
    frames: int | None = option(
        None, "neighbouring frames the network sees (1, 3 or 5); by itself 5 if every scan has ten frames or more, else 1", low=1, high=5
    )
    patch_shape: tuple[int, int, int] | None = option(
        None, "voxels of a training patch; by itself 32 32 16, or what of it fits the scan", low=1, unit="N"
    )
    sampling: str = option("random", "patches drawn anew for every step, or from the published lattice", choices=("random", "lattice"))
    scaling: str = option("percentile", "how intensities are brought to network units", choices=POLICIES)

    noise: str = option("gaussian", "the noise added in training; rician for magnitude data of low SNR", choices=MODELS)
    noise_range: tuple[float, float] = option(
        (0.0, 0.2), "lowest and highest SD of the noise added in training, in network units", low=0.0, high=1.0, unit="SD"
    )
    noise_skew: float | None = option(
        None, "above 1, weak noise is trained more often than strong; by itself 3 for several frames, 1.5 for one", low=0.1, high=10.0
    )
    target: str = option(
        "frame", "learn to restore the frame itself, or to predict a neighbouring frame (same anatomy, independent noise)",
        choices=("frame", "neighbour"),
    )  # fmt: skip
    temporal_smoothing: float = option(
        0.6,
        "share of the fastest fluctuations from frame to frame that is taken to be noise (networks of several frames)",
        low=0.0,
        high=1.0,
    )
    activation: float = option(
        0.04, "strength of the simulated activations that the network learns to keep, as a share of the intensity", low=0.0, high=1.0
    )
    flips: bool = option(True, "mirror patches at random in space and time")

    generator: str = option("residual_unet", "the network", choices=("residual_unet", "dense_unet"))
    filters: tuple[int, ...] = option((32, 64), "channels of each level of the residual U-Net", low=1, unit="N")
    depths: tuple[int, ...] | None = option(
        None, "convolutions of each level of the residual U-Net; by itself 2 4, for single frames 1 5", low=1, unit="N"
    )
    growth_rate: int = option(16, "filters that a layer of the dense U-Net adds", low=1)
    normalization: str = option("none", "normalisation in the dense U-Net and the dense critic", choices=("none", "batch"))
    residual: bool = option(True, "add the dense U-Net's output to its input")
    noise_scale: float = option(0.05, "typical noise SD by which residual networks scale their input", low=1e-6, high=1.0)

    critic: str = option(
        "encoder", "the critic: an encoder without normalisation, or the published dense U-Net", choices=("encoder", "dense")
    )
    critic_steps: int = option(1, "critic updates per generator update", low=1)
    critic_learning_rate: float = option(1e-4, "Adam's learning rate of the critic", low=1e-9, high=1.0)
    gradient_penalty: float = option(10.0, "weight of the critic's gradient penalty", low=0.0)
    l1_weight: float = option(100.0, "weight of the mean absolute error", low=0.0)
    adversarial_weight: float = option(0.1, "weight of the critic's opinion; 0 trains on the mean absolute error alone", low=0.0)
    warm_up: float = option(0.9, "share of the training on the mean absolute error alone, before the critic joins", low=0.0, high=1.0)

    anneal: bool = option(True, "let the learning rate fall by a cosine over the training")
    beta_1: float = option(0.9, "Adam's decay of the first moment", low=0.0, high=0.999)
    beta_2: float = option(0.99, "Adam's decay of the second moment", low=0.0, high=0.99999)
    clip_norm: float | None = option(1.0, "largest norm of a gradient", low=1e-6)

    def __post_init__(self):
        super().__post_init__()
        if self.frames not in (None, 1, 3, 5):
            raise InputError(f"`frames` must be 1, 3 or 5. Received: {self.frames}.")
        if self.sampling == "lattice" and (self.frames not in (None, 1) or self.target != "frame"):
            raise InputError(
                "`sampling` lattice takes single frames, spread over the run. "
                f"Received: `frames` {self.frames}, `target` {self.target}. Use `sampling` random."
            )
        if self.noise_range[0] > self.noise_range[1]:
            raise InputError(f"`noise_range` names the lower SD first. Received: {self.noise_range}.")
        if len(self.filters) != (len(self.depths) if self.depths else 2):
            raise InputError(f"`filters` and `depths` name the same levels. Received: {self.filters} and {self.depths or 'no depths'}.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictConfig(config.PredictConfig):
    """Options of `keras_mri.predict` for this system."""

    mask: str | None = option(None, "restore only inside this mask (NIfTI on the image's grid); outside, the input stays", unit="NIFTI")


PRESETS = {
    # The settings of the original, to the letter.
    "published": dict(
        epochs=100, steps_per_epoch=None, batch_size=4, learning_rate=1e-4, precision="float32", checkpoint_every=10,
        frames=1, patch_shape=(32, 32, 8), sampling="lattice", scaling="minmax", noise_range=(0.15, 0.15),
        noise_skew=1.0, flips=False, temporal_smoothing=0.0, activation=0.0,
        generator="dense_unet", normalization="batch", residual=False,
        critic="dense", critic_steps=5, critic_learning_rate=1e-4, adversarial_weight=1.0, warm_up=0.0,
        anneal=False, beta_1=0.0, beta_2=0.9, clip_norm=None,
    ),
}  # fmt: skip
