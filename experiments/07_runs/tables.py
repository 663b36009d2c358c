"""python -m experiments.07_runs.tables RESULTS.csv: the tables of the README as Markdown, medians over seeds."""

import csv
import statistics
import sys

# Header → columns of the two designs, or one column.
COLUMNS = {
    "PSNR": ("psnr",),
    "mean PSNR": ("mean_psnr",),
    "β kept, radius 3": ("kept_r3_block", "kept_r3_event"),
    "radius 2": ("kept_r2_block", "kept_r2_event"),
    "radius 1": ("kept_r1_block", "kept_r1_event"),
    "sheets": ("kept_sheets_block", "kept_sheets_event"),
    "own course": ("kept_own",),
    "RMSE β, %": ("rmse_block", "rmse_event"),
    "null SD, %": ("null_sd_block", "null_sd_event"),
    "found, radius 3": ("found_r3_block", "found_r3_event"),
    "found, sheets": ("found_sheets_block", "found_sheets_event"),
    "area": ("area_block", "area_event"),
    "spread 1 / 2–3": ("spread_1_block", "spread_2_3_block"),
    "FWHM": ("fwhm",),
    "tSNR": ("tsnr",),
    "t": ("t_block", "t_event"),
    "null SD of t": ("t_null_sd_block", "t_null_sd_event"),
    "lag 1": ("lag_1_in_time",),
}


def line(row):
    """Return one row for the terminal."""
    said = f"{row['run']} p = {row['percent']:g} {row['noise']} seed {row['seed']} {row['method']} ({row['seconds']:.0f} s):"
    return said + "".join(f"  {header} {_cell([row], columns)}" for header, columns in COLUMNS.items())


def markdown(rows):
    """Return a table for each run, noise and level: str."""
    text = []
    for key in dict.fromkeys((row["run"], float(row["percent"]), row["noise"]) for row in rows):
        chosen = [row for row in rows if (row["run"], float(row["percent"]), row["noise"]) == key]
        text += [f"\n**{key[0]}**, p = {key[1]:g}, {key[2]}\n"]
        text += ["| method | seeds | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 2) + "|"]
        for method in dict.fromkeys(row["method"] for row in chosen):
            same = [row for row in chosen if row["method"] == method]
            cells = [_cell(same, columns) for columns in COLUMNS.values()]
            text.append(f"| {method} | {len(same)} | " + " | ".join(cells) + " |")
    return "\n".join(text)


def _cell(rows, columns):
    values = [[float(row[column]) for row in rows if row.get(column) not in (None, "", "nan")] for column in columns]
    return " / ".join(_number(statistics.median(each)) if each else "–" for each in values)


def _number(value):
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.2f}"


if __name__ == "__main__":
    with open(sys.argv[1], newline="") as file:
        print(markdown(list(csv.DictReader(file))))
