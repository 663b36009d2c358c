"""python -m keras_mri.predict MODEL IMAGE… -o OUT.nii.gz"""

import logging
import pathlib
import sys
import time

from keras_mri.cli import options as _cli
from keras_mri.cli import study
from keras_mri.config import PredictConfig
from keras_mri.inference.training_range import differences_from_training
from keras_mri.io import nifti_reading as nifti
from keras_mri.io import nifti_writing
from keras_mri.io.whole_files import check_output
from keras_mri.saving import pretrained
from keras_mri.systems import get_settings, get_system
from keras_mri.systems.network_files import load_network, system_of

# By name: run with `python -m`, this module is `__main__`.
_LOGGER = logging.getLogger("keras_mri.predict")


def main(arguments=None):
    """Apply a trained network to a scan; see `--help`."""
    return _cli.run(_predict, arguments)


def _predict(arguments):
    if study.names_a_study(arguments):
        return study.restore_study(arguments)
    # The model decides which options there are; without one, only those that all systems share.
    model = _model_among(arguments)
    settings = None
    if model and (model.exists() or not {"-h", "--help"} & set(arguments)):
        settings = get_settings(system_of(model))
    options = getattr(settings, "PredictConfig", PredictConfig)
    parsed = _parser(options).parse_all(arguments)
    model = pretrained.resolve(parsed.model)
    system_name = system_of(model)
    path = check_output(parsed.output, nifti_writing.SUFFIXES, parsed.overwrite)
    if parsed.report:
        check_output(parsed.report, (".html",), parsed.overwrite, flag="--report")
    chosen = _cli.chosen_options(options, parsed)
    images = [nifti.open_image(image, parsed.replace_nonfinite) for image in parsed.images]

    with _cli.native_messages_held_back():
        system = get_system(system_name)
    from keras_mri.cli.progress import counted

    checkpoint = load_network(model)
    with _cli.kept_messages() as messages:
        for remark in differences_from_training(images[0], checkpoint.training, checkpoint.config, averaged=len(images)):
            _LOGGER.warning("warning: %s", remark)
        start = time.perf_counter()
        restored = system.predict(checkpoint, images, chosen)
        reporter = _reporter(images, restored) if parsed.report else None
        nifti_writing.save(counted(reporter.watched() if reporter else restored), path, parsed.dtype)
        seconds = time.perf_counter() - start
    print(f"wrote {path}", file=sys.stderr)
    if reporter:
        reporter.write(parsed.report, path, model, checkpoint, chosen, parsed.dtype, seconds, messages)
        print(f"wrote {parsed.report}", file=sys.stderr)
    return 0


def _reporter(images, restored):
    # Only here: nothing else of prediction needs what it imports.
    from keras_mri.report.reporter import Reporter

    return Reporter(images, restored)


def _model_among(arguments):
    """Return the path of the network that a command line names, None if it names none yet."""
    known = pretrained.networks()
    model = next((argument for argument in arguments if argument.endswith(".h5") or argument in known), None)
    if model is None and arguments and not arguments[0].startswith("-"):
        model = arguments[0]
    if model is None or not (model.endswith(".h5") or pretrained.is_name(model)):
        return None
    return pretrained.resolve(model)


def _parser(options):
    description = f"Apply a trained network to a scan, or to its repetitions; {study.USAGE}."
    parser = _cli.Parser(prog="python -m keras_mri.predict", description=description)
    names = ", ".join(sorted(pretrained.networks()))
    text = "a network that keras_mri.train wrote (.h5)" + (f", or the name of a pre-trained one: {names}" if names else "")
    parser.add_argument("model", metavar="MODEL", help=text)
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="NIfTI, 3D or 4D, any shape")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, metavar="OUT", help="NIfTI to write (.nii or .nii.gz)")
    parser.add_argument("--report", type=pathlib.Path, metavar="OUT.html", help="also write a page that shows what was done to the scan")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parser.add_argument("--replace-nonfinite", action="store_true", help="read NaN and infinity as 0")
    parser.add_argument("--dtype", choices=nifti_writing.DTYPES, default="float32", help="of the output (default: float32)")
    _cli.add_options(parser, options)
    return parser


if __name__ == "__main__":
    sys.exit(main())
