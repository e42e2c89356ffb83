"""The posterior mean of every value, by the closed form that the fitted rows support (`solver="auto"`).

Candidates are the step that follows from the density of a column's values (`support`), the correction that the whole
row suggests (`row_net`), and the step onto a linear subspace (`subspace`); their weights, column by column, minimise
Stein's estimate of the error (`aggregate`). Everything is cross-fitted: a fitted row is refined by parts that did not
learn from it, a new row by parts learnt from all fitted ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np

from denograd.data.arrays import Array, near_power_of_two
from denograd.map.blind_spot import BlindSpot
from denograd.map.candidates.aggregate import FITTED, aggregate
from denograd.map.candidates.density import Support
from denograd.map.candidates.mixture import flattery
from denograd.map.candidates.row_net import RowNet
from denograd.map.candidates.subspace import WINDOW, Subspace
from denograd.map.candidates.support import fit_support

MOST_FILLED = 0.25
"""Of a series with a larger share of filled values the subspace is left out, of a table with a larger share of rows
with gaps also the net: they read what was filled from the very value that they answer, so Stein's estimate takes its
own noise for signal."""

FEWEST = 40
"""A column with fewer values that have noise is held: too few to learn from."""


class Posterior:
    """What is learnt from the fitted rows about their values, given the noise level.

    Parameters
    ----------
    seed : int
        Of folds and nets.
    verbose : bool
        Show progress where stderr is a terminal.

    Attributes
    ----------
    step_ : (n, c) array
        Displacement of the fitted rows, in the data's units.
    error_ : (c,) array
        Stein's estimate of the remaining mean squared error, or its standard error where that is larger.
    unclear_ : (c,) bool array
        Where it is: the remaining error cannot be told from 0.
    too_few_ : (c,) bool array
        Columns that are held since fewer than `FEWEST` of their values have noise.
    weights_ : (k, c) array
        Of the candidates, `names_`; all 0 where a column is held.
    """

    names_ = ("support", "row net", "subspace")

    def __init__(self, *, seed: int = 0, verbose: bool = False) -> None:
        self.seed = seed
        self.verbose = verbose

    def fit(self, blind: BlindSpot, sigma: Array, *, advance: Callable[[], None] | None = None) -> Self:
        """Learn from the rows that `blind` was fitted on.

        Parameters
        ----------
        blind : BlindSpot
            Fitted.
        sigma : (c,) or (n, c) array
            Noise levels in the data's units; a value with 0 is held.
        advance : callable, optional
            Called after every column.
        """
        self._blind = blind
        self._unit = near_power_of_two(blind.scale_)  # densities are computed in float32
        X = blind.observed_
        sigma = np.where(blind.constant_ | blind.outliers_, 0.0, np.broadcast_to(sigma, X.shape))
        given, noisy = sigma.copy(), (sigma > 0).sum(0)
        self.too_few_ = (noisy > 0) & (noisy < FEWEST)
        sigma[:, self.too_few_] = 0.0
        own = self._fit_supports(X, sigma, advance)
        self._net = RowNet(seed=self.seed, device=blind.device, verbose=self.verbose)
        self._subspace = Subspace()
        candidates = [own]
        if (sigma > 0).any():
            if blind.kind == "series" or blind.filled_ <= MOST_FILLED:
                self._net.fit(blind.standardised(X), sigma / blind.scale_, own[0], blind.fold_)
                candidates.append((self._net.correction_, self._net.divergence_))
            self._size = np.sqrt((sigma**2).mean(0))
            self._subspace.fit(self._without_outliers(X), self._size, blind.fold_, blind.kind)
            if blind.filled_ <= MOST_FILLED:
                candidates.append((self._in_levels(self._subspace.step_, sigma), self._subspace.slope_))
        # a held value has no step, whatever the candidates would do with it
        here = sigma > 0
        steps, slopes = (
            [np.where(here, part, 0.0) for part in parts] for parts in zip(*candidates, strict=True)
        )
        weights = aggregate(steps, slopes)
        step = sum(w * s for w, s in zip(weights, steps, strict=True))
        slope = sum(w * s for w, s in zip(weights, slopes, strict=True))
        self.weights_ = np.zeros((len(self.names_), X.shape[1]))
        self.weights_[: len(weights)] = weights
        self.step_ = sigma * step
        price = FITTED * flattery(len(X)) * (self.weights_ != 0).any(0)
        terms = given**2 * (1 + step**2 + 2 * slope) + price * sigma**2
        estimate, doubt = terms.mean(0), terms.std(0) / len(X) ** 0.5
        self.unclear_ = (estimate < doubt) & (self.weights_ != 0).any(0)
        self.error_ = np.maximum(estimate, np.where(self.unclear_, doubt, 0.0))
        return self

    def step(self, X: Array, prediction: Array, sigma: Array, first: int = 0) -> Array:
        """Displacement of new rows; on a table each row's depends on that row alone.

        Parameters
        ----------
        X, prediction : (m, c) arrays
            Rows and what the blind spot says of them, in the data's units.
        sigma : (c,) or (m, c) array
        first : int
            The rows from here on are new; what leads them, of a series, is their past.

        Returns
        -------
        (m - first, c) array
        """
        held = (self.weights_ == 0).all(0) | (self._blind.low_ > X) | (self._blind.high_ < X)
        sigma = np.where(held, 0.0, np.broadcast_to(sigma, X.shape))[first:]
        past = X[max(first - WINDOW + 1, 0) : first]
        X, prediction = X[first:], prediction[first:]
        total = np.zeros(X.shape)
        for j, support in enumerate(self._supports):
            rows = np.flatnonzero(sigma[:, j] > 0)
            if support is None or not len(rows):
                continue
            unit = self._unit[j]
            y, level = X[rows, j] / unit, sigma[rows, j] / unit
            answers = support.answer(y, prediction[rows, j] / unit, level, self._blind.kind)
            total[rows, j] = self.weights_[0, j] * (answers.mean - y) / level
        if self.weights_[1].any():
            total += self.weights_[1] * self._net.predict(self._blind.standardised(X))
        if self.weights_[2].any():
            step = self._subspace.predict(self._without_outliers(np.concatenate([past, X])))[len(past) :]
            total += self.weights_[2] * self._in_levels(step, sigma)
        return sigma * total

    def _fit_supports(
        self, X: Array, sigma: Array, advance: Callable[[], None] | None
    ) -> tuple[Array, Array]:
        """Step and slope of every column's density, in noise levels; 0 where it does not clearly gain."""
        step, slope = (np.zeros(X.shape, dtype=np.float32) for _ in range(2))
        self._supports: list[Support | None] = [None] * X.shape[1]
        for j in range(X.shape[1]):
            rows = np.flatnonzero(sigma[:, j] > 0)
            if len(rows):
                unit = self._unit[j]
                y, level = X[rows, j] / unit, sigma[rows, j] / unit
                guess = y + self._blind.residual_[rows, j] / unit
                fit = fit_support(y, guess, level, self._blind.kind, seed=self.seed)
                if -fit.change.mean() > fit.change.std() / len(rows) ** 0.5:
                    self._supports[j] = fit.support
                    step[rows, j] = (fit.answers.mean - y) / level
                    slope[rows, j] = fit.answers.variance / level**2 - 1
            if advance is not None:
                advance()
        return step, slope

    def _in_levels(self, step: Array, sigma: Array) -> Array:
        """Turn a step in the columns' mean levels into the values' own."""
        own: Array = step * self._size / np.where(sigma > 0, sigma, np.inf)
        return own

    def _without_outliers(self, X: Array) -> Array:
        """The column's centre in place of what is far out."""
        far = (self._blind.low_ > X) | (self._blind.high_ < X)
        return np.where(far, self._blind.center_, X)
