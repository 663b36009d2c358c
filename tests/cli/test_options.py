"""A field is a flag, and the user's mistakes are one message."""

import dataclasses
import re

import pytest

from keras_mri import check, evaluate, info
from keras_mri.cli.options import add_options, add_output_flags, chosen_options, network_help
from keras_mri.cli.running import Parser
from keras_mri.config import Options, option, parse_duration
from keras_mri.errors import InputError
from keras_mri.systems import SYSTEMS, get_settings


@dataclasses.dataclass(frozen=True, kw_only=True)
class Example(Options):
    batch_size: int = option(4, "patches per update", basic=True, low=1)
    share: float = option(0.5, "a share, 100 % at most", low=0.0, high=1.0)
    flips: bool = option(True, "mirror at random")
    colour: str = option("red", "a colour", choices=("red", "blue"))
    sides: tuple[int, int, int] = option((1, 2, 3), "three sides", low=1, unit="N")
    levels: tuple[float, ...] = option((0.5,), "any number of levels", unit="N")
    box: tuple[int, int] | None = option(None, "a box", auto="9 8, or 100 % of the scan", low=1)
    limit: float | None = option(1.0, "a limit, if any", low=0.0)
    budget: float | None = option(None, "a time", parse=parse_duration, unit="TIME")


@pytest.fixture
def parser():
    parser = Parser(prog="example")
    parser.add_argument("images", nargs="*")
    add_options(parser, Example)
    return parser


@pytest.fixture
def choose(parser):
    """Return a function from a command line, and a preset, to options."""
    return lambda line, preset=None: chosen_options(Example, parser.parse_all(line.split()), preset)


def test_a_user_who_says_nothing_gets_the_defaults(choose):
    assert choose("") == Example()


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("--batch-size 8", dict(batch_size=8)),
        ("--batch-size=8 --share 0.25", dict(batch_size=8, share=0.25)),
        ("--no-flips", dict(flips=False)),
        ("--flips", dict(flips=True)),
        ("--colour blue", dict(colour="blue")),
        ("--sides 9 8 7", dict(sides=(9, 8, 7))),
        ("--levels 1 2.5 3 4", dict(levels=(1.0, 2.5, 3.0, 4.0))),
        ("--box 9 8", dict(box=(9, 8))),
        ("--limit 2", dict(limit=2.0)),
        ("--limit none", dict(limit=None)),
        ("--budget 1h30m", dict(budget=5400.0)),
        ("one.nii two.nii --share 1", dict(share=1.0)),
        ("one.nii --share 1 two.nii", dict(share=1.0)),
    ],
)
def test_each_field_is_a_flag_of_its_type(choose, line, values):
    assert choose(line) == Example(**values)


def test_flags_override_the_preset_and_the_preset_overrides_the_defaults(choose):
    preset = dict(batch_size=16, colour="blue", flips=False, limit=None)
    assert choose("--batch-size 2 --flips", preset) == Example(batch_size=2, colour="blue", flips=True, limit=None)


def test_a_flag_that_repeats_the_default_still_overrides_the_preset(choose):
    assert choose("--batch-size 4", dict(batch_size=16)).batch_size == 4


def test_help_tells_meaning_default_choices_and_unit(parser):
    text = re.sub(r"\s+", " ", parser.format_help())
    for expected in (
        "--batch-size INT patches per update (default: 4)",
        "--share FLOAT a share, 100 % at most (default: 0.5)",
        "--flips, --no-flips mirror at random (default: True)",
        "--colour {red,blue} a colour (default: red)",
        "--sides N N N three sides (default: 1 2 3)",
        "--levels N [N ...] any number of levels (default: 0.5)",
        "--box INT INT a box (default: 9 8, or 100 % of the scan)",
        "--budget TIME a time (default: none)",
    ):
        assert expected in text


def test_basic_options_come_first_and_the_others_in_a_group_of_their_own(parser):
    basic, research = parser.format_help().split("research options:")
    assert "--batch-size INT" in basic and "--share" not in basic.split("options:")[1]
    assert "--share" in research and "--batch-size" not in research


def test_without_research_options_there_is_no_group_for_them():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Basic(Options):
        share: float = option(0.5, "a share", basic=True)

    parser = Parser(prog="example")
    add_options(parser, Basic)
    assert "research" not in parser.format_help()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--batchsize 8", "unknown option --batchsize. Did you mean --batch-size? See example --help."),
        ("--colors=blue", "unknown option --colors=blue. Did you mean --colour? See example --help."),
        ("--batch 8", "unknown option --batch. Did you mean --batch-size? See example --help."),
        ("--zzz", "unknown option --zzz. See example --help."),
        ("--batch-size eight", "argument --batch-size: invalid int value: 'eight'. See example --help."),
        ("--limit high", "argument --limit: invalid float value: 'high'. See example --help."),
        ("--sides 1 2", "argument --sides: expected 3 arguments. See example --help."),
        ("--colour green", "argument --colour: invalid choice: 'green' (choose from 'red', 'blue'). See example --help."),
        ("--share 2", "`share` must be at most 1.0. Received: 2.0."),
    ],
)
def test_a_command_line_that_does_not_fit_is_one_message(choose, line, message):
    # Python 3.12 leaves out the quotes of the choices.
    with pytest.raises(InputError) as caught:
        choose(line)
    assert str(caught.value).replace("'red', 'blue'", "red, blue") == message.replace("'red', 'blue'", "red, blue")


def test_a_value_that_its_parser_refuses_keeps_the_parsers_explanation(choose):
    with pytest.raises(InputError, match="a duration looks like 90s, 5m or 1h30m. Received: 'soon'"):
        choose("--budget soon")


def test_a_stray_argument_is_not_called_an_option():
    parser = Parser(prog="example")
    parser.add_argument("image")
    with pytest.raises(InputError, match="two.nii") as caught:
        parser.parse_all(["one.nii", "two.nii"])
    assert "unknown option" not in str(caught.value)


def test_output_flags_are_the_same_everywhere():
    parser = Parser(prog="example")
    add_output_flags(parser, dtypes=("float32", "int16"))
    parsed = vars(parser.parse_all(["--overwrite", "--dtype", "int16"]))
    assert parsed == {"overwrite": True, "replace_nonfinite": False, "dtype": "int16"}
    parser = Parser(prog="example")
    add_output_flags(parser, "write into a folder that is not empty")
    assert "write into a folder that is not empty" in parser.format_help()
    assert vars(parser.parse_all([])) == {"overwrite": False, "replace_nonfinite": False}


def test_the_help_of_a_network_lists_those_at_hand(monkeypatch):
    monkeypatch.setattr("keras_mri.saving.pretrained.networks", lambda restoring: {"wgan_epi": None, "epi": None, "ldm_epi": None})
    assert network_help().endswith("(hf://owner/name); or the name of a pre-trained network: epi, ldm_epi, wgan_epi")
    assert network_help("ldm_").endswith("network: ldm_epi")
    assert network_help("sr_") == "a network file written by keras_mri.train (.h5), or one on the Hugging Face hub (hf://owner/name)"


OPTIONS = {
    (name, kind): getattr(get_settings(name), kind)
    for name in SYSTEMS
    for kind in ("Config", "PredictConfig", "GenerateConfig")
    if getattr(get_settings(name), kind)
}


@pytest.mark.parametrize("key", OPTIONS, ids="-".join)
def test_every_option_explains_itself_once_and_names_one_default(key):
    for field in dataclasses.fields(OPTIONS[key]):
        text, auto = field.metadata["help"], field.metadata["auto"]
        assert len(text.split()) >= 2 and not re.search("by itself|by default|default:|^Of |told|tell", text), field.name
        assert not text.endswith("."), field.name
        assert auto is None or field.default is None, field.name


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_newcomer_sees_six_to_twelve_options_first(name):
    basic = [field.name for field in dataclasses.fields(get_settings(name).Config) if field.metadata["basic"]]
    assert 6 <= len(basic) <= 12 and {"epochs", "time_budget", "seed"} <= set(basic)


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_example_of_a_system_is_a_valid_command(name):
    python, *words = get_settings(name).example.split()
    assert [python, *words[:3]] == ["python", "-m", "keras_mri.train", name]
    parser = Parser(prog="example")
    parser.add_argument("images", nargs="*")
    parser.add_argument("-o", "--output")
    add_options(parser, get_settings(name).Config)
    parsed = parser.parse_all(words[3:])
    chosen_options(get_settings(name).Config, parsed)
    assert parsed.images and parsed.output.endswith(".h5")


@pytest.mark.parametrize("command", [check, evaluate, info])
def test_each_command_gives_an_example_that_is_valid(command):
    parser = command._parser()
    assert parser.epilog.startswith(f"example: {parser.prog} ")
    parser.parse_all(parser.epilog.removeprefix(f"example: {parser.prog} ").split())


def test_none_is_a_value_where_it_is_a_choice():
    options = get_settings("n2a").PredictConfig
    parser = Parser(prog="example")
    add_options(parser, options)
    assert chosen_options(options, parser.parse_all(["--mirror", "none"])).mirror == "none"
    assert chosen_options(options, parser.parse_all([])).mirror is None
