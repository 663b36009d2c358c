"""python -m keras_mri.generate MODEL -n 8 [--label NAME] -o FOLDER"""

from keras_mri.cli import signals

if __name__ == "__main__":
    signals.leave_at_once()


import os
import pathlib
import sys

from keras_mri import api
from keras_mri.cli import running
from keras_mri.cli.options import add_checksum, add_options, chosen_options, network_help
from keras_mri.errors import InputError
from keras_mri.io import nifti_writing
from keras_mri.io.whole_files import filling
from keras_mri.systems import SYSTEMS, get_settings, get_system, that_generate
from keras_mri.systems.network_files import path_of_network, system_of

_SHEET = "samples.png"


def main(arguments=None):
    """Draw new volumes from a trained network; see `--help`."""
    return running.run(_generate, arguments)


def _generate(arguments):
    parsed = _parser().parse_all(arguments)
    model = path_of_network(parsed.model, parsed.sha256)
    name = system_of(model)
    options = get_settings(name).GenerateConfig if name in SYSTEMS else None
    if options is None:
        generating = ", ".join(that_generate())
        raise InputError(
            f"{model} holds a network of {name!r}, which restores scans and cannot make new ones. Expected one of {generating}."
        )
    chosen = chosen_options(options, parsed)
    if parsed.number < 1:
        raise InputError(f"-n must be at least 1. Received: {parsed.number}.")
    folder = _check_folder(parsed.output, parsed.overwrite)
    with running.native_messages_held_back():
        get_system(name)
    # Drawn before the folder is made: an error leaves nothing behind.
    volumes = api.sample(model, parsed.number, **vars(chosen))
    _write(volumes, folder, parsed.overwrite)
    print(f"wrote {len(volumes)} synthetic volumes and {_SHEET} to {folder}: no scan of anyone, not for diagnosis", file=sys.stderr)


def _write(volumes, folder, overwrite):
    from keras_mri.report import figures

    with filling(folder, overwrite) as temporary:
        for number, volume in enumerate(volumes, start=1):
            nifti_writing.save(volume, temporary / f"sample_{number:04d}.nii.gz")
        figures.save_contact_sheet(temporary / _SHEET, [volume.frame(0) for volume in volumes], volumes[0].affine)


def _check_folder(folder, overwrite):
    """Return the folder, to be made in one that exists; raise unless it is new or empty, or may be overwritten."""
    if not folder.parent.is_dir():
        raise InputError(f"the folder {folder.parent} does not exist. Create it, or choose another with -o.")
    if not os.access(folder if folder.is_dir() else folder.parent, os.W_OK):
        raise InputError(f"the folder {folder} is not writable. Choose another with -o.")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file. Name a folder with -o.")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise InputError(f"{folder} is not empty. Name another folder with -o, or write into it with --overwrite.")
    return folder


def _parser():
    parser = running.Parser(
        prog="python -m keras_mri.generate",
        description="Draw new volumes from a trained network.",
        epilog="example: python -m keras_mri.generate ldm_heads -n 4 --label forrest -o samples/",
    )
    parser.add_argument("model", metavar="MODEL", help=network_help(tuple(f"{name}_" for name in that_generate())))
    parser.add_argument("-n", "--number", type=int, default=8, metavar="N", help="how many (default: 8)")
    parser.add_argument(
        "-o", "--output", type=pathlib.Path, required=True, metavar="FOLDER", help="for the volumes (NIfTI) and a contact sheet"
    )
    parser.add_argument("--overwrite", action="store_true", help="write into a folder that is not empty")
    add_checksum(parser)
    for name in that_generate():
        add_options(parser, get_settings(name).GenerateConfig)
    return parser


if __name__ == "__main__":
    sys.exit(main())
