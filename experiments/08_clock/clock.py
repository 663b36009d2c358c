"""What a user's clock sees of --time-budget: python -m experiments.08_clock.clock [--budgets 1m 5m] [--cases NAME …] [--core 0]

Each training is a process of its own, on one core with --core (Linux). Noted are the seconds from its start to the line "wrote …", and to
its end, beside those that the command's last line of preparation promises.
"""

import argparse
import csv
import datetime
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from experiments.data import FOLDER, forrest_bold, write_rows
from keras_mri.config import parse_duration
from keras_mri.io import nifti_writing

TABLE = pathlib.Path(__file__).with_name("clock.csv")
# Case → system, scans and options; "BOLD30" is 30 frames of forrest-bold, written beside the networks.
CASES = {
    "wgan run": ("wgan", FOLDER / "prisma-mini" / "bold.nii.gz"),
    "wgan run, long": ("wgan", FOLDER / "forrest-bold" / "bold.nii.gz"),
    "wgan volume": ("wgan", "sample"),
    "wgan volume, large": ("wgan", FOLDER / "forrest-t1w" / "T1w.nii.gz"),
    "cnn": ("cnn", "sample"),
    "sr": ("sr", FOLDER / "prisma-mini" / "T1w_2mm_defaced.nii.gz", "--simulate", 2, 2, 1),
    "sr, large": ("sr", FOLDER / "forrest-t1w" / "T1w.nii.gz", "--simulate", 2, 2, 1),
    "n2a": ("n2a", "sample"),
    "n2a, large": ("n2a", FOLDER / "cabi-dti" / "dev_rep1.nii.gz", FOLDER / "cabi-dti" / "dev_rep2.nii.gz"),
    "ldm": ("ldm", "sample"),
    "ldm, 30 frames": ("ldm", "BOLD30"),
}


def main():
    """Train, and write clock.csv: rows of other cases and budgets stay."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--budgets", nargs="+", default=["1m", "5m"])
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--core", type=int)
    chosen = parser.parse_args()
    if chosen.core is not None:
        os.sched_setaffinity(0, {chosen.core})
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        run = forrest_bold()[0]
        nifti_writing.save(run.from_array(run.sample_frames(30), run.affine, run.header, run.name), folder / "bold30.nii.gz")
        for budget in chosen.budgets:
            for case in chosen.cases:
                _keep({"case": case, "budget": budget, **measured(CASES[case], budget, folder)})


def measured(case, budget, folder):
    """Return what one training takes, s: dict of `promised`, `wrote`, `ended`, `over` (%), and the load of the machine before it."""
    system, *words = [folder / "bold30.nii.gz" if word == "BOLD30" else word for word in case]
    options = ["--time-budget", budget, "-o", folder / "network.h5", "--overwrite"]
    command = [sys.executable, "-m", "keras_mri.train", system, *map(str, words), *map(str, options)]
    load, start, noon = os.getloadavg()[0], time.monotonic(), datetime.datetime.now()
    wrote, promised = None, None
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, encoding="utf-8")
    for line in child.stderr:
        found = re.match(r"training until (\d\d):(\d\d):(\d\d)", line)
        if found:
            until = noon.replace(**dict(zip(("hour", "minute", "second"), map(int, found.groups()))), microsecond=0)
            promised = (until - noon).total_seconds() % 86400
        wrote = time.monotonic() - start if line.startswith("wrote ") else wrote
    if child.wait():
        raise subprocess.CalledProcessError(child.returncode, command)
    row = {"promised": promised, "wrote": wrote, "ended": time.monotonic() - start, "over": 100 * (wrote / parse_duration(budget) - 1)}
    return {name: round(value, 1) for name, value in row.items()} | {"load": round(load, 1)}


def _keep(row):
    """Put a row into the table, in the place of the one with the same case and budget."""
    print(row, flush=True)
    before = list(csv.DictReader(TABLE.open(newline=""))) if TABLE.exists() else []
    write_rows(TABLE, [other for other in before if (other["case"], other["budget"]) != (row["case"], row["budget"])] + [row])


if __name__ == "__main__":
    main()
