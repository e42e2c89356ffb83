"""What can go wrong with a user's input: typed errors that say what, where, and how to fix it.

Every error of the harness is a `HarnessError`. `experiments.base.command.run` catches that class, prints the message
alone and ends with the error's exit code. Anything else is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar


class HarnessError(Exception):
    """The base of every error that the user can fix.

    Attributes
    ----------
    exit_code : int
        1 where something failed, 2 where the call itself is wrong.
    """

    exit_code: ClassVar[int] = 1


class WrongCall(HarnessError):
    """An unknown word on the command line, or an invalid value."""

    exit_code = 2


class UnknownName(WrongCall):
    """A name that no registry has; the message shows similar ones."""

    def __init__(self, what: str, name: str, known: Iterable[str], where: str = "") -> None:
        names = sorted(set(known))
        super().__init__(f"there is no {what} {name!r}{where}. {near(name, names)}")
        self.near = _near(name, names)

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions are rebuilt from `args`, which holds the finished message here.
        return HarnessError.__new__, (type(self), *self.args), self.__dict__


class SettingInvalid(WrongCall, ValueError):
    """A setting outside the values it may have."""


class DatasetMissing(HarnessError):
    """A file of a dataset is in none of the folders that were searched."""


class DatasetCorrupt(HarnessError):
    """A file is not the published one: truncated, altered, unreadable."""


class DatasetInvalid(HarnessError, ValueError):
    """Unusable content: wrong columns, NaN, a target without variance, too few rows."""


class FetchFailed(HarnessError):
    """A download did not yield the published file."""


class BadConfig(WrongCall):
    """A configuration value out of its range."""


def near(name: str, known: Iterable[str]) -> str:
    """Say which known names are near to one that is not known, or which there are.

    Examples
    --------
    >>> near("pcaa", ["pca", "dae"])
    'Did you mean pca?'
    >>> near("x", ["pca", "dae"])
    'There are dae, pca.'
    """
    names = sorted(set(known))
    found = _near(name, names)
    return f"Did you mean {' or '.join(found)}?" if found else f"There are {', '.join(names)}."


def plain_name(key: str, name: str) -> str:
    """A name that files and folders may have: it leads nowhere else.

    Raises
    ------
    BadConfig
        For any other.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][\w.+-]*", name):
        raise BadConfig(
            f"{key} must be a plain name, since files are named after it: letters, digits, _ and -. Got '{name}'"
        )
    return name


def _near(name: str, names: list[str]) -> list[str]:
    return get_close_matches(str(name), names, n=3, cutoff=0.5)
