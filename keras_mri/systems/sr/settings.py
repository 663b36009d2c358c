"""What super-resolution can be told."""

import dataclasses
import pathlib

from keras_mri import config
from keras_mri.config import TrainConfig, option
from keras_mri.errors import InputError
from keras_mri.systems.sr.pair_sources import open_pairs

# What training asks of the command line besides options, and writes besides the network.
IMAGES = dict(nargs="*", help="a BIDS folder, or with --simulate NIfTI images, 3D; none with --pairs")
RESULTS = ("_split.tsv",)
KEEP_LAST = True
open_inputs = open_pairs
# Voxels of a training patch, where the options do not say.
PATCH_SHAPE = (40, 40, 40)

_OPTIONS_OF = {"residual_unet": ("filters", "depths"), "unet3d": ("base_filters", "levels", "normalization", "residual")}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(TrainConfig):
    """Options of `keras_mri.train sr`. Intensities are in network units: mean 0 and SD 1 inside the brain."""

    source_session: str | None = option(None, "BIDS: the session whose scans are the input, e.g. 1 for ses-1", unit="LABEL")
    target_session: str | None = option(None, "BIDS: the session whose scans are to be predicted", unit="LABEL")
    modality: str = option("T1w", "BIDS: the scans' suffix, e.g. T1w or T2w", unit="SUFFIX")
    skip_incomplete: bool = option(False, "BIDS: leave out subjects that lack one of the two scans")
    pairs: str | None = option(
        None, "a table of pairs instead: TSV with the columns subject, source, target (and mask, if there is one)", unit="TSV"
    )
    simulate: tuple[float, float, float] | None = option(
        None,
        "train on images alone: make each source from its image by k-space truncation, this many times coarser along each voxel axis",
        low=1.0,
        high=16.0,
        unit="N",
    )
    coarser: tuple[float, ...] = option(
        (1.5, 2.0),
        "with --simulate, train also on copies of each image with voxels this many times larger, where these stay below 1.5 mm; 1 for none",
        low=1.0,
        high=4.0,
        unit="N",
    )
    resample: bool = option(False, "interpolate sources that lie on another grid than their target (cubic, through both affines)")

    batch_size: int = option(2, "patches per update", low=1)
    patch_shape: tuple[int, int, int] | None = option(
        None, "voxels of a training patch; by itself 40 40 40, or what of it fits the scan", low=1, unit="N"
    )
    sampling: str = option(
        "random",
        "patches drawn in the brain anew for every step, or, as published, a fixed number of each scan",
        choices=("random", "fixed"),
    )
    patches_per_volume: int = option(10, "patches of each scan with --sampling fixed", low=1)
    scaling: str = option(
        "mask", "where mean and SD are taken: in the brain, or, as published, in the whole volume", choices=("mask", "volume")
    )

    mirror_training: str = option("all", "axes along which patches are mirrored at random", choices=("all", "left-right", "none"))
    turns: bool = option(True, "turn patches by 90 degrees in a plane whose two axes are alike")
    affine: float = option(
        0.0, "share of the patches that are rotated and shifted a little; interpolating them blurs also the target", low=0.0, high=1.0
    )
    gain: float = option(
        0.25, "with --simulate, largest change of scale and offset of source and target together, in network units", low=0.0, high=1.0
    )
    jitter: float = option(
        0.02, "largest change of a source's scale and offset, in network units: as much as a mask that errs a little makes",
        low=0.0, high=1.0,
    )  # fmt: skip
    noise: float = option(0.02, "largest SD of the noise added to sources, in network units", low=0.0, high=1.0)

    generator: str = option(
        "residual_unet", "the network: a small U-Net whose output, zero at first, is added to its input, or the published kind of U-Net",
        choices=("residual_unet", "unet3d"),
    )  # fmt: skip
    filters: tuple[int, ...] = option((16, 64, 96), "channels of each level of the residual U-Net", low=1, unit="N")
    depths: tuple[int, ...] = option((1, 3, 1), "convolutions of each level of the residual U-Net", low=1, unit="N")
    base_filters: int = option(16, "unet3d: filters of the first block; every level doubles them", low=1)
    levels: int = option(3, "unet3d: how often it halves the grid", low=1, high=4)
    normalization: str = option(
        "none", "unet3d: normalisation; instance, as published, makes a voxel depend on all others", choices=("none", "instance")
    )
    residual: bool = option(True, "unet3d: add the output, zero at first, to the input")

    adversarial_loss: str = option("lsgan", "how the two players score", choices=("lsgan", "bce", "hinge"))
    discriminator_filters: int = option(16, "filters of the discriminator's first layer; every further one doubles them", low=1)
    discriminator_layers: int | None = option(None, "how often it halves the grid; by itself 3, or what a thin patch allows", low=1, high=6)
    discriminator_learning_rate: float = option(2e-4, "Adam's learning rate of the discriminator", low=1e-9, high=1.0)
    discriminator_beta_1: float = option(0.5, "Adam's decay of the discriminator's first moment", low=0.0, high=0.999)
    conditional: bool = option(False, "show the discriminator the source beside what was made of it")
    l1_weight: float = option(100.0, "weight of the mean absolute error", low=0.0)
    adversarial_weight: float = option(1.0, "weight of the discriminator's opinion; 0 trains on the mean absolute error alone", low=0.0)
    warm_up: float = option(
        0.7, "share of the training on the mean absolute error alone, before the discriminator joins", low=0.0, high=1.0
    )

    anneal: bool = option(True, "let the learning rate fall by a cosine over the training")
    beta_1: float = option(0.9, "Adam's decay of the generator's first moment", low=0.0, high=0.999)
    beta_2: float = option(0.99, "Adam's decay of the second moment", low=0.0, high=0.99999)
    clip_norm: float | None = option(1.0, "largest norm of all gradients of a player together", low=1e-6)

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

    def _check_generator(self):
        """Raise if the two lists of levels disagree, or an option of the other generator was changed, which would do nothing."""
        if len(self.filters) != len(self.depths):
            raise InputError(f"`filters` and `depths` name the same levels. Received: {self.filters} and {self.depths}.")
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        for generator, names in _OPTIONS_OF.items():
            idle = [f"`{name}`" for name in names if getattr(self, name) != defaults[name]]
            if idle and generator != self.generator:
                raise InputError(f"{', '.join(idle)} belong(s) to `generator` {generator}. Received: `generator` {self.generator}.")

    def to_json(self):
        """Return the options as a dict that `json.dumps` accepts; of the table of pairs only its name, no folder."""
        return {**super().to_json(), "pairs": self.pairs and pathlib.Path(self.pairs).name}


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictConfig(config.PredictConfig):
    """Options of `keras_mri.predict` for this system."""

    upsample: tuple[int, int, int] | None = option(
        None, "predict on a grid with this many times more voxels along each axis, over the same field of view", low=1, high=16, unit="N"
    )
    mask: str | None = option(
        None, "where the brain is (NIfTI on the image's grid); by itself estimated. Only the intensity scale is taken from it", unit="NIFTI"
    )


PRESETS = {
    # The settings of the original, to the letter.
    "published": dict(
        epochs=100, steps_per_epoch=None, batch_size=2, learning_rate=2e-4, precision="float32", seed=42, checkpoint_every=5,
        patch_shape=(64, 64, 64), sampling="fixed", patches_per_volume=10, scaling="volume",
        coarser=(1.0,),
        mirror_training="left-right", affine=0.5, gain=0.0, jitter=0.1, noise=0.01,
        generator="unet3d", base_filters=32, levels=4, normalization="instance", residual=False,
        discriminator_filters=64, discriminator_layers=3, discriminator_learning_rate=2e-4, warm_up=0.0,
        anneal=False, beta_1=0.5, beta_2=0.999,
    ),
}  # fmt: skip
