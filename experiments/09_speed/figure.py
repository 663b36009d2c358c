"""Seconds a million voxels, and growth: python -m experiments.09_speed.figure, writes figure.png"""

import pathlib

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

from experiments.data import read_rows  # noqa: E402

_HERE = pathlib.Path(__file__).parent
_OURS, _OTHERS = "#1f6f8b", "#c06c3a"


def main():
    """Draw the rows of results.csv as bars, growth.csv as lines."""
    figure, (bars, growth) = plt.subplots(1, 2, figsize=(11, 4.6), width_ratios=(3, 2), layout="constrained")
    _bars(bars, [row for row in read_rows(_HERE / "results.csv") if row.get("s per million voxels")])
    _growth(growth, read_rows(_HERE / "growth.csv"))
    figure.savefig(_HERE / "figure.png", dpi=110)


def _bars(axes, rows):
    names = [
        ", ".join(filter(None, (row["case"], row["precision"], row["backend"] if row["backend"] != "tensorflow" else ""))) for row in rows
    ]
    seconds = [float(row["s per million voxels"]) for row in rows]
    axes.barh(names, seconds, color=[_OURS if row["backend"] else _OTHERS for row in rows])
    for place, value in enumerate(seconds):
        axes.text(value, place, f" {value:.3g}", va="center", fontsize=7)
    axes.set(xscale="log", xlabel="seconds a million voxels (and frames)", title="Side by side")
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=7)
    axes.margins(x=0.15)
    axes.spines[["top", "right"]].set_visible(False)


def _growth(axes, rows):
    for kind in dict.fromkeys(row["growing"] for row in rows):
        those = [row for row in rows if row["growing"] == kind]
        first = float(those[0]["processor s"])
        axes.plot([int(row["times"]) for row in those], [float(row["processor s"]) / first for row in those], "o-", label=kind)
    axes.plot([1, 8], [1, 8], "--", color="grey", linewidth=1, label="in proportion")
    axes.set(xscale="log", yscale="log", xticks=(1, 2, 4, 8), xticklabels=(1, 2, 4, 8), yticks=(1, 2, 4, 8), yticklabels=(1, 2, 4, 8))
    axes.set(xlabel="times as many", ylabel="times as long", title="Growth")
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main()
