"""A polars DataFrame as one of pandas, and refined columns back in one of polars; neither is imported by this room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from denograd.data.arrays import Array


def is_polars(data: object) -> bool:
    """Whether `data` is a polars DataFrame (polars is not imported for the question)."""
    return type(data).__module__.partition(".")[0] == "polars" and hasattr(data, "with_columns")


def is_polars_column(data: object) -> bool:
    """Whether `data` is a polars Series."""
    return (
        type(data).__module__.partition(".")[0] == "polars"
        and hasattr(data, "to_numpy")
        and not is_polars(data)
    )


def as_pandas(frame: Any) -> Any:
    """Make a pandas DataFrame of the same columns, without a detour over Arrow.

    Raises
    ------
    TypeError
        For a frame whose values are not there yet.
    """
    import pandas as pd

    if not hasattr(frame, "to_dict"):
        raise TypeError(
            f"X is a {type(frame).__name__}, whose values are not there yet: X.collect() gives them"
        )
    return pd.DataFrame({name: _as_pandas_column(frame[name], pd) for name in frame.columns})


def _as_pandas_column(column: Any, pd: Any) -> Any:
    kind, gaps = column.dtype, column.null_count() > 0
    if kind.is_float() or kind.is_temporal() or (not gaps and (kind.is_integer() or str(kind) == "Boolean")):
        return column.to_numpy()  # NaN and NaT where it is null
    if kind.is_integer():
        return pd.array(column.to_list(), dtype="Int64" if kind.is_signed_integer() else "UInt64")
    if kind.is_decimal():
        return column.cast(float).to_numpy()
    return pd.Series(column.to_list(), dtype="boolean" if str(kind) == "Boolean" else object)


def with_refined(frame: Any, refined: Mapping[str, Array]) -> Any:
    """The polars frame with some columns replaced: same order, names, and types where these hold fractions.

    Parameters
    ----------
    frame : polars DataFrame
    refined : mapping
        Values of a column, (n,); NaN is null where the frame has null.
    """
    columns = []
    for name, values in refined.items():
        old = frame[name]
        new = type(old)(name, values)
        if old.dtype.is_float() or old.dtype.is_decimal():
            new = new.cast(old.dtype)
        null = old.is_null().to_numpy() & np.isnan(values)
        if null.any():
            new = new.zip_with(type(old)(~null), type(old)(name, [None] * len(old), dtype=new.dtype))
        columns.append(new)
    return frame.with_columns(columns)
