"""python -m keras_mri.train SYSTEM IMAGE… [--options] -o MODEL.h5"""

from keras_mri.cli import signals

if __name__ == "__main__":
    signals.leave_at_once()


import contextlib
import json
import logging
import pathlib
import sys

from keras_mri.cli import options, running
from keras_mri.cli.signals import EndedBySignal
from keras_mri.cli.training_job import LAST, Files, TrainingJob
from keras_mri.config import parse_duration, shown
from keras_mri.errors import InputError, remark, remarks_kept
from keras_mri.io.locks import claimed
from keras_mri.io.whole_files import check_output
from keras_mri.saving.checkpoints import SUFFIXES
from keras_mri.systems import SYSTEMS, get_settings
from keras_mri.systems.trained import beside
from keras_mri.training.state_files import load_state, remove_state, states_in
from keras_mri.training.workers import workers_here

# By name: run with `python -m`, this module is `__main__`.
_LOGGER = logging.getLogger("keras_mri.train")
# The ending of the file from which an unfinished training is resumed.
_STATE = ".state"


def main(arguments=None):
    """Train a system; see `--help`."""
    return running.run(_train, arguments)


def _train(arguments):
    name, settings, parsed = _parse(arguments)
    preset = settings.presets[parsed.preset] if parsed.preset else {}
    config = options.chosen_options(settings.Config, parsed, preset)
    workers = workers_here() if parsed.workers else None
    network = pathlib.Path(parsed.output or SYSTEMS[name].output)
    with _only_training_of(network, workers):
        files = _files(name, network, config, parsed)
        _check_outputs(settings, config, files, parsed)
        with remarks_kept() as remarks, _telling_of_resume(files):
            images = settings.open_inputs(parsed.images, config, parsed.replace_nonfinite)
            TrainingJob(name, config, images, parsed.devices or 1, workers, remarks=remarks).run(files)


@contextlib.contextmanager
def _only_training_of(network, workers):
    """Raise if another process trains a network of this name: it has the same history and state. Of several machines, the first writes."""
    check_output(network, SUFFIXES, overwrite=True)
    if workers and workers.index:
        yield
        return
    with claimed(beside(network, ".h5"), needs_locks=False) as ours:
        if not ours:
            raise InputError(f"{network} is being trained by another process. Name another file with -o.")
        yield


@contextlib.contextmanager
def _telling_of_resume(files):
    """Say how a training that is ended from outside can go on."""
    try:
        yield
    except (KeyboardInterrupt, EndedBySignal):
        if states_in(files.state):
            print(f"{files.state} holds the interrupted training: the same command with --resume goes on from there", file=sys.stderr)
        raise


def _files(name, network, config, parsed):
    """Return where the training's files go, and the state that it is resumed from."""
    command = {"system": name, "config": config.to_json(), "images": list(map(str, parsed.images))}
    state = beside(network, _STATE)
    return Files(network, state, parsed.state_every, command, _resumed(state, command, parsed))


def _check_outputs(settings, config, files, parsed):
    """Raise unless every file of the training can be written."""
    overwrite = parsed.overwrite or files.resumed is not None
    check_output(files.network, SUFFIXES, overwrite)
    if files.network.suffix == ".keras":
        check_output(beside(files.network, ".h5"), (".h5",), overwrite)
    for ending in (".csv", ".png", *settings.results, *([LAST] if settings.keeps_last else [])):
        check_output(beside(files.network, ending), (ending,), overwrite)
    for name, endings in settings.outputs.items():
        if vars(config)[name]:
            check_output(vars(config)[name], endings, overwrite)
    taken = sorted(files.network.parent.glob(f"{files.network.stem}_epoch[0-9]*"))
    if config.checkpoint_every and taken and not overwrite:
        raise InputError(f"{taken[0]} exists. Name another file with -o, or replace it with --overwrite.")


def _resumed(path, command, parsed):
    """Return the state to resume from, None at the start of a training."""
    if not parsed.resume:
        if parsed.overwrite:
            remove_state(path)
        elif states_in(path):
            raise InputError(f"{path} exists: a training that has not ended. Go on with --resume, or start again with --overwrite.")
        return None
    resumed, doubt = load_state(path)
    if doubt:
        remark(path, doubt)
    if resumed is None:
        network = beside(path, ".h5")
        if network.exists() and not parsed.overwrite:
            raise InputError(
                f"{network} exists and {path} does not: this training has ended, so there is nothing to resume. "
                "To train longer, start again with --overwrite and a larger --time-budget or --epochs."
            )
        _LOGGER.info("%s does not exist: the training starts at its beginning", path)
        return None
    _check_same_training(path, resumed["command"], command)
    _LOGGER.info("going on from %s, %.0f s into the training", path, resumed["seconds"])
    return resumed


def _check_same_training(path, saved, command):
    """Raise unless a state belongs to this command."""
    before, now = ({"SYSTEM": entry["system"], "IMAGE": entry["images"], **entry["config"]} for entry in (saved, command))
    # Through JSON, which knows no tuples.
    now = json.loads(json.dumps(now))
    differing = [name for name in before | now if before.get(name) != now.get(name)]
    if differing:
        changes = [
            f"{name if name.isupper() else '--' + name.replace('_', '-')}: {shown(before.get(name))} → {shown(now.get(name))}"
            for name in differing
        ]
        raise InputError(
            f"{path} holds another training. What differs: {'; '.join(changes)}. "
            "Repeat its command with --resume, or start again with --overwrite."
        )


def _devices(text):
    """Read a number of devices, or "all"."""
    if text != "all" and not (text.isdecimal() and int(text) > 0):
        raise InputError(f"--devices must be a number from 1 on, or all. Received: {text!r}.")
    return text if text == "all" else int(text)


def _parse(arguments):
    if not arguments or arguments[0] in ("-h", "--help"):
        choices = "\n".join(f"  {name:6s} {entry.help}" for name, entry in SYSTEMS.items())
        print(f"usage: python -m keras_mri.train SYSTEM IMAGE… [options] -o MODEL.h5\n\nsystems:\n{choices}\n")
        print("Each has options of its own: python -m keras_mri.train SYSTEM --help")
        sys.exit(0 if arguments else 2)
    name = arguments[0]
    settings = get_settings(name)
    parsed = _parser(name, settings).parse_all(arguments[1:])
    if parsed.workers and parsed.devices:
        raise InputError("--workers takes all devices of every machine: leave --devices out.")
    return name, settings, parsed


def _parser(name, settings):
    description = f"{SYSTEMS[name].help[0].upper()}{SYSTEMS[name].help[1:]}."
    epilog = settings.example and f"example: {settings.example}"
    parser = running.Parser(prog=f"python -m keras_mri.train {name}", description=description, epilog=epilog)
    images = dict(nargs="+", metavar="IMAGE", help="NIfTI, 3D or 4D; `sample` is the EPI scan shipped with nibabel")
    parser.add_argument("images", **{**images, **settings.images_argument})
    parser.add_argument(
        "-o", "--output", type=pathlib.Path, metavar="MODEL.h5",
        help=f"file of the network; NAME.keras writes Keras' own format beside NAME.h5 (default: {SYSTEMS[name].output})",
    )  # fmt: skip
    options.add_output_flags(parser)
    parser.add_argument("--preset", choices=sorted(settings.presets), help="a named set of options; further options override it")
    parser.add_argument("--resume", action="store_true", help="resume an interrupted or killed training: repeat its command with this flag")
    options.add_options(parser, settings.Config)
    _add_machine_flags(parser)
    return parser


def _add_machine_flags(parser):
    group = parser.add_argument_group("several devices and machines")
    group.add_argument(
        "--devices", type=options.explained(_devices), default=None, metavar="N|all",
        help="GPUs, or logical processors where there are none, that share every batch (default: 1)",
    )  # fmt: skip
    group.add_argument("--workers", action="store_true", help="train with the machines that TF_CONFIG names, each with all its GPUs")
    group.add_argument(
        "--state-every", type=options.or_none(options.explained(parse_duration)), default=60.0, metavar="TIME",
        help="time between two states of the training that --resume needs, NAME.state; none saves none (default: 1m)",
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
