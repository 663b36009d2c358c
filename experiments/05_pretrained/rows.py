"""Rows of a table that is made over hours: each is written as soon as it is there, and what is there is not made again."""

import csv
import pathlib

from experiments.data import read_rows

# What tells rows apart; the digest of a network's file, too, as a newer one of the same name is another.
_KEYS = ("set", "head", "frame", "noise", "percent", "method", "network")


class Rows:
    """The rows of a CSV file.

    Parameters
    ----------
    path : str or path-like
        Made with the first row.
    columns : sequence of str
    """

    def __init__(self, path, columns):
        self.path, self.columns = pathlib.Path(path), list(columns)
        self._done = {_key(row) for row in read_rows(self.path)} if self.path.exists() else set()

    def __contains__(self, row):
        """Tell whether a row of the same scan, noise and method is there."""
        return _key(row) in self._done

    def add(self, row):
        """Write one row: dict, whose floats are written to five digits."""
        new = not self.path.exists()
        with open(self.path, "a", newline="") as file:
            writer = csv.DictWriter(file, self.columns)
            if new:
                writer.writeheader()
            writer.writerow({name: f"{value:.5g}" if isinstance(value, float) else value for name, value in row.items()})
        self._done.add(_key(row))

    def forget(self, method, digest):
        """Leave out the rows of a method whose network's file was another."""
        if not self.path.exists():
            return
        rows = read_rows(self.path)
        kept = [row for row in rows if row["method"] != method or row["network"] == digest]
        if len(kept) < len(rows):
            with open(self.path, "w", newline="") as file:
                writer = csv.DictWriter(file, self.columns)
                writer.writeheader()
                writer.writerows(kept)
            self._done = {_key(row) for row in kept}


def _key(row):
    return tuple(_plain(row[name]) for name in _KEYS if name in row)


def _plain(value):
    return f"{float(value):g}" if str(value).replace(".", "", 1).isdigit() else str(value)
