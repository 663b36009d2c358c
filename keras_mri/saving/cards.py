"""Model cards, the Markdown beside a network's file: their text without the metadata that hubs read."""

import re

# YAML between two lines of three hyphens, at the very beginning.
_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n.*?\r?\n---[ \t]*(?:\r?\n|\Z)\s*", re.DOTALL)


def text_of(card):
    """Read a model card.

    Parameters
    ----------
    card : pathlib.Path

    Returns
    -------
    str or None
        Its text, without metadata; None if there is no such file.
    """
    return body(card.read_text(encoding="utf-8", errors="replace")) if card.is_file() else None


def body(text):
    """Return the text of a card without its metadata, which are YAML at its beginning: str."""
    return _FRONT_MATTER.sub("", text, count=1)
