"""What can be wrong with a user's table, and what was changed to read it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class TableError(ValueError):
    """A file that cannot be read as a table.

    Attributes
    ----------
    path : Path
    problem : str
        One word for what is wrong, the same in every release: ``missing``, ``directory``, ``permission``, ``empty``,
        ``binary``, ``format``, ``damaged``, ``nul``, ``encoding``, ``too_large``, ``bomb``, ``too_wide``, ``ragged``,
        ``quotes``, ``duplicates``, ``two_date_formats``, ``no_numbers``, ``no_rows``, ``option``, ``package``.

    Examples
    --------
    >>> from denograd.table import read_table
    >>> try:
    ...     read_table("none.csv")
    ... except TableError as error:
    ...     print(error.problem)
    missing
    """

    def __init__(self, path: Path, problem: str, message: str):
        super().__init__(f"{path}: {message}")
        self.path = path
        self.problem = problem


@dataclass(frozen=True)
class Note:
    """One thing that was found or changed while a table was read.

    Attributes
    ----------
    what : str
        One word for it: ``separator``, ``decimal``, ``encoding``, ``preamble``, ``header``, ``units``, ``missing``, ...
    text : str
        A human-readable sentence.
    column : str or None
        Where it concerns one column.

    Examples
    --------
    >>> print(Note("decimal", "a comma is the decimal sign", column="price"))
    column 'price': a comma is the decimal sign
    """

    what: str
    text: str
    column: str | None = None

    def __str__(self) -> str:
        return self.text if self.column is None else f"column {self.column!r}: {self.text}"
