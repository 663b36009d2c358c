"""The figure of head_tables: what real noise loses, and what drawn noise loses, by method."""

import matplotlib
import numpy as np

from . import head_tables

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402

_KINDS = ("white", "zero-filled .65", "partial Fourier .75", "smoothed", "growing", "rician")
_LEFT_OUT = ("input", "DIPY NLM", "BM4D, √(m² − σ²)")


def draw(real, simulated, path):
    """Draw bars: the share of the possible gain of each set, and dB above the input at 5 % of each kind, mean and SD over heads."""
    methods = [m for m in dict.fromkeys(row["method"] for row in [*real, *simulated]) if m not in _LEFT_OUT]
    colours = dict(zip(methods, plt.get_cmap("tab10").colors))
    figure, panels = plt.subplots(1, 3, figsize=(16, 4.6), layout="constrained", width_ratios=(1, 1.2, 1.2))
    sets = list(dict.fromkeys(row["set"] for row in real))
    mine = {m: [[row for row in real if (row["method"], row["set"]) == (m, name)] for name in sets] for m in methods}
    shares = {m: [(head_tables.share_of_set(rows), 0) if rows else None for rows in found] for m, found in mine.items()}
    _bars(panels[0], shares, sets, colours)
    panels[0].set(title="real noise", ylabel="share of the possible gain", ylim=(min(0, panels[0].get_ylim()[0]), 1))
    for panel, group in zip(panels[1:], ("T1w", "EPI")):
        rows = [row for row in simulated if row["group"] == group]
        _bars(panel, {method: [_gain(rows, method, kind) for kind in _KINDS] for method in methods}, _KINDS, colours)
        panel.set(title=f"{group}, noise of 5 %", ylabel="PSNR above the input's, dB")
    for panel in panels:
        panel.axhline(0, color="black", linewidth=0.8)
        panel.grid(axis="y", alpha=0.3)
    handles = [plt.Rectangle((0, 0), 1, 1, color=colours[method]) for method in methods]
    figure.legend(handles, methods, loc="outside lower center", ncols=len(methods), fontsize=8)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _gain(rows, method, kind):
    values = head_tables.difference(rows, method, "input", (kind, 5.0))
    return (values.mean(), values.std()) if len(values) else None


def _bars(panel, heights, labels, colours):
    """Draw groups of bars; a method without any result takes no room."""
    shown = {method: found for method, found in heights.items() if any(found)}
    width = 0.8 / max(1, len(shown))
    for number, (method, found) in enumerate(shown.items()):
        places = np.arange(len(labels)) + (number - (len(shown) - 1) / 2) * width
        for place, value in zip(places, found):
            if value:
                panel.bar(place, value[0], width, yerr=value[1] or None, color=colours[method], error_kw=dict(linewidth=0.7))
    panel.set_xticks(range(len(labels)), labels, rotation=25, ha="right", fontsize=8)
