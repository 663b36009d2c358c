"""A progress bar for the restoration of one volume: tiles, slices and mirror images in one line."""

import contextlib
import sys

import tqdm

# Seconds before a bar appears, so that small volumes show none; a large one shows it at once, even if it is a single tile.
_DELAY, _LARGE = 1.0, 2_000_000
_FORMAT = "restoring {percentage:3.0f} %|{bar}| {elapsed}, {remaining} left"


def is_notebook(stream):
    """Return whether what is written to a stream appears below the cell of a notebook (Jupyter, Colab, VS Code): bool."""
    return type(stream).__module__ == "ipykernel.iostream"


def rewrites(stream):
    """Return whether a line of a stream can be written anew, so that a bar moves: on a terminal, or in a notebook."""
    return stream.isatty() or is_notebook(stream)


@contextlib.contextmanager
def volume_bar(shape, passes, shown):
    """Show how much of a volume is restored, on stderr if that is a terminal or a notebook's; the bar disappears in the end.

    Parameters
    ----------
    shape : tuple of int, (x, y, z)
    passes : int
        Times that the network restores the volume: once for each mirror image, or for each map of a run.
    shown : bool or None
        Show nothing unless True.

    Yields
    ------
    callable
        Takes the share of one pass that was done, and returns the sum so far.
    """
    large = shape[0] * shape[1] * shape[2] >= _LARGE
    hidden = not (shown and rewrites(sys.stderr))
    with tqdm.tqdm(total=passes, disable=hidden, leave=False, delay=0 if large else _DELAY, bar_format=_FORMAT) as bar:
        done = 0.0

        def advance(share):
            nonlocal done
            done += share
            bar.update(share)
            return done

        yield advance
