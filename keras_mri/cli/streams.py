"""The screen of a command: it takes every character, and it is there even where it is closed, full or read no further."""

import codecs
import contextlib
import io
import json
import os
import sys
import unicodedata

_HANDLER = "keras_mri.other_characters"
# Signs of our own messages, for screens that lack them; of other text, every character must stay what it is.
_PLAIN = {"…": "...", "·": ".", "−": "-", "–": "-", "×": "x", "→": "->", "↔": "<->", "√": "sqrt ", "≤": "<=", "≥": ">=", "±": "+-"}
_PLAIN |= {
    "÷": "/",
    "²": "^2",
    "³": "^3",
    "½": "1/2",
    "∞": "inf",
    "█": "#",
    "“": '"',
    "”": '"',
    "‖": "|",
    "ε": "epsilon",
    "λ": "lambda",
    "π": "pi",
}


@contextlib.contextmanager
def every_character():
    """Let the standard streams take every character within the block, and open those that are closed onto nowhere.

    A screen that lacks a character shows another: "->" for an arrow, `\\xfc` for a letter. Bytes of a file's name that are no text
    are written as they are.
    """
    codecs.register_error(_HANDLER, _other_characters)
    before, streams = (sys.stdout, sys.stderr), []
    _open_closed_ones()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            streams.append((stream, {"errors": stream.errors, "write_through": stream.write_through}))
            # In pieces as large as the system takes: who reads only the first line ends no command before its answer is complete.
            at_once = stream.write_through and (stream is sys.stderr or stream.isatty())
            stream.reconfigure(errors=_HANDLER, write_through=at_once)
    try:
        yield
    finally:
        for stream, settings in streams:
            if not stream.closed:
                stream.reconfigure(**settings)
        sys.stdout, sys.stderr = before


def emptied():
    """Write what the standard streams still hold.

    Returns
    -------
    int
        0; 2 if a text could not be written. A reader that has gone is no error.
    """
    status = 0
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            _turn_away(stream)
        except OSError as error:
            _turn_away(stream)
            say(f"keras_mri: error: the output could not be written: {error.strerror}. Free some space, or write elsewhere.")
            status = 2
    return status


def say(text):
    """Print a line on the standard error, if that can still be written."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def as_json(value):
    """Return a value as JSON in text that the standard output has all characters of.

    Parameters
    ----------
    value : dict or list

    Returns
    -------
    str
    """
    text = json.dumps(value, indent=1, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, indent=1)
    return text


def _other_characters(error):
    """Replace what an encoding lacks; an error handler of `codecs`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return b"".join(map(_in_ascii, error.object[error.start : error.end])), error.end


def _in_ascii(character):
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how Python holds a byte of a name that is no text
        return bytes([code - 0xDC00])
    if character in _PLAIN:
        return _PLAIN[character].encode()
    if unicodedata.category(character) == "No":  # digits above and below the line
        return unicodedata.normalize("NFKC", character).encode("ascii", "backslashreplace")
    return character.encode("ascii", "backslashreplace")


def _open_closed_ones():
    """Open standard streams that are closed onto nowhere: a file opened later would take their number, and get what is printed."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    for name in ("stdout", "stderr"):
        if vars(sys)[name] is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))


def _turn_away(stream):
    """Let a stream that cannot be written end nowhere: the interpreter writes it once more as it ends."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
