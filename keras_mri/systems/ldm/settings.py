"""What latent diffusion can be told."""

import dataclasses
import pathlib

from keras_mri.config import Options, RunTrainConfig, option
from keras_mri.errors import InputError
from keras_mri.imaging.intensity import POLICIES
from keras_mri.systems.ldm.samplers import SAMPLERS
from keras_mri.systems.ldm.schedules import PREDICTIONS, SCHEDULES

TASKS = ("reconstruction", "super-resolution", "imputation")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(RunTrainConfig):
    """Options of `keras_mri.train ldm`. Intensities are in network units: 1 is the image's robust maximum."""

    stage: str = option("both", "what to train", choices=("autoencoder", "diffusion", "both"))
    initial: str | None = option(None, "with --stage diffusion: the network (.h5) whose autoencoder is kept", unit="MODEL.h5")
    events: tuple[str, ...] | None = option(
        None, "BIDS events.tsv (onset, duration, trial_type) of each image, which label its volumes", unit="TSV"
    )
    labels: tuple[str, ...] | None = option(
        None, "instead, for each image: a TSV with one label per volume, or a word that labels all of them", unit="TSV"
    )
    lag: float = option(5.0, "seconds from an event to the response that its volumes show", low=0.0, high=30.0)
    scaling: str = option("percentile", "how intensities are brought to network units", choices=POLICIES)

    batch_size: int = option(2, "volumes, or patches, per update of the autoencoder", low=1)
    patch_shape: tuple[int, int, int] | None = option(
        None, "train the autoencoder on patches of this many voxels; by itself on whole volumes", low=1, unit="N"
    )
    mirror_training: bool = option(True, "mirror volumes left-right at random while the autoencoder trains")
    autoencoder_share: float = option(0.5, "share of the training that goes to the autoencoder, with --stage both", low=0.01, high=0.99)
    latent: str = option("kl", "what keeps the latent tidy: a divergence, or a codebook", choices=("kl", "vq"))
    latent_channels: int = option(32, "numbers for each block of voxels", low=1)
    filters: tuple[int, ...] = option((16, 32, 64), "the autoencoder's channels at each level; every further one halves the grid", low=2)
    depth: int = option(1, "the autoencoder's residual blocks at each level", low=1)
    shortcut: bool = option(True, "begin with the lowest cosine frequencies of each block as its latent, to which the network adds")
    codes: int = option(256, "vq: size of the codebook", low=2)
    l1_weight: float = option(1.0, "weight of the mean absolute error", low=0.0)
    mse_weight: float = option(1.0, "weight of the mean squared error", low=0.0)
    latent_weight: float | None = option(None, "weight of the divergence or of the distance to the codes; by itself 1e-4 or 1", low=0.0)

    schedule: str = option("cosine", "how signal gives way to noise", choices=tuple(SCHEDULES))
    diffusion_steps: int = option(1000, "steps of the schedule", low=2)
    prediction: str = option("velocity", "what the denoiser says", choices=PREDICTIONS)
    min_snr: float | None = option(5.0, "most that a step's error may count, in units of its SNR; none weighs all alike", low=1e-3)
    unet_filters: tuple[int, ...] = option((64, 128), "the denoiser's channels at each level; the last attends to everything", low=2)
    unet_depth: int = option(1, "the denoiser's residual blocks at each level", low=1)
    prior: bool = option(
        True, "begin with the best linear denoiser, which knows the mean of each label at every position; the network adds to it"
    )
    condition: bool = option(True, "teach the denoiser super-resolution and imputation as well")
    coarse: tuple[float, float, float] = option(
        (2.0, 2.0, 2.0), "super-resolution: how much larger the voxels of a coarse volume are", low=1.0, high=8.0, unit="N"
    )
    label_drop: float = option(0.1, "how often the label is withheld, so that guidance has something to compare with", low=0.0, high=1.0)
    diffusion_batch_size: int = option(8, "latents per update of the denoiser", low=1)
    diffusion_learning_rate: float = option(1e-3, "Adam's learning rate of the denoiser at its highest", low=1e-9, high=1.0)
    ema: float = option(0.995, "share of the denoiser's averaged weights that stays at each update", low=0.0, high=0.99999)
    weight_decay: float = option(0.0, "of the denoiser", low=0.0)
    clip_norm: float | None = option(1.0, "largest norm of all gradients together", low=1e-6)
    anneal: bool = option(True, "let the learning rates fall by a cosine over their stage")

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

    def to_json(self):
        """Return the options as a dict that `json.dumps` accepts; of files only their names, no folders."""
        values = super().to_json()
        for name in ("events", "labels"):
            values[name] = values[name] and [pathlib.Path(path).name for path in values[name]]
        return {**values, "initial": self.initial and pathlib.Path(self.initial).name}


@dataclasses.dataclass(frozen=True, kw_only=True)
class SamplingOptions(Options):
    """How samples are drawn."""

    label: str | None = option(None, "what the volume is to show: one of the labels of the training", unit="LABEL")
    guidance: float = option(1.0, "how much to exaggerate what label and condition change; 1 not at all", low=0.0, high=100.0)
    steps: int = option(50, "steps from noise to sample", low=1)
    sampler: str = option("dpm-solver", "how each step is made", choices=tuple(SAMPLERS))
    seed: int = option(0, "seed of every random draw", low=0, high=2**31 - 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class GenerateConfig(SamplingOptions):
    """Options of `keras_mri.generate` for this system."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictConfig(SamplingOptions):
    """Options of `keras_mri.predict` for this system."""

    task: str = option(
        "reconstruction", "what to do: only through the autoencoder and back, a finer grid, or what is missing", choices=TASKS
    )
    missing: str | None = option(
        None, "imputation: not 0 where voxels are missing (NIfTI of the image's shape, or 3D for all of a run)", unit="NIFTI"
    )
    samples: int = option(4, "samples whose average is the answer", low=1)

    def __post_init__(self):
        super().__post_init__()
        if (self.task == "imputation") != (self.missing is not None):
            raise InputError(
                "`missing` marks the voxels that `task` imputation fills; they go together. "
                f"Received: `task` {self.task}, `missing` {self.missing or 'none'}."
            )


PRESETS = {
    # Widths, losses and diffusion of the original; its skips, which carry the image past the latent, are left out.
    "published": dict(
        batch_size=16, learning_rate=1e-4, precision="float32", scaling="minmax", patch_shape=(64, 64, 64), mirror_training=False,
        latent="vq", latent_channels=8, shortcut=False, filters=(32, 64, 128, 256), codes=512,
        l1_weight=0.3, mse_weight=0.5, latent_weight=0.1,
        schedule="cosine", diffusion_steps=1000, prediction="noise", min_snr=None, unet_filters=(128, 256, 512), prior=False,
        label_drop=0.1, diffusion_batch_size=16, diffusion_learning_rate=1e-4, weight_decay=0.004, ema=0.0, clip_norm=None, anneal=False,
    ),
}  # fmt: skip
