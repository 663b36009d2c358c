"""Print the tables of the README: python -m experiments.09_speed.tables"""

import pathlib

from experiments.data import read_rows

_HERE = pathlib.Path(__file__).parent
_COLUMNS = {
    "results.csv": (
        ("case", "case"), ("precision", "precision"), ("backend", "backend"), ("cores", "cores"), ("million voxels", "million voxels"),
        ("first s", "first, s"), ("median s", "then, s"), ("processor s", "processor s"), ("s per million voxels", "s a million voxels"),
        ("frames or volumes per s", "frames or volumes a second"), ("convolutions s", "convolutions alone, s"),
        ("share of the bound", "share of the bound"), ("share, processor time", "share, processor time"), ("peak MB", "peak MB"),
    ),
    "growth.csv": (
        ("growing", "growing"), ("network", "network"), ("shape", "shape"), ("median s", "s"), ("processor s", "processor s"),
        ("off the line", "off the line"), ("peak MB", "peak MB"),
    ),
    "rounding.csv": (
        ("scan", "scan"), ("network", "network"), ("share of the noise", "share of the noise"), ("99.9 % below", "99.9 % of voxels below"),
        ("as auto measured", "as `auto` measured"), ("auto takes", "`auto` takes"),
    ),
    "start.csv": (("process", "process"), ("median wall s", "s"), ("median cpu s", "processor s"), ("runs", "runs")),
}  # fmt: skip


def main():
    """Print one table of each file that is there."""
    for name, columns in _COLUMNS.items():
        if (_HERE / name).exists():
            print(f"\n{name}\n\n| {' | '.join(title for _, title in columns)} |\n{'|---' * len(columns)}|")
            for row in read_rows(_HERE / name):
                print(f"| {' | '.join(_shown(row.get(key) or '') for key, _ in columns)} |")


def _shown(text):
    try:
        value = float(text)
    except ValueError:
        return text
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()
