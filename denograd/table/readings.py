"""The input as one matrix of numbers at regular steps, and the way back to its own type."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from denograd.data.arrays import Array, Kind, check_level, is_column, is_frame, read
from denograd.data.grid import Grid, find_grid
from denograd.data.time_index import check_index
from denograd.table.polars_frame import as_pandas, is_polars, is_polars_column, with_refined
from denograd.table.roles import ColumnRole, check_known, find_roles, from_matrix, to_matrix


@dataclass(frozen=True)
class Readings:
    """Data ready for the backbone.

    Attributes
    ----------
    matrix : (length, m) array
        Inputs, in the order of time and on the grid where there is one; NaN at gaps.
    moves : (m,) bool array
        Columns that are refined.
    owner : (m,) int array
        Position, in the data, of the column that an input comes from.
    names : list
        Of the data's columns.
    kind : {"tabular", "series"}
    grid : Grid or None
        None where rows stand as they are.
    roles : list of ColumnRole
    wrap, wrap_std : callable
        Give values (n, m), rows in the order of the input, the type of the input; give standard errors the form of a
        DataFrame of the refined columns or an array of that shape.
    """

    matrix: Array
    moves: NDArray[np.bool_]
    owner: NDArray[np.int64]
    names: list[Any]
    kind: Kind
    grid: Grid | None
    roles: list[ColumnRole]
    wrap: Callable[[Array], Any]
    wrap_std: Callable[[Array], Any]

    def rows(self, values: Array) -> Array:
        """Values of the given rows, from those on the grid."""
        return values if self.grid is None else self.grid.gather(values)

    def on_grid(self, level: Array) -> Array:
        """Levels of given rows, as of those on the grid, 0 where none was given; a level per column as it is."""
        return level if level.ndim < 2 or self.grid is None else np.nan_to_num(self.grid.spread(level))

    def by_column(self, values: Array, missing: float = np.nan) -> Array:
        """Spread figures of the inputs (..., m) over the data's columns (..., c), where these are numbers."""
        out = np.full((*values.shape[:-1], len(self.names)), missing)
        number = np.array([self.roles[place].role in ("refined", "held") for place in self.owner])
        out[..., self.owner[number]] = values[..., number]
        return out

    def gaps(self, observed: Array) -> Array:
        """Missing values per column (c,), counted in what `by_column` made of readings; 0 for what holds no numbers."""
        numbers = self.by_column(np.ones(len(self.moves)))
        count: Array = np.where(np.isnan(numbers), 0, np.isnan(observed).sum(0)).astype(int)
        return count

    def level(self, given: Any, what: str = "sigma") -> Any:
        """Levels of the inputs, (m,) or (n, m) in the rows' own order, 0 for what is held; an estimate's name as it is.

        Parameters
        ----------
        given : float, (c,) or (n, c) array_like, DataFrame, mapping or str
            One per column: of all the data's columns, or of those that are refined. A DataFrame or a mapping names its
            columns.
        what : str
            What errors call it.
        """
        if given is None or isinstance(given, str):
            return given
        level = as_numbers(given, self.names, what)
        width, refined = len(self.moves), int(self.moves.sum())
        if level.ndim == 1 and len(self.names) == 1 < len(level):  # one series, and a level for every step
            level = level[:, None]
        if level.ndim == 0:
            return np.where(self.moves, level, 0.0)
        rows = len(self.matrix if self.grid is None else self.grid.order)
        if level.ndim == 2 and len(level) != rows:
            raise ValueError(
                f"{what}: levels per value need as many rows as the data, {rows}, got shape {level.shape}"
            )
        if level.ndim <= 2 and level.shape[-1] == len(self.names):
            level = level[..., self.owner]
        elif level.ndim <= 2 and level.shape[-1] == refined:
            full = np.zeros((*level.shape[:-1], width))
            full[..., self.moves] = level
            level = full
        else:
            raise ValueError(
                f"{what} must be a number or one per column ({len(self.names)}"
                + (f", or {refined} for those that are refined" if refined < len(self.names) else "")
                + f"), got shape {level.shape}"
            )
        return np.where(self.moves, level, 0.0)


def as_numbers(given: Any, names: list[Any], what: str) -> Array:
    """One number for all columns, one per column, or per value: what names its columns, in their order."""
    if is_polars(given):
        given = as_pandas(given)
    if is_column(given):
        given = given.to_dict()
    check_level(given, what)
    if isinstance(given, Mapping):
        check_known(what, given, names)
        given = [_number(given.get(name, 0.0), f"{what} of column {name!r}") for name in names]
    elif is_frame(given) and names != list(range(len(names))) and list(given.columns) != names:
        check_known(what, list(given.columns), names)
        given = given.reindex(columns=names, fill_value=0.0)
    return np.asarray(given, dtype=float)


def _number(value: Any, what: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{what} must be a number, got {value!r}") from None


def same_columns(frame: Any, like: Any, what: str) -> Any:
    """A table with the columns of another, in their order; anything that names no columns is given back as it is.

    Raises
    ------
    ValueError
        Where a column is missing or unknown.
    """
    named = [is_frame(table) or is_polars(table) for table in (frame, like)]
    if not all(named) or list(frame.columns) == list(like.columns):
        return frame
    check_known(what, list(frame.columns), list(like.columns))
    missing = [name for name in like.columns if name not in frame.columns]
    if missing:
        raise ValueError(f"{what} lacks columns that X has: {missing}")
    return frame[list(like.columns)]


def take(
    X: Any,
    *,
    sigma: Any = None,
    kind: Kind | None = None,
    time: Any = None,
    skip: Sequence[Any] = (),
) -> Readings:
    """Read data of any type.

    Parameters
    ----------
    X : array, tensor, DataFrame (of pandas or polars), Series
    sigma : object
        A mapping names the columns that are refined.
    kind : {"tabular", "series"}, optional
        By default a series where a time is known.
    time : object or array_like, optional
        Column of a DataFrame, or one time per row, that gives order and step; by default a DatetimeIndex.
    skip : sequence
        Columns of a DataFrame to leave alone.
    """
    if kind not in (None, "tabular", "series"):
        raise ValueError(f"kind must be 'tabular' or 'series', got {kind!r}")
    if is_polars(X):
        return _take_polars(X, sigma, kind, time, skip)
    if is_frame(X):
        return _take_frame(X, sigma, kind, time, skip)
    if len(skip):
        raise ValueError("skip names columns of a DataFrame; leave columns of an array out before")
    if is_polars_column(X):
        found = take(X.to_numpy(), sigma=sigma, kind=kind, time=time, skip=skip)
        plain = found.wrap
        return replace(found, wrap=lambda values: type(X)(X.name, plain(values)))
    times = None
    if time is not None:
        times = np.asarray(time)
    elif is_column(X):
        times = _index_times(X.index)
    if times is None:
        check_index(X, kind, stacklevel=4)
    kind = _kind(kind, times)
    values, wrap = read(X, "X", gaps=True)
    shape = values.shape
    if values.ndim == 1 and kind == "tabular":
        raise ValueError("X has one dimension: hand over rows and columns, or set kind='series'")
    matrix = values.astype(np.float64).reshape(len(values), -1)
    if values.ndim > 2:
        raise ValueError(f"X must have shape (rows, columns) or, one series, (steps,), got {shape}")
    if isinstance(sigma, Mapping):
        unknown = [name for name in sigma if name not in range(matrix.shape[1])]
        if unknown:
            raise ValueError(
                f"sigma names columns that the data does not have: {unknown}; it has 0 to {matrix.shape[1] - 1}"
            )
    width = matrix.shape[1]
    moves = np.array([not isinstance(sigma, Mapping) or j in sigma for j in range(width)])

    def back(result: Array) -> Any:
        gap = np.isnan(result).reshape(shape)
        out = wrap(np.where(gap, 0.0, result.reshape(shape)).astype(values.dtype))
        if isinstance(X, np.ma.MaskedArray):
            return np.ma.masked_array(out, gap)
        if gap.any():
            out = out.mask(gap) if is_column(out) else np.where(gap, np.nan, out).astype(out.dtype)
        return torch.from_numpy(out).to(X) if isinstance(X, torch.Tensor) else out

    roles = [ColumnRole(j, "refined" if moves[j] else "held", "numbers", 1) for j in range(width)]
    return _on_grid(
        matrix,
        moves,
        np.arange(width),
        list(range(width)),
        kind,
        times,
        roles,
        back,
        lambda std: std.reshape(shape),
    )


def take_rows(X: Any, roles: list[ColumnRole]) -> Readings:
    """Read further rows of a table whose columns are known.

    Parameters
    ----------
    X : DataFrame of pandas
    roles : list of ColumnRole
        What every column is, as the rows before say.
    """
    return _read_frame(X, roles, "tabular", None)


def _take_frame(X: Any, sigma: Any, kind: Kind | None, time: Any, skip: Sequence[Any]) -> Readings:
    if not len(X) or not len(X.columns):
        raise ValueError(f"X is empty, its shape is {X.shape}: there are no rows to refine")
    if is_column(sigma):
        sigma = sigma.to_dict()
    named = isinstance(time, str | tuple) or (time is not None and np.ndim(time) == 0)
    roles = find_roles(
        X, named=list(sigma) if isinstance(sigma, Mapping) else None, skip=skip, time=time if named else None
    )
    times = None
    if named:
        times = _times_of(X[time])
    elif time is not None:
        times = np.asarray(time)
    else:
        times = _index_times(X.index)
    if times is None:
        check_index(X, kind, stacklevel=5)
    return _read_frame(X, roles, _kind(kind, times), times)


def _read_frame(X: Any, roles: list[ColumnRole], kind: Kind, times: Array | None) -> Readings:
    found = to_matrix(X, roles)

    def back(result: Array) -> Any:
        return from_matrix(X, result, found)

    def std(result: Array) -> Any:
        names = [X.columns[place] for place in found.owner[found.moves]]
        return type(X)(result[:, found.moves], index=X.index, columns=names)

    return _on_grid(found.values, found.moves, found.owner, list(X.columns), kind, times, roles, back, std)


def _take_polars(X: Any, sigma: Any, kind: Kind | None, time: Any, skip: Sequence[Any]) -> Readings:
    found = _take_frame(as_pandas(X), sigma, kind, time, skip)
    names = {j: found.names[found.owner[j]] for j in np.flatnonzero(found.moves)}

    def back(result: Array) -> Any:
        return with_refined(X, {name: result[:, j] for j, name in names.items()})

    def std(result: Array) -> Any:
        return type(X)({name: result[:, j] for j, name in names.items()})

    return replace(found, wrap=back, wrap_std=std)


def _kind(kind: Kind | None, times: Any) -> Kind:
    if kind == "tabular" and times is not None:
        return "tabular"
    return kind or ("tabular" if times is None else "series")


def _index_times(index: Any) -> Array | None:
    """The times that an index tells; None where it is none of dates, periods or spans."""
    if hasattr(index, "to_timestamp"):
        index = index.to_timestamp()
    return _times_of(index) if getattr(index.dtype, "kind", "") in "mM" else None


def _times_of(column: Any) -> Array:
    if column.dtype.kind not in "mMifu":
        raise ValueError(
            f"time {column.name!r} holds neither dates nor numbers but {column.dtype}: convert it before, as by "
            f"X[{column.name!r}] = pandas.to_datetime(X[{column.name!r}])"
        )
    if getattr(column.dtype, "tz", None) is not None:
        column = column.tz_convert(None) if not hasattr(column, "dt") else column.dt.tz_convert(None)
    times: Array = (
        column.to_numpy() if column.dtype.kind == "M" else column.to_numpy(dtype=float, na_value=np.nan)
    )
    return times


def _on_grid(
    matrix: Array,
    moves: NDArray[np.bool_],
    owner: NDArray[np.int64],
    names: list[Any],
    kind: Kind,
    times: Array | None,
    roles: list[ColumnRole],
    wrap: Callable[[Array], Any],
    wrap_std: Callable[[Array], Any],
) -> Readings:
    grid = None
    if kind == "series" and times is not None:
        if len(times) != len(matrix):
            raise ValueError(f"time has {len(times)} values, X has {len(matrix)} rows")
        grid = find_grid(times)
        matrix = grid.spread(matrix)
    return Readings(matrix, moves, owner, names, kind, grid, roles, wrap, wrap_std)
