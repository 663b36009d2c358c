"""Options of Noise2Average."""

import dataclasses

from keras_mri.config import option, parse_duration
from keras_mri.errors import InputError
from keras_mri.saving.stored_values import number, one_of, or_none
from keras_mri.systems.records import Settings
from keras_mri.systems.shared_settings import MIRRORS, TrainConfig
from keras_mri.systems.shared_settings import PredictConfig as SharedPredictConfig

# Ending of the file that training writes beside the network: the repetitions, denoised.
DENOISED = "_denoised.nii.gz"
# What `restore` and `scaling` can be.
_RESTORED, _SCALINGS = ("average", "each"), ("percentile", "zscore", "zscore-each")
# For --help.
EXAMPLE = "python -m keras_mri.train n2a rep1.nii.gz rep2.nii.gz -o n2a.h5"


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Repetitions:
    """Options of the repetitions, shared by training and prediction."""

    mask: str | None = option(
        None,
        "brain mask (NIfTI on the grid of the images); the average of the repetitions is kept outside",
        auto="estimated",
        basic=True,
        unit="NIFTI",
        path=True,
    )
    repetitions: str | None = option(
        None,
        "the repetitions: images (frame by frame), or the volumes of one 4D image",
        auto="volumes for one image, otherwise images",
        basic=True,
        choices=("images", "volumes"),
    )
    align: bool = option(True, "rigid motion correction between repetitions, where motion exceeds --align-above", basic=True)
    align_above: float = option(
        0.2, "largest displacement in voxels that is not corrected, because interpolation smooths", low=0.0, high=10.0, unit="VOXELS"
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(_Repetitions, TrainConfig):
    """Options of `keras_mri.train n2a`."""

    epochs: int = option(10, "number of epochs of one iteration, unless --time-budget ends training first", basic=True, low=1)
    learning_rate: float = option(1e-3, "highest learning rate of Adam", low=1e-9, high=1.0)
    time_budget: float | None = option(
        None,
        "duration of the training over all iterations, instead of a number of epochs: 90s, 5m, 1h30m",
        basic=True,
        low=1,
        parse=parse_duration,
        unit="TIME",
    )
    iterations: int | None = option(
        None,
        "number of iterations; in each one after the first, the denoised average is the target",
        auto="until the validation score stops improving",
        low=1,
        high=20,
    )
    initial: str = option(
        "pretrained",
        "initial weights: pretrained, none (random), or a network file (.h5) of this system or of the original's two-input form",
        basic=True,
        unit="START",
        path=True,
    )
    target: str = option(
        "others",
        "first training target: the average of the other repetitions (independent noise), or the average of all, as published",
        choices=("others", "average"),
    )
    restore: str = option(
        "average",
        "input of the trained network: the average of the repetitions, or each repetition, as published",
        choices=_RESTORED,
    )
    mirror: str = option(
        "all",
        "test-time augmentation: average the results of the scan and its mirror images, left-right (as published) or along all axes",
        basic=True,
        choices=MIRRORS,
    )
    restart: bool = option(False, "start each iteration from the initial weights instead of the best weights so far")

    network: str = option(
        "munet",
        "architecture, with --initial none; an initial network keeps its own architecture, intensity normalisation and noise scale",
        choices=("munet", "munet_diffusion"),
    )
    filters: int | None = option(
        None, "channels of the layers", auto="as in the initial network; without one 16, or 64 for munet_diffusion", low=1
    )
    noise_scale: float | None = option(
        0.05, "typical noise SD in network units, by which the network scales its input (none: no scaling)", low=1e-6, high=1.0
    )
    scaling: str = option(
        "percentile",
        "intensity normalisation: by a robust maximum, or inside the mask by mean and SD of the average (zscore), or of the repetitions "
        "themselves (zscore-each, as published)",
        choices=_SCALINGS,
    )
    patch_shape: tuple[int, int, int] = option(
        (32, 32, 32), "voxels of a training block, reduced where the brain is smaller", low=1, unit="N"
    )
    blocks: str = option(
        "random", "training blocks: random positions in the brain, or the fewest blocks that cover it", choices=("random", "covering")
    )
    mirror_training: str = option("all", "augmentation: axes of the random reflections of blocks", choices=("all", "left-right", "none"))
    anneal: bool = option(True, "cosine decay of the learning rate")
    beta_2: float = option(0.99, "decay rate of Adam's second moment", low=0.0, high=0.99999)
    clip_norm: float | None = option(1.0, "gradient clipping: maximum norm of each gradient", low=1e-6)

    def __post_init__(self):
        super().__post_init__()
        if self.network == "munet_diffusion" and self.initial == "pretrained":
            raise InputError("there is no pre-trained munet_diffusion. Use `initial` none, or name a file.")

    def to_json(self):
        """Return the options as a dict that `json.dumps` accepts; the mask, whose name may be a person's, is not stored."""
        return {**super().to_json(), "mask": None}


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictConfig(_Repetitions, SharedPredictConfig):
    """Options of `keras_mri.predict` for this system."""

    mirror: str | None = option(
        None,
        "test-time augmentation: average the results of the scan and its mirror images, left-right or along all axes",
        auto="as in training",
        basic=True,
        choices=MIRRORS,
    )


PRESETS = {
    # The settings of the original for structural scans, to the letter.
    "published": dict(
        epochs=20, steps_per_epoch=None, batch_size=1, learning_rate=5e-5, precision="float32", iterations=2, initial="none",
        target="average", restore="each", mirror="left-right", restart=True, filters=64, noise_scale=None, scaling="zscore-each",
        patch_shape=(80, 80, 80), blocks="covering", mirror_training="left-right", anneal=False, beta_2=0.999, clip_norm=None, align=False,
    ),
}  # fmt: skip


def inference(config, training):
    """Return the values that prediction, or a training that starts from the network, needs: options of the names below."""
    return {"scaling": config.scaling, "restore": config.restore, "mirror": config.mirror, "noise_scale": config.noise_scale}


def inference_of_format_1(config, training):
    """Return the same from the settings of a file of format 1."""
    return {name: config[name] for name in ("scaling", "restore", "mirror", "noise_scale")}


_STORED = {
    "scaling": one_of(*_SCALINGS),
    "restore": one_of(*_RESTORED),
    "mirror": one_of(*MIRRORS),
    "noise_scale": or_none(number(0)),
}

SETTINGS = Settings(
    Config=Config,
    PredictConfig=PredictConfig,
    presets=PRESETS,
    example=EXAMPLE,
    images=None,
    results=(DENOISED,),
    inference=inference,
    stored=_STORED,
    inference_of_format_1=inference_of_format_1,
)
