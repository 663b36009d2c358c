"""python -m keras_mri.predict MODEL IMAGE… -o OUT.nii.gz"""

from keras_mri.cli import signals

if __name__ == "__main__":
    signals.leave_at_once()


import os.path
import pathlib
import sys
import time

from keras_mri import api
from keras_mri.cli import running, study, study_options
from keras_mri.cli.options import FURTHER_OPTIONS, add_checksum, add_options, add_output_flags, chosen_options, network_help
from keras_mri.errors import InputError
from keras_mri.io import nifti_writing
from keras_mri.io.nifti_reading import open_image
from keras_mri.io.whole_files import check_output, check_temporary_folder
from keras_mri.systems import automatic, get_system
from keras_mri.systems.network_files import path_or_auto, system_of

# Endings of the files that a prediction writes, by the option that names them.
_OUTPUTS = {
    "output": nifti_writing.SUFFIXES,
    "residual": nifti_writing.SUFFIXES,
    "noise_map": nifti_writing.SUFFIXES,
    "report": (".html",),
}


def main(arguments=None):
    """Apply a trained network to a scan; see `--help`."""
    return running.run(_predict, arguments)


def _predict(arguments):
    line = study_options.read(arguments)
    if line.is_study:
        return study.restore_study(line, arguments, api.restore)
    parsed = _parser(line.options).parse_all(line.arguments)
    _check_no_study(parsed.images)
    # `auto` needs the scan to choose.
    model = path_or_auto(parsed.model, parsed.sha256)
    system = system_of(model) if model else automatic.SYSTEM
    if model is None:
        automatic.at_hand()
    _check_outputs(parsed)
    chosen = chosen_options(line.options, parsed)
    with running.kept_messages() as messages:
        images = [open_image(image, parsed.replace_nonfinite) for image in parsed.images]
        with running.native_messages_held_back():
            get_system(system)
            # Only here: scikit-image takes a second to import.
            from keras_mri.cli import judged
        model = model or automatic.choose(images[0]).path
        checkpoint = api.checkpoint_of(model)
        start = time.perf_counter()
        restored = api.restore(checkpoint, images, **vars(chosen))
        reporter = _reporter(images, restored, parsed, dict(model=model, checkpoint=checkpoint, options=chosen))
        before, result = restored.source or images[0], reporter.watched() if reporter else restored
        judge = judged.judge_of(before, result, chosen, restored.facts)
        judged.check_judged(judge, before, parsed)
        judged.write(result, judge, parsed)
        seconds = time.perf_counter() - start
    verdict = judge.verdict() if judge and judge.count else None
    if reporter:
        reporter.write(parsed.report, seconds, messages, verdict)
    for option in _OUTPUTS:
        if vars(parsed)[option]:
            print(f"wrote {vars(parsed)[option]}", file=sys.stderr)
    judged.tell(verdict, images[0].name)
    return judged.status(verdict, parsed.strict)


def _check_outputs(parsed):
    """Raise unless every file that the user named can be written, each to a path of its own."""
    check_temporary_folder()
    nifti_writing.check_dtype(parsed.dtype, parsed.output)
    named, inputs = {}, {pathlib.Path(image).resolve() for image in parsed.images}
    for option, endings in _OUTPUTS.items():
        path = vars(parsed)[option]
        if path is None:
            continue
        check_output(path, endings, parsed.overwrite, option=option)
        # The result itself may take the place of its input.
        if option != "output" and path.resolve() in inputs:
            raise InputError(f"`{option}` names an input, {path}. Name another file.")
        other = named.setdefault(path.resolve(), option)
        if other != option:
            raise InputError(f"`{other}` and `{option}` name one file, {path}. Name two files.")


def _reporter(images, restored, parsed, network):
    if not parsed.report:
        return None
    # Only here: nothing else of prediction needs what it imports.
    from keras_mri.report.reporter import Prediction, Reporter

    return Reporter(images, restored, Prediction(written=parsed.output, dtype=parsed.dtype, **network))


def _check_no_study(images):
    """Raise if a folder with subjects stands for a scan."""
    for image in map(pathlib.Path, images):
        if os.path.isdir(image) and any(image.glob("sub-*")):
            raise InputError(f"{image} is a folder with a study. Expected a NIfTI file, or the words of a study: {study_options.FORMS}.")


def _parser(options):
    parser = running.Parser(
        prog="python -m keras_mri.predict",
        description=f"Apply a trained network to a scan, or to its repetitions. {FURTHER_OPTIONS}. {study_options.USAGE}.",
        epilog="example: python -m keras_mri.predict epi bold.nii.gz -o denoised.nii.gz --report report.html",
    )
    parser.add_argument("model", metavar="MODEL", help=f"{network_help()}; or auto: {automatic.HELP}")
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="NIfTI, 3D or 4D, any shape")
    parser.add_argument("--model", dest="named", metavar="MODEL", help="the network, instead of the first word")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, metavar="OUT", help="image to write: .nii or .nii.gz, or .mgz")
    parser.add_argument("--report", type=pathlib.Path, metavar="OUT.html", help="also write a page that shows the restoration")
    parser.add_argument("--residual", type=pathlib.Path, metavar="OUT", help="also write what was removed, input − output (NIfTI)")
    parser.add_argument(
        "--noise-map",
        type=pathlib.Path,
        metavar="OUT",
        help="also write the estimated noise SD of each voxel (NIfTI, 3D); needs a run",
    )
    parser.add_argument(
        "--strict", action="store_true", help="exit status 1 if anatomy was removed, or next to nothing; the output is written all the same"
    )
    add_output_flags(parser, dtypes=nifti_writing.DTYPES)
    add_checksum(parser)
    add_options(parser, options)
    return parser


if __name__ == "__main__":
    sys.exit(main())
