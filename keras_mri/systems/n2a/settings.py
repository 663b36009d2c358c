"""What Noise2Average can be told."""

import dataclasses
import pathlib

from keras_mri import config
from keras_mri.config import MIRRORS, TrainConfig, option, parse_duration
from keras_mri.errors import InputError

RESULTS = ("_denoised.nii.gz",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Repetitions:
    """How images become aligned repetitions: asked in training and in prediction."""

    mask: str | None = option(
        None, "where the brain is (NIfTI on the images' grid); by itself estimated. Outside, the average stays", unit="NIFTI"
    )
    repetitions: str | None = option(
        None,
        "what repeats: the images, frame by frame, or the volumes of one 4D image; by itself the volumes if there is one image",
        choices=("images", "volumes"),
    )
    align: bool = option(True, "estimate a rigid motion between repetitions and mend it where it exceeds --align-above")
    align_above: float = option(
        0.2, "largest displacement, in voxels, that is left alone: to interpolate is to smooth", low=0.0, high=10.0, unit="VOXELS"
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(_Repetitions, TrainConfig):
    """Options of `keras_mri.train n2a`."""

    epochs: int = option(10, "number of epochs of one iteration, unless --time-budget ends training first", low=1)
    learning_rate: float = option(1e-3, "Adam's learning rate at its highest", low=1e-9, high=1.0)
    time_budget: float | None = option(
        None, "train all iterations for this long, e.g. 90s, 5m, 1h30m", low=1, parse=parse_duration, unit="TIME"
    )
    iterations: int | None = option(
        None, "times that the denoised average becomes the next target; by itself until the held-out score stops improving", low=1, high=20
    )
    initial: str = option(
        "pretrained",
        "where the weights start: pretrained, none (at random), or an .h5 of this system or of the original's two-input form",
        unit="START",
    )
    target: str = option(
        "others",
        "the first target: the average of the other repetitions, whose noise is independent, or, as published, of all of them",
        choices=("others", "average"),
    )
    restore: str = option(
        "average",
        "what the trained network restores: the average of the repetitions, or, as published, each of them",
        choices=("average", "each"),
    )
    mirror: str = option(
        "all", "average the results of the scan and its mirror images: left-right as published, or along all axes", choices=MIRRORS
    )
    restart: bool = option(False, "start every iteration from the initial weights instead of the best so far")

    network: str = option(
        "munet",
        "the network, with --initial none; otherwise, like the scaling and the noise scale, it is the initial one's",
        choices=("munet", "munet_diffusion"),
    )
    filters: int | None = option(None, "channels of its layers; by itself those of the initial network, or 16 (diffusion: 64)", low=1)
    noise_scale: float | None = option(
        0.05, "typical noise SD, in network units, by which the network scales its input", low=1e-6, high=1.0
    )
    scaling: str = option(
        "percentile", "how intensities are brought to network units: by their robust maximum, or by mean and SD in the mask",
        choices=("percentile", "zscore"),
    )  # fmt: skip
    patch_shape: tuple[int, int, int] = option((32, 32, 32), "voxels of a training block, cut to what fits the brain", low=1, unit="N")
    blocks: str = option("random", "training blocks anywhere in the brain, or the fewest that cover it", choices=("random", "covering"))
    mirror_training: str = option("all", "axes along which blocks are mirrored at random", choices=("all", "left-right", "none"))
    anneal: bool = option(True, "let the learning rate fall by a cosine over the training")
    beta_2: float = option(0.99, "Adam's decay of the second moment", low=0.0, high=0.99999)
    clip_norm: float | None = option(1.0, "largest norm of a gradient", low=1e-6)

    def __post_init__(self):
        super().__post_init__()
        if self.network == "munet_diffusion" and self.initial == "pretrained":
            raise InputError("there is no pre-trained munet_diffusion. Use `initial` none, or name a file.")

    def to_json(self):
        """Return the options as a dict that `json.dumps` accepts; no path of the user's is stored."""
        return {**super().to_json(), "mask": None, "initial": pathlib.Path(self.initial).name}


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictConfig(_Repetitions, config.PredictConfig):
    """Options of `keras_mri.predict` for this system."""

    mirror: str | None = option(
        None,
        "average the results of the scan and its mirror images, left-right or along all axes; by itself as in training",
        choices=MIRRORS,
    )


PRESETS = {
    # The settings of the original for structural scans, to the letter.
    "published": dict(
        epochs=20, steps_per_epoch=None, batch_size=1, learning_rate=5e-5, precision="float32", iterations=2, initial="none",
        target="average", restore="each", mirror="left-right", restart=True, filters=64, noise_scale=None, scaling="zscore",
        patch_shape=(80, 80, 80), blocks="covering", mirror_training="left-right", anneal=False, beta_2=0.999, clip_norm=None, align=False,
    ),
}  # fmt: skip
