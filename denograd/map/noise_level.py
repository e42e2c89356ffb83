"""The noise level that the rule `map` needs: checked, capped, or estimated by those who must."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from denograd.data.arrays import Array, Kind, is_column
from denograd.map.error_scale import LEAST_SHARE, NORMAL_MEDIAN

DB4 = np.array(
    [
        0.23037781330885523,
        0.7148465705525415,
        0.6308807679295904,
        -0.02798376941698385,
        -0.18703481171888114,
        0.030841381835986965,
        0.032883011666982945,
        -0.010597401784997278,
    ]
)
"""Scaling filter of Daubechies' wavelet with four vanishing moments (Daubechies, 1988)."""


LISTED = 10
"""So many columns' bounds an error lists."""


UNPREDICTED = 0.7
"""A best predicted column that leaves more of its spread than this (half of its variance) says nothing of noise."""


class NoiseLevelMissing(ValueError):
    """The rule `map` was asked for without a noise level, or where none can be estimated.

    Attributes
    ----------
    bound : dict
        What the noise cannot exceed, per column that the backbone predicts.
    """

    def __init__(self, message: str, bound: dict[Any, float] | None = None):
        super().__init__(message)
        self.bound = bound or {}


def by_column(sigma: Any, names: Sequence[Any]) -> Any:
    """Turn levels given by the columns' names into one per column, 0 where a name is missing.

    Parameters
    ----------
    sigma : object
        A mapping or pandas Series; anything else is given back.
    names : sequence

    Raises
    ------
    ValueError
        For a name that is no column's.
    """
    if is_column(sigma):
        sigma = sigma.to_dict()
    if not isinstance(sigma, Mapping):
        return sigma
    unknown = [name for name in sigma if name not in names]
    twice = [name for name in sigma if list(names).count(name) > 1]
    if twice:
        raise ValueError(f"several columns are named {twice[0]!r}: give sigma as one level per column")
    if unknown:
        raise ValueError(
            f"sigma names columns that the data does not have: {unknown}; it has {list(names[:10])}"
        )
    return np.array([float(sigma.get(name, 0.0)) for name in names])


def noise_level(
    sigma: Any,
    data: Array,
    bound: Array,
    outputs: NDArray[np.int64],
    constant: NDArray[np.bool_],
    kind: Kind,
    names: Sequence[Any] | None = None,
    each: str = "one per column",
) -> Array:
    """Check `sigma`, spread it over the columns and cap it by what the backbone's residual allows.

    Parameters
    ----------
    sigma : float, (c,) array_like, mapping, "blind_spot", "wavelet" or None
        In the data's units.
    data : (n, c) array
    bound : (k,) array
        What the noise of every output cannot exceed, see `error_scale.noise_bound`.
    outputs : (k,) int array
        Columns that have a bound.
    constant : (c,) bool array
        Columns without noise, since they never change.
    kind : {"tabular", "series"}
    names : sequence, optional
        What to call the columns; by default their numbers.
    each : str
        How errors ask for a level per column.

    Returns
    -------
    (c,) array

    Raises
    ------
    NoiseLevelMissing
        If `sigma` is None, or "blind_spot" where no column is predicted from the others.
    ValueError
        If it is negative, not finite, of a wrong length, names no column, or is an estimate that this kind of
        data does not allow.
    """
    columns = data.shape[1]
    names = names or range(columns)
    keys = [j if list(names).count(name) > 1 else name for j, name in enumerate(names)]
    bounds = {keys[j]: float(b) for j, b in zip(outputs, bound, strict=True)}
    if sigma is None:
        listed = [f"{name}: {b:.4g}" for name, b in bounds.items()]
        if len(listed) > LISTED:
            listed[LISTED:] = [f"and {len(listed) - LISTED} more, in this error's attribute bound"]
        raise NoiseLevelMissing(
            f"the rule 'map' needs the noise level: sigma, a number or {each}, in the data's units. "
            f"The backbone's residual bounds it from above, per column {{{', '.join(listed)}}}; the truth may be "
            "far below. Give sigma='blind_spot' to take the tightest of these bounds for all columns alike",
            bounds,
        )
    if isinstance(sigma, str):
        level = _estimate(sigma, data, bounds, bound, outputs, constant, kind)
    else:
        level = np.array(by_column(sigma, names), dtype=float)
        if level.ndim > 1 or (level.ndim == 1 and len(level) != columns):
            raise ValueError(f"sigma must be a number or {each} ({columns}), got shape {level.shape}")
        if not np.isfinite(level).all() or (level < 0).any():
            raise ValueError(f"sigma must be finite and not negative, got {sigma}")
        level = np.broadcast_to(level, (columns,)).copy()
    level[constant] = 0.0
    level[outputs] = np.minimum(level[outputs], np.sqrt(1 - LEAST_SHARE) * bound)
    return level


def blind_spot_level(
    data: Array, bound: Array, outputs: NDArray[np.int64], constant: NDArray[np.bool_]
) -> Array:
    """Noise level per column, taken to be the same share of every column's spread.

    The residual of the best predicted column is nearly all noise. Under that one assumption its bound holds
    for all columns, relative to their spread. Where even that column is hardly predicted, the level is NaN.
    """
    spread = data.std(0)
    usable = ~constant[outputs] & (spread[outputs] > 0)
    if not usable.any():
        return np.zeros(data.shape[1])
    share = (bound[usable] / spread[outputs][usable]).min()
    level: Array = share * spread if share <= UNPREDICTED else np.full(data.shape[1], np.nan)
    return level


def wavelet_level(series: Array) -> Array:
    """Median absolute finest wavelet coefficient over 0.6745, per column (Donoho and Johnstone, 1994).

    An upper bound: whatever the series itself does from one step to the next is counted as noise.
    """
    if len(series) < 2 * len(DB4):
        raise ValueError(f"sigma='wavelet' needs at least {2 * len(DB4)} steps, got {len(series)}")
    highpass = DB4[::-1] * (-1.0) ** np.arange(len(DB4))
    windows = np.lib.stride_tricks.sliding_window_view(series, len(DB4), axis=0)
    level: Array = np.median(np.abs(windows @ highpass), 0) / NORMAL_MEDIAN
    return level


def _estimate(
    name: str,
    data: Array,
    bounds: dict[Any, float],
    bound: Array,
    outputs: NDArray[np.int64],
    constant: NDArray[np.bool_],
    kind: Kind,
) -> Array:
    if name == "blind_spot":
        level = blind_spot_level(data, bound, outputs, constant)
        if np.isnan(level).any():
            raise NoiseLevelMissing(
                "sigma='blind_spot' finds no column that the others predict: each keeps more than "
                f"{UNPREDICTED**2:.0%} of its variance, which may be signal as well as noise. Give sigma, a number or "
                "one per column, in the data's units",
                bounds,
            )
        warnings.warn(
            "sigma='blind_spot' takes the noise to be the same share of every column's spread, and its bound for "
            "the noise itself: expect up to 1.7 times the true level",
            UserWarning,
            stacklevel=5,
        )
        return level
    if name != "wavelet":
        raise ValueError(f"sigma must be a number, one per column, 'blind_spot' or 'wavelet', got {name!r}")
    if kind != "series":
        raise ValueError("sigma='wavelet' needs a series: the order of a table's rows means nothing")
    warnings.warn(
        "sigma='wavelet' counts whatever the series does from step to step as noise and may be several times too "
        "high; it is capped by the backbone's residual, yet the result may be worse than the data",
        UserWarning,
        stacklevel=5,
    )
    return wavelet_level(data)
