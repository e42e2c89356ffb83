"""Optimal shrinkage of singular values, for a known noise level."""

from __future__ import annotations

from baselines.base import Array
from baselines.strong.levelled import Levelled
from denograd.map import Shrinkage


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
