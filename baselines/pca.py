"""Reconstruction from the leading principal components."""

from __future__ import annotations

import numpy as np

from baselines.base import Array, Problem, Settings
from baselines.frame import FrameDenoiser


class PCA(FrameDenoiser):
    """Project the rows onto the leading principal components and back.

    Assumes that the clean columns are linearly dependent and the noise is small and alike in all columns.
    Both settings are the same: the published form has no defect.

    Parameters
    ----------
    settings : {"paper", "sound"}
    variance : float
        Share of the variance that the components must explain; the fewest that do are kept.
    components : int or "cv", optional
        Their number instead; "cv": the number under which held-out rows are most likely (5 folds) in the
        model of probabilistic PCA.

    References
    ----------
    I. T. Jolliffe, Principal Component Analysis, 2nd ed., Springer, 2002.
    M. E. Tipping and C. M. Bishop, Probabilistic principal component analysis, J. R. Stat. Soc. B 61 (1999).
    """

    uses = ("sklearn",)

    def __init__(
        self, settings: Settings = "paper", variance: float = 0.95, components: int | str | None = None
    ) -> None:
        super().__init__(settings)
        if not 0 < variance < 1:
            raise ValueError(f"PCA: variance is a share between 0 and 1, got {variance}")
        if not (components is None or components == "cv" or (isinstance(components, int) and components > 0)):
            raise ValueError(f"PCA: components must be a positive number, 'cv' or None, got {components!r}")
        self.variance = variance
        self.components = components

    def _learn(self, frame: Array, seed: int, problem: Problem) -> None:
        from sklearn.decomposition import PCA as Components

        if np.ptp(frame, axis=0).max() == 0:  # no variance to explain
            self._mean, self._axes = frame[0].copy(), np.empty((0, frame.shape[1]))
            return
        wanted: float | int = self.variance
        if self.components == "cv":
            wanted = likeliest_components(frame, seed)
        elif self.components is not None:
            wanted = min(int(self.components), *frame.shape)
        fitted = Components(n_components=wanted, svd_solver="full").fit(frame)
        self._mean, self._axes = fitted.mean_, fitted.components_

    def _refine(self, frame: Array, causal: bool) -> tuple[Array, dict]:
        refined = (frame - self._mean) @ self._axes.T @ self._axes + self._mean
        return refined, {"components": len(self._axes)}


def likeliest_components(frame: Array, seed: int, folds: int = 5) -> int:
    """Number of components under which held-out rows are most likely.

    With the eigenvalues l_1 >= l_2 >= ... of the covariance and s^2 the mean of those beyond k, the model of
    k components has the covariance of the data, except that the directions beyond k share s^2.

    Parameters
    ----------
    frame : (n, d) array
    seed : int
        Of the assignment of rows to folds.
    folds : int

    Returns
    -------
    k : int, from 1 to d - 1 (1 for a single column)
    """
    n, d = frame.shape
    fold = np.random.default_rng(seed).permutation(n) % min(folds, n)
    score = np.zeros(max(d - 1, 1))
    for part in range(fold.max() + 1):
        train, held = frame[fold != part], frame[fold == part]
        if len(train) < 2 or d == 1:
            continue
        score += held_out_likelihood(train, held)
    return int(score.argmax()) + 1


def held_out_likelihood(train: Array, held: Array) -> Array:
    """Log-likelihood of the rows `held` under probabilistic PCA of `train`, shape (d - 1,): k = 1..d-1."""
    d = train.shape[1]
    values, vectors = np.linalg.eigh(np.cov(train, rowvar=False))
    values = np.maximum(values[::-1], 1e-12 * max(values[-1], 1e-300))
    square = (((held - train.mean(axis=0)) @ vectors[:, ::-1]) ** 2).mean(axis=0)
    k = np.arange(1, d)
    rest = (values.sum() - np.cumsum(values)[:-1]) / (d - k)
    inside = np.cumsum(np.log(values) + square / values)[:-1]
    outside = (d - k) * np.log(rest) + (square.sum() - np.cumsum(square)[:-1]) / rest
    return -0.5 * len(held) * (d * np.log(2 * np.pi) + inside + outside)
