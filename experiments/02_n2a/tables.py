"""simulated.csv and real.csv as Markdown, for the READMEs: python -m experiments.02_n2a.tables"""

import pathlib

import numpy as np

from experiments.data import read_rows


def main():
    """Print both tables, means (± SD) over the seeds."""
    here = pathlib.Path(__file__).parent
    _simulated(read_rows(here / "simulated.csv"))
    print()
    _real(read_rows(here / "real.csv"))


def _simulated(rows):
    cases = list(dict.fromkeys((row["noise"], row["moved"]) for row in rows))
    titles = [noise + (", second moved" if moved == "True" else "") for noise, moved in cases]
    print("| method | " + " | ".join(titles) + " | s |\n" + "|---" * (len(cases) + 2) + "|")
    for method in dict.fromkeys(row["method"] for row in rows):
        chosen = [row for row in rows if row["method"] == method]
        cells = [_cell([row for row in chosen if (row["noise"], row["moved"]) == case]) for case in cases]
        print(f"| {method} | " + " | ".join(cells) + f" | {np.median([float(row['seconds']) for row in chosen]):.0f} |")


def _cell(rows):
    values = [float(row["psnr"]) for row in rows]
    spread = f" ± {np.std(values):.2f}" if len(values) > 1 else ""
    return f"{np.mean(values):.2f}{spread} dB ({np.mean([float(row['ssim']) for row in rows]):.3f})" if rows else ""


def _real(rows):
    names = [name for name in rows[0] if name not in ("scan", "seed")]
    scans = list(dict.fromkeys(row["scan"] for row in rows))
    print("| | " + " | ".join(scans) + " |\n" + "|---" * (len(scans) + 1) + "|")
    for name in names:
        values = [[float(row[name]) for row in rows if row["scan"] == scan and row[name]] for scan in scans]
        print(f"| {name} | " + " | ".join(f"{np.mean(v):.3g} ± {np.std(v):.2g}" if v else "" for v in values) + " |")


if __name__ == "__main__":
    main()
