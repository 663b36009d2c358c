"""python -m keras_mri.generate MODEL -n 8 [--label NAME] -o FOLDER"""

import os
import pathlib
import sys

from keras_mri.cli import options as _cli
from keras_mri.errors import InputError
from keras_mri.io.nifti_writing import save
from keras_mri.io.whole_files import filling
from keras_mri.saving import checkpoints, pretrained
from keras_mri.systems import SYSTEMS, get_settings, get_system
from keras_mri.systems.ldm.settings import GenerateConfig

_SHEET = "samples.png"


def main(arguments=None):
    """Draw new volumes from a trained network; see `--help`."""
    return _cli.run(_generate, arguments)


def _generate(arguments):
    parsed = _parser().parse_all(arguments)
    model = pretrained.resolve(parsed.model)
    name = checkpoints.inspect(model)["system"]
    if name not in SYSTEMS or not hasattr(get_settings(name), "GenerateConfig"):
        raise InputError(f"{model} holds a network of {name!r}, which restores scans and cannot make new ones. Expected one of ldm.")
    chosen = _cli.chosen_options(get_settings(name).GenerateConfig, parsed)
    if parsed.number < 1:
        raise InputError(f"-n must be at least 1. Received: {parsed.number}.")
    folder = _check_folder(parsed.output, parsed.overwrite)

    with _cli.native_messages_held_back():
        system = get_system(name)
    from keras_mri.report import figures

    # Drawn before the folder is made: whatever is wrong leaves nothing behind.
    volumes = list(system.generate(checkpoints.load(model), parsed.number, chosen))
    with filling(folder) as temporary:
        for number, volume in enumerate(volumes, start=1):
            save(volume, temporary / f"sample_{number:04d}.nii.gz")
        figures.save_contact_sheet(temporary / _SHEET, [volume.frame(0) for volume in volumes])
    print(f"wrote {len(volumes)} synthetic volumes and {_SHEET} to {folder}: no scan of anyone, not for diagnosis", file=sys.stderr)


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
    parser = _cli.Parser(prog="python -m keras_mri.generate", description="Draw new volumes from a trained network.")
    names = ", ".join(name for name in sorted(pretrained.networks()) if name.startswith("ldm_"))
    text = "a network that keras_mri.train ldm wrote (.h5)" + (f", or the name of a pre-trained one: {names}" if names else "")
    parser.add_argument("model", metavar="MODEL", help=text)
    parser.add_argument("-n", "--number", type=int, default=8, metavar="N", help="how many (default: 8)")
    parser.add_argument(
        "-o", "--output", type=pathlib.Path, required=True, metavar="FOLDER", help="for the volumes (NIfTI) and a contact sheet"
    )
    parser.add_argument("--overwrite", action="store_true", help="write into a folder that is not empty")
    _cli.add_options(parser, GenerateConfig)
    return parser


if __name__ == "__main__":
    sys.exit(main())
