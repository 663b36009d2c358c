"""Options are checked once, at the door, and survive a trip through JSON."""

import dataclasses
import json
import math
import pathlib

import numpy as np
import pytest

from keras_mri.config import Options, option, parse_duration, shown
from keras_mri.errors import InputError
from keras_mri.systems.shared_settings import PredictConfig, TrainConfig
from keras_mri.systems.wgan.settings import Config


@dataclasses.dataclass(frozen=True, kw_only=True)
class Example(Options):
    share: float = option(0.5, "a share", low=0.0, high=1.0)
    sides: tuple[int, int, int] = option((1, 2, 3), "three sides", low=1)
    limit: float | None = option(None, "a limit", low=1)
    colour: str = option("red", "a colour", choices=("red", "blue"))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("90", 90), ("5m", 300), ("1h30m", 5400), ("2h", 7200), ("1h1m1.5s", 3661.5), ("0.5s", 0.5), (" 3m ", 180)],
)
def test_parse_duration_counts_seconds(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "0h0m", "soon", "-5m", "5m1h", "1.5h", "5 m", "nan", "1d"])
def test_parse_duration_refuses_what_is_no_duration(text):
    with pytest.raises(InputError, match="a duration looks like 90s, 5m or 1h30m. Received: ") as caught:
        parse_duration(text)
    assert str(caught.value).endswith(f"{text!r}.")


def test_option_becomes_a_field_with_its_default_and_help():
    share = next(field for field in dataclasses.fields(Example) if field.name == "share")
    assert share.default == 0.5
    assert (share.metadata["help"], share.metadata["low"], share.metadata["high"]) == ("a share", 0.0, 1.0)


def test_the_bounds_themselves_are_allowed():
    assert (Example(share=0.0).share, Example(share=1.0).share) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (dict(share=-0.1), r"`share` must be at least 0.0. Received: -0.1."),
        (dict(share=1.1), r"`share` must be at most 1.0. Received: 1.1."),
        (dict(share=math.nan), r"`share` must be at least 0.0. Received: nan."),
        (dict(share=None), r"`share` needs a value. Received: None."),
        (dict(sides=(4, 0, 4)), r"`sides` must be at least 1. Received: \(4, 0, 4\)."),
        (dict(limit=0.5), r"`limit` must be at least 1. Received: 0.5."),
        (dict(colour="green"), r"`colour` must be one of red, blue. Received: 'green'."),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_its_name(values, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        Example(**values)


@pytest.mark.parametrize("sides", [(4, 4), (4, 4, 4, 4), ()])
def test_a_tuple_of_the_wrong_length_is_refused(sides):
    with pytest.raises(InputError, match="`sides`"):
        Example(sides=sides)


def test_an_optional_value_may_be_none():
    assert Example(limit=None).limit is None


def test_options_cannot_be_changed_after_the_check():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Example().share = 2.0


def test_options_are_given_by_name_only():
    with pytest.raises(TypeError, match="positional"):
        Example(0.5)


@pytest.mark.parametrize(
    "options",
    [
        Example(sides=(9, 8, 7), limit=2.5, colour="blue"),
        TrainConfig(seed=7, time_budget=90.0, steps_per_epoch=None),
        PredictConfig(mirror="all", tile=(16, 24, 8)),
        Config(patch_shape=(32, 16, 8), filters=(8, 16, 32), depths=(1, 2, 3), noise_range=(0.01, 0.2), clip_norm=None),
    ],
)
def test_options_survive_a_trip_through_json_text_tuples_included(options):
    restored = type(options).from_json(json.loads(json.dumps(options.to_json())))
    assert restored == options
    assert all(type(getattr(restored, f.name)) is type(getattr(options, f.name)) for f in dataclasses.fields(options))


def test_of_the_user_s_files_only_the_names_are_written():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Files(Options):
        mask: str | None = option(None, "a mask", path=True)
        tables: tuple[str, ...] | None = option(None, "some tables", path=True)
        colour: str = option("a/b", "a colour")

    options = Files(mask="/home/anna/mask.nii", tables=("C:\\anna\\a.tsv", "face"))
    assert options.to_json() == {"mask": "mask.nii", "tables": ("a.tsv", "face"), "colour": "a/b"}
    assert Files().to_json() == {"mask": None, "tables": None, "colour": "a/b"}


def test_from_json_takes_defaults_for_settings_that_are_missing():
    assert Example.from_json({"share": 0.25}) == Example(share=0.25)


def test_from_json_refuses_settings_it_does_not_know_and_names_them():
    message = r"unknown settings \['size', 'weight'\]: they come from another version. Known: \['colour', 'limit', 'share', 'sides'\]."
    with pytest.raises(InputError, match=message):
        Example.from_json({"weight": 1, "share": 0.1, "size": 2})


def test_from_json_checks_the_values():
    with pytest.raises(InputError, match="`share` must be at most 1.0. Received: 3."):
        Example.from_json({"share": 3})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (dict(seed=-1), "`seed` must be at least 0"),
        (dict(seed=2**31), "`seed` must be at most 2147483647"),
        (dict(epochs=0), "`epochs` must be at least 1"),
        (dict(batch_size=0), "`batch_size` must be at least 1"),
        (dict(learning_rate=0.0), "`learning_rate` must be at least 1e-09"),
        (dict(time_budget=0.5), "`time_budget` must be at least 1"),
        (dict(precision="float16"), "`precision` must be one of auto, float32, bfloat16. Received: 'float16'"),
    ],
)
def test_training_options_have_sensible_ranges(values, message):
    with pytest.raises(InputError, match=message):
        TrainConfig(**values)


def test_a_tile_has_at_least_one_voxel_a_side():
    with pytest.raises(InputError, match=r"`tile` must be at least 1. Received: \(16, 0, 8\)."):
        PredictConfig(tile=(16, 0, 8))


def test_options_by_name_are_those_of_the_command_line():
    config = Config.from_names("wgan", time_budget="5m", patch_shape=[32, 16, 8], noise_range=(0, 1), frames=None, flips=False, epochs=3)
    assert config == Config(time_budget=300.0, patch_shape=(32, 16, 8), noise_range=(0.0, 1.0), frames=None, flips=False, epochs=3)
    assert [type(entry) for entry in config.noise_range] == [float, float]
    assert Config.from_names() == Config()


def test_numpy_s_numbers_and_paths_are_taken_as_python_s():
    config = Config.from_names(seed=np.int64(3), learning_rate=np.float32(0.5), time_budget=90)
    assert (config.seed, config.learning_rate, config.time_budget) == (3, 0.5, 90.0)
    assert [type(value) for value in (config.seed, config.learning_rate, config.time_budget)] == [int, float, float]
    assert Named.from_names(mask=pathlib.Path("mask.nii")).mask == "mask.nii"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Named(Options):
    mask: str | None = option(None, "a mask")
    tables: tuple[str, ...] | None = option(None, "some tables")


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (Config, dict(nois_range=(0, 1)), "unknown option `nois_range` of wgan. Did you mean `noise_range`?"),
        (Config, dict(zzz=1), "unknown option `zzz` of wgan."),
        (Config, dict(epochs="3"), "`epochs` must be a whole number. Received: '3'."),
        (Config, dict(epochs=3.0), "`epochs` must be a whole number. Received: 3.0."),
        (Config, dict(epochs=True), "`epochs` must be a whole number. Received: True."),
        (Config, dict(learning_rate=True), "`learning_rate` must be a number. Received: True."),
        (Config, dict(learning_rate="high"), "`learning_rate` must be a number. Received: 'high'."),
        (Config, dict(flips=1), "`flips` must be True or False. Received: 1."),
        (Config, dict(noise=3), "`noise` must be text. Received: 3."),
        (Config, dict(noise_range=0.1), "`noise_range` must be a tuple or a list. Received: 0.1."),
        (Config, dict(noise_range=(0, "1")), "`noise_range` must be a tuple, each entry a number. Received: (0, '1')."),
        (Config, dict(noise_range=(0.0, 0.1, 0.2)), "`noise_range` needs 2 values. Received: (0.0, 0.1, 0.2)."),
        (Config, dict(filters=(8, True)), "`filters` must be a tuple, each entry a whole number. Received: (8, True)."),
        (Config, dict(epochs=None), "`epochs` needs a value. Received: None."),
        (Config, dict(epochs=0), "`epochs` must be at least 1. Received: 0."),
        (Config, dict(time_budget="soon"), "`time_budget`: a duration looks like 90s, 5m or 1h30m. Received: 'soon'."),
        (Named, dict(mask=3), "`mask` must be text. Received: 3."),
        (Named, dict(tables="events.tsv"), "`tables` must be a tuple or a list. Received: 'events.tsv'."),
    ],
)
def test_options_by_name_are_checked_for_name_type_and_range(kind, values, message):
    with pytest.raises(InputError) as caught:
        kind.from_names("wgan", **values)
    assert str(caught.value) == message


def test_an_option_may_be_called_owner():
    with pytest.raises(InputError, match="^unknown option `owner`.$"):
        Named.from_names(owner="me")


@pytest.mark.parametrize(("value", "text"), [(None, "none"), ((1, 2, 3), "1 2 3"), ([0.5], "0.5"), (True, "True"), ("red", "red")])
def test_values_are_shown_as_the_user_would_write_them(value, text):
    assert shown(value) == text
