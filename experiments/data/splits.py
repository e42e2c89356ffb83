"""Splits, scaling and windows: which rows are for training, in which unit, and what a model sees of a series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from experiments.base.errors import DatasetInvalid, SettingInvalid


@dataclass(frozen=True)
class Split:
    """Indices of the training, validation and test part, ascending."""

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray


def split_rows(
    n: int, kind: str, seed: int | np.random.Generator = 0, groups: np.ndarray | None = None
) -> Split:
    """Split `n` rows 70/10/20: a table by a seeded shuffle, a series by time.

    Parts have floor(.7 n), floor(.1 n) and the remaining rows. With `groups`, (n,), the groups of a table are
    shuffled, and each goes whole into the part in which its middle row comes to lie: parts have about these sizes.

    Raises
    ------
    DatasetInvalid
        If a part would be empty (fewer than ten rows).
    """
    if n < 10:
        raise DatasetInvalid(f"{n} rows cannot be split 70/10/20: at least 10 are needed")
    if kind not in ("tabular", "series"):
        raise SettingInvalid(f"kind must be 'tabular' or 'series', got {kind!r}")
    order = np.arange(n) if kind == "series" else np.random.default_rng(seed).permutation(n)
    train, valid = 7 * n // 10, n // 10
    if groups is not None:
        names, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        shuffled = np.random.default_rng(seed).permutation(len(names))
        middle = np.empty(len(names))
        middle[shuffled] = sizes[shuffled].cumsum() - sizes[shuffled] / 2
        part = np.digitize(middle, [train, train + valid])[group]
        return Split(*(np.flatnonzero(part == i) for i in range(3)))
    parts = np.split(order, [train, train + valid])
    return Split(*(np.sort(part) for part in parts))


@dataclass
class Scaler:
    """Standardise columns; constant ones are only centred.

    Attributes
    ----------
    mean, scale : (c,) arrays
        ``z = (x - mean) / scale``; scale is the standard deviation, 1 for a constant column.
    constant : (c,) bool array
        Columns with one single value in the rows that were fitted.
    """

    mean: np.ndarray = None  # type: ignore[assignment]  # set by fit
    scale: np.ndarray = None  # type: ignore[assignment]
    constant: np.ndarray = None  # type: ignore[assignment]

    def fit(self, X: np.ndarray) -> Self:
        """Learn mean and scale of the columns of `X`, (n, c)."""
        std = X.std(axis=0)
        self.constant = (np.ptp(X, axis=0) == 0) | (std == 0)
        # The mean of equal values need not be that value: rounding would leave a residue.
        self.mean = np.where(self.constant, X[0], X.mean(axis=0))
        self.scale = np.where(self.constant, 1.0, std)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Standardise the rows of `X`, (n, c)."""
        return (X - self.mean) / self.scale

    def inverse(self, Z: np.ndarray) -> np.ndarray:
        """Undo `transform`."""
        return Z * self.scale + self.mean


def window_view(Z: np.ndarray, window: int) -> np.ndarray:
    """View all windows of a series that have a next step, without copying.

    Window ``s`` holds the steps ``s .. s + window - 1``; its target is ``Z[s + window, 0]``, so the windows of
    the targets ``a .. b`` are ``window_view(Z, window)[a - window : b - window + 1]``.

    Parameters
    ----------
    Z : (T, C) array
        The target is channel 0.
    window : int
        Time steps.

    Returns
    -------
    windows : (T - window, window, C) read-only view

    Raises
    ------
    SettingInvalid
        If the window is shorter than one step, or not shorter than the series.
    """
    if window < 1:
        raise SettingInvalid(f"the window must hold at least one time step, got {window}")
    if window >= len(Z):
        raise SettingInvalid(
            f"a window of {window} steps is too long for a series of {len(Z)}: use a shorter one, or more rows"
        )
    return sliding_window_view(Z[:-1], window, axis=0).transpose(0, 2, 1)
