"""A result and what was done to get it, as one page that needs nothing else: no network, no scripts."""

import html
import pathlib
import typing

import numpy as np

from keras_mri.report.charts import Curve, chart, number
from keras_mri.report.pictures import bar, picture
from keras_mri.report.views import View

_STYLE = pathlib.Path(__file__).with_name("report.css")
# Share of the voxels of a view that its colour scale covers; the rest is drawn in its last colour.
_COVERED = 99.7
_CAUTION = "A denoiser can remove what is real and a generative network can add what is not: for research, not for diagnosis."
_READING = (
    "Numbers are of the foreground: voxels brighter than 20 % of the 95th percentile. Spectra are of the whole field of view. Where only "
    "white noise was removed, the histogram is normal and the spectrum of what was removed is flat; anatomy that went with it shows in the "
    "difference above and at low frequencies."
)
_TITLES = {"before": "before", "after": "after", "removed": "before − after"}


class Facts(typing.NamedTuple):
    """What a report tells besides the images.

    Parameters
    ----------
    title, lead : str
        The page's heading and the line below it.
    seconds : float
        What restoring and writing took.
    memory : int or None
        The most that the process has held, bytes.
    warnings, messages : list of str
        What the user was told meanwhile.
    fields : list of keras_mri.io.header_comparison.Field or None
        None where the input has no NIfTI header.
    tables : dict of str to dict of str to str
        Names and values, by heading.
    card : str or None
        The text of the network's model card.
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


def render(comparison, facts):
    """Write the page.

    Parameters
    ----------
    comparison : keras_mri.report.comparison.Comparison
        Of a result that has been computed to its end.
    facts : Facts

    Returns
    -------
    str
        HTML; everything in it that is not ours is escaped.
    """
    stability = comparison.stability()
    parts = [
        f"<h1>{html.escape(facts.title)}</h1>",
        f'<p class="lead">{html.escape(facts.lead)}</p>',
        _warnings(facts.warnings, comparison.n_nonfinite),
        _tiles(comparison, stability, facts),
        _views(comparison),
        _residual(comparison),
        _stability(stability),
        _headers(facts.fields),
        _tables(facts),
        f"<footer>{_CAUTION}</footer>",
    ]
    # Nothing may be fetched, whatever slipped in.
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(facts.title)}</title>\n<style>\n{_STYLE.read_text(encoding='utf-8')}</style>\n</head>\n"
        "<body>\n<main>\n" + "\n".join(part for part in parts if part) + "\n</main>\n</body>\n</html>\n"
    )


def _warnings(warnings, n_nonfinite):
    if n_nonfinite:
        warnings = [*warnings, f"The result has NaN or infinity in {n_nonfinite:,} voxels; this page counts them as 0."]
    if not warnings:
        return ""
    return _section("Warnings", "<ul>" + "".join(f"<li>{html.escape(warning)}</li>" for warning in warnings) + "</ul>", "warnings")


def _tiles(comparison, stability, facts):
    """Return the numbers that come first."""
    sigma, removed = comparison.sigma(), comparison.residual.deviation
    tiles = [
        ("noise SD, estimated", _change(sigma["before"], sigma["after"]), "image units"),
        ("SD of the difference", number(removed), "image units"),
    ]
    if stability:
        before, after = stability["before"], stability["after"]
        gain = f"median, × {number(after['tsnr'] / before['tsnr'])}" if before["tsnr"] else "median"
        tiles.append(("temporal SNR", _change(before["tsnr"], after["tsnr"]), gain))
        tiles.append(("smoothness (FWHM)", _change(before["fwhm"], after["fwhm"]), "mm, of the change between frames"))
    tiles.append(("time", _clock(facts.seconds), "restoring and writing"))
    tiles.append(("peak memory", _size(facts.memory), "of the whole process"))
    return '<dl class="tiles">' + "".join(f"<div><dt>{n}</dt><dd>{v} <small>{u}</small></dd></div>" for n, v, u in tiles) + "</dl>"


def _views(comparison):
    views = comparison.views()
    shown = np.concatenate([view.image.ravel() for view in views["before"].values()])
    low = 0.0 if shown.min() >= 0 else float(np.percentile(shown, 100 - _COVERED))
    high = float(np.percentile(shown, _COVERED))
    high = high if high > low else low + 1
    removed = np.concatenate([view.image.ravel() for view in views["removed"].values()])
    limit = float(np.percentile(np.abs(removed), _COVERED)) or float(np.abs(removed).max()) or (high - low) / 100
    scales = {"before": (low, high, "grey"), "after": (low, high, "grey"), "removed": (-limit, limit, "difference")}
    bars = _bar("grey", [number(low), "image units", number(high)], wide=True) + _bar(
        "difference", [number(-limit), "0", f"+{number(limit)}"]
    )
    notes = [f"Colours of the difference span {number((high - low) / (2 * limit))} times fewer units than the greys."]
    if comparison.after.n_frames > 1:
        notes.insert(0, f"Frame {comparison.shown} of 0 to {comparison.after.n_frames - 1}.")
    if comparison.regridded:
        notes.append("The result has other voxels: the difference is to the input brought to them in k-space.")
    return _section("Before and after", _panels(views, scales, _TITLES) + f'<p class="note">{" ".join(notes)}</p>', bars=bars)


def _residual(comparison):
    residual, sigma = comparison.residual, comparison.sigma()["before"]
    edges, density = residual.central()
    centres = (edges[:-1] + edges[1:]) / 2
    curves = [Curve("before − after", centres, density, "area")]
    if sigma > 0:
        # The normal distribution of the noise, cut where the histogram is.
        x = np.linspace(edges[0], edges[-1], 200)
        curves.append(Curve("normal, SD as estimated before", x, np.exp(-((x / sigma) ** 2) / 2) / (sigma * np.sqrt(2 * np.pi)), "normal"))
    lines = [Curve(_TITLES[name], *pair, name) for name, pair in comparison.spectra().items()]
    if sigma > 0:
        x = lines[0].x[[0, -1]]
        lines.append(Curve("white noise of that SD", x, np.full(2, sigma**2), "normal"))
    histogram = chart(curves if residual.deviation or residual.mean else [], "before − after (image units)", "density")
    spectrum = chart(lines, "spatial frequency (cycles/mm)", "power (image units²)", log=True)
    note = f"Mean {number(residual.mean)}, SD {number(residual.deviation)}. {_READING}"
    return _section("The difference", f'<div class="charts">{histogram}{spectrum}</div><p class="note">{note}</p>')


def _stability(stability):
    if not stability:
        return ""
    views = {name: stability[name]["views"] for name in ("before", "after")}
    inside = np.concatenate([view.image[view.image > 0] for view in views["after"].values()])
    inside = inside[np.isfinite(inside)]
    high = float(np.percentile(inside, 99)) if len(inside) else 1.0
    views["gain"] = {plane: _log_ratio(views["before"][plane], views["after"][plane]) for plane in views["after"]}
    spread = np.concatenate([np.abs(view.image.ravel()) for view in views["gain"].values()])
    limit = max(0.25, float(np.percentile(spread, 99)))
    scales = {"before": (0, high, "heat"), "after": (0, high, "heat"), "gain": (-limit, limit, "difference")}
    bars = _bar("heat", ["0", "mean / SD over time", number(high)], wide=True)
    bars += _bar("difference", [f"÷ {number(2**limit, 2)}", "1", f"× {number(2**limit, 2)}"])
    titles = {"before": "before", "after": "after", "gain": "after / before"}
    note = "Smoothing in space or time raises the temporal SNR too: read it together with the smoothness, and with what was removed."
    return _section("Temporal SNR", _panels(views, scales, titles) + f'<p class="note">{note}</p>', bars=bars)


def _log_ratio(before, after):
    """Return the view of log2(after / before); 0, no change, where either has no finite value above 0."""
    known = (before.image > 0) & (after.image > 0) & np.isfinite(before.image) & np.isfinite(after.image)
    ratio = np.divide(after.image, before.image, out=np.ones(after.image.shape), where=known)
    return View(np.log2(ratio), after.size, after.sides)


def _headers(fields):
    if fields is None:
        return _section("Header", "<p>The input is no NIfTI file: the result's header was made from its grid.</p>")
    equal = [field for field in fields if field.equal]
    changed = [field for field in fields if not field.equal]
    unexplained = [field for field in changed if not field.why]
    verdict = f'<span class="good">{len(equal)} of {len(fields)} fields are equal</span>'
    if changed:
        verdict += (
            ", and each change has a reason."
            if not unexplained
            else f', <span class="bad">{len(unexplained)} changed without a reason.</span>'
        )
    body = f"<p>{verdict}</p>"
    if changed:
        rows = [(field.name, field.before, field.after, field.why or "unexpected: please report it") for field in changed]
        body += _table(rows, ("field", "input", "result", "why"))
    if equal:
        rows = [(field.name, field.after) for field in equal]
        body += f"<details><summary>Fields that are equal</summary>{_table(rows)}</details>"
    return _section("Header", body)


def _tables(facts):
    first, *others = facts.tables.items()
    body = _table(first[1].items())
    for title, rows in others:
        body += f"<details><summary>{html.escape(title)}</summary>{_table(rows.items())}</details>"
    if facts.messages:
        body += f"<details><summary>Messages</summary><pre>{html.escape(chr(10).join(facts.messages))}</pre></details>"
    if facts.card:
        body += f"<details><summary>Model card</summary><pre>{html.escape(facts.card)}</pre></details>"
    return _section(first[0], body)


def _section(title, body, kind="", bars=""):
    body = body.replace("<!-- bars -->", bars)
    return f"<section{f' class={kind!r}' if kind else ''}><h2>{html.escape(title)}</h2>{body}</section>"


def _panels(views, scales, titles):
    """Lay out views, dict of name to dict of plane to View, one column a name; all on one scale of millimetres."""
    widest = max(view.size[0] for planes in views.values() for view in planes.values())
    cells = [f"<h3>{titles[name]}</h3>" for name in views]
    for plane in next(iter(views.values())):
        cells += [_slice(views[name][plane], *scales[name], f"{titles[name]}, {plane}", widest) for name in views]
    return f'<div class="panels">{"".join(cells)}<!-- bars --></div>'


def _slice(view, low, high, scale, name, widest):
    width, height = view.size
    style = f"width:{100 * width / widest:.1f}%;aspect-ratio:{width:.4g}/{height:.4g}"
    letters = "".join(f'<span class="{side}">{letter}</span>' for side, letter in zip(("left", "right", "top", "bottom"), view.sides))
    image = f'<img src="{picture(view.image, low, high, scale)}" alt="{name}">'
    return f'<figure class="slice"><div style="{style}">{image}{letters}</div></figure>'


def _bar(scale, labels, wide=False):
    texts = "".join(f"<span>{label}</span>" for label in labels)
    image = f'<img src="{bar(scale)}" alt="scale from {labels[0]} to {labels[-1]}">'
    return f'<div class="bar{" wide" if wide else ""}">{image}<div>{texts}</div></div>'


def _table(rows, head=()):
    """Return a table whose first column names the row; everything is escaped."""
    top = f"<thead><tr>{''.join(f'<th>{html.escape(text)}</th>' for text in head)}</tr></thead>" if head else ""
    lines = (
        f"<tr><th>{html.escape(str(name))}</th>{''.join(f'<td>{html.escape(str(text))}</td>' for text in rest)}</tr>"
        for name, *rest in rows
    )
    return f'<div class="scroll"><table>{top}<tbody>{"".join(lines)}</tbody></table></div>'


def _change(before, after):
    return f"{number(before)} → {number(after)}"


def _clock(seconds):
    if seconds < 100:
        return f"{number(seconds)} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"


def _size(count):
    if count is None:
        return "–"
    return f"{number(count / 2**30)} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
