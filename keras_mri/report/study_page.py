"""Pages that gather those of single scans: of a subject, with all its scans, and of a study, with a row for each."""

import typing

import jinja2

from keras_mri.imaging.verdict import NOISE_REMOVED
from keras_mri.report.charts import number


class Entry(typing.NamedTuple):
    """One scan of a study.

    Parameters
    ----------
    subject : str
        For example sub-01.
    name : str
        Path of the derivative in its folder, or, if that failed, of the scan in the study.
    made : dict
        What the side-car of the derivative records of its making: `verdict`, `warnings`, `network`; or `failed`, the reason.
    body : str or None
        From `body_of`.
    """

    subject: str
    name: str
    made: dict
    body: str | None


def body_of(page):
    """Return what a page of one scan shows, without its head and footer.

    Parameters
    ----------
    page : str
        HTML, from `keras_mri.report.page.render`.

    Returns
    -------
    str or None
        HTML; None if the text is no such page.
    """
    _, begin, rest = page.partition("<main>")
    body, end, _ = rest.partition("<footer>")
    return body if begin and end else None


def render(title, entries, remarks=(), pages=None):
    """Write the page of a subject, or, with `pages`, the index of a study.

    Parameters
    ----------
    title : str
    entries : list of Entry
    remarks : sequence of str
    pages : set of str, optional
        The subjects that have a page.

    Returns
    -------
    str
        HTML.
    """
    template = jinja2.Environment(
        loader=jinja2.PackageLoader("keras_mri.report", "."), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    ).get_template("study.html")
    rows = [_row(place, entry, pages) for place, entry in enumerate(entries)]
    return template.render(title=title, rows=rows, remarks=list(remarks), index=pages is not None)


def _row(place, entry, pages):
    """Return what the table and the page show of one scan: dict."""
    anchor = f"scan-{place}" if pages is None else f"{entry.subject}.html" if entry.subject in pages else None
    verdict = entry.made.get("verdict")
    verdict = verdict if isinstance(verdict, dict) else {}
    failed = entry.made.get("failed")
    word = "failed" if failed else verdict.get("verdict", "no verdict")
    warnings = entry.made.get("warnings")
    return {
        "name": entry.name,
        "subject": entry.subject,
        "link": f"#{anchor}" if pages is None else anchor,
        "anchor": anchor,
        "word": word,
        "kind": "good" if word == NOISE_REMOVED else "bad" if failed or verdict else "",
        "noise": _number(verdict.get("noise")),
        "removed": _number(verdict.get("removed")),
        "share": _share(verdict),
        "network": str(entry.made.get("network", "–")),
        "remarks": [failed] if failed else [str(text) for text in warnings] if isinstance(warnings, list) else [],
        "failed": bool(failed),
        "body": entry.body,
    }


def _share(verdict):
    noise, removed = verdict.get("noise"), verdict.get("removed")
    known = isinstance(noise, (int, float)) and isinstance(removed, (int, float)) and noise > 0
    return f"{removed / noise:.2f}" if known else "–"


def _number(value):
    return number(value) if isinstance(value, (int, float)) else "–"
