"""Where windows of a series, or rows of a table, lie near a linear subspace: optimal shrinkage of singular values.

On a series' trajectory matrix this is multivariate singular spectrum analysis (Golyandina and Zhigljavsky, 2020), with
the singular values shrunken as is best for the squared error under noise of a known level (Gavish and Donoho, Optimal
shrinkage of singular values, IEEE Trans. Inf. Theory 63, 2017). Cross-fitted, it is a linear map of the data that does
not know their noise, so its divergence is a diagonal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from denograd.data.arrays import Array, Kind

WINDOW = 8
"""Steps of a window of a series."""

WIDEST = 512
"""Values of a window; with more columns it has fewer steps."""

PIECE = 8192
"""Windows that are mapped at once."""


@dataclass(frozen=True)
class Shrinkage:
    """A linear map of rows: onto the right singular vectors, shrunken, and back.

    Attributes
    ----------
    mean : (d,) array
    matrix : (d, d) array
    components : int
        Singular values that are not 0 after shrinkage.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> clean = 3 * rng.normal(size=(200, 1)) @ np.ones((1, 5))
    >>> noisy = clean + rng.normal(size=(200, 5))
    >>> shrinkage = Shrinkage.of(noisy)
    >>> shrinkage.components
    1
    >>> bool(((shrinkage.apply(noisy) - clean) ** 2).mean() < 0.4)
    True
    """

    mean: Array
    matrix: Array
    components: int

    @classmethod
    def of(cls, rows: Array) -> Self:
        """Learn from rows ``(n, d)`` with noise of level 1."""
        mean = rows.mean(axis=0)
        return cls.of_moments(len(rows), mean, (rows - mean).T @ (rows - mean))

    @classmethod
    def of_moments(cls, n: int, mean: Array, gram: Array) -> Self:
        """Learn from the number of rows, their mean, and the products of their centred columns."""
        values, vectors = np.linalg.eigh(gram)
        observed = np.sqrt(np.maximum(values, 0.0))
        # of a matrix and its transpose, what is the same, the theory wants the one with more rows
        short, long = sorted((n, len(mean)))
        shrunken = shrink(observed / long**0.5, short / long) * long**0.5
        factor = shrunken / np.maximum(observed, 1e-300)
        return cls(mean, (vectors * factor) @ vectors.T, int((factor > 0).sum()))

    def apply(self, rows: Array) -> Array:
        """Shrink rows, ``(n, d) -> (n, d)``."""
        return (rows - self.mean) @ self.matrix + self.mean


def shrink(values: Array, aspect: float) -> Array:
    """Optimal singular values for the squared error.

    ``sqrt((y^2 - b - 1)^2 - 4 b) / y`` above ``1 + sqrt(b)``, else 0.

    Parameters
    ----------
    values : array
        Observed singular values over the root of the longer side, for noise of level 1.
    aspect : float
        b, the shorter side over the longer one.
    """
    above = values > 1 + np.sqrt(aspect)
    y = np.where(above, values, 2.0 + aspect)
    return np.where(above, np.sqrt(np.maximum((y**2 - aspect - 1) ** 2 - 4 * aspect, 0.0)) / y, 0.0)


def windows(X: Array, width: int) -> Array:
    """Trajectory matrix, every window of the series one row: ``(n, c) -> (n - width + 1, width c)``."""
    view = np.lib.stride_tricks.sliding_window_view(X, width, axis=0)
    return view.transpose(0, 2, 1).reshape(len(view), -1)


class Subspace:
    """The cross-fitted map of the columns that have noise.

    Attributes
    ----------
    step_, slope_ : (n, c) float32 arrays
        Displacement of the fitted rows and its derivative in the value itself, in noise levels; 0 in columns without.
    """

    def fit(self, X: Array, level: Array, fold: NDArray[np.int64], kind: Kind) -> Self:
        """Learn.

        Parameters
        ----------
        X : (n, c) array
        level : (c,) array
            Noise level of every column, 0 for none.
        fold : (n,) int array
        kind : {"tabular", "series"}
        """
        self._noisy = np.flatnonzero(level > 0)
        self._level = level[self._noisy]
        c = len(self._noisy)
        self._width = 1 if kind == "tabular" else min(max(WIDEST // c, 1), WINDOW)
        folds, d = int(fold.max()) + 1, self._width * c
        whitened = X[:, self._noisy] / self._level
        center = np.tile(whitened.mean(0), self._width)
        counts, sums, grams = np.zeros(folds), np.zeros((folds, d)), np.zeros((folds, d, d))
        for start, rows in self._pieces(whitened):
            rows = rows - center
            # a window is of the fold of the step in its middle
            middle = fold[start + self._width // 2 :][: len(rows)]
            for k in range(folds):
                part = rows[middle == k]
                counts[k] += len(part)
                sums[k] += part.sum(0)
                grams[k] += part.T @ part
        self._maps = []
        for n, s, g in zip(counts.sum() - counts, sums.sum(0) - sums, grams.sum(0) - grams, strict=True):
            mean = s / n
            self._maps.append(Shrinkage.of_moments(int(n), mean + center, g - n * np.outer(mean, mean)))
        self.step_, self.slope_ = (np.zeros(X.shape, dtype=np.float32) for _ in range(2))
        for k, one in enumerate(self._maps):
            mine = np.ix_(np.flatnonzero(fold == k), self._noisy)
            self.step_[mine] = self._map(X, one)[fold == k]
            self.slope_[mine] = one.matrix.diagonal().reshape(self._width, c).mean(0) - 1
        return self

    def predict(self, X: Array) -> Array:
        """Displacement of new rows in noise levels, by the mean of all maps; ``(n, c) -> (n, c)``."""
        out = np.zeros(X.shape)
        if len(X) >= self._width:
            out[:, self._noisy] = np.mean([self._map(X, one) for one in self._maps], 0)
        return out

    def _map(self, X: Array, one: Shrinkage) -> Array:
        """Mean over all windows that cover a step, minus what was observed; noisy columns alone."""
        whitened = X[:, self._noisy] / self._level
        total, covers = np.zeros(whitened.shape), np.zeros((len(X), 1))
        for start, rows in self._pieces(whitened):
            mapped = one.apply(rows).reshape(len(rows), self._width, -1)
            for lag in range(self._width):
                total[start + lag : start + lag + len(rows)] += mapped[:, lag]
                covers[start + lag : start + lag + len(rows)] += 1
        found: Array = total / covers - whitened
        return found

    def _pieces(self, whitened: Array) -> Iterator[tuple[int, Array]]:
        """Windows, and where the first of them starts."""
        for start in range(0, len(whitened) - self._width + 1, PIECE):
            yield start, windows(whitened[start : start + PIECE + self._width - 1], self._width)
