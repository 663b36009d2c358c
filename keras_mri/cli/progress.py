"""Progress of a training, and of a prediction: how much is done, and the time left."""

import contextlib
import datetime
import sys
import time

import tqdm

from keras_mri.inference.volume_bar import is_notebook, rewrites
from keras_mri.training.callbacks import WatchesPace

_SECONDS_BETWEEN = 0.5
# After which a brief bar appears.
_SECONDS_OF_A_BRIEF_ONE = 1.0


class TrainingProgress(WatchesPace):
    """Show epoch, error and the time left: on a terminal one moving line for each epoch, in a notebook one for all, else a line for each.

    Without a `pace`, no bar and no time are shown.

    Parameters
    ----------
    stream : file, optional
        The standard error by default.
    """

    STATE = ("epoch",)

    def __init__(self, stream=None):
        super().__init__()
        self.stream = stream or sys.stderr
        self.epoch, self.last, self.error, self.begun = 0, 0.0, None, False
        # The held-out error as it is written, and how wide the line of a notebook is.
        self.held_out, self.width = "", 0

    def on_train_begin(self, logs=None):
        """Say until when, by the clock on the wall, a training with a time budget takes; at its first fit."""
        if self.pace is not None and self.pace.time_budget and not self.begun:
            until = datetime.datetime.now() + datetime.timedelta(seconds=self.pace.remaining())
            if self.pace.end <= self.pace.elapsed():
                over = f"{self.pace.elapsed():.0f} s of the time budget of {self.pace.time_budget:g} s are over before the first update"
                self.stream.write(f"warning: --time-budget: {over}: every stage makes one update, and the files are written\n")
            self.stream.write(f"training until {until:%H:%M:%S}\n")
            self.stream.flush()
        self.begun = True

    def on_epoch_begin(self, epoch, logs=None):
        """Count epochs through every fit."""
        self.epoch += 1

    def on_train_batch_end(self, batch, logs=None):
        """Update the line, twice a second."""
        self.error = (logs or {}).get("error", self.error)
        if rewrites(self.stream) and time.monotonic() - self.last > _SECONDS_BETWEEN:
            self.last = time.monotonic()
            self._write_anew(self._line() + (self.held_out if is_notebook(self.stream) else ""))

    def on_epoch_end(self, epoch, logs=None):
        """Finish the epoch's line."""
        held_out = (logs or {}).get("val_error")
        self.held_out = f"  held out {held_out:.5f}" if held_out is not None else ""
        text = self._line() + self.held_out
        if rewrites(self.stream):
            self._write_anew(text, end="" if is_notebook(self.stream) else "\n")
        else:
            self.stream.write(text + "\n")
            self.stream.flush()

    def on_train_end(self, logs=None):
        """Finish the line of a notebook."""
        if is_notebook(self.stream) and self.width:
            self.stream.write("\n")
            self.width = 0

    def _write_anew(self, text, end=""):
        """Write a line over the last one; a notebook may not know the terminal's sign that clears the rest of it."""
        rest = " " * (self.width - len(text)) if is_notebook(self.stream) else "\x1b[K"
        self.width = len(text)
        self.stream.write("\r" + text + rest + end)
        self.stream.flush()

    def _line(self):
        error = "" if self.error is None else f"  error {float(self.error):.5f}"
        return f"epoch {self.epoch:3d}{self._bar()}{error}"

    def _bar(self):
        if self.pace is None:
            return ""
        done, left = self.pace.progress(), self.pace.remaining()
        bar = "█" * round(20 * done) + "·" * (20 - round(20 * done))
        left = "" if left is None else f", {_clock(left)} left"
        return f" {bar} {100 * done:3.0f} %  {_clock(self.pace.elapsed())}{left}"


@contextlib.contextmanager
def progress_bar(total, what, stream=None, brief=False):
    """Show a bar within the block, on a terminal or in a notebook only.

    Parameters
    ----------
    total : int
        Number of steps.
    what : str
        What is counted, for example "tile".
    stream : file, optional
        The standard error by default.
    brief : bool
        Show it after a second only, and take it back in the end.

    Yields
    ------
    callable
        Called after each step, without arguments or with the number of steps done.
    """
    stream = stream or sys.stderr
    passing = {"delay": _SECONDS_OF_A_BRIEF_ONE, "leave": False} if brief else {}
    shown = {"file": stream, "disable": not rewrites(stream), "dynamic_ncols": True, **passing}
    with tqdm.tqdm(total=total, desc=f"{what}s", unit=what, **shown) as bar:
        yield bar.update


def counted(volume, stream=None):
    """Return a Volume that shows, on a terminal or in a notebook, how many of its frames have been computed.

    Parameters
    ----------
    volume : Volume
        One frame alone is not counted.
    stream : file, optional
        The standard error by default.

    Returns
    -------
    Volume
        Its frames are to be read in order.
    """
    stream = stream or sys.stderr
    if volume.n_frames == 1 or not rewrites(stream):
        return volume
    shown = contextlib.ExitStack()
    advance = shown.enter_context(progress_bar(volume.n_frames, "frame", stream))

    def frame(t):
        data = volume.frame(t)
        advance()
        if t + 1 == volume.n_frames:
            shown.close()
        return data

    return volume.with_frames(frame)


def counted_in_notebook(volume, stream=None):
    """Return a Volume that shows in a notebook how many of its frames have been computed, where they are read one after another.

    Parameters
    ----------
    volume : Volume
        Its frames may be read in any order, as by whoever looks at one of them; then there is no bar.
    stream : file, optional
        The standard error by default.

    Returns
    -------
    Volume
        With the same `facts`.
    """
    stream = stream or sys.stderr
    if volume.n_frames == 1 or not is_notebook(stream):
        return volume
    return volume.with_frames(_Successive(volume, stream).frame, volume.facts)


class _Successive:
    """Read a volume's frames; from the second on, of those that follow the first, a bar counts them if they take their time."""

    def __init__(self, volume, stream):
        self.volume, self.stream = volume, stream
        self.shown, self.advance, self.last = contextlib.ExitStack(), None, None

    def frame(self, t):
        data = self.volume.frame(t)
        if self.last == 0 and t == 1:
            self.advance = self.shown.enter_context(progress_bar(self.volume.n_frames, "frame", self.stream, brief=True))
            self.advance(2)
        elif self.advance and t > self.last:
            # One that was read before is not asked for again.
            self.advance(t - self.last)
        else:
            self._end()
        self.last = t
        if t + 1 == self.volume.n_frames:
            self._end()
        return data

    def _end(self):
        self.shown.close()
        self.advance = None


def _clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
