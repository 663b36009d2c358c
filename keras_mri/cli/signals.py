"""Signals that end a command: each leaves by the way on which temporary files are removed, with the status that shells expect."""

import contextlib
import os
import signal
import threading

# What batch systems send before they kill, and what a terminal sends as it closes.
_ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


class EndedBySignal(BaseException):
    """A signal asks the command to end; like KeyboardInterrupt, no handler of ordinary errors stops it.

    Parameters
    ----------
    number : int
    """

    def __init__(self, number):
        super().__init__(number)
        self.name, self.status = signal.Signals(number).name, 128 + number


def leave_at_once():
    """Let Ctrl-C end the process without a traceback as long as no command runs: while modules are imported, there is nothing to tidy."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


@contextlib.contextmanager
def leaving_at_once():
    """Do as `leave_at_once`, within the block."""
    with _handlers({signal.SIGINT: (signal.default_int_handler, _leave)}):
        yield


@contextlib.contextmanager
def raised():
    """Raise EndedBySignal, or for Ctrl-C KeyboardInterrupt, within the block. What the process was told to ignore stays ignored."""
    wanted = {signal.SIGINT: (_leave, signal.default_int_handler), **dict.fromkeys(_ENDING, (signal.SIG_DFL, _end))}
    with _handlers(wanted):
        yield


@contextlib.contextmanager
def _handlers(wanted):
    """Handle signals within the block: for each number the handler that must be there, and the one to take its place."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return
    taken = {number: expected for number, (expected, _) in wanted.items() if signal.getsignal(number) == expected}
    for number in taken:
        signal.signal(number, wanted[number][1])
    try:
        yield
    finally:
        for number, handler in taken.items():
            signal.signal(number, handler)


def _end(number, frame):
    raise EndedBySignal(number)


def _leave(*_):
    os.write(2, b"keras_mri: interrupted.\n")
    os._exit(128 + signal.SIGINT)
