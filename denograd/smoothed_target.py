"""A training target without the part that its neighbours in time do not confirm."""

from __future__ import annotations

import difflib
from typing import Any, NamedTuple

import numpy as np

from denograd.data.arrays import Array, Kind, is_column, is_frame, read
from denograd.map.blind_spot import BlindSpot


class SmoothedTarget(NamedTuple):
    """What `smooth_target` returns.

    Attributes
    ----------
    values : (n,) array or Series
        The target's blind-spot prediction; from `valid_from` on, the target as observed.
    r2 : float
        Cross-fitted coefficient of determination over the rows before `valid_from`: how well the other values
        predict the target. Near 0 they do not, and `values` is little more than the target's mean.

    Examples
    --------
    >>> SmoothedTarget(values=[0.1, 0.2], r2=0.9).r2
    0.9
    """

    values: Any
    r2: float


def smooth_target(
    frame: Any,
    target: Any,
    kind: Kind = "series",
    *,
    valid_from: int | None = None,
    seed: int = 0,
    verbose: bool = False,
    **backbone: Any,
) -> SmoothedTarget:
    """Predict the target of every step from all values but itself, as a target to train on.

    The prediction uses the other columns of the step and eight steps on both sides, and is cross-fitted. It has the
    same expectation given the past as the target, but a smaller variance, so a regressor that learns from it has a
    smaller error, whether the data are noisy or clean: the noise and the innovations that nothing else confirms
    are gone (``docs/pays.md``). No noise level is needed.

    Train on it with features and history as observed. Leave the target of validation rows as observed, too:
    early stopping on refined targets stops a network too early.

    Parameters
    ----------
    frame : (n, c) array, tensor or DataFrame, or (n,) array or Series
        The series, all its channels in any units, the target among them; without the rows of a test part.
    target : int or str
        Column of the target: its name, or its number.
    kind : {"series", "tabular"}
        On a table the prediction uses only the row's other columns. A regressor can compute that itself,
        so it is worth trying only as a version for `denograd.ChosenTarget`.
    valid_from : int, optional
        First row that is not for training: nothing is learnt from the rows from here on; they only serve as the
        future of the rows before. By default all rows are for training.
    seed : int
        Of the backbone's training.
    verbose : bool
        Show progress where stderr is a terminal.
    **backbone
        Parameters of `denograd.BlindSpot`: context, folds, hidden, epochs, device.

    Returns
    -------
    SmoothedTarget
        ``(values, r2)``.

    Raises
    ------
    TypeError
        If values are not floating-point numbers.
    ValueError
        For NaN, a target that is not there, is there twice or does not vary, or too few rows.

    Examples
    --------
    >>> import numpy as np
    >>> t = np.arange(600)
    >>> clean = np.column_stack([np.sin(t / 9), np.cos(t / 5)])
    >>> noisy = clean + 0.3 * np.random.default_rng(0).normal(size=clean.shape)
    >>> values, r2 = smooth_target(noisy, target=0)
    >>> bool(((values - clean[:, 0]) ** 2).mean() < 0.3 * 0.3**2), bool(r2 > 0.7)
    (True, True)
    """
    values, _ = read(frame, "frame")
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2:
        raise ValueError(f"frame must have shape (rows, columns), got {values.shape}")
    column = _column(frame, values, target)
    n = len(values)
    end = n if valid_from is None else valid_from
    if not isinstance(end, int | np.integer) or isinstance(end, bool) or not 0 < end <= n:
        raise ValueError(
            f"valid_from must be a row number from 1 to {n}, or None for all, got {valid_from!r}"
        )
    observed = values[:end, column].astype(float)
    if np.ptp(observed) == 0:
        raise ValueError(f"the target {target!r} has one single value in the rows to train on: {observed[0]}")

    blind = BlindSpot(kind, verbose=verbose, **backbone).fit(values[:end], seed=seed)
    # predicted with the rows after `end` as their future; `prediction_` would know an end of the series there
    found = blind.predict(values, fitted_rows=int(end))[:end, column]
    r2 = 1.0 - float(((found - observed) ** 2).mean() / observed.var())
    smoothed = values[:, column].copy()
    smoothed[:end] = found
    return SmoothedTarget(_as_given(frame, smoothed, column), r2)


def _column(frame: Any, values: Array, target: Any) -> int:
    """Find the target's number by its name or its number."""
    names = list(frame.columns) if is_frame(frame) else [frame.name] if is_column(frame) else []
    one = isinstance(target, tuple) or np.ndim(target) == 0  # a tuple names a column of a MultiIndex
    found = [column for column, name in enumerate(names) if one and name == target]
    if len(found) > 1:
        raise ValueError(f"frame has {len(found)} columns {target!r}: give the target's number")
    if found:
        return found[0]
    if isinstance(target, str) and names:
        near = difflib.get_close_matches(target, [str(name) for name in names]) or names[:5]
        raise ValueError(f"frame has no column {target!r}; near names: {', '.join(map(str, near))}")
    width = values.shape[1]
    if not isinstance(target, int | np.integer) or isinstance(target, bool) or not -width <= target < width:
        raise ValueError(
            f"target must be the number of one of the {width} columns, 0 to {width - 1}"
            f"{', or its name' if names else ''}, got {repr(target) if one else f'a {type(target).__name__}'}"
        )
    column: int = int(target) % width
    return column


def _as_given(frame: Any, values: Array, column: int) -> Any:
    """Give a Series for a DataFrame or a Series, with its index, name and type; else an array."""
    if not (is_frame(frame) or is_column(frame)):
        return values
    like = frame.iloc[:, column] if is_frame(frame) else frame
    return type(like)(values, index=like.index, name=like.name, dtype=like.dtype)
