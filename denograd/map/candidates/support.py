"""Which values does a column take? Its density, learnt from noisy values (NPMLE deconvolution, g-modelling).

A blind-spot prediction f says where a value z may lie; it does not know that z is 0 or 1, an integer, or mostly
zero. With the observation ``y = z + N(0, sigma^2)``

    p(z | f) = sum_m pi_m a(z) N(z; f, s_m^2) / Z_m(f),     Z_m(f) = integral of a(z) N(z; f, s_m^2)

where a, on a grid of step sigma / 4, is the column's *support*: how much likelier a value is than f alone says.
a = 1 is the mixture of `denograd.map.error_scale`. The weights pi (per neighbourhood) and a are found in turn by
expectation maximisation; the step for a is Richardson and Lucy's deconvolution, conditional on f. The answer is the
posterior mean, and since ``d E[z|y] / dy = Var(z|y) / sigma^2``, its error is known without the truth (Tweedie,
Stein): ``mean(step^2) + 2 mean(Var) - sigma^2``. a is learned by cross-fitting, or that figure would flatter.

References
----------
J. Kiefer and J. Wolfowitz, Consistency of the maximum likelihood estimator in the presence of infinitely many
incidental parameters, Ann. Math. Stat. 27 (1956). B. Efron, Empirical Bayes deconvolution estimates, Biometrika 103
(2016). W. H. Richardson (1972), L. B. Lucy (1974). C. Stein, Ann. Stat. 9 (1981).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import embedding_bag

from denograd.data.arrays import Array, Kind
from denograd.map.candidates.density import (
    REACH,
    Answers,
    Band,
    Support,
    between,
    likelihood_of,
    normaliser_at,
    normaliser_of,
    posterior_of,
    smooth,
)
from denograd.map.candidates.mixture import BLOCK, COMPONENTS, error_variances, local_weights, mixture_weights

PER_LEVEL = 4
"""Grid points per noise level."""

SMOOTHINGS = (0.1, 0.5, 2.0)
"""Candidates for c: every grid point starts with so many observations' worth of a = 1."""

SMOOTHING = 0.3
"""c while a and the mixture's weights are found in turn."""

OUTER, INNER, CROSS = 3, 20, 40
"""Turns of weights and a; iterations for a in each of them; iterations for the cross-fitted a."""

FOLDS = 5

MOST_ROWS = 20_000
"""So many rows are enough to learn a."""

MOST_POINTS = 2**18
"""A column whose range takes more grid points keeps a = 1."""

DISTINCT = 0.5
"""With a smaller share of distinct observations the noise came before the rounding, and a must stay 1."""


@dataclass(frozen=True)
class SupportFit:
    """A column's support, and what it says of the rows that it was learned from.

    Attributes
    ----------
    support : Support
    answers : Answers
        Of the fitted rows, each with the a that it did not enter.
    change : (n,) array
        See `Answers.change`.
    """

    support: Support
    answers: Answers
    change: Array


def fit_support(y: Array, f: Array, sigma: Array, kind: Kind, *, seed: int = 0) -> SupportFit:
    """Learn the density of a column's values, as far as this lowers the estimated error.

    Stein's estimate chooses among a = 1 and three smoothings; a = 1 stays unless the other gains more than the
    standard error of the difference.

    Parameters
    ----------
    y, f, sigma : (n,) arrays
        Observations, cross-fitted blind-spot predictions, and noise levels (positive).
    kind : {"tabular", "series"}
    seed : int
        Of the folds.
    """
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(y))[:MOST_ROWS])
    fit = _fit_sample(y[rows], f[rows], sigma[rows], kind, rng)
    if len(rows) == len(y):
        return fit
    answers = fit.support.answer(y, f, sigma, kind)
    answers.mean[rows], answers.variance[rows] = fit.answers.mean, fit.answers.variance
    return SupportFit(fit.support, answers, answers.change(y, sigma))


def _fit_sample(y: Array, f: Array, sigma: Array, kind: Kind, rng: np.random.Generator) -> SupportFit:
    """`fit_support` with all of the rows."""
    level = float(np.quantile(sigma, 0.05))
    none = np.empty(0)
    flat = Support(error_variances(y - f, level), none, none, none)
    flat, weights = _find_weights(flat, y, f, sigma, kind)
    plain = _judge(flat, posterior_of(flat, y, f, sigma, weights), y, sigma)
    step, margin = level / PER_LEVEL, (REACH + 1) * float(sigma.max())
    points = (np.ptp(y) + 2 * margin) / step + 2
    if len(np.unique(y)) < DISTINCT * len(y) or points > MOST_POINTS:
        return plain
    one = np.ones(int(points))
    support = replace(
        flat,
        start=y.min() - margin,
        step=step,
        density=one,
        reference=one,
        normaliser=np.ones((COMPONENTS, len(one))),
    )
    fits = (
        _judge(found, answers, y, sigma)
        for found, answers in _cross_fit(support, weights, y, f, sigma, kind, rng)
    )
    best = min(fits, key=lambda fit: fit.change.mean())
    gain = plain.change - best.change
    return best if gain.mean() > gain.std() / len(gain) ** 0.5 else plain


def _judge(support: Support, answers: Answers, y: Array, sigma: Array) -> SupportFit:
    return SupportFit(support, answers, answers.change(y, sigma))


def _find_weights(support: Support, y: Array, f: Array, sigma: Array, kind: Kind) -> tuple[Support, Array]:
    """The support with its mixture's weights learned, and those weights for every row, (n, m)."""
    likelihood = likelihood_of(support, y, f, sigma)
    weights = mixture_weights(likelihood)
    if kind == "series":
        block = np.arange(len(y)) // BLOCK
        return replace(support, weights=weights), local_weights(likelihood, block, weights)[block]
    order = np.argsort(f, kind="stable")
    edges = f[order[BLOCK::BLOCK]]
    block = np.searchsorted(edges, f, side="right")
    local = local_weights(likelihood[order], block[order], weights, len(edges) + 1)
    return replace(support, weights=weights, edges=edges, local=local), local[block]


def _cross_fit(
    support: Support,
    weights: Array,
    y: Array,
    f: Array,
    sigma: Array,
    kind: Kind,
    rng: np.random.Generator,
) -> Iterator[tuple[Support, Answers]]:
    """Learn a; yield a support for every smoothing, and what it says of each row that it did not learn from."""
    # weights and a in turn
    band = Band(support, y, f, sigma)
    for _ in range(OUTER):
        lucy = _Lucy(support, band, f, weights)
        a = lucy.run(np.ones((len(y), 1)), np.array([SMOOTHING]), INNER)[:, 0]
        support = replace(support, density=a, reference=a, normaliser=normaliser_of(support, a))
        support, weights = _find_weights(support, y, f, sigma, kind)
    # with weights and normaliser held: a from all rows but a fold's, for every fold, and from all rows
    lucy = _Lucy(support, band, f, weights)
    fold = rng.permutation(np.arange(len(y)) % FOLDS)
    uses = np.column_stack([fold[:, None] != np.arange(FOLDS), np.ones(len(y))])
    count = FOLDS + 1
    found = lucy.run(np.tile(uses, len(SMOOTHINGS)), np.repeat(SMOOTHINGS, count), CROSS)
    for i in range(len(SMOOTHINGS)):
        a = found[:, i * count : (i + 1) * count]
        yield replace(support, density=a[:, FOLDS]), lucy.answers(y, a[band.point, fold[band.row]])


class _Lucy:
    """Richardson and Lucy's iteration for a, with the mixture's weights held; many a side by side."""

    def __init__(self, support: Support, band: Band, f: Array, weights: Array) -> None:
        assert support.density is not None
        self.band = band
        points = len(support.density)
        scaled = weights / normaliser_at(support, f)
        self.joint = band.likelihood * band.prior(scaled)
        self.joint /= np.maximum(band.sum(self.joint), np.finfo(np.float32).tiny)[band.row]
        self.expected = _expected(support, f, scaled)
        # the same entries, sorted by row and by grid point
        order = np.argsort(band.point, kind="stable")
        self.by_row = _bags(band.point, band.starts, self.joint)
        starts = np.searchsorted(band.point[order], np.arange(points))
        self.by_point = _bags(band.row[order], starts, self.joint[order])

    def run(self, uses: Array, smoothing: Array, iterations: int) -> Array:
        """Iterate from a = 1.

        Parameters
        ----------
        uses : (n, k) array
            1 where an a learns from a row, else 0.
        smoothing : (k,) array

        Returns
        -------
        (G, k) array
        """
        used = torch.from_numpy(uses).float()
        c = torch.from_numpy(smoothing).float()
        expected = torch.from_numpy(self.expected).float()[:, None] * used.mean(0) + c
        a = torch.ones_like(expected)
        for _ in range(iterations):
            share = used / _add_up(self.by_row, a).clamp(min=1e-30)
            a = (a * _add_up(self.by_point, share) + c) / expected
        return a.numpy()

    def answers(self, y: Array, a: Array) -> Answers:
        """Posterior of the rows under a given at every entry."""
        return self.band.expect(y, self.joint * a)


Bags = tuple[Tensor, Tensor, Tensor]


def _bags(index: NDArray[np.int64], starts: NDArray[np.int64], weights: Array) -> Bags:
    return torch.from_numpy(index), torch.from_numpy(starts), torch.from_numpy(weights)


def _add_up(bags: Bags, values: Tensor) -> Tensor:
    """Weighted sums of rows of `values`, one per bag: a product with a sparse matrix."""
    index, starts, weights = bags
    return embedding_bag(index, values, starts, mode="sum", per_sample_weights=weights)


def _expected(support: Support, f: Array, scaled: Array) -> Array:
    """How many values every grid point would have with a = 1: the prior's sum over rows, (G,)."""
    assert support.normaliser is not None
    low, part = between(support, f)
    points = support.normaliser.shape[1]
    counts = np.stack(
        [np.bincount(low, s * (1 - part), points) + np.bincount(low + 1, s * part, points) for s in scaled.T]
    )
    expected: Array = np.maximum(smooth(support, counts).sum(0), 0.0)
    return expected
