"""Options of super-resolution."""

import dataclasses

from keras_mri.config import option
from keras_mri.errors import InputError
from keras_mri.saving.stored_values import number, one_of, or_none, record, several
from keras_mri.systems.records import Settings
from keras_mri.systems.shared_settings import PredictConfig as SharedPredictConfig
from keras_mri.systems.shared_settings import TrainConfig

# Ending of the file that training writes beside the network: which subject served for training, validation or test.
SPLIT = "_split.tsv"
# For --help.
EXAMPLE = "python -m keras_mri.train sr study/ --source-session 1 --target-session 2 --time-budget 1h -o sr.h5"
# Voxels of a training patch, where the options do not say.
PATCH_SHAPE = (40, 40, 40)

# What does nothing in a training for thick slices, which makes its sources otherwise.
_NOT_OF_SLICES = (
    "simulate", "pairs", "source_session", "target_session", "coarser", "resample", "sampling", "scaling", "mirror_training", "affine",
    "gain", "jitter", "generator", "conditional",
)  # fmt: skip
_OPTIONS_OF = {"residual_unet": ("filters", "depths"), "unet3d": ("base_filters", "levels", "normalization", "residual")}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(TrainConfig):
    """Options of `keras_mri.train sr`. Intensities are in network units: mean 0 and SD 1 inside the brain."""

    source_session: str | None = option(None, "BIDS: session of the source scans, the input: 1 for ses-1", basic=True, unit="LABEL")
    target_session: str | None = option(None, "BIDS: session of the target scans, the expected output", basic=True, unit="LABEL")
    modality: str = option("T1w", "BIDS: suffix of the scans, e.g. T1w or T2w", basic=True, unit="SUFFIX")
    skip_incomplete: bool = option(False, "BIDS: leave out subjects without a source or a target scan")
    pairs: str | None = option(
        None,
        "table of pairs instead of a BIDS folder: TSV with the columns subject, source, target and, optionally, mask",
        basic=True,
        unit="TSV",
        path=True,
    )
    simulate: tuple[float, float, float] | None = option(
        None,
        "train on single scans: simulate each source from its target by k-space truncation with this factor along each voxel axis",
        basic=True,
        low=1.0,
        high=16.0,
        unit="N",
    )
    coarser: tuple[float, ...] = option(
        (1.5, 2.0),
        "with --simulate: train also on copies of each image with voxels larger by these factors, up to 1.5 mm (1: no copies)",
        low=1.0,
        high=4.0,
        unit="N",
    )
    thick_slices: tuple[float, float] | None = option(
        None,
        "train for thick slices on single thin scans: lowest and highest distance of the slices that are simulated, mm",
        basic=True,
        low=1.0,
        high=12.0,
        unit="MM",
    )
    initial: str | None = option(
        None,
        "with --thick-slices: initial weights: none (random), pretrained, or a network file (.h5) of thick slices",
        auto="pretrained where it is at hand and no other layers are asked for, otherwise none",
        basic=True,
    )
    resample: bool = option(False, "resample sources to the grid of their targets (cubic interpolation)", basic=True)

    batch_size: int = option(2, "patches per update", low=1)
    patch_shape: tuple[int, int, int] | None = option(
        None, "voxels of a training patch", auto="40 40 40, or less in a smaller scan", basic=True, low=1, unit="N"
    )
    sampling: str = option(
        "random",
        "training patches: new random positions in the brain in every step, or a fixed number per scan, as published",
        choices=("random", "fixed"),
    )
    patches_per_volume: int = option(10, "with --sampling fixed: number of patches per scan", low=1)
    scaling: str = option(
        "mask", "intensity normalisation: z-score in the brain mask, or in the whole volume, as published", choices=("mask", "volume")
    )

    mirror_training: str = option("all", "augmentation: axes of the random reflections of patches", choices=("all", "left-right", "none"))
    turns: bool = option(True, "augmentation: random rotations by 90 degrees, in a plane with equal voxel sizes along both axes")
    affine: float = option(
        0.0, "augmentation: fraction of patches with a small random rotation and shift, which also blurs the target", low=0.0, high=1.0
    )
    gain: float = option(
        0.25,
        "augmentation with --simulate: largest change of gain and offset of both source and target, in network units",
        low=0.0,
        high=1.0,
    )
    jitter: float = option(
        0.02,
        "augmentation: largest change of gain and offset of the source alone, in network units, as from an inaccurate mask",
        low=0.0,
        high=1.0,
    )
    noise: float = option(0.02, "augmentation: highest SD of the noise added to the source, in network units", low=0.0, high=1.0)

    generator: str = option(
        "residual_unet", "architecture of the generator; unet3d is the published one", choices=("residual_unet", "unet3d")
    )
    filters: tuple[int, ...] = option((16, 64, 96), "residual_unet: channels of each level", low=1, unit="N")
    depths: tuple[int, ...] = option((1, 3, 1), "residual_unet: convolutions of each level", low=1, unit="N")
    base_filters: int = option(16, "unet3d: channels of the first level; each further level has twice as many", low=1)
    levels: int = option(3, "unet3d: number of downsampling steps", low=1, high=4)
    normalization: str = option(
        "none",
        "unet3d: normalisation layers; with instance, as published, each output voxel depends on the whole patch",
        choices=("none", "instance"),
    )
    residual: bool = option(True, "unet3d: residual learning, the output is added to the input")

    adversarial_loss: str = option("lsgan", "adversarial loss", choices=("lsgan", "bce", "hinge"))
    discriminator_filters: int = option(16, "channels of the discriminator's first layer; each further layer has twice as many", low=1)
    discriminator_layers: int | None = option(
        None, "number of downsampling layers of the discriminator", auto="3, or fewer for a thin patch", low=1, high=6
    )
    discriminator_learning_rate: float = option(2e-4, "learning rate of the discriminator (Adam)", low=1e-9, high=1.0)
    discriminator_beta_1: float = option(0.5, "decay rate of the first moment in the discriminator's Adam", low=0.0, high=0.999)
    conditional: bool = option(False, "conditional discriminator: the source is a second input")
    l1_weight: float = option(100.0, "weight of the L1 loss", low=0.0)
    adversarial_weight: float | None = option(
        None, "weight of the adversarial loss; 0 trains on the L1 loss alone", auto="1, or 0 with --thick-slices", low=0.0
    )
    warm_up: float = option(0.7, "fraction of the training on the L1 loss alone, before the discriminator is used", low=0.0, high=1.0)

    anneal: bool = option(True, "cosine decay of the learning rate")
    beta_1: float = option(0.9, "decay rate of the first moment in the generator's Adam", low=0.0, high=0.999)
    beta_2: float = option(0.99, "decay rate of Adam's second moment", low=0.0, high=0.99999)
    clip_norm: float | None = option(1.0, "gradient clipping: maximum global norm", low=1e-6)

    def __post_init__(self):
        super().__post_init__()
        if self.simulate is not None and max(self.simulate) <= 1:
            raise InputError(f"`simulate` needs a factor above 1 along at least one axis. Received: {self.simulate}, e.g. 2 2 1.")
        if self.simulate and (self.pairs or self.source_session or self.target_session):
            raise InputError("`simulate` makes the sources. Received also `pairs` or a session: choose one way to name the scans.")
        if self.pairs and (self.source_session or self.target_session):
            raise InputError("`pairs` names the scans. Received also `source_session` or `target_session`: leave these out.")
        if bool(self.source_session) != bool(self.target_session):
            raise InputError("`source_session` and `target_session` go together. Received only one of them.")
        if self.source_session and self.source_session == self.target_session:
            raise InputError(f"`source_session` and `target_session` must differ. Received: {self.source_session!r} twice.")
        self._check_generator()
        self._check_slices()

    def _check_generator(self):
        """Raise if the two lists of levels disagree, or an option of the other generator was changed, which would do nothing."""
        if len(self.filters) != len(self.depths):
            raise InputError(f"`filters` and `depths` name the same levels. Received: {self.filters} and {self.depths}.")
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        for generator, names in _OPTIONS_OF.items():
            idle = [f"`{name}`" for name in names if getattr(self, name) != defaults[name]]
            if idle and generator != self.generator:
                raise InputError(f"{', '.join(idle)} belong(s) to `generator` {generator}. Received: `generator` {self.generator}.")

    def _check_slices(self):
        """Raise if the training is for thick slices and an option that does nothing then was changed, or the other way round."""
        if not self.thick_slices:
            if self.initial is not None:
                raise InputError(f"`initial` needs `thick_slices`, from … to … mm. Received: `initial` {self.initial} without it.")
            return
        if self.thick_slices[0] > self.thick_slices[1]:
            raise InputError(f"`thick_slices` names the lower distance first. Received: {self.thick_slices}.")
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        idle = [f"`{name}`" for name in _NOT_OF_SLICES if getattr(self, name) != defaults[name]]
        if idle:
            raise InputError(f"`thick_slices` makes the sources, and {', '.join(idle)} would do nothing. Leave one of them out.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictConfig(SharedPredictConfig):
    """Options of `keras_mri.predict` for this system."""

    upsample: tuple[int, int, int] | None = option(
        None,
        "output grid: this many times more voxels along each axis, over the same field of view",
        auto="the grid of the image; with a network of thick slices as --voxel says",
        basic=True,
        low=1,
        high=16,
        unit="N",
    )
    voxel: float | None = option(
        None,
        "with a network of thick slices: voxel side to reach, mm; finer axes stay as they are",
        auto="1",
        basic=True,
        low=0.3,
        unit="MM",
    )
    slice_profile: str | None = option(
        None,
        "with a network of thick slices: how the scanner weighted the anatomy across a slice",
        auto="gaussian for thick slices, kspace for voxels that are as long along several axes",
        basic=True,
        choices=("box", "gaussian", "kspace"),
    )
    mask: str | None = option(
        None,
        "brain mask for the intensity normalisation (NIfTI on the grid of the image)",
        auto="estimated",
        basic=True,
        unit="NIFTI",
        path=True,
    )


PRESETS = {
    # The settings of the original, to the letter.
    "published": dict(
        epochs=100, steps_per_epoch=None, batch_size=2, learning_rate=2e-4, precision="float32", seed=42, checkpoint_every=5,
        patch_shape=(64, 64, 64), sampling="fixed", patches_per_volume=10, scaling="volume",
        coarser=(1.0,),
        mirror_training="left-right", affine=0.5, gain=0.0, jitter=0.1, noise=0.01,
        generator="unet3d", base_filters=32, levels=4, normalization="instance", residual=False,
        discriminator_filters=64, discriminator_layers=3, discriminator_learning_rate=2e-4, adversarial_weight=1.0,
        warm_up=0.0,
        anneal=False, beta_1=0.5, beta_2=0.999,
    ),
}  # fmt: skip


def inference(config, training):
    """Return the values that prediction needs.

    Parameters
    ----------
    config : Config
    training : dict

    Returns
    -------
    dict
        scaling ("mask" or "volume"; "percentile" of thick slices), simulate (factors along the voxel axes of the simulated sources, or
        None), tile (voxels of the tiles of a network that normalises over space, as in training; None for any other), slices (of a
        network of thick slices, what it was trained on, mm: `voxel`, the range of the voxels that it reached, and `spacing`, that of
        the distances of slices; None for any other).
    """
    normalizes = config.generator == "unet3d" and config.normalization == "instance"
    if config.thick_slices:
        # What a scan's voxels were, of the sides that served as a slice axis; 1 mm where nobody knows.
        sides = [side for zooms in training.get("zooms") or () for side in zooms if side <= config.thick_slices[0]] or [1.0]
        slices = {"voxel": [min(sides), max(sides)], "spacing": list(config.thick_slices)}
        return {"scaling": "percentile", "simulate": None, "tile": None, "slices": slices}
    return {
        "scaling": config.scaling,
        "simulate": config.simulate and list(config.simulate),
        "tile": list(config.patch_shape or PATCH_SHAPE) if normalizes else None,
        "slices": None,
    }


def inference_of_format_1(config, training):
    """Return the same from the settings of a file of format 1."""
    normalizes = config["generator"] == "unet3d" and config["normalization"] == "instance"
    return {
        "scaling": config["scaling"],
        "simulate": config["simulate"],
        "tile": (config["patch_shape"] or list(PATCH_SHAPE)) if normalizes else None,
        "slices": None,
    }


def open_inputs(paths, config, replace_nonfinite=False):
    """Open the pairs of scans; see `keras_mri.systems.sr.pair_sources.open_pairs`."""
    # Only here: SciPy takes a third of a second to import, and every `--help` reads these settings.
    from keras_mri.systems.sr.pair_sources import open_pairs

    return open_pairs(paths, config, replace_nonfinite)


_RANGE = several(number(1e-3, 1e3), 2, rising=True)
_STORED = {
    "scaling": one_of("mask", "volume", "percentile"),
    "simulate": or_none(several(number(1, 1e3), 3)),
    "tile": or_none(several(number(1, 1e6, whole=True), 3)),
    "slices": or_none(record(voxel=_RANGE, spacing=_RANGE)),
}

SETTINGS = Settings(
    Config=Config,
    PredictConfig=PredictConfig,
    presets=PRESETS,
    example=EXAMPLE,
    images_argument=dict(nargs="*", help="one BIDS folder; or, with --thick-slices or --simulate, NIfTI images, 3D; nothing with --pairs"),
    open_inputs=open_inputs,
    results=(SPLIT,),
    keeps_last=True,
    inference=inference,
    stored=_STORED,
    inference_of_format_1=inference_of_format_1,
)
