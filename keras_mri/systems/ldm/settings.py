"""Options of latent diffusion."""

import dataclasses

from keras_mri.config import Options, option
from keras_mri.errors import InputError
from keras_mri.imaging.intensity import POLICIES
from keras_mri.systems.ldm import stored
from keras_mri.systems.ldm.diffusion.samplers import SAMPLERS
from keras_mri.systems.ldm.diffusion.schedules import PREDICTIONS, SCHEDULES
from keras_mri.systems.records import Settings
from keras_mri.systems.shared_settings import RunTrainConfig

# For --help.
EXAMPLE = "python -m keras_mri.train ldm bold.nii.gz --events events.tsv --time-budget 1h -o ldm.h5"
TASKS = ("reconstruction", "super-resolution", "imputation", "coarsening")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(RunTrainConfig):
    """Options of `keras_mri.train ldm`. Intensities are in network units: 1 is the image's robust maximum."""

    stage: str = option("both", "part of the network that is trained", basic=True, choices=("autoencoder", "diffusion", "both"))
    initial: str | None = option(
        None, "with --stage diffusion: network file (.h5) whose autoencoder is kept", basic=True, unit="MODEL.h5", path=True
    )
    events: tuple[str, ...] | None = option(
        None,
        "BIDS events.tsv (onset, duration, trial_type) of each image: the labels of its volumes",
        basic=True,
        unit="TSV",
        path=True,
    )
    labels: tuple[str, ...] | None = option(
        None,
        "instead of --events, for each image: a TSV with one label per volume, or one word as the label of all volumes",
        basic=True,
        unit="TSV",
        path=True,
    )
    lag: float = option(5.0, "haemodynamic delay: seconds from an event to the response in the volumes", basic=True, low=0.0, high=30.0)
    scaling: str = option("percentile", "intensity normalisation: by a robust maximum, or by minimum and maximum", choices=POLICIES)

    batch_size: int = option(2, "volumes or patches per update of the autoencoder", low=1)
    patch_shape: tuple[int, int, int] | None = option(
        None, "voxels of a training patch of the autoencoder", auto="whole volumes; with --any-grid 32", basic=True, low=1, unit="N"
    )
    any_grid: bool = option(
        False,
        "learn from scans on different grids, by patches, for scans on any grid; the denoiser then knows positions, not mean latents",
        basic=True,
    )
    mirror_training: bool = option(True, "augmentation of the autoencoder: random left-right reflections")
    autoencoder_share: float = option(0.5, "with --stage both: fraction of the training for the autoencoder", low=0.01, high=0.99)
    latent: str = option("kl", "latent regularisation: KL divergence (kl) or vector quantisation (vq)", choices=("kl", "vq"))
    latent_channels: int = option(32, "channels of the latent", low=1)
    filters: tuple[int, ...] = option(
        (16, 32, 64), "autoencoder: channels of each level; each level after the first halves the grid", low=2, unit="N"
    )
    depth: int = option(1, "autoencoder: residual blocks of each level", low=1)
    shortcut: bool = option(True, "shortcut into the latent: the lowest cosine frequencies of each block, to which the encoder adds")
    codes: int = option(256, "vq: number of entries of each codebook", low=2)
    codebooks: int = option(8, "vq: number of codebooks, each for what those before it leave (residual quantisation)", low=1, high=64)
    l1_weight: float = option(1.0, "weight of the mean absolute error", low=0.0)
    mse_weight: float = option(1.0, "weight of the mean squared error", low=0.0)
    latent_weight: float | None = option(None, "weight of the latent regularisation", auto="1e-4 for kl, 1 for vq", low=0.0)

    schedule: str = option("cosine", "noise schedule", choices=tuple(SCHEDULES))
    diffusion_steps: int = option(1000, "number of diffusion steps of the noise schedule", low=2)
    prediction: str = option("velocity", "prediction target of the denoiser", choices=PREDICTIONS)
    min_snr: float | None = option(5.0, "min-SNR weighting: upper bound γ (none: equal weights)", low=1e-3)
    unet_filters: tuple[int, ...] = option(
        (64, 128), "denoiser: channels of each level; the last level has self-attention", low=2, unit="N"
    )
    unet_depth: int = option(1, "denoiser: residual blocks of each level", low=1)
    prior: bool = option(
        True,
        "start from the best linear denoiser, computed from the mean latent of each label, or with --any-grid from the condition; the "
        "network adds a correction",
    )
    condition: bool = option(True, "also train the denoiser for super-resolution and imputation")
    coarse: tuple[float, float, float] = option(
        (2.0, 2.0, 2.0), "super-resolution: downsampling factor along each voxel axis", low=1.0, high=8.0, unit="N"
    )
    condition_drop: float = option(
        0.4, "probability of training without a coarse or damaged view (0: the network restores, and generates nothing)", low=0.0, high=0.99
    )
    label_drop: float = option(0.1, "classifier-free guidance: probability of training without the label", low=0.0, high=1.0)
    diffusion_batch_size: int = option(8, "latents per update of the denoiser", low=1)
    diffusion_learning_rate: float = option(1e-3, "highest learning rate of the denoiser (Adam)", low=1e-9, high=1.0)
    ema: float = option(0.995, "decay of the exponential moving average of the denoiser's weights", low=0.0, high=0.99999)
    weight_decay: float = option(0.0, "weight decay of the denoiser", low=0.0)
    clip_norm: float | None = option(1.0, "gradient clipping: maximum global norm", low=1e-6)
    anneal: bool = option(True, "cosine decay of the learning rate of each stage")

    def __post_init__(self):
        super().__post_init__()
        if (self.stage == "diffusion") != bool(self.initial):
            raise InputError(
                "`stage` diffusion needs `initial`, a network (.h5) whose autoencoder it keeps; no other stage takes one. "
                f"Received: `stage` {self.stage}, `initial` {self.initial or 'none'}."
            )
        if self.events and self.labels:
            raise InputError("`events` and `labels` both label the volumes. Choose one.")
        factor = 2 ** (len(self.filters) - 1)
        if self.patch_shape and any(side % factor for side in self.patch_shape):
            nearest = tuple(max(factor, factor * round(side / factor)) for side in self.patch_shape)
            raise InputError(
                f"`patch_shape` must be divisible by {factor}: the autoencoder halves it {len(self.filters) - 1} times. "
                f"Received: {self.patch_shape}. Nearest valid: {nearest}."
            )
        for name in ("filters", "unet_filters"):
            if any(width % 2 for width in getattr(self, name)):
                raise InputError(f"`{name}` must be even: channels are normalised in groups. Received: {getattr(self, name)}.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SamplingOptions(Options):
    """Options of the sampler."""

    label: str | None = option(None, "label of the volume, one of those in training (none: unlabelled)", basic=True, unit="LABEL")
    guidance: float = option(1.0, "classifier-free guidance: strength of label and condition (1: no guidance)", low=0.0, high=100.0)
    steps: int = option(50, "number of sampling steps", basic=True, low=1)
    sampler: str = option("dpm-solver", "sampling method", choices=tuple(SAMPLERS))
    seed: int = option(0, "seed of the random numbers", basic=True, low=0, high=2**31 - 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class GenerateConfig(SamplingOptions):
    """Options of `keras_mri.generate` for this system."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictConfig(SamplingOptions):
    """Options of `keras_mri.predict` for this system."""

    task: str = option(
        "reconstruction",
        "reconstruction (encode and decode only), super-resolution, imputation of missing voxels, or coarsening (no network: what "
        "super-resolution would get of this scan, for trials)",
        basic=True,
        choices=TASKS,
    )
    missing: str | None = option(
        None,
        "imputation: mask of the missing voxels (NIfTI of the image's shape, or 3D for all frames of a run), or auto: damaged slices and "
        "frames are looked for",
        basic=True,
        unit="NIFTI",
        path=True,
    )
    steps: int | None = option(
        None,
        "number of sampling steps",
        auto="1, which gives the mean of all samples; 50 for a network that predicts noise, or of release 0.1",
        basic=True,
        low=1,
    )
    samples: int = option(4, "number of samples that are averaged", basic=True, low=1)

    def __post_init__(self):
        super().__post_init__()
        if (self.task == "imputation") != (self.missing is not None):
            raise InputError(
                "`missing` marks the voxels that `task` imputation fills; they go together. "
                f"Received: `task` {self.task}, `missing` {self.missing or 'none'}."
            )


def shorter(usual, least, time_budget):
    """Return how many volumes, draws or steps some work beside the training takes: as usual, and less where a time budget is short.

    Parameters
    ----------
    usual, least : int
        Without a budget, or with one of five minutes and more; at least.
    time_budget : float or None
        s.

    Returns
    -------
    int
    """
    return max(least, min(usual, round(usual * time_budget / 300))) if time_budget else usual


PRESETS = {
    # Widths, losses and diffusion of the original; its skips, which carry the image past the latent, are left out.
    "published": dict(
        batch_size=16, learning_rate=1e-4, precision="float32", scaling="minmax", patch_shape=(64, 64, 64), mirror_training=False,
        latent="vq", latent_channels=8, shortcut=False, filters=(32, 64, 128, 256), codes=512, codebooks=1,
        l1_weight=0.3, mse_weight=0.5, latent_weight=0.1,
        schedule="cosine", diffusion_steps=1000, prediction="noise", min_snr=None, unet_filters=(128, 256, 512), prior=False,
        label_drop=0.1, diffusion_batch_size=16, diffusion_learning_rate=1e-4, weight_decay=0.004, ema=0.0, clip_norm=None, anneal=False,
    ),
}  # fmt: skip


SETTINGS = Settings(
    Config=Config,
    PredictConfig=PredictConfig,
    presets=PRESETS,
    example=EXAMPLE,
    GenerateConfig=GenerateConfig,
    restores=False,
    errors=("autoencoder: mean absolute error (network units)", "denoiser: mean squared error"),
    inference=stored.inference,
    stored=stored.CHECKS,
    inference_of_format_1=stored.inference_of_format_1,
)
