"""Multivariate singular spectrum analysis with optimal shrinkage, for a known noise level."""

from __future__ import annotations

import numpy as np

from baselines.base import Array
from baselines.strong.levelled import Levelled
from denograd.map import Shrinkage


class SingularSpectrum(Levelled):
    """Shrink the singular values of the series' trajectory matrix, and average what windows say of a step.

    Assumes that windows of the clean series lie near a linear subspace, as those of trends and oscillations do.

    Parameters
    ----------
    window : int
        Steps of a window.

    References
    ----------
    N. Golyandina and A. Zhigljavsky, Singular Spectrum Analysis for Time Series, 2nd ed., Springer, 2020.
    M. Gavish and D. L. Donoho, Optimal shrinkage of singular values, IEEE Trans. Inf. Theory 63 (2017).
    """

    sequential = True

    def __init__(self, window: int = 8) -> None:
        super().__init__()
        if window < 2:
            raise ValueError(f"SingularSpectrum: window must be at least 2 steps, got {window}")
        self.window = window

    def _learn_noisy(self, frame: Array, level: Array) -> None:
        self._shrinkage = None
        if len(frame) >= 2 * self.window:
            self._shrinkage = Shrinkage.of(windows(frame / level, self.window))

    def _refine_noisy(self, frame: Array, level: Array) -> tuple[Array, dict]:
        if self._shrinkage is None or len(frame) < self.window:  # nothing to learn from, or no window
            return frame, {"components": None}
        shrunken = self._shrinkage.apply(windows(frame / level, self.window))
        refined = average(shrunken.reshape(len(shrunken), self.window, -1))
        return refined * level, {"components": self._shrinkage.components}


def windows(frame: Array, width: int) -> Array:
    """Trajectory matrix: every window of the series as one row; ``(n, c) -> (n - width + 1, width c)``."""
    view = np.lib.stride_tricks.sliding_window_view(frame, width, axis=0)
    return view.transpose(0, 2, 1).reshape(len(view), -1)


def average(values: Array) -> Array:
    """Mean over all windows that cover a step; ``(n_windows, width, c) -> (n_windows + width - 1, c)``."""
    count, width, c = values.shape
    total, covers = np.zeros((count + width - 1, c)), np.zeros((count + width - 1, 1))
    for lag in range(width):
        total[lag : lag + count] += values[:, lag]
        covers[lag : lag + count] += 1
    return total / covers
