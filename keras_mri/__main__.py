"""keras-mri train|predict|generate|evaluate|info|check, also python -m keras_mri …"""

import contextlib
import difflib
import importlib
import sys

from keras_mri import __version__
from keras_mri.cli.running import process_is_command

COMMANDS = {
    "train": "train a system on scans",
    "predict": "apply a trained network to a scan",
    "generate": "draw new volumes from a trained network",
    "evaluate": "compare scans with a reference",
    "info": "tell what a network's file is",
    "check": "compare the headers of two NIfTI files",
}


def main(arguments=None):
    """Hand over to the command that the first argument names."""
    whole = arguments is None
    arguments = sys.argv[1:] if whole else arguments
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: keras-mri COMMAND …\n\n" + "\n".join(f"  {name:9s} {text}" for name, text in COMMANDS.items()))
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(__version__)
        return 0
    name = arguments[0]
    if name not in COMMANDS:
        nearest = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f" Did you mean {nearest[0]}?" if nearest else ""
        print(f"keras_mri: error: unknown command {name!r}. Expected one of: {', '.join(COMMANDS)}.{hint}", file=sys.stderr)
        return 2
    with process_is_command() if whole else contextlib.nullcontext():
        return importlib.import_module(f"keras_mri.{name}").main(arguments[1:])


if __name__ == "__main__":
    sys.exit(main())
