"""Read tables of text with columns separated by tabs and a first line of names."""

import csv
import os.path

from keras_mri.errors import InputError


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
