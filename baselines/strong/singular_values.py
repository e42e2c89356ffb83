"""Optimal shrinkage of singular values, for a known noise level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from baselines.base import Array
from baselines.strong.levelled import Levelled


class SingularValues(Levelled):
    """Shrink the singular values of the table as is best for the squared error.

    Assumes that the clean columns are linearly dependent: the table has few large singular values. Columns are
    divided by their noise level, so that the noise is alike everywhere. New rows are mapped by what the fitted
    ones taught.

    References
    ----------
    M. Gavish and D. L. Donoho, Optimal shrinkage of singular values, IEEE Trans. Inf. Theory 63 (2017).
    """

    def _learn_noisy(self, frame: Array, level: Array) -> None:
        self._shrinkage = Shrinkage.of(frame / level)

    def _refine_noisy(self, frame: Array, level: Array) -> tuple[Array, dict]:
        return self._shrinkage.apply(frame / level) * level, {"components": self._shrinkage.components}


@dataclass(frozen=True)
class Shrinkage:
    """A linear map of rows: onto the right singular vectors, shrunken, and back.

    Attributes
    ----------
    mean : (d,) array
    matrix : (d, d) array
    components : int
        Singular values that are not 0 after shrinkage.
    """

    mean: Array
    matrix: Array
    components: int

    @classmethod
    def of(cls, rows: Array) -> Self:
        """Learn from rows ``(n, d)`` with noise of level 1."""
        n, d = rows.shape
        mean = rows.mean(axis=0)
        # of n x d or d x n, what is the same, the theory wants the shorter side second
        values, vectors = np.linalg.eigh((rows - mean).T @ (rows - mean))
        observed = np.sqrt(np.maximum(values, 0.0))
        scale = np.sqrt(max(n, d))
        factor = shrink(observed / scale, min(n, d) / max(n, d)) * scale / np.maximum(observed, 1e-300)
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
