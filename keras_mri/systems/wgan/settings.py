"""Options of the 3D U-WGAN denoiser."""

import dataclasses

from keras_mri.config import option
from keras_mri.errors import InputError
from keras_mri.imaging.intensity import POLICIES
from keras_mri.imaging.noise import MODELS
from keras_mri.saving.stored_values import number, one_of, or_none
from keras_mri.systems.records import Settings, noisy_voxel_sides, voxel_sides
from keras_mri.systems.shared_settings import PredictConfig as SharedPredictConfig
from keras_mri.systems.shared_settings import RunTrainConfig, repetition_time_option

# For --help.
EXAMPLE = "python -m keras_mri.train wgan bold.nii.gz --time-budget 5m -o denoiser.h5"
# Shorter runs have too few time courses to tell signal from noise; they keep the network of single volumes.
LEAST_FRAMES = 10
# Where the options do not say: voxels of a training patch, channels of the network of volumes and of that of runs, and the
# convolutions of the latter.
PATCH_SHAPE = (32, 32, 16)
FILTERS, FILTERS_OF_RUNS, DEPTHS_OF_RUNS = (32, 64), (16, 32), (1, 3)
# Slices and frames of a run that the picture beside its network is made from.
SHOWN_SLICES, SHOWN_FRAMES = 8, 60


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(RunTrainConfig):
    """Options of `keras_mri.train wgan`. Intensities and noise are in network units: 1 is the image's robust maximum."""

    batch_size: int | None = option(None, "patches per update", auto="2, or 4 for a window of 3 or 5 frames", basic=True, low=1)
    frames: int | None = option(
        None,
        "1: denoise each frame alone; 3 or 5: with its neighbours",
        auto="all frames of a run together if every scan has ten or more, otherwise 1",
        basic=True,
        low=1,
        high=5,
    )
    keep: float = option(
        0.95, "runs: share of the amplitude of an activation that training asks the network to keep", basic=True, low=0.01, high=1.0
    )
    response_weight: float = option(
        0.5, "runs: weight of the error of the response to simulated activations, their spread included", low=0.0, high=100.0
    )
    initial: str | None = option(
        None,
        "runs: initial weights: none (random), pretrained, or a network file (.h5) trained on runs",
        auto="pretrained where it is at hand and has the layers that are asked for, otherwise none",
        basic=True,
    )
    patch_shape: tuple[int, int, int] | None = option(
        None, "voxels of a training patch", auto="32 32 16, or less in a smaller scan", basic=True, low=1, unit="N"
    )
    sampling: str = option(
        "random", "training patches: new random positions in every step, or the published lattice", choices=("random", "lattice")
    )
    scaling: str = option(
        "percentile", "intensity normalisation: by a robust maximum, or by minimum and maximum as published", choices=POLICIES
    )

    noise: str = option(
        "gaussian", "distribution of the training noise; rician for magnitude images of low SNR", basic=True, choices=MODELS
    )
    noise_range: tuple[float, float] = option(
        (0.0, 0.2), "lowest and highest SD of the training noise, in network units", basic=True, low=0.0, high=1.0, unit="SD"
    )
    noise_skew: float | None = option(
        None,
        "exponent of the distribution of the noise SD; above 1, weak noise is drawn more often than strong noise",
        auto="3 for a window of frames, otherwise 1.5",
        low=0.1,
        high=10.0,
    )
    target: str = option(
        "frame",
        "training target: the frame itself, or a neighbouring frame (same anatomy, independent noise)",
        choices=("frame", "neighbour"),
    )
    activation: float = option(
        0.04,
        "amplitude of the simulated activations that the network learns to preserve, as a fraction of the intensity",
        low=0.0,
        high=1.0,
    )
    flips: bool = option(True, "augmentation: random reflections of patches in space and time")

    generator: str = option("residual_unet", "architecture of the generator", choices=("residual_unet", "dense_unet"))
    filters: tuple[int, ...] | None = option(
        None, "residual_unet: channels of each level", auto="16 32 for a run, otherwise 32 64", low=1, unit="N"
    )
    depths: tuple[int, ...] | None = option(
        None, "residual_unet: convolutions of each level", auto="1 3 for a run, 2 4 for a window of frames, otherwise 1 5", low=1, unit="N"
    )
    growth_rate: int = option(16, "dense_unet: growth rate, the channels added by each layer", low=1)
    normalization: str = option("none", "normalisation layers of dense_unet and of the dense critic", choices=("none", "batch"))
    residual: bool = option(True, "dense_unet: residual learning, the output is added to the input")
    noise_scale: float = option(0.05, "typical noise SD, by which residual networks scale their input", low=1e-6, high=1.0)

    critic: str = option(
        "encoder",
        "architecture of the critic: an encoder without normalisation, or the published dense U-Net",
        choices=("encoder", "dense"),
    )
    critic_steps: int = option(1, "critic updates per generator update", low=1)
    critic_learning_rate: float = option(1e-4, "learning rate of the critic (Adam)", low=1e-9, high=1.0)
    gradient_penalty: float = option(10.0, "weight of the gradient penalty of the critic", low=0.0)
    l1_weight: float = option(100.0, "weight of the L1 loss", low=0.0)
    adversarial_weight: float | None = option(
        None, "weight of the adversarial loss; 0 trains without a critic", auto="0.1, or 0 for a run", low=0.0
    )
    warm_up: float = option(0.9, "fraction of the training on the L1 loss alone, before the critic is used", low=0.0, high=1.0)

    anneal: bool = option(True, "cosine decay of the learning rate")
    beta_1: float = option(0.9, "decay rate of Adam's first moment", low=0.0, high=0.999)
    beta_2: float = option(0.99, "decay rate of Adam's second moment", low=0.0, high=0.99999)
    clip_norm: float | None = option(1.0, "gradient clipping: maximum norm of each gradient", low=1e-6)

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
        if len(self.filters or FILTERS) != len(self.depths or FILTERS):
            raise InputError(
                f"`filters` and `depths` name the same levels. Received: {self.filters or FILTERS} and {self.depths or 'two depths'}."
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictConfig(SharedPredictConfig):
    """Options of `keras_mri.predict` for this system."""

    mask: str | None = option(
        None,
        "restore only inside this mask (NIfTI on the grid of the image); the input is kept outside",
        basic=True,
        unit="NIFTI",
        path=True,
    )
    tr: float | None = repetition_time_option()
    keep_bias: bool = option(
        False,
        "single volumes: keep the bias that noise gives a magnitude image; else it is removed where the air shows that there is one",
        basic=True,
    )


PRESETS = {
    # The settings of the original, to the letter.
    "published": dict(
        epochs=100, steps_per_epoch=None, batch_size=4, learning_rate=1e-4, precision="float32", checkpoint_every=10,
        frames=1, patch_shape=(32, 32, 8), sampling="lattice", scaling="minmax", noise_range=(0.15, 0.15),
        noise_skew=1.0, flips=False, activation=0.0,
        generator="dense_unet", normalization="batch", residual=False,
        critic="dense", critic_steps=5, critic_learning_rate=1e-4, adversarial_weight=1.0, warm_up=0.0,
        anneal=False, beta_1=0.0, beta_2=0.9, clip_norm=None,
    ),
}  # fmt: skip


def as_runs(images, config):
    """Return whether the frames of every scan are denoised together, by the network of runs.

    Parameters
    ----------
    images : sequence of Volume
    config : Config

    Returns
    -------
    bool
    """
    long = min(image.n_frames for image in images) >= LEAST_FRAMES
    return config.frames is None and long and config.sampling == "random" and config.target == "frame"


def training_facts(images, config):
    """Return voxel sides (mm) and the range of the noise SD in network units: none for runs, which are trained in units of their noise."""
    return voxel_sides(images, config) if as_runs(images, config) else noisy_voxel_sides(images, config)


def inference(config, training):
    """Return the values that prediction needs.

    Parameters
    ----------
    config : Config
    training : dict
        Facts of the training: `input` is "maps" for a network of runs; `measured_grid`, that it knows white noise of any scan.

    Returns
    -------
    dict
        `scaling`, the policy by which intensities are brought to network units. Of a network of runs: `input`, "maps", and `keep`, the
        share of an activation that it was trained to keep. Of a network of volumes, where they apply: `noise`, "rician", for one that
        takes the bias of a magnitude away itself; `measured_grid`, for one that is to see zero-filled scans as they were measured.
    """
    if training.get("input") == "maps":
        return {"scaling": config.scaling, "input": "maps", "keep": config.keep}
    noise = {"noise": "rician"} if config.noise == "rician" else {}
    return {"scaling": config.scaling, **noise, **({"measured_grid": True} if training.get("measured_grid") else {})}


def inference_of_format_1(config, training):
    """Return the same from the settings of a file of format 1."""
    return {"scaling": config["scaling"]}


_STORED = {
    "scaling": one_of(*POLICIES),
    "input": one_of("maps", None),
    "keep": or_none(number(0, 1)),
    "noise": one_of(*MODELS, None),
    "measured_grid": one_of(True, False, None),
}

SETTINGS = Settings(
    Config=Config,
    PredictConfig=PredictConfig,
    presets=PRESETS,
    example=EXAMPLE,
    errors=("error on held-out patches",),
    facts=training_facts,
    inference=inference,
    stored=_STORED,
    inference_of_format_1=inference_of_format_1,
)
