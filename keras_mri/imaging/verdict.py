"""The verdict on a denoised scan: how much noise there was, what was removed, whether anatomy went with it, and in which words."""

import dataclasses
import math
import typing

NOISE_REMOVED = "noise removed"
LEFT = "left nearly as it is"
ANATOMY_REMOVED = "anatomy removed"
CHANGES_REMOVED = "all that changes over time removed"
# Less than this share of the noise's SD is next to nothing, of noise or of anatomy.
_LEAST = 0.1
# Highest share of the removed power that may be anatomy: in runs, where it is measured; in volumes, where the share is a lower bound.
_MOST_ANATOMY = {"frames": 0.1, "edges": 0.05}
# More than this many times the noise's SD: what was removed is more than noise.
_MORE_THAN_NOISE = 1.25
# No denoiser that keeps signals raises the temporal SNR so many times; nor does the correlation of neighbouring frames rise so much.
_NOTHING_CHANGES, _SMOOTHED_IN_TIME = 100, 0.3


class Pair(typing.NamedTuple):
    """One number of the input, and of the result."""

    before: float
    after: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verdict:
    """Numbers of a denoised scan, in the image's unit where they have one, and the words for them.

    Parameters
    ----------
    frames : int
        How many frames were compared.
    region : {"brain", "mask", "foreground", "image"}
        Where: the brain as found, the mask that was given, or bright voxels where no brain was found.
    noise : float
        Estimated SD of the noise of the input: of a run the median over the region's voxels; 0 where none was found.
    noise_from : {"differences of frames", "air", "image"}
        How it was estimated.
    removed : float
        SD of before − after: root mean square over time, median over the region's voxels; of a volume, root mean square over both.
    anatomy : float
        Share of the power of before − after that is anatomy, 0 … 1. Of a run: the same in every frame. Of a volume: along edges,
        which is a lower bound.
    anatomy_from : {"frames", "edges"}
    anatomy_sd : float
        Root mean square of that part over the region.
    tsnr, autocorrelation, fwhm : Pair, optional
        Of a run: median temporal SNR; median correlation of each frame with the next, both with the linear trend removed; smoothness
        of the differences of frames, mm, NaN where it is narrower than a voxel.
    keep_trained, keep_measured : float, optional
        Share of an activation's amplitude that the network was trained to keep, and that it keeps on this run.
    spread : float, optional
        Amplitude just outside of a test activation, relative to inside.
    bias : float, optional
        Median of what was taken from air, because noise gives it to a magnitude image.

    Examples
    --------
    >>> verdict = Verdict(frames=1, region="brain", noise=10.0, noise_from="image", removed=8.0, anatomy=0.01, anatomy_from="edges",
    ...                   anatomy_sd=0.8)
    >>> print(verdict.lines("t1w.nii")[0])
    t1w.nii: noise SD 10 (image); removed SD 8 in the brain = 0.80 of the noise, at least 1.0 % of it along edges: noise removed
    """

    frames: int
    region: str
    noise: float
    noise_from: str
    removed: float
    anatomy: float
    anatomy_from: str
    anatomy_sd: float
    tsnr: Pair | None = None
    autocorrelation: Pair | None = None
    fwhm: Pair | None = None
    keep_trained: float | None = None
    keep_measured: float | None = None
    spread: float | None = None
    bias: float | None = None

    @property
    def share(self) -> float | None:
        """SD removed over the SD of the noise; None where no noise was found."""
        return self.removed / self.noise if self.noise > 0 else None

    @property
    def word(self) -> str:
        """One of `NOISE_REMOVED`, `LEFT`, `ANATOMY_REMOVED` and `CHANGES_REMOVED`."""
        if self.anatomy > _MOST_ANATOMY[self.anatomy_from] and self.anatomy_sd > _LEAST * self.noise:
            return ANATOMY_REMOVED
        if self.tsnr is not None and self.tsnr.after > _NOTHING_CHANGES * self.tsnr.before:
            return CHANGES_REMOVED
        return NOISE_REMOVED if self.removed > _LEAST * self.noise else LEFT

    def lines(self, name: str) -> list[str]:
        """Return the verdict in one to three lines.

        Parameters
        ----------
        name : str
            Of the scan.
        """
        return [f"{name}: {self._numbers()}: {self.word}", *(f"  {remark}" for remark in self.remarks())]

    def remarks(self) -> list[str]:
        """Return the reason where noise was not simply removed, what was measured with a test activation, and the bias that was removed."""
        return [*self._reasons(), *self._activation(), *self._bias()]

    def _reasons(self):
        if self.word == ANATOMY_REMOVED:
            allowed = percent(_MOST_ANATOMY[self.anatomy_from])
            yield f"more than {allowed} of what was removed is anatomy: train longer, or use a network trained on scans like this one."
        elif self.word == LEFT:
            yield f"less than {percent(_LEAST)} of the noise was removed: train longer, or use a network trained on scans like this one."
        elif self.word == CHANGES_REMOVED:
            yield "hardly anything differs between frames any more: activations are gone."
        elif self.share is not None and self.share > _MORE_THAN_NOISE:
            yield "more was removed than the noise: signal may have gone with it."
        rise = self.autocorrelation.after - self.autocorrelation.before if self.autocorrelation else 0.0
        if rise > _SMOOTHED_IN_TIME:
            before, after = self.autocorrelation
            yield f"smoothed in time: the correlation of each frame with the next rose from {before:.2f} to {after:.2f}."

    def _bias(self):
        if self.bias is not None:
            yield f"the bias that noise gives a magnitude image was removed, {_number(self.bias)} in air; `keep_bias` leaves it."

    def _activation(self):
        if self.keep_measured is not None:
            trained = "" if self.keep_trained is None else f", trained for {self.keep_trained:.2f}"
            spread = "" if self.spread is None else f"; {self.spread:.2f} of it spreads to its surroundings"
            yield f"{self.keep_measured:.2f} of a test activation is kept{trained}{spread}."

    def row(self) -> dict:
        """Return all numbers and the word as a flat dict of str to int, float, str or None, for a table."""
        row = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name in ("tsnr", "autocorrelation", "fwhm"):
                value = value or Pair(None, None)
                row |= {f"{field.name}_before": value.before, f"{field.name}_after": value.after}
            else:
                row[field.name] = value
            if field.name == "removed":
                row["share"] = self.share
        return {**row, "verdict": self.word}

    def to_json(self) -> dict:
        """Return `row` with null for what JSON has no word for: infinity and NaN."""
        return {name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in self.row().items()}

    def _numbers(self):
        noise = f"noise SD {_number(self.noise)} ({self.noise_from})" if self.noise > 0 else f"no noise found ({self.noise_from})"
        share = "" if self.share is None else f" = {self.share:.2f} of the noise"
        where = {"frames": "the same in every frame", "edges": "along edges"}[self.anatomy_from]
        least = "at least " if self.anatomy_from == "edges" else ""
        parts = [noise, f"removed SD {_number(self.removed)} in the {self.region}{share}, {least}{percent(self.anatomy)} of it {where}"]
        if self.tsnr is not None:
            parts.append(f"tSNR {_number(self.tsnr.before)} -> {_number(self.tsnr.after)}")
        return "; ".join(parts)


def percent(share):
    """Return a share in percent: 100 %, 12 %, 0.4 %, 0 %."""
    percent = 100 * share
    return f"{percent:.0f} %" if percent >= 9.5 else f"{percent:.1f} %" if percent >= 0.05 else "0 %"


def _number(value):
    """Return a number with three digits, and no exponent unless it is very large or small."""
    return f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"
