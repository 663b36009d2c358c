"""The CSV files of this experiment as Markdown, for the READMEs: python -m experiments.04_ldm.tables"""

import csv
import pathlib

FILES = ("autoencoder.csv", "samples.csv", "restoration.csv", "latent_or_voxel.csv")


def main():
    """Print every table that has been measured, and how 50 steps compare with 1000."""
    for name in FILES:
        path = pathlib.Path(__file__).with_name(name)
        if path.exists():
            with open(path, newline="") as file:
                rows = list(csv.DictReader(file))
            print(f"{name}\n")
            print("\n".join(table(rows)) + "\n")
            if name == "samples.csv":
                print("\n".join(fifty_to_a_thousand(rows)) + "\n")


def table(rows):
    """Return the lines of a table: numbers with four digits, a column of numbers only where it has any."""
    names = [name for name in rows[0] if any(row[name] for row in rows)]
    return [
        "| " + " | ".join(name.replace("_", " ") for name in names) + " |",
        "|---" * len(names) + "|",
        *("| " + " | ".join(_short(row[name]) for name in names) + " |" for row in rows),
    ]


def fifty_to_a_thousand(rows):
    """Return lines that say how much faster 50 steps are than 1000, and how much larger their MMD² is."""
    found = {row["what"]: row for row in rows if row["seconds"]}
    lines = []
    for few, many in (
        ("ddpm, 50 steps", "ddpm, 1000 steps"),
        ("dpm-solver, 50 steps", "ddpm, 1000 steps"),
    ):
        if few in found and many in found:
            faster, change = (
                float(found[many]["seconds"]) / float(found[few]["seconds"]),
                float(found[few]["mmd2"]) / float(found[many]["mmd2"]) - 1,
            )
            lines.append(f"* {few} against {many}: {faster:.1f} × faster, MMD² {100 * change:+.1f} %")
    return lines


def _short(value):
    try:
        return value if float(value).is_integer() else f"{float(value):.4g}"
    except ValueError:
        return value


if __name__ == "__main__":
    main()
