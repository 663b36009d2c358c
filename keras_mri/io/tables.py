"""Tables of text: read with columns separated by tabs and a first line of names, written as CSV."""

import csv
import os.path

from keras_mri.errors import InputError
from keras_mri.io.whole_files import replacing


def read_rows(path, expected, missing=None):
    """Read a table.

    Parameters
    ----------
    path : str or path-like
    expected : str
        A description of the table, for the messages.
    missing : str, optional
        The entry for columns that a short line lacks.

    Returns
    -------
    rows : list of dict of str to str
    columns : list of str

    Raises
    ------
    InputError
        If the file is missing, or no text in UTF-8.
    """
    if not os.path.isfile(path):
        raise InputError(f"{path} is not a file. Expected {expected}; check the path.")
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, delimiter="\t", restval=missing)
            return list(reader), list(reader.fieldnames or ())
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a text table. Expected {expected}, in UTF-8, columns separated by tabs.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}. Expected {expected}.") from error


def write_rows(rows, path):
    """Write a table as CSV, atomically; the columns are the names of all rows, in order of their first appearance.

    Parameters
    ----------
    rows : list of dict
    path : pathlib.Path

    Raises
    ------
    InputError
        If the disk is full or writing fails otherwise.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
