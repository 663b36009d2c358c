"""Tables and figures of the benchmark's rows beside this file: python -m experiments.05_pretrained.tables

bold.csv and t1w.csv hold what `experiments.denoising_benchmark` wrote, of several calls one below the other: filters take hours.
"""

import pathlib

from experiments import denoising_benchmark
from experiments.data import read_rows

_HERE = pathlib.Path(__file__).parent
_NUMBERS = ("percent", "seed", "psnr", "ssim", "seconds", "cpu_seconds", "peak_mb")


def main():
    """Print the tables as Markdown and draw bold.png and t1w.png."""
    for scan in ("bold", "t1w"):
        rows = [_numbers(row) for row in read_rows(_HERE / f"{scan}.csv")]
        print(denoising_benchmark.markdown(rows, f"{scan}.csv", f"python -m experiments.denoising_benchmark {scan}"))
        denoising_benchmark.draw(rows, _HERE / f"{scan}.png")


def _numbers(row):
    return {name: float(value) if name in _NUMBERS else value for name, value in row.items()}


if __name__ == "__main__":
    main()
