"""python -m keras_mri.train SYSTEM IMAGE… [--options] -o MODEL.h5"""

import dataclasses
import functools
import json
import logging
import pathlib
import sys
import typing

from keras_mri.cli import options as _cli
from keras_mri.config import parse_duration
from keras_mri.errors import InputError
from keras_mri.io.nifti_reading import open_image
from keras_mri.io.nifti_writing import save
from keras_mri.io.volumes import Volume
from keras_mri.io.whole_files import check_output, replacing
from keras_mri.networks.backends import check_trains
from keras_mri.systems import SYSTEMS, get_settings, get_system
from keras_mri.training.state_files import load_state, remove_state
from keras_mri.training.workers import discarded_folder, workers_here

# By name: run with `python -m`, this module is `__main__`.
_LOGGER = logging.getLogger("keras_mri.train")
# The ending of the file that holds the last epoch's network, where a system keeps it beside the best.
_LAST = "_last.h5"
# The ending of the file from which an unfinished training goes on.
_STATE = ".state"


def main(arguments=None):
    """Train a system; see `--help`."""
    return _cli.run(_train, arguments)


class _Files(typing.NamedTuple):
    """Where a training's network goes, what lies beside it (by ending), and its state."""

    network: pathlib.Path
    beside: dict
    state: pathlib.Path

    def within(self, folder):
        """Return the same names in a folder."""
        folder = pathlib.Path(folder)
        beside = {ending: folder / path.name for ending, path in self.beside.items()}
        return _Files(folder / self.network.name, beside, folder / self.state.name)


def _train(arguments):
    name, settings, parsed = _parse(arguments)
    preset = settings.PRESETS[parsed.preset] if parsed.preset else {}
    config = _cli.chosen_options(settings.Config, parsed, preset)
    workers = workers_here() if parsed.workers else None
    command = {"system": name, "config": config.to_json(), "images": list(map(str, parsed.images))}
    target = pathlib.Path(parsed.output or SYSTEMS[name].output)
    state_path, resumed = _state(target, command, parsed)
    overwrite = parsed.overwrite or resumed is not None
    path = check_output(target, (".h5",), overwrite)
    endings = [".csv", ".png", *getattr(settings, "RESULTS", ()), *([_LAST] if getattr(settings, "KEEP_LAST", False) else [])]
    beside = {ending: check_output(path.with_name(path.stem + ending), (ending,), overwrite) for ending in endings}
    named = {option: getattr(config, option) for option in getattr(settings, "OUTPUTS", {}) if getattr(config, option)}
    for option, named_path in named.items():
        check_output(named_path, settings.OUTPUTS[option], overwrite)
    if config.checkpoint_every and not overwrite:
        _check_no_epochs(path)
    images = getattr(settings, "open_inputs", _open_images)(parsed.images, config, parsed.replace_nonfinite)

    files = _Files(path, beside, state_path)
    with discarded_folder(workers) as folder:
        if folder:
            files = files.within(folder)
            elsewhere = {option: str(pathlib.Path(folder) / pathlib.Path(named_path).name) for option, named_path in named.items()}
            config = dataclasses.replace(config, **elsewhere)
        _train_and_write(name, config, images, files, parsed, command, resumed, workers)
    if folder:
        print(f"the first machine, {workers.addresses[0]}, writes the network", file=sys.stderr)


def _train_and_write(name, config, images, files, parsed, command, resumed, workers):
    """Train, and write the network and what lies beside it."""
    with _cli.native_messages_held_back():
        check_trains()
        system, settings = get_system(name), get_settings(name)
    from keras_mri.cli.progress import TrainingProgress
    from keras_mri.networks.precision import chosen_precision, in_float32
    from keras_mri.saving import checkpoints
    from keras_mri.saving.checkpoints import Checkpoint
    from keras_mri.training import machines
    from keras_mri.training.callbacks import EpochLog, EveryEpochs, KeepLast
    from keras_mri.training.devices import strategy_for
    from keras_mri.training.fit import compute_deterministically
    from keras_mri.training.resuming import TrainingState

    path, beside, state_path = files
    compute_deterministically(config.deterministic)
    strategy = machines.strategy_across(workers) if workers else strategy_for(parsed.devices or 1)
    # Chosen by timing: a training that is taken up keeps what was chosen at its start, and machines do what the first one chose.
    precision = resumed["precision"] if resumed else chosen_precision(config.precision)
    with machines.scope(strategy):
        config = dataclasses.replace(config, precision=machines.agreed_on(precision, ("float32", "bfloat16")))
    log = EpochLog(beside[".csv"])
    facts = getattr(settings, "training_facts", _training_facts)(images, config)
    config = system.settle(config) if hasattr(system, "settle") else config
    images = system.prepare(images, config) if hasattr(system, "prepare") else images

    def write(network, path):
        more = system.facts(network, images, config) if hasattr(system, "facts") else {}
        checkpoint = Checkpoint(in_float32(network), name, config.to_json(), {**facts, **more})
        _write(checkpoint, path, log.rows, functools.partial(system.example, checkpoint, images, config))
        return checkpoint

    last = KeepLast()
    state = TrainingState(state_path, parsed.state_every, {"command": command, "precision": config.precision}, resumed)
    extra = [state, TrainingProgress(), log, *([last] if _LAST in beside else [])]
    if config.checkpoint_every:
        extra.append(
            EveryEpochs(config.checkpoint_every, lambda network, epoch: write(network, path.with_stem(f"{path.stem}_epoch{epoch:04d}")))
        )
    try:
        with machines.scope(strategy):
            machines.check_same({**command, "images": len(command["images"]), "states": parsed.state_every, "begun": state.seconds_before})
            network = system.train(images, config, extra)
        if workers and workers.index:
            # The first machine has the same network, and writes it.
            return
        checkpoint = write(network, path)
        if last.weights is not None:
            checkpoints.save(dataclasses.replace(checkpoint, network=last.network_like(checkpoint.network)), beside[_LAST])
        for ending in getattr(settings, "RESULTS", ()):
            _write_result(system.results(checkpoint, images, config)[ending], beside[ending])
    except InputError:
        if log.rows:
            log.path.unlink(missing_ok=True)
        raise
    written = [str(file) for file in (path, *beside.values()) if file.exists()]
    print(f"wrote {', '.join(written)}", file=sys.stderr)
    if state.interrupted and state_path.exists():
        print(f"{state_path} holds the interrupted training: the same command with --resume goes on from there", file=sys.stderr)
    else:
        remove_state(state_path)


def _devices(text):
    """Read a number of devices, or "all"."""
    if text != "all" and not (text.isdecimal() and int(text) > 0):
        raise InputError(f"--devices must be a number from 1 on, or all. Received: {text!r}.")
    return text if text == "all" else int(text)


def _state(path, command, parsed):
    """Return where the training's state is kept, and the state to go on from, None at the start of a training."""
    state_path = path.with_name(path.stem + _STATE)
    if not parsed.resume:
        if parsed.overwrite:
            remove_state(state_path)
        elif state_path.exists():
            raise InputError(f"{state_path} exists: a training that has not ended. Go on with --resume, or start again with --overwrite.")
        return state_path, None
    resumed, remark = load_state(state_path)
    if remark:
        _LOGGER.warning("warning: %s", remark)
    if resumed is None:
        _LOGGER.info("%s does not exist: the training starts at its beginning", state_path)
        return state_path, None
    _check_same_training(state_path, resumed["command"], command)
    _LOGGER.info("going on from %s, %.0f s into the training", state_path, resumed["seconds"])
    return state_path, resumed


def _check_same_training(state_path, saved, command):
    """Raise unless a state belongs to this command."""
    before, now = ({"SYSTEM": entry["system"], "IMAGE": entry["images"], **entry["config"]} for entry in (saved, command))
    # Through JSON, which knows no tuples.
    now = json.loads(json.dumps(now))
    differing = [name for name in before | now if before.get(name) != now.get(name)]
    if differing:
        shown = [
            f"{name if name.isupper() else '--' + name.replace('_', '-')}: {_cli.shown(before.get(name))} → {_cli.shown(now.get(name))}"
            for name in differing
        ]
        raise InputError(
            f"{state_path} holds another training. What differs: {'; '.join(shown)}. "
            "Repeat its command with --resume, or start again with --overwrite."
        )


def _open_images(paths, config, replace_nonfinite):
    return [open_image(path, replace_nonfinite) for path in paths]


def _training_facts(images, config):
    """Return what the trained network's file tells of its data: voxel sides, and the range of the noise SD."""
    return {"zooms": [list(image.zooms) for image in images], "sigma": list(getattr(config, "noise_range", ()))}


def _write_result(result, path):
    """Write what a system returns besides its network: a Volume as NIfTI, text as it is, anything else by calling it."""
    if isinstance(result, Volume):
        save(result, path)
        return
    with replacing(path) as temporary:
        if isinstance(result, str):
            temporary.write_text(result, encoding="utf-8")
        else:
            result(temporary)


def _check_no_epochs(path):
    """Raise if networks of single epochs lie where this training would write its own."""
    taken = sorted(path.parent.glob(f"{path.stem}_epoch[0-9]*"))
    if taken:
        raise InputError(f"{taken[0]} exists. Name another file with -o, or replace it with --overwrite.")


def _write(checkpoint, path, rows, example):
    """Save the network, then the figure of what it does."""
    from keras_mri.report import figures
    from keras_mri.saving import checkpoints

    checkpoints.save(checkpoint, path)
    with replacing(path.with_suffix(".png")) as temporary:
        figures.save_training(temporary, rows, example())


def _parse(arguments):
    choices = "\n".join(f"  {name:6s} {entry.help}" for name, entry in SYSTEMS.items())
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"usage: python -m keras_mri.train SYSTEM IMAGE… [options] -o MODEL.h5\n\nsystems:\n{choices}\n")
        print("Each has options of its own: python -m keras_mri.train SYSTEM --help")
        sys.exit(0 if arguments else 2)
    name = arguments[0]
    settings = get_settings(name)
    parser = _cli.Parser(prog=f"python -m keras_mri.train {name}", description=f"{SYSTEMS[name].help[0].upper()}{SYSTEMS[name].help[1:]}.")
    images = dict(nargs="+", metavar="IMAGE", help="NIfTI, 3D or 4D; `sample` is the EPI scan that nibabel ships")
    parser.add_argument("images", **{**images, **getattr(settings, "IMAGES", {})})
    parser.add_argument(
        "-o", "--output", type=pathlib.Path, metavar="MODEL.h5", help=f"where the network goes (default: {SYSTEMS[name].output})"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parser.add_argument("--replace-nonfinite", action="store_true", help="read NaN and infinity as 0")
    parser.add_argument(
        "--devices", type=_cli.explained(_devices), default=None, metavar="N|all",
        help="GPUs, or logical processors where there are none, that share every batch (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--workers", action="store_true", help="train with the machines that TF_CONFIG names, each with all its GPUs and this command"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on where a training that was interrupted or killed left off: the same command, and this"
    )
    parser.add_argument(
        "--state-every", type=_cli.or_none(_cli.explained(parse_duration)), default=60.0, metavar="TIME",
        help="seconds between the states of the training that --resume needs, NAME.state; none saves none (default: 1m)",
    )  # fmt: skip
    parser.add_argument("--preset", choices=sorted(settings.PRESETS), help="a named set of options; further options override it")
    _cli.add_options(parser, settings.Config)
    parsed = parser.parse_all(arguments[1:])
    if parsed.workers and parsed.devices:
        raise InputError("--workers takes all devices of every machine: leave --devices out.")
    return name, settings, parsed


if __name__ == "__main__":
    sys.exit(main())
