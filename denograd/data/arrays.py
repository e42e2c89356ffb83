"""Data in and out: arrays, tensors and DataFrames become float arrays, and results get the type of the input."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
"""Array of floating-point numbers, of any shape; what it holds says each docstring."""

Kind = Literal["tabular", "series"]
"""``"tabular"``: rows are samples in any order; ``"series"``: rows are time steps in their order."""

Wrap = Callable[[Array], Any]


def near_power_of_two(size: Any) -> Any:
    """Give the powers of two nearest to positive sizes: a unit that brings values near 1 and changes no digit of them.

    Parameters
    ----------
    size : float or array
        Above 0.

    Returns
    -------
    unit : float or array
        Of the same shape.

    Examples
    --------
    >>> float(near_power_of_two(3e-30)) == 2.0**-98
    True
    """
    return np.exp2(np.rint(np.log2(size)))


def is_frame(data: object) -> bool:
    """Whether `data` is a DataFrame (pandas is not imported for the question)."""
    return hasattr(data, "columns") and hasattr(data, "iloc")


def is_column(data: object) -> bool:
    """Whether `data` is a pandas Series."""
    return hasattr(data, "to_frame") and hasattr(data, "iloc")


def with_gaps(data: Any) -> Any:
    """Make NaN of what a masked array masks, as a plain array; anything else is given back as it is.

    Parameters
    ----------
    data : any
        Of any shape.

    Returns
    -------
    data : any
        Of the same shape; whole numbers with gaps become float64.

    Examples
    --------
    >>> import numpy as np
    >>> with_gaps(np.ma.masked_equal([1.0, -999.0], -999.0))
    array([ 1., nan])
    """
    if not isinstance(data, np.ma.MaskedArray):
        return data
    values = np.array(data.data, dtype=data.dtype if np.issubdtype(data.dtype, np.inexact) else np.float64)
    values[np.ma.getmaskarray(data)] = np.nan
    return values if np.ma.is_masked(data) else data.data


@dataclass(frozen=True)
class Template:
    """The type of the input without its values: gives refined values the same type. Can be pickled.

    Attributes
    ----------
    name : str
        What to call it in errors.
    shape : tuple of int
    dtype : object
        Of an array or Series; None for a DataFrame.
    make : callable or None
        Class of a DataFrame or Series; None gives arrays.
    index, columns, dtypes, label
        Of a DataFrame or Series.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Any = None
    make: Callable[..., Any] | None = None
    index: Any = None
    columns: Any = None
    dtypes: tuple[Any, ...] = ()
    label: Any = None

    def __call__(self, result: Array) -> Any:
        """Make the like of it from `result`, which has as many values.

        Raises
        ------
        FloatingPointError
            If a value is not finite, or does not fit the type that was handed over.
        """
        result = result.reshape(self.shape)
        self._check(result, result.dtype)
        if self.make is None:
            with np.errstate(over="ignore"):
                values = result.astype(self.dtype, copy=False)
            self._check(values, self.dtype)
            return values
        if self.columns is None:
            return self.make(result, index=self.index, name=self.label, dtype=self.dtype)
        # by position: names of columns may come twice
        out = self.make(result, index=self.index)
        if any(dtype != result.dtype for dtype in self.dtypes):
            out = out.astype(dict(enumerate(self.dtypes)))
        out.columns = self.columns
        return out

    def _check(self, values: Array, dtype: Any) -> None:
        if not np.isfinite(values).all():
            count = int((~np.isfinite(values)).sum())
            raise FloatingPointError(
                f"{self.name}: {count} of {values.size} refined values are not finite in {dtype}: the steps are too "
                "large for it; standardise the data, take smaller steps, or hand over float64"
            )


def read(data: Any, name: str, *, gaps: bool = False) -> tuple[Array, Wrap]:
    """Copy `data` into a floating-point array.

    Parameters
    ----------
    data : array, tensor, DataFrame, Series or nested list
    name : str
        What to call it in errors.
    gaps : bool
        Whether NaN stands for a gap and is let through.

    Returns
    -------
    values : array
        A copy; float32 stays float32, all else becomes float64.
    wrap : callable
        Gives an array of the same shape the type of the input: DataFrames with index, columns and dtypes;
        everything else stays NumPy.

    Raises
    ------
    TypeError
        If values are not floating-point numbers.
    ValueError
        If a value is NaN, infinite or masked.
    """
    wrap: Wrap
    names = None
    if is_frame(data) or is_column(data):
        values, wrap = _read_frame(data, name)
        names = list(data.columns) if is_frame(data) else None
    else:
        if isinstance(data, torch.Tensor):
            data = data.detach().cpu()
            data = (data.float() if data.dtype in (torch.bfloat16, torch.float16) else data).numpy()
        check_no_file(data, name)
        values = np.asarray(with_gaps(data))
        dtype = values.dtype
        if not np.issubdtype(dtype, np.floating):
            raise TypeError(_not_float(name, str(dtype)))
        values = values.astype(np.float32 if dtype in (np.float16, np.float32) else np.float64)
        wrap = Template(name, values.shape, dtype)
    if not values.size:
        raise ValueError(f"{name} is empty, its shape is {values.shape}: there are no rows to refine")
    wrong = np.isinf(values) if gaps else ~np.isfinite(values)
    if wrong.any():
        position = np.argwhere(wrong)[0].tolist()
        where = f"row {position[0]}"
        if len(position) > 1:
            where += f", column {names[position[1]]!r}" if names else f", column {position[1]}"
        raise ValueError(
            f"{name} holds NaN, infinite or masked values, the first in {where}: impute or drop them before"
        )
    return values, wrap


def _not_float(what: str, dtype: str) -> str:
    return (
        f"{what} has values of type {dtype}; refined values are real numbers, so it must be floating-point: "
        "cast quantities with .astype(float), encode categories, or leave the column out; a target of classes "
        "cannot be refined"
    )


def _read_frame(data: Any, name: str) -> tuple[Array, Wrap]:
    parts = (
        [(f"{name}, column {c!r},", t) for c, t in data.dtypes.items()]
        if is_frame(data)
        else [(name, data.dtype)]
    )
    for what, dtype in parts:
        if getattr(dtype, "kind", "O") != "f":
            raise TypeError(_not_float(what, str(dtype)))
    small = all(str(dtype).lower() in ("float32", "float16") for _, dtype in parts)
    values = np.array(data.to_numpy(dtype="float32" if small else "float64", na_value=np.nan))
    if is_frame(data):
        dtypes = tuple(dtype for _, dtype in parts)
        wrap = Template(
            name, values.shape, make=type(data), index=data.index, columns=data.columns, dtypes=dtypes
        )
    else:
        wrap = Template(name, values.shape, data.dtype, make=type(data), index=data.index, label=data.name)
    return values, wrap


def check_no_file(data: Any, name: str) -> None:
    """Refuse the name of a file where its values are meant.

    Raises
    ------
    TypeError
        If it is one.
    """
    if isinstance(data, str | os.PathLike):
        raise TypeError(
            f"{name} must hold the values, got {str(data)!r}: read a file before, as by pandas.read_csv, or call "
            "'python -m denograd FILE'"
        )


def check_level(given: Any, what: str) -> None:
    """Refuse truth values where noise levels are meant: as numbers they would be levels of 1 and 0.

    Raises
    ------
    TypeError
        If a level, or all of them, are truth values.
    """
    levels = list(given.values()) if isinstance(given, Mapping) else [given]
    if any(np.asarray(level).dtype == bool for level in levels):
        raise TypeError(
            f"{what} must be a number or one per column, not true or false, got {given!r}; to refine some columns "
            f"alone, name them, as in {what}={{name: 0.1}}"
        )


def read_targets(X: Any, y: Any, target_cols: Any) -> tuple[Any, tuple[int, ...] | None]:
    """Resolve the ways to name a target: values, names of columns of a DataFrame, or column numbers of `X`.

    Returns
    -------
    y : object or None
        The target's values; None if there is no target.
    target_cols : tuple of int or None
        Their columns in `X`; None if the target is separate.
    """
    if y is not None and target_cols is not None:
        raise ValueError("give the target either as y or as target_cols (columns of X), not both")
    names = _names_given(X, y)
    if names is not None:
        found = [_position(X, name) for name in names]
        return (X.iloc[:, found[0]] if names is not y else X.iloc[:, found]), tuple(found)
    if isinstance(y, str):
        raise TypeError(f"y={y!r} names a column, but X is no DataFrame: hand over the values")
    if target_cols is None:
        return y, None
    width = X.shape[1] if hasattr(X, "shape") and len(X.shape) > 1 else np.asarray(X).shape[-1]
    listed = isinstance(target_cols, Sequence | np.ndarray | range) and not isinstance(target_cols, str)
    cols = list(target_cols) if listed else [target_cols]
    if is_frame(X):
        cols = [c if isinstance(c, int | np.integer) else _position(X, c) for c in cols]
    found = [int(c) for c in cols]
    for c in found:
        if not -width <= c < width:
            raise ValueError(f"target_cols holds {c}, but X has {width} columns, 0 to {width - 1}")
    found = [c % width for c in found]
    if not found or len(set(found)) < len(found):
        raise ValueError(f"target_cols must name at least one column, each once, got {target_cols!r}")
    if is_frame(X):
        return X.iloc[:, found], tuple(found)
    return X[:, found] if hasattr(X, "shape") else np.asarray(X)[:, found], tuple(found)


def _names_given(X: Any, y: Any) -> list[Any] | None:
    """The names of columns that `y` consists of, if that is what it is: names may be numbers or tuples."""
    if not is_frame(X) or y is None or hasattr(y, "__array__"):
        return None
    if isinstance(y, list):
        if all(isinstance(name, str) for name in y) and y:
            return y
        known = len(y) != len(X) and bool(y) and all(_hashable(n) and n in X.columns for n in y)
        return y if known else None
    return [y] if _hashable(y) and (isinstance(y, str | int) or y in X.columns) else None


def _position(X: Any, name: Any) -> int:
    """Where the column of that name stands in a DataFrame."""
    columns = list(X.columns)
    found = [i for i, c in enumerate(columns) if type(c) is type(name) and c == name]
    found = found or [i for i, c in enumerate(columns) if c == name]
    if len(found) > 1:
        raise ValueError(
            f"X has {len(found)} columns named {name!r}, numbers {found}: name the one with target_cols=<number>"
        )
    if not found:
        near = difflib.get_close_matches(str(name), [str(c) for c in columns]) or columns[:5]
        raise ValueError(
            f"y names a column {name!r} that X does not have; near names: {', '.join(map(str, near))}"
        )
    return found[0]


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
