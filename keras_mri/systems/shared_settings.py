"""Options that every system shares: of training, of training on runs, of prediction."""

import dataclasses

from keras_mri.config import Options, option, parse_duration

# Of which mirror images a prediction may average the results.
MIRRORS = ("none", "left-right", "all")


def repetition_time_option():
    """Declare the option `tr` of what uses the time between the frames of a run."""
    return option(
        None,
        "runs: repetition time in seconds, instead of that of header and side-car",
        auto="from the header and the side-car",
        basic=True,
        low=0.01,
        high=100.0,
        unit="SECONDS",
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig(Options):
    """Options of every system's training."""

    seed: int = option(0, "seed of the random numbers", basic=True, low=0, high=2**31 - 1)
    epochs: int = option(40, "number of epochs, unless --time-budget ends training first", basic=True, low=1)
    steps_per_epoch: int | None = option(100, "updates per epoch (none: one pass, where the set of training examples is fixed)", low=1)
    batch_size: int = option(4, "patches per update", low=1)
    learning_rate: float = option(1e-3, "highest learning rate of Adam", low=1e-9, high=1.0)
    time_budget: float | None = option(
        None,
        "duration of the training, instead of a number of epochs: 90s, 5m, 1h30m",
        basic=True,
        low=1,
        parse=parse_duration,
        unit="TIME",
    )
    checkpoint_every: int | None = option(None, "also save the network and its figure every this many epochs", low=1)
    precision: str = option(
        "auto",
        "arithmetic of the hidden layers; auto: bfloat16 where it is faster on this processor, otherwise float32",
        choices=("auto", "float32", "bfloat16"),
    )
    deterministic: bool = option(False, "make runs with the same seed identical to the last bit, at some cost in speed")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunTrainConfig(TrainConfig):
    """Options of a training on runs, which may be many and long."""

    tr: float | None = repetition_time_option()
    cache: float = option(4.0, "GB of memory for runs; the remainder is read from a temporary file", low=0.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictConfig(Options):
    """Options of every system's prediction."""

    mirror: str = option(
        "none",
        "test-time augmentation: average the results of the scan and its mirror images, left-right (twice the time) or along all axes "
        "(eight times)",
        basic=True,
        choices=MIRRORS,
    )
    tile: tuple[int, int, int] | None = option(
        None,
        "voxels of a tile, the part of the volume that is predicted at once",
        auto="from the available memory",
        basic=True,
        low=1,
        unit="N",
    )
    precision: str = option(
        "auto",
        "arithmetic of the hidden layers; auto: bfloat16 for large scans on processors made for it, where that changes the result by less "
        "than a tenth of its noise; otherwise float32",
        basic=True,
        choices=("auto", "float32", "bfloat16"),
    )
