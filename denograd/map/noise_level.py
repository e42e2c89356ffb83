"""The noise level that the rule `map` needs: checked, capped, or estimated where none is given."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from denograd.data.arrays import Array, Kind, check_level, is_column
from denograd.map.blind_spot import BlindSpot
from denograd.map.error_scale import LEAST_SHARE, NORMAL_MEDIAN
from denograd.map.level import common_level, noise_through, own_levels, possible_level

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


TOO_HIGH = 3.0
"""A given level of so many bounds is in a wrong unit, which is warned of; less is only noted in the evidence."""

ROWS_PROBED = 6000
"""Shorter data are nudged up to three times."""

BOUND_ERROR = 1.2
"""Standard error of a bound, relative, times the root of the rows: that of a median absolute value. A level within it
stays."""

LISTED = 10
"""So many columns' bounds an error lists."""


class NoiseLevelMissing(ValueError):
    """The rule `map` was called without a noise level, or where none can be estimated.

    Attributes
    ----------
    bound : dict
        Upper bound of the noise level, per column that the backbone predicts.

    Examples
    --------
    >>> import numpy as np
    >>> from denograd import denoise
    >>> noisy = np.sin(np.linspace(0, 30, 600)) + 0.2 * np.random.default_rng(0).normal(size=600)
    >>> try:
    ...     denoise(noisy, kind="series")
    ... except NoiseLevelMissing as error:
    ...     print(f"at most {max(error.bound.values()):.1f}")
    at most 0.2
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
    TypeError
        For truth values.
    ValueError
        For a name that is no column's.
    """
    if is_column(sigma):
        sigma = sigma.to_dict()
    check_level(sigma, "sigma")
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


@dataclass(frozen=True)
class NoiseLevel:
    """Noise levels, and where they come from.

    Attributes
    ----------
    sigma : (c,) or (n, c) array
        In the data's units; 0 holds a column, or a value.
    evidence : tuple of str
        Per column, in words.
    """

    sigma: Array
    evidence: tuple[str, ...]


def noise_level(
    sigma: Any,
    data: Array,
    bound: Array,
    outputs: NDArray[np.int64],
    constant: NDArray[np.bool_],
    kind: Kind,
    names: Sequence[Any] | None = None,
    each: str = "one per column",
    *,
    blind: BlindSpot | None = None,
    rows: int = 0,
    rms: Array | None = None,
    least_share: float = LEAST_SHARE,
) -> NoiseLevel:
    """Check `sigma` or estimate it, spread it over the columns and cap it by what the data allow.

    A given level is lowered where a column's own values speak against it; then any level whose noise, in the value and
    in what it is predicted from, is more than the backbone's residual.

    Parameters
    ----------
    sigma : float, (c,) or (rows, c) array_like, mapping, "auto", "common", "wavelet" or None
        In the data's units. "auto": only columns whose own values show the noise have any, see
        `denograd.map.level.own_levels`. "common": the same share of every column's spread, where columns bear each
        other out (`denograd.map.level.common_level`). "wavelet": an upper bound for series.
    data : (n, c) array
        What a level is estimated from; NaN at gaps.
    bound : (k,) array
        Upper bound of the noise level of every output, see `error_scale.noise_bound`.
    outputs : (k,) int array
        Columns that have a bound.
    constant : (c,) bool array
        Columns without noise, since they never change.
    kind : {"tabular", "series"}
    names : sequence, optional
        Names of the columns; by default their numbers.
    each : str
        How errors describe a level per column.
    blind : BlindSpot, optional
        Fitted on `data` (its gaps filled); "common" asks it where no column shows the noise by itself.
    rows : int
        Number of rows that may have their own levels, if the caller supports that.
    rms : (k,) array, optional
        Root mean square of every output's residual: what bounds levels that differ between rows.
    least_share : float
        Share of the residual's variance that is left to the backbone's own error.

    Raises
    ------
    NoiseLevelMissing
        If `sigma` is None, or "common" where columns do not bear each other out.
    ValueError
        If it is negative, not finite, of a wrong shape, names no column, or is an estimate that this kind of
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
            "far below. sigma='auto' touches only columns whose own values show the noise, and holds the others",
            bounds,
        )
    if isinstance(sigma, str):
        level, evidence = _estimate(sigma, data, bounds, kind, blind)
    else:
        level, evidence = _given(by_column(sigma, names), columns, rows, each), ["given"] * columns
    level[..., constant] = 0.0
    possible = level
    if not isinstance(sigma, str):
        _warn_of_cap(level, bound, outputs, names)
        possible = _possible(level, data)
    capped = cap_by_residual(
        possible, bound if rms is None or level.ndim == 1 else rms, outputs, least_share, blind
    )
    for j in range(columns):
        reasons = [
            reason
            for before, after, reason in (
                (level, possible, "the column's own values"),
                (possible, capped, "the residual"),
            )
            if (after[..., j] < before[..., j]).any()
        ]
        if reasons:
            change = f"{_size(level, j):.3g} capped to {_size(capped, j):.3g}"
            evidence[j] += f", {change} by {' and '.join(reasons)}"
    return NoiseLevel(capped, tuple("constant" if c else e for c, e in zip(constant, evidence, strict=True)))


def _possible(level: Array, data: Array) -> Array:
    """Given levels, lowered where the column's own values speak against them; one level per column (or gaps of 0)."""
    lowered = level.copy()
    rows = np.broadcast_to(level[: len(data)] if level.ndim == 2 else level, data.shape)
    noisy = (rows > 0) & np.isfinite(data)
    for j in np.flatnonzero(noisy.any(0)).tolist():
        own = rows[noisy[:, j], j]
        if (own == own[0]).all():
            lowered[..., j] *= possible_level(data[noisy[:, j], j], float(own[0])) / own[0]
    return lowered


def _warn_of_cap(level: Array, bound: Array, outputs: NDArray[np.int64], names: Sequence[Any]) -> None:
    """Say which given levels are far more than the residual allows."""
    asked = per_column(level)[outputs]
    far = np.flatnonzero(asked > TOO_HIGH * bound)
    if not len(far):
        return
    listed = [f"{names[outputs[k]]}: {asked[k]:.4g} (bound {bound[k]:.4g})" for k in far[:LISTED]]
    if len(far) > LISTED:
        listed.append(f"and {len(far) - LISTED} more")
    warnings.warn(
        f"sigma is larger than the noise can be, and was capped, in column {', '.join(listed)}: is it in the data's "
        "units, and a standard deviation?",
        UserWarning,
        stacklevel=5,
    )


def per_column(sigma: Array) -> Array:
    """Root mean square level of every column; ``(c,)`` or ``(n, c) -> (c,)``."""
    return sigma if sigma.ndim == 1 else np.sqrt((sigma**2).mean(0))


def _size(level: Array, j: int) -> float:
    noisy = level[..., j][level[..., j] > 0]
    return float(np.sqrt((noisy**2).mean())) if noisy.size else 0.0


def cap_by_residual(
    level: Array, bound: Array, outputs: NDArray[np.int64], least_share: float, blind: BlindSpot | None
) -> Array:
    """Levels that the residual can hold.

    A residual contains the noise of the value, and what the prediction makes of the noise of its inputs: its variance
    is at least ``sigma^2 + variance through the inputs``. If all levels are too high by a factor, this finds the
    factor; it leaves a level that is right.

    Parameters
    ----------
    level : (c,) or (n, c) array
        In the data's units; the first rows are the fitted ones.
    bound : (k,) array
        Of the noise level of every output, by its residual.
    outputs : (k,) int array
    least_share : float
        Share of the residual's variance that is left to the backbone's own error.
    blind : BlindSpot or None
        Fitted; without it only the noise of the value itself counts.

    Returns
    -------
    array
        Of the shape of `level`.
    """
    capped = _cap(level, bound, outputs, least_share)
    if blind is None:
        return capped
    # a level in a wrong unit says nothing of the other columns
    told = per_column(level)[outputs]
    seen = level.copy()
    seen[..., outputs] = np.where(told > TOO_HIGH * bound, capped[..., outputs], level[..., outputs])
    rows = len(blind.observed_)
    seen = seen[:rows] if level.ndim == 2 else seen
    own = per_column(seen) ** 2
    through = noise_through(blind, seen, probes=min(max(ROWS_PROBED // rows, 1), 3))
    ratio = np.sqrt(np.divide(own, own + through, out=np.ones_like(own), where=own > 0))
    most, size = ratio[outputs] * bound, per_column(capped)[outputs]
    within = size <= most * (1 + BOUND_ERROR / rows**0.5)
    return _cap(capped, np.where(within, size, most), outputs, 0.0)


def _cap(level: Array, bound: Array, outputs: NDArray[np.int64], least_share: float) -> Array:
    """Levels of the predicted columns, no larger than their bound and a share of its square allow."""
    capped = level.copy()
    most = np.sqrt(1 - least_share) * bound
    if level.ndim == 1:
        capped[outputs] = np.minimum(level[outputs], most)
    else:
        size = per_column(level)[outputs]
        capped[:, outputs] *= np.minimum(1.0, most / np.where(size > 0, size, np.inf))
    return capped


def _given(sigma: Any, columns: int, rows: int, each: str) -> Array:
    """A user's levels as a new array, (columns,) or (rows, columns)."""
    level = np.array(sigma, dtype=float)
    shapes: list[tuple[int, ...]] = [(), (columns,)]
    if rows:
        shapes.append((rows, columns))
    if level.shape not in shapes:
        each += f" ({columns})" + (f" or per value {(rows, columns)}" if rows else "")
        raise ValueError(f"sigma must be a number or {each}, got shape {level.shape}")
    wrong = level[~np.isfinite(level) | (level < 0)]
    if wrong.size:
        raise ValueError(f"sigma must be finite and not negative, got {wrong.flat[0]:g}")
    return level if level.ndim == 2 else np.broadcast_to(level, (columns,)).copy()


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
    name: str, data: Array, bounds: dict[Any, float], kind: Kind, blind: BlindSpot | None
) -> tuple[Array, list[str]]:
    """Levels of all columns, and where they come from."""
    columns = data.shape[1]
    if name == "auto":
        own = own_levels(data)
        return own.level.copy(), list(own.evidence)
    if name == "common":
        share, evidence = common_level(blind, np.nanstd(data, 0), own_levels(data))
        if np.isnan(share):
            raise NoiseLevelMissing(
                f"sigma='common' finds no noise level that the columns bear out: {evidence}. Give sigma, a number or "
                "one per column, in the data's units; or sigma='auto', which touches only columns whose own values "
                "show the noise",
                bounds,
            )
        return share * np.nanstd(data, 0), [f"{share:.3g} of the spread: {evidence}"] * columns
    if name != "wavelet":
        raise ValueError(
            f"sigma must be a number, one per column, 'auto', 'common' or 'wavelet', got {name!r}"
        )
    if kind != "series":
        raise ValueError("sigma='wavelet' needs a series: the order of a table's rows means nothing")
    warnings.warn(
        "sigma='wavelet' counts whatever the series does from step to step as noise and may be several times too "
        "high; it is capped by the backbone's residual, yet the result may be worse than the data",
        UserWarning,
        stacklevel=5,
    )
    return wavelet_level(data if blind is None else blind.observed_), ["finest wavelet scale"] * columns
