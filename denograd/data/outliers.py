"""Values too far from the rest of their column to be measurements: sentinels, misplaced decimal points."""

from __future__ import annotations

import numpy as np

from denograd.data.arrays import Array

TAIL = 0.05
"""At most this share of a column, at either end, can be far out."""

GAP, FEW, WIDE_GAP = 20.0, 3, 200.0
"""What is far out lies behind a gap of so many widths of the middle nine tenths, if it is one value, said once or
often, or a few; a group of values that differ, a rare level of a column say, only behind a wider gap."""

REACH = 3.0
"""The column proper reaches so many times its own width beyond its least and largest value."""


def far_limits(X: Array) -> tuple[Array, Array]:
    """Lowest and highest value per column that is not far out.

    The values behind the widest gap of a tail are set apart if that gap is wider than `GAP` times the middle of the
    column; what is far out is then told from the width of the rest, so that a column with heavy tails or a trend has
    room. A column whose middle does not vary has no limits.

    Parameters
    ----------
    X : (n, c) array

    Returns
    -------
    low, high : (c,) arrays
    """
    n, c = X.shape
    low, high = np.full(c, -np.inf), np.full(c, np.inf)
    tail = int(TAIL * n)
    ordered = np.sort(X, axis=0)
    middle = ordered[n - 1 - tail] - ordered[tail]
    for j in np.flatnonzero(middle > 0) if tail else ():
        values = ordered[:, j]
        first = _behind_gap(values[: tail + 1], middle[j])
        last = n - _behind_gap(values[: n - 2 - tail : -1], middle[j])
        if last - first < n:
            reach = REACH * (values[last - 1] - values[first])
            low[j], high[j] = values[first] - reach, values[last - 1] + reach
    return low, high


def _behind_gap(tail: Array, middle: float) -> int:
    """How many values at the outer end of a tail, given from there inwards, lie behind a gap."""
    gaps = np.abs(np.diff(tail)) / middle
    for count in (np.flatnonzero(gaps > GAP) + 1)[::-1].tolist():
        if count <= FEW or gaps[count - 1] > WIDE_GAP or len(np.unique(tail[:count])) <= FEW:
            return int(count)
    return 0
