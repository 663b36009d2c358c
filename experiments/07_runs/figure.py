"""python -m experiments.07_runs.figure RESULTS.csv… -o figure.png: bias against noise, a curve for each method over its own knob."""

import argparse
import csv
import re
import statistics

import matplotlib.pyplot as plt


def points(rows, design):
    """Return, for each method without its knob, its settings with null SD and share of amplitude lost (medians over seeds).

    Parameters
    ----------
    rows : list of dict
        From the benchmark, of one run, level and kind of noise.
    design : {"block", "event"}

    Returns
    -------
    dict of str to list of (str, float, float)
    """
    curves = {}
    for method in dict.fromkeys(row["method"] for row in rows):
        same = [row for row in rows if row["method"] == method]
        name, knob = re.match(r"(.*?),? ?([\d.]*)$", method).groups()
        values = [statistics.median(float(row[f"{column}_{design}"]) for row in same) for column in ("null_sd", "kept_all")]
        curves.setdefault(name, []).append((knob, values[0], 1 - values[1]))
    return curves


def main(arguments=None):
    """Draw; see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m experiments.07_runs.figure", description=__doc__)
    parser.add_argument("results", nargs="+")
    parser.add_argument("--run", default="forrest-bold")
    parser.add_argument("--percent", type=float, default=3.0)
    parser.add_argument("--noise", default="white")
    parser.add_argument("-o", "--output", default="figure.png")
    chosen = parser.parse_args(arguments)
    rows = []
    for path in chosen.results:
        with open(path, newline="") as file:
            rows += [row for row in csv.DictReader(file) if row["run"] == chosen.run and row["noise"] == chosen.noise]
    rows = [row for row in rows if float(row["percent"]) == chosen.percent]
    figure, panels = plt.subplots(1, 2, figsize=(11, 4.6), sharey=True, layout="constrained")
    for panel, design in zip(panels, ("block", "event")):
        for name, curve in points(rows, design).items():
            knobs, noise, bias = zip(*sorted(curve, key=lambda point: point[1]))
            panel.plot(noise, bias, marker="o", label=name)
            for knob, x, y in zip(knobs, noise, bias):
                panel.annotate(knob, (x, y), xytext=(4, 4), textcoords="offset points", fontsize=8)
        panel.set(title=design, xlabel="SD of the amplitude where nothing is active, % of the mean")
        panel.axhline(0, color="0.8", zorder=0)
    panels[0].set_ylabel("share of the amplitude that is lost")
    panels[1].legend(fontsize=8)
    figure.suptitle(f"{chosen.run}, {chosen.percent:g} % of {chosen.noise} noise: down and left is better")
    figure.savefig(chosen.output, dpi=110)


if __name__ == "__main__":
    main()
