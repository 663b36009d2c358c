"""One line that tells how far the work is and how long it will still take."""

import sys
import time

import keras

_SECONDS_BETWEEN = 0.5


class TrainingProgress(keras.callbacks.Callback):
    """Show epoch, step, error and the time left; on a terminal in one moving line, else one line for each epoch."""

    STATE = ("epoch",)

    def __init__(self, stream=None):
        super().__init__()
        self.stream = stream or sys.stderr
        self.epoch, self.last, self.error = 0, 0.0, float("nan")

    def on_epoch_begin(self, epoch, logs=None):
        """Count epochs through every fit."""
        self.epoch += 1

    def on_train_batch_end(self, batch, logs=None):
        """Move the line on, twice a second."""
        self.error = _first(logs, ("l1", "mse", "denoising"), self.error)
        if self.stream.isatty() and time.monotonic() - self.last > _SECONDS_BETWEEN:
            self.last = time.monotonic()
            self.stream.write("\r" + self._line() + "\x1b[K")
            self.stream.flush()

    def on_epoch_end(self, epoch, logs=None):
        """Finish the epoch's line."""
        held_out = _first(logs, ("val_l1", "val_mse", "val_denoising"))
        text = self._line() + (f"  held out {held_out:.5f}" if held_out is not None else "")
        self.stream.write(("\r" + text + "\x1b[K" if self.stream.isatty() else text) + "\n")
        self.stream.flush()

    def _line(self):
        pace = self.model.pace
        done = pace.progress()
        bar = "█" * round(20 * done) + "·" * (20 - round(20 * done))
        left = pace.remaining()
        left = "" if left is None else f", {_clock(left)} left"
        return f"epoch {self.epoch:3d} {bar} {100 * done:3.0f} %  {_clock(pace.elapsed())}{left}  error {float(self.error):.5f}"


def counted(volume, stream=None):
    """Return a Volume that shows, on a terminal, how many of its frames have been computed.

    Parameters
    ----------
    volume : Volume
    stream : file, optional

    Returns
    -------
    Volume
    """
    stream = stream or sys.stderr
    if volume.n_frames == 1 or not stream.isatty():
        return volume
    start = time.monotonic()

    def frame(t):
        data = volume.frame(t)
        left = (time.monotonic() - start) / (t + 1) * (volume.n_frames - t - 1)
        stream.write(f"\rframe {t + 1} of {volume.n_frames}, {_clock(left)} left\x1b[K" + "\n" * (t + 1 == volume.n_frames))
        stream.flush()
        return data

    return volume.with_frames(frame)


def _first(logs, names, default=None):
    """Return the first of these numbers that was logged."""
    return next((logs[name] for name in names if name in (logs or {})), default)


def _clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
