"""The page of a result and its provenance: one self-contained HTML file (no internet access, no JavaScript)."""

import typing

import jinja2
import numpy as np

from keras_mri.imaging.verdict import NOISE_REMOVED, Verdict, percent
from keras_mri.report.charts import Curve, chart, number
from keras_mri.report.pictures import bar, picture
from keras_mri.report.scales import difference_limit, grey_limits
from keras_mri.report.views import View

_TITLES = {"before": "before", "after": "after", "removed": "before − after", "filled": "filled in"}


class Facts(typing.NamedTuple):
    """The text and numbers of a page besides the images.

    Parameters
    ----------
    title, lead : str
        Heading of the page and the line below it.
    seconds : float
        Time taken by restoring and writing.
    memory : int or None
        Peak memory of the process, bytes.
    warnings, messages : list of str
        Warnings and all messages logged meanwhile.
    fields : list of keras_mri.io.header_comparison.Field or None
        None where the input has no NIfTI header.
    tables : dict of str to dict of str to str
        Names and values, by heading.
    card : str or None
        Text of the network's model card.
    verdict : keras_mri.imaging.verdict.Verdict or None
        None where the result cannot be compared with its input.
    """

    title: str
    lead: str
    seconds: float
    memory: int | None
    warnings: list
    messages: list
    fields: list | None
    tables: dict
    card: str | None
    verdict: Verdict | None = None


class Column(typing.NamedTuple):
    """Views below one title: dict of plane to View, with the lowest value, highest value and name of their colour scale."""

    title: str
    views: dict
    scale: tuple


class Bar(typing.NamedTuple):
    """A colour scale with labels from its first to its last colour; a wide one lies below two columns."""

    name: str
    labels: tuple
    wide: bool


class Panels(typing.NamedTuple):
    """Columns of views, all drawn at one scale of millimetres, and the colour scales below them."""

    columns: list
    bars: list

    @property
    def widest(self):
        """Width of the widest view, mm."""
        return max(view.size[0] for column in self.columns for view in column.views.values())


def render(comparison, facts):
    """Write the page.

    Parameters
    ----------
    comparison : keras_mri.report.comparison.Comparison
        Every frame of the result has been added.
    facts : Facts

    Returns
    -------
    str
        HTML.
    """
    template = jinja2.Environment(
        loader=jinja2.PackageLoader("keras_mri.report", "."), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    ).get_template(
        "page.html",
        globals=dict(number=number, change=_change, clock=_clock, size=_size, picture=picture, bar=bar, share=percent, voxels=_voxels),
    )
    if comparison.filled:
        # Statistics of before − after would be of what stood in the gap, which was not measured.
        measured = dict(views=_filled_views(comparison.views()))
        return template.render(comparison=comparison, facts=facts, header=_header(facts.fields), verdict=None, stability=None, **measured)
    views, contrast = _views(comparison.views())
    sigma = comparison.sigma() if facts.verdict is None else {"before": facts.verdict.noise}
    return template.render(
        comparison=comparison,
        facts=facts,
        views=views,
        contrast=contrast,
        sigma=sigma,
        histogram=_histogram(comparison.residual, sigma["before"]),
        spectrum=_spectrum(comparison.spectra(), sigma["before"]),
        stability=_stability(comparison.stability()),
        header=_header(facts.fields),
        verdict=_verdict(facts.verdict),
    )


def _views(views):
    """Return the panels before, after and removed, and the range of the greys over that of the difference's colours."""
    low, high = grey_limits(_values(views["before"]))
    limit = difference_limit(_values(views["removed"]), (high - low) / 100)
    scales = {"before": (low, high, "grey"), "after": (low, high, "grey"), "removed": (-limit, limit, "difference")}
    bars = [
        Bar("grey", (number(low), "image units", number(high)), wide=True),
        Bar("difference", (number(-limit), "0", f"+{number(limit)}"), wide=False),
    ]
    return Panels([Column(_TITLES[name], views[name], scales[name]) for name in views], bars), (high - low) / (2 * limit)


def _filled_views(views):
    """Return the panels before, with the gap marked, after, and the voxels filled in, all on the grey scale of the known voxels."""
    known = _values(views["before"])
    known = known[np.isfinite(known)]
    limits = grey_limits(known if len(known) else _values(views["after"]))
    names = {"before": "marked", "after": "grey", "filled": "grey"}
    bars = [Bar("grey", (number(limits[0]), "image units", number(limits[1])), wide=True)]
    return Panels([Column(_TITLES[name], views[name], (*limits, scale)) for name, scale in names.items()], bars)


def _histogram(residual, sigma):
    edges, density = residual.central()
    curves = [Curve("before − after", (edges[:-1] + edges[1:]) / 2, density, "area")]
    if sigma > 0:
        # The normal distribution of the noise, over the range of the histogram.
        x = np.linspace(edges[0], edges[-1], 200)
        curves.append(Curve("normal, SD as estimated before", x, np.exp(-((x / sigma) ** 2) / 2) / (sigma * np.sqrt(2 * np.pi)), "normal"))
    return chart(curves if residual.deviation or residual.mean else [], "before − after (image units)", "density")


def _spectrum(spectra, sigma):
    curves = [Curve(_TITLES[name], *pair, name) for name, pair in spectra.items()]
    if sigma > 0:
        x = curves[0].x[[0, -1]]
        curves.append(Curve("white noise of that SD", x, np.full(2, sigma**2), "normal"))
    return chart(curves, "spatial frequency (cycles/mm)", "power (image units²)", log=True)


def _stability(stability):
    """Return the numbers and panels of the temporal SNR; None for a volume or a short run."""
    if not stability:
        return None
    before, after = stability["before"], stability["after"]
    ratio = {plane: _log_ratio(before["views"][plane], after["views"][plane]) for plane in after["views"]}
    inside = _values(after["views"])
    inside = inside[(inside > 0) & np.isfinite(inside)]
    high = float(np.percentile(inside, 99)) if len(inside) else 1.0
    limit = max(0.25, float(np.percentile(np.abs(_values(ratio)), 99)))
    columns = [
        Column("before", before["views"], (0, high, "heat")),
        Column("after", after["views"], (0, high, "heat")),
        Column("after / before", ratio, (-limit, limit, "difference")),
    ]
    bars = [
        Bar("heat", ("0", "mean / SD over time", number(high)), wide=True),
        Bar("difference", (f"÷ {number(2**limit, 2)}", "1", f"× {number(2**limit, 2)}"), wide=False),
    ]
    pairs = {name: {"before": before[name], "after": after[name]} for name in ("tsnr", "fwhm")}
    return {**pairs, "gain": after["tsnr"] / before["tsnr"] if before["tsnr"] else None, "panels": Panels(columns, bars)}


def _values(views):
    return np.concatenate([view.image.ravel() for view in views.values()])


def _log_ratio(before, after):
    """Return the view of log2(after / before); 0, no change, where either has no finite value above 0."""
    known = (before.image > 0) & (after.image > 0) & np.isfinite(before.image) & np.isfinite(after.image)
    ratio = np.divide(after.image, before.image, out=np.ones(after.image.shape), where=known)
    return View(np.log2(ratio), after.size, after.sides)


def _header(fields):
    """Return the rows of the two tables of header fields and the number of unexplained changes; None without a header."""
    if fields is None:
        return None
    changed = [field for field in fields if not field.equal]
    return {
        "equal": [(field.name, field.after) for field in fields if field.equal],
        "changed": [(field.name, field.before, field.after, field.why or "unexpected: please report it") for field in changed],
        "unexplained": sum(not field.why for field in changed),
    }


def _verdict(verdict):
    """Return the words, remarks and rows of the verdict; None without one."""
    if verdict is None:
        return None
    where = "the same in every frame" if verdict.anatomy_from == "frames" else "along edges, at least"
    rows = [
        ("noise SD", f"{number(verdict.noise)} image units, from {verdict.noise_from}"),
        ("SD removed", f"{number(verdict.removed)} image units in the {verdict.region}"),
        ("its share of the noise", "–" if verdict.share is None else f"{verdict.share:.2f}"),
        (f"its power {where}", percent(verdict.anatomy)),
    ]
    pairs = {"temporal SNR, trend removed": verdict.tsnr, "lag-1 autocorrelation": verdict.autocorrelation, "FWHM, mm": verdict.fwhm}
    rows += [(name, _change(pair._asdict())) for name, pair in pairs.items() if pair is not None]
    kept = {"trained to keep": verdict.keep_trained, "keeps of a test activation": verdict.keep_measured, "spread of it": verdict.spread}
    rows += [(name, number(value)) for name, value in kept.items() if value is not None]
    good, run = verdict.word == NOISE_REMOVED, verdict.tsnr is not None
    return {"word": verdict.word, "good": good, "run": run, "remarks": verdict.remarks(), "rows": rows}


def _change(pair):
    return f"{number(pair['before'])} → {number(pair['after'])}"


def _voxels(volume):
    return int(np.prod(volume.shape))


def _clock(seconds):
    if seconds < 100:
        return f"{number(seconds)} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"


def _size(count):
    if count is None:
        return "–"
    return f"{number(count / 2**30)} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
