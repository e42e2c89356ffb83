"""What every column of a DataFrame is to the denoiser: refined, an input, or none of its business."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from numbers import Integral, Number
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from denograd.data.arrays import Array

Role = Literal["refined", "held", "categories", "id", "time", "passed"]

LEVELS = 20
"""Most frequent levels of a text column that become inputs; the others are pooled."""

DISTINCT = 0.5
"""A text column with a larger share of distinct values tells nothing."""


@dataclass(frozen=True)
class ColumnRole:
    """What is done with one column.

    Attributes
    ----------
    name : object
    role : {"refined", "held", "categories", "id", "time", "passed"}
        Refined; held: an input that does not move; categories: an input, one-hot; the others are left alone.
    why : str
    inputs : int
        Columns of the matrix that it becomes.
    levels : tuple of str
        Of categories: those that become inputs; one input more pools all others.
    """

    name: Any
    role: Role
    why: str
    inputs: int = 0
    levels: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}: {self.role} ({self.why})"


def find_roles(
    frame: Any, *, named: Collection[Any] | None = None, skip: Sequence[Any] = (), time: Any = None
) -> list[ColumnRole]:
    """Decide what every column is.

    Parameters
    ----------
    frame : DataFrame
    named : collection, optional
        Columns that have a level; the others are held then. By default the columns of floating-point numbers.
    skip : sequence
        Columns to leave alone.
    time : object, optional
        Column that gives the order.

    Raises
    ------
    ValueError
        For names that are no columns, or that hold no numbers.
    """
    for what, names in (("skip", skip), ("time", [] if time is None else [time]), ("sigma", named or ())):
        check_known(what, names, list(frame.columns))
    roles = []
    for place, name in enumerate(frame.columns):
        column = frame.iloc[:, place]
        if time is not None and name == time:
            roles.append(ColumnRole(name, "time", "gives the order"))
        elif name in skip:
            roles.append(ColumnRole(name, "id", "skipped as asked"))
        elif named is not None and name in named:
            if not column.notna().any():
                raise ValueError(f"sigma names column {name!r}, which holds no value at all: leave it out")
            if number_kind(column) is None:
                raise ValueError(f"sigma names column {name!r}, which holds no numbers but {column.dtype}")
            roles.append(ColumnRole(name, "refined", "has a level", 1))
        else:
            roles.append(_role_of(name, column, place, named is not None))
    return roles


def check_known(what: str, names: Collection[Any], columns: list[Any]) -> None:
    """Refuse names that are no columns."""
    for name in names:
        if columns.count(name) > 1:
            raise ValueError(f"{what} names {name!r}, but several columns are named {name!r}: rename them")
        if name not in columns:
            near = difflib.get_close_matches(str(name), [str(c) for c in columns]) or columns[:10]
            raise ValueError(
                f"{what} names columns that the data does not have: {[name]}; near names: "
                f"{', '.join(map(str, near))}"
            )


def number_kind(column: Any) -> str | None:
    """Say which numbers a column holds, also as objects: "b" flags, "i" whole numbers, "f" others; None for none."""
    kind: str = column.dtype.kind
    if kind in "fiub":
        return kind.replace("u", "i")
    if kind != "O" or hasattr(column.dtype, "categories") or str(column.dtype) in ("string", "str"):
        return None
    types = set(map(type, column.dropna()))
    for kinds, found in (((bool, np.bool_), "b"), (Integral, "i"), (Number, "f")):
        if types and all(issubclass(t, kinds) and not issubclass(t, complex) for t in types):
            return found
    return None


def _role_of(name: Any, column: Any, place: int, levels_named: bool) -> ColumnRole:
    kind, rows, numbers = column.dtype.kind, len(column), number_kind(column)
    text = kind == "O" or hasattr(column.dtype, "categories") or str(column.dtype) in ("string", "str")
    known = int(column.notna().sum())
    if not known:
        return ColumnRole(name, "passed", "holds nothing")
    if (
        place == 0
        and rows > 10
        and known == rows
        and kind in "iuO"
        and numbers in ("i", None)
        and column.nunique() == rows
    ):
        return ColumnRole(name, "id", "all distinct, in the first column")
    if numbers == "b":
        return ColumnRole(name, "held", "true or false", 1)
    if numbers == "i":
        return ColumnRole(name, "held", "whole numbers, and no level names it", 1)
    if numbers:
        if levels_named:
            return ColumnRole(name, "held", "no level names it", 1)
        return ColumnRole(name, "refined", "numbers", 1)
    if kind in "mM" or str(column.dtype).startswith("period"):
        return ColumnRole(name, "passed", "spans of time" if kind == "m" else "dates")
    if not text:
        return ColumnRole(name, "passed", f"of type {column.dtype}")
    try:
        distinct = int(column.nunique())
    except TypeError:
        return ColumnRole(name, "passed", "objects that are no text")
    if distinct == 1 and known == rows:
        return ColumnRole(name, "passed", "one value throughout")
    if distinct > DISTINCT * known and distinct > 2:
        return ColumnRole(name, "passed", "text, most of it distinct")
    pooled = f", the {distinct - LEVELS} rarest pooled" if distinct > LEVELS else ""
    levels = tuple(_as_text(column).value_counts().index[:LEVELS])
    return ColumnRole(
        name, "categories", f"text of {distinct} levels{pooled}", min(distinct, LEVELS + 1), levels
    )


@dataclass(frozen=True)
class Matrix:
    """A DataFrame as numbers.

    Attributes
    ----------
    values : (n, m) array
        NaN at gaps.
    owner : (m,) int array
        Position in the frame of the column that an input comes from.
    moves : (m,) bool array
        Columns that are refined.
    """

    values: Array
    owner: NDArray[np.int64]
    moves: NDArray[np.bool_]


def to_matrix(frame: Any, roles: Sequence[ColumnRole]) -> Matrix:
    """Inputs and columns to refine as one matrix."""
    parts, owner, moves = [], [], []
    for place, role in enumerate(roles):
        if not role.inputs:
            continue
        column = frame.iloc[:, place]
        if role.role == "categories":
            part = _one_hot(column, role)
        else:
            part = column.to_numpy(dtype=float, na_value=np.nan)[:, None]
            if np.isinf(part).any():
                row = int(np.flatnonzero(np.isinf(part[:, 0]))[0])
                raise ValueError(
                    f"X holds NaN or infinite values, the first in row {row}, column {role.name!r}: an infinite value "
                    "is no gap; set it to NaN if it stands for one"
                )
        parts.append(part)
        owner += [place] * part.shape[1]
        moves += [role.role == "refined"] * part.shape[1]
    if not parts or not any(moves):
        listed = "; ".join(map(str, roles[:6]))
        raise TypeError(
            "X has no column of floating-point numbers to refine: name whole-number columns in sigma={column: level}, "
            f"or cast them. Its columns are {listed}"
        )
    return Matrix(np.concatenate(parts, 1), np.array(owner), np.array(moves))


def _as_text(column: Any) -> Any:
    return column.astype(str).where(column.notna())


def _one_hot(column: Any, role: ColumnRole) -> Array:
    text = _as_text(column)
    parts = [(text == level).to_numpy(dtype=float, na_value=0.0) for level in role.levels]
    if role.inputs > len(parts):
        parts.append((text.notna() & ~text.isin(role.levels)).to_numpy(dtype=float))
    return np.column_stack(parts)


def from_matrix(frame: Any, values: Array, matrix: Matrix) -> Any:
    """The DataFrame with refined columns replaced: same order, names, index, and types as far as they hold the values.

    Parameters
    ----------
    frame : DataFrame
    values : (n, m) array
        Like `matrix.values`; NaN becomes the column's own missing value.
    matrix : Matrix
    """
    columns = {}
    for j in np.flatnonzero(matrix.moves):
        place = int(matrix.owner[j])
        old = frame.iloc[:, place]
        new = type(old)(values[:, j], index=frame.index, name=old.name)
        if old.dtype.kind == "f":
            new = new.astype(old.dtype)
            if not isinstance(old.dtype, np.dtype):  # nullable: NaN is <NA>
                new = new.mask(np.isnan(values[:, j]))
        elif old.dtype.kind == "O":
            new = new.astype(old.dtype)
        columns[place] = new
    out = frame.copy()
    for place, new in columns.items():
        out.isetitem(place, new)
    return out
