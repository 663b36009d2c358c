"""What the values of a network's file can be: each function below returns one that tells whether a value, from JSON, can be right."""

_LOW, _HIGH = -1e12, 1e12


def one_of(*choices):
    """Accept the values that are named, of their type.

    Parameters
    ----------
    *choices : str, int, bool or None

    Returns
    -------
    callable
    """
    return lambda value: any(type(value) is type(choice) and value == choice for choice in choices)


def number(low=_LOW, high=_HIGH, whole=False):
    """Accept a finite number in a range, both ends included; `whole` accepts int alone.

    Parameters
    ----------
    low, high : float
    whole : bool

    Returns
    -------
    callable
    """
    kinds = (int,) if whole else (int, float)
    return lambda value: type(value) in kinds and low <= value <= high


def several(check, count=None, rising=False):
    """Accept a list of which each entry is accepted.

    Parameters
    ----------
    check : callable
    count : int, optional
        Its length; any but 0 otherwise.
    rising : bool
        Whether no entry may be below the one before.

    Returns
    -------
    callable
    """

    def accepts(value):
        if not isinstance(value, list) or (len(value) != count if count else not value) or not all(map(check, value)):
            return False
        return not rising or all(first <= second for first, second in zip(value, value[1:]))

    return accepts


def or_none(check):
    """Accept None, which is also what a value that is missing counts as, and what another function accepts.

    Parameters
    ----------
    check : callable

    Returns
    -------
    callable
    """
    return lambda value: value is None or check(value)


def record(**checks):
    """Accept a dict that has these entries, and maybe others.

    Parameters
    ----------
    **checks : callable

    Returns
    -------
    callable
    """
    return lambda value: isinstance(value, dict) and not wrong_values(value, checks)


def wrong_values(values, checks):
    """Return the names, sorted, of what is missing or cannot be right: list of str.

    Parameters
    ----------
    values : dict
    checks : dict of str to callable
    """
    return sorted(name for name, check in checks.items() if not check(values.get(name)))
