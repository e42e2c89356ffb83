"""Gaps: values with infinite noise, filled from all other values, with the expected error.

Several guesses are made. For a series: a vector autoregression of all columns (`var_smoother`), the same after
removing the season, one of every column by itself, and linear interpolation; for a table: a multivariate
normal (`normal_fill`), with a weak and a strong prior of independent columns; for both, the cross-fitted blind-spot
prediction on the data filled in this way. They are judged where the answer is known: observed values are
hidden in the pattern of the gaps, a few times, and guessed the same way. A column takes the mixture of guesses with
the smallest error there, and the size of these errors calibrates the variance. Values of a series too extreme to be
measurements do not inform their neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from denograd.data.arrays import Array, Kind
from denograd.data.outliers import far_limits
from denograd.map.gaps.guesses import Mask, judge
from denograd.map.gaps.series_ways import SeriesWays
from denograd.map.gaps.table_ways import TableWays

HIDDEN, LEAST_HIDDEN = 0.1, 50
"""At most this share of a column's observed values is hidden at once, and at least so many where there are gaps."""

TRIALS, ENOUGH = 4, 1000
"""Values are hidden so often, unless so many of every column were hidden the first time."""


@dataclass(frozen=True)
class Filled:
    """Data whose gaps are filled.

    Attributes
    ----------
    values : (n, c) array
        Observed values as they were, gaps by their posterior mean.
    variance : (n, c) array
        Expected squared error of a filled value; 0 where a value was observed.
    prediction : (n, c) array or None
        For a series: the prediction of every value from all others, gaps or not. A blind spot on filled data cannot
        give it: gaps beside a value are filled from that value as well.
    rows : RowFiller or None
        For a table: what was learned, for new rows.
    """

    values: Array
    variance: Array
    prediction: Array | None = None
    rows: RowFiller | None = None


@dataclass(frozen=True)
class RowFiller:
    """Fills gaps in rows of a table, by what the fitted rows taught.

    Attributes
    ----------
    ways : TableWays
    weights : (g, c) array
        Of the guesses, per column.
    factor : (c,) array
        Of the first guess's variance.
    center, scale : (c,) arrays
        By which columns are standardised.
    """

    ways: TableWays
    weights: Array
    factor: Array
    center: Array
    scale: Array

    @classmethod
    def of_complete_rows(cls, X: Array) -> Self:
        """Learn from rows (n, c) without a gap."""
        center, scale = _standards(X)
        ways = TableWays.of_complete_rows((X - center) / scale)
        return cls(ways, np.ones((1, X.shape[1])), np.ones(X.shape[1]), center, scale)

    def fill(self, X: Array) -> Filled:
        """Fill rows (m, c) that were not fitted, each by itself."""
        missing = np.isnan(X)
        values, variance = X.copy(), np.zeros(X.shape)
        rows = np.flatnonzero(missing.any(1))
        if len(rows):
            gap = missing[rows]
            y = np.where(gap, 0.0, (X[rows] - self.center) / self.scale)
            guesses, spread = self.ways.guess(y, gap)
            mean, error = _mixed(guesses, spread, self.weights, self.factor)
            values[rows] = np.where(gap, mean * self.scale + self.center, X[rows])
            variance[rows] = np.where(gap, error * self.scale**2, 0.0)
        return Filled(values, variance)


def fill_gaps(X: Array, sigma: Array, kind: Kind, *, seed: int = 0) -> Filled:
    """Fill the gaps of a table or a series.

    Parameters
    ----------
    X : (n, c) array
        NaN at gaps; in any units.
    sigma : (c,) array
        Noise of the observed values, where it is known; NaN where not.
    kind : {"tabular", "series"}
    seed : int

    Returns
    -------
    Filled
    """
    missing = np.isnan(X)
    if not missing.any():
        return Filled(X.copy(), np.zeros(X.shape))
    count = (~missing).sum(0)
    if (count == 0).any():
        raise ValueError(f"column {int(np.argmin(count))} holds no value at all: leave it out")
    # what is no measurement tells nothing of its neighbours in time; a far row of a table may be as far in all columns
    far = _far_out(X, missing) if kind == "series" else np.zeros_like(missing)
    known = np.where(far, np.nan, X)
    center, scale = _standards(known)
    unknown = missing | far
    y = np.where(unknown, 0.0, (X - center) / scale)
    noise = (np.asarray(sigma, float) / scale) ** 2
    rng = np.random.default_rng(seed)
    learned: SeriesWays | TableWays
    learned = SeriesWays(y, unknown, noise, seed) if kind == "series" else TableWays.fit(y, unknown, seed)
    trials = []
    for hidden in _hide(missing, far, kind, rng):
        judged = learned
        if isinstance(learned, TableWays):
            # its correlations are many: what is hidden must not have taught them
            judged = TableWays.fit(y, unknown | hidden, seed, like=learned)
        trials.append((hidden, *judged.guess(y, unknown | hidden, len(y))))
    weights, factor = judge(y, trials, np.nan_to_num(noise), kind)
    mean, error = _mixed(*learned.guess(y, unknown, len(y)), weights, factor)
    values = np.where(missing, mean * scale + center, X)
    variance = np.where(missing, error * scale**2, 0.0)
    if isinstance(learned, TableWays):
        return Filled(values, variance, rows=RowFiller(learned, weights, factor, center, scale))
    return Filled(values, variance, learned.predict(y, unknown) * scale + center)


def _standards(X: Array) -> tuple[Array, Array]:
    """Centre and scale of every column, NaN left out."""
    scale = np.nanstd(X, 0)
    return np.nanmean(X, 0), np.where(scale > 0, scale, 1.0)


def _mixed(guesses: Array, spread: Array, weights: Array, factor: Array) -> tuple[Array, Array]:
    """Mean and expected squared error of every value."""
    mean: Array = np.einsum("gnc,gc->nc", guesses, weights)
    return mean, np.maximum(spread, 1e-12) * factor


def _far_out(X: Array, missing: Mask) -> Mask:
    """Observed values that are no measurement, a sentinel say; see `denograd.data.outliers`."""
    far = np.zeros_like(missing)
    for j in range(X.shape[1]):
        rows = ~missing[:, j]
        low, high = far_limits(X[rows, j : j + 1])
        far[rows, j] = (low > X[rows, j]) | (high < X[rows, j])
    return far


def _hide(missing: Mask, far: Mask, kind: Kind, rng: np.random.Generator) -> Iterator[Mask]:
    """Observed values in the pattern of the gaps: every column's gaps, moved along by some rows; a few times."""
    n = len(missing)
    columns = np.flatnonzero(missing.any(0))
    for _ in range(TRIALS):
        hidden = np.zeros_like(missing)
        for j in columns:
            wanted = min(max(LEAST_HIDDEN, missing[:, j].sum()), HIDDEN * (~missing[:, j]).sum())
            for _ in range(200):
                moved = np.roll(missing[:, j], rng.integers(1, n)) & ~(missing | far)[:, j]
                room = int(wanted - hidden[:, j].sum())
                if room <= 0:
                    break
                rows = np.flatnonzero(moved)
                start = rng.integers(max(1, len(rows) - room + 1)) if kind == "series" else 0
                hidden[rows[start : start + room], j] = True
        yield hidden
        if hidden[:, columns].sum(0).min() > ENOUGH:
            break
