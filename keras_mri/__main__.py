"""keras-mri train|predict|generate|evaluate|info|check, also python -m keras_mri …"""

import contextlib
import difflib
import importlib
import sys

from keras_mri import __version__
from keras_mri.cli import running, signals
from keras_mri.errors import InputError

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
    with signals.leaving_at_once(), running.process_is_command() if arguments is None else contextlib.nullcontext():
        arguments = sys.argv[1:] if arguments is None else arguments
        if arguments and arguments[0] in COMMANDS:
            return importlib.import_module(f"keras_mri.{arguments[0]}").main(arguments[1:])
        return running.run(_front, arguments)


def _front(arguments):
    """Answer a command line without a command."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: keras-mri COMMAND …\n\n" + "\n".join(f"  {name:9s} {text}" for name, text in COMMANDS.items()))
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(__version__)
        return 0
    nearest = difflib.get_close_matches(arguments[0], COMMANDS, n=1)
    hint = f" Did you mean {nearest[0]}?" if nearest else ""
    raise InputError(f"unknown command {arguments[0]!r}. Expected one of: {', '.join(COMMANDS)}.{hint}")


if __name__ == "__main__":
    sys.exit(main())
