"""Data in and out: arrays, tensors and DataFrames become float arrays, and results what was handed over."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Kind = Literal["tabular", "series"]
Wrap = Callable[[Array], Any]


def is_frame(data: object) -> bool:
    """Whether `data` is a DataFrame (pandas is not imported for the question)."""
    return hasattr(data, "columns") and hasattr(data, "iloc")


def is_column(data: object) -> bool:
    """Whether `data` is a pandas Series."""
    return hasattr(data, "to_frame") and hasattr(data, "iloc")


def read(data: Any, name: str) -> tuple[Array, Wrap]:
    """Copy `data` into a floating-point array.

    Parameters
    ----------
    data : array, tensor, DataFrame, Series or nested list
    name : str
        What to call it in errors.

    Returns
    -------
    values : array
        A copy; float32 stays float32, all else becomes float64.
    wrap : callable
        Makes of an array of the same shape what was handed over: DataFrames with index, columns and dtypes,
        everything else stays NumPy.

    Raises
    ------
    TypeError
        If values are not floating-point numbers.
    ValueError
        If a value is NaN or infinite.
    """
    wrap: Wrap
    if is_frame(data) or is_column(data):
        values, wrap = _read_frame(data, name)
        names = list(data.columns) if is_frame(data) else None
    else:
        if isinstance(data, torch.Tensor):
            data = data.detach().cpu()
            data = (data.float() if data.dtype in (torch.bfloat16, torch.float16) else data).numpy()
        values, names = np.asarray(data), None
        dtype = values.dtype
        if not np.issubdtype(dtype, np.floating):
            raise TypeError(_not_float(name, str(dtype)))
        values = values.astype(np.float32 if dtype in (np.float16, np.float32) else np.float64)

        def wrap(result: Array) -> Array:
            return result.astype(dtype, copy=False)

    if not values.size:
        raise ValueError(f"{name} is empty, its shape is {values.shape}: there are no rows to refine")
    if not np.isfinite(values).all():
        position = np.argwhere(~np.isfinite(values))[0].tolist()
        where = f"row {position[0]}"
        if len(position) > 1:
            where += f", column {names[position[1]]!r}" if names else f", column {position[1]}"
        raise ValueError(
            f"{name} holds NaN or infinite values, the first in {where}: impute or drop them before"
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

    def wrap(result: Array) -> Any:
        if is_frame(data):
            out = type(data)(result, index=data.index, columns=data.columns)
            for dtype in set(data.dtypes):
                if dtype != result.dtype:
                    out = out.astype(data.dtypes)
                    break
        else:
            out = type(data)(result, index=data.index, name=data.name, dtype=data.dtype)
        return out

    return values, wrap


def read_targets(X: Any, y: Any, target_cols: Any) -> tuple[Any, tuple[int, ...] | None]:
    """Sort out the ways to name a target: values, names of columns of a DataFrame, or column numbers of `X`.

    Returns
    -------
    y : object or None
        What holds the target's values; None if there is no target.
    target_cols : tuple of int or None
        Their columns in `X`; None if the target stands apart.
    """
    named = is_frame(X) and (
        isinstance(y, str) or (isinstance(y, list) and all(isinstance(n, str) for n in y))
    )
    if y is not None and target_cols is not None:
        raise ValueError("give the target either as y or as target_cols (columns of X), not both")
    if isinstance(y, str) and not named:
        raise TypeError(f"y={y!r} names a column, but X is no DataFrame: hand over the values")
    if named:
        names = [y] if isinstance(y, str) else y
        columns = [str(c) for c in X.columns]
        for n in names:
            if n not in columns:
                near = difflib.get_close_matches(n, columns) or columns[:5]
                raise ValueError(
                    f"y names a column {n!r} that X does not have; near names: {', '.join(near)}"
                )
        return X[y], tuple(columns.index(n) for n in names)
    if target_cols is None:
        return y, None
    width = X.shape[1] if hasattr(X, "shape") and len(X.shape) > 1 else np.asarray(X).shape[-1]
    cols = target_cols if isinstance(target_cols, Sequence | np.ndarray | range) else [target_cols]
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
