"""results.csv and real.csv as Markdown, for the READMEs: python -m experiments.01_wgan_bold.tables"""

import csv
import pathlib

import numpy as np


def main():
    """Print both tables."""
    here = pathlib.Path(__file__).parent
    simulated(here / "results.csv")
    print()
    real(here / "real.csv")


def simulated(path):
    """Print mean PSNR (± SD over the seeds) of each method at each noise level."""
    rows = _read(path)
    percents = sorted({int(row["percent"]) for row in rows})
    print("| method | " + " | ".join(f"p = {p}" for p in percents) + " | CPU s |\n" + "|---" * (len(percents) + 2) + "|")
    for method in dict.fromkeys(row["method"] for row in rows):
        chosen = [row for row in rows if row["method"] == method]
        cells = []
        for percent in percents:
            values = [float(row["psnr"]) for row in chosen if int(row["percent"]) == percent]
            cells.append(f"{np.mean(values):.2f}" + (f" ± {np.std(values):.2f}" if len(values) > 1 else "") if values else "")
        seconds = np.median([float(row["cpu_seconds"]) for row in chosen])
        print(f"| {method}, {chosen[0]['kind']} | " + " | ".join(cells) + f" | {seconds:.2f} |")


def real(path):
    """Print every row of the real run."""
    rows = _read(path)
    names = [name for name in rows[-1] if rows[-1][name] or name in ("method", "seed")]
    print("| " + " | ".join(names) + " |\n" + "|---" * len(names) + "|")
    for row in rows:
        print("| " + " | ".join(row.get(name, "") for name in names) + " |")


def _read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
