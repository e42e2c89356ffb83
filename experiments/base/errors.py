"""What can go wrong with what a user hands over: typed errors that say what, where, and how to mend it.

Every error of the harness is a `HarnessError`; an entry point catches that class, prints the message alone and
ends with exit code 1. Anything else is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches


class HarnessError(Exception):
    """The base of every error that the user can mend."""


class UnknownName(HarnessError):
    """A name that no registry holds; the message shows the near ones."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = get_close_matches(str(name), names, n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(map(repr, near))}?" if near else f"Known: {', '.join(names)}."
        super().__init__(f"there is no {what} {name!r}. {hint}")
        self.near = near

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions are rebuilt from `args`, which holds the finished message here.
        return HarnessError.__new__, (type(self), *self.args), self.__dict__


class SettingInvalid(HarnessError, ValueError):
    """A setting outside the values it may have."""


class DatasetMissing(HarnessError):
    """A file of a dataset is in none of the folders that were searched."""


class DatasetCorrupt(HarnessError):
    """A file is not the published one: truncated, altered, unreadable."""


class DatasetInvalid(HarnessError, ValueError):
    """Content that nothing can be learnt from: wrong columns, NaN, a target without variance, too few rows."""


class FetchFailed(HarnessError):
    """A download did not yield the published file."""


class BadConfig(HarnessError):
    """A configuration value out of its range."""


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
