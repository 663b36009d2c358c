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
        self.status = 128 + number

    def __str__(self):
        return _said(self.args[0])


def leave_at_once():
    """Let signals end the process without a traceback as long as no command runs: while modules are imported, there is nothing to tidy."""
    for number in _unhandled():
        signal.signal(number, _leave)


@contextlib.contextmanager
def leaving_at_once():
    """Do as `leave_at_once`, within the block."""
    with _handled(lambda number: _leave):
        yield


@contextlib.contextmanager
def raised():
    """Raise EndedBySignal, or for Ctrl-C KeyboardInterrupt, within the block. What the process was told to ignore stays ignored."""
    with _handled(lambda number: signal.default_int_handler if number == signal.SIGINT else _end):
        yield


def _unhandled():
    """Return the signals that are as the system, or `leave_at_once`, left them; none but in the main thread, which alone may handle any."""
    if threading.current_thread() is not threading.main_thread():
        return []
    ours = (signal.SIG_DFL, signal.default_int_handler, _leave)
    return [number for number in (signal.SIGINT, *_ENDING) if signal.getsignal(number) in ours]


@contextlib.contextmanager
def _handled(handler_of):
    """Handle those signals within the block."""
    before = {number: signal.signal(number, handler_of(number)) for number in _unhandled()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number, frame):
    raise EndedBySignal(number)


def _leave(number, frame):
    os.write(2, _said(number).encode() + b"\n")
    os._exit(128 + number)


def _said(number):
    return "keras_mri: interrupted." if number == signal.SIGINT else f"keras_mri: ended by {signal.Signals(number).name}."
