"""Options of the 2D slice autoencoder."""

import dataclasses

from keras_mri.config import option
from keras_mri.errors import InputError
from keras_mri.imaging.noise import MODELS
from keras_mri.io.nifti_reading import open_scan
from keras_mri.saving.stored_values import number, one_of, or_none, several
from keras_mri.systems.cnn.slice_files import load_slices
from keras_mri.systems.cnn.slices import Slices
from keras_mri.systems.records import Settings, noisy_voxel_sides
from keras_mri.systems.shared_settings import PredictConfig as SharedPredictConfig
from keras_mri.systems.shared_settings import TrainConfig

# Ending of the file that training writes beside the network: held-out slices, noisy, denoised and clean.
EXAMPLES = "_examples.png"
# For --help.
EXAMPLE = "python -m keras_mri.train cnn t1w.nii.gz --noise rician --time-budget 5m -o autoencoder.h5"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(TrainConfig):
    """Options of `keras_mri.train cnn`. Intensities and noise are in network units: 1 is the image's robust maximum."""

    epochs: int = option(20, "number of epochs, unless --time-budget ends training first", basic=True, low=1)
    batch_size: int = option(32, "slices per update", low=1)

    axis: int = option(2, "voxel axis perpendicular to the slices", basic=True, choices=(0, 1, 2))
    time_points: int = option(100, "number of time points used, from the first one of the run", low=1)
    slices: int | None = option(None, "number of slices used, around the central one", auto="all slices with tissue", basic=True, low=1)
    percentiles: tuple[float, float] | None = option(
        None,
        "percentiles of the scan between which intensities are normalised to [0, 1] and clipped",
        auto="division by a robust maximum, without clipping",
        low=0.0,
        high=100.0,
        unit="PERCENT",
    )
    noise: str = option(
        "gaussian", "distribution of the training noise; rician for magnitude images of low SNR", basic=True, choices=MODELS
    )
    noise_range: tuple[float, float] = option(
        (0.0, 0.2), "lowest and highest SD of the training noise, in network units", basic=True, low=0.0, high=1.0, unit="SD"
    )
    noise_skew: float = option(
        1.5,
        "exponent of the distribution of the noise SD; above 1, weak noise is drawn more often than strong noise",
        low=0.1,
        high=10.0,
    )
    fresh_noise: bool = option(True, "draw new noise for every batch, instead of once for each slice")
    clip: bool = option(False, "clip noisy slices to [0, 1], as published; this biases dark and bright voxels")
    flips: bool = option(True, "augmentation: random reflections of slices")
    split: str = option(
        "slices",
        "validation data: a block of slices at all time points, or, as published, a random fifth, whose slices also train at other "
        "time points",
        choices=("slices", "random"),
    )
    save_dataset: str | None = option(
        None, "also write the clean and noisy slices, as a data set for later trainings", basic=True, unit="SLICES.npz"
    )
    examples: int = option(2, "number of validation slices in the figure (noisy | denoised | clean)", low=1, high=20)

    network: str = option(
        "residual_slice_unet",
        "architecture: a residual U-Net, or the published autoencoder",
        choices=("residual_slice_unet", "slice_autoencoder"),
    )
    filters: tuple[int, ...] = option((32, 64), "channels of each level", low=1, unit="N")
    depths: tuple[int, ...] = option((1, 4), "residual_slice_unet: convolutions of each level", low=1, unit="N")
    noise_scale: float = option(0.05, "residual_slice_unet: typical noise SD, by which it scales its input", low=1e-6, high=1.0)

    anneal: bool = option(True, "cosine decay of the learning rate")
    beta_2: float = option(0.99, "decay rate of Adam's second moment", low=0.0, high=0.99999)
    clip_norm: float | None = option(1.0, "gradient clipping: maximum norm of each gradient", low=1e-6)

    def __post_init__(self):
        super().__post_init__()
        for name in ("noise_range", "percentiles"):
            low, high = getattr(self, name) or (0, 1)
            if low > high or (name == "percentiles" and low == high):
                raise InputError(f"`{name}` names the lower number first. Received: {getattr(self, name)}.")
        if self.network == "slice_autoencoder" and len(self.filters) != 2:
            raise InputError(f"`network` slice_autoencoder has two levels of `filters`. Received: {self.filters}.")
        if self.network == "residual_slice_unet" and len(self.filters) != len(self.depths):
            raise InputError(f"`filters` and `depths` name the same levels. Received: {self.filters} and {self.depths}.")

    def to_json(self):
        """Return the options as a dict that `json.dumps` accepts; no path of the user's is stored."""
        return {**super().to_json(), "save_dataset": None}


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictConfig(SharedPredictConfig):
    """Options of `keras_mri.predict` for this system."""

    axis: int | None = option(None, "voxel axis perpendicular to the slices", auto="as in training", basic=True, choices=(0, 1, 2))
    mask: str | None = option(
        None,
        "restore only inside this mask (NIfTI on the grid of the image); the input is kept outside",
        basic=True,
        unit="NIFTI",
        path=True,
    )


def open_inputs(paths, config, replace_nonfinite):
    """Open what training starts from.

    Parameters
    ----------
    paths : sequence of str
        Images, or one `.npz`.
    config : Config
    replace_nonfinite : bool
        Read NaN and infinity of images as 0.

    Returns
    -------
    list of Volume, or list of one Slices

    Raises
    ------
    InputError
        If a file cannot be used, or a data set comes with other files.
    """
    data_sets = [path for path in paths if str(path).endswith(".npz")]
    if not data_sets:
        return [open_scan(path, replace_nonfinite) for path in paths]
    if len(paths) > 1:
        raise InputError(f"a data set of slices (.npz) is trained from alone. Received: {len(paths)} files, {data_sets[0]} among them.")
    if config.save_dataset:
        raise InputError(f"`save_dataset` writes the slices cut from images. Received: {data_sets[0]}, which is a data set already.")
    return [load_slices(data_sets[0])]


def facts(images, config):
    """Return what the trained network's file tells of its data.

    Parameters
    ----------
    images : list of Volume, or list of one Slices
        From `open_inputs`.
    config : Config

    Returns
    -------
    dict
        `zooms`, mm of each scan, and `sigma`, the range of the noise SD in network units.
    """
    if isinstance(images[0], Slices):
        slices = images[0]
        sigma = [float(slices.sigma.min()), float(slices.sigma.max())]
        return {"zooms": [list(zooms) for zooms in slices.zooms], "sigma": sigma}
    return noisy_voxel_sides(images, config)


PRESETS = {
    # The settings of the original, to the letter.
    "published": dict(
        epochs=100, steps_per_epoch=None, batch_size=32, learning_rate=1e-3, precision="float32",
        time_points=100, slices=10, percentiles=(1.0, 99.0), noise="gaussian", noise_range=(0.06, 0.06), noise_skew=1.0,
        fresh_noise=False, clip=True, flips=False, split="random",
        network="slice_autoencoder", filters=(16, 32), anneal=False, beta_2=0.999, clip_norm=None,
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
        axis (0, 1 or 2), percentiles (low and high, or None), clip (whether the network's output is limited to [0, 1]).
    """
    percentiles = config.percentiles and list(config.percentiles)
    return {"axis": config.axis, "percentiles": percentiles, "clip": config.network == "slice_autoencoder"}


def inference_of_format_1(config, training):
    """Return the same from the settings of a file of format 1."""
    return {"axis": config["axis"], "percentiles": config["percentiles"], "clip": config["network"] == "slice_autoencoder"}


_STORED = {
    "axis": one_of(0, 1, 2),
    "percentiles": or_none(several(number(0, 100), 2, rising=True)),
    "clip": one_of(True, False),
}

SETTINGS = Settings(
    Config=Config,
    PredictConfig=PredictConfig,
    presets=PRESETS,
    example=EXAMPLE,
    errors=("mean squared error",),
    error_by_epoch=True,
    images_argument=dict(
        help="NIfTI, 3D or 4D; or one .npz with the arrays clean and noisy, slices in [0, 1]; `sample` is the EPI scan shipped with nibabel"
    ),
    open_inputs=open_inputs,
    facts=facts,
    results=(EXAMPLES,),
    outputs={"save_dataset": (".npz",)},
    inference=inference,
    stored=_STORED,
    inference_of_format_1=inference_of_format_1,
)
