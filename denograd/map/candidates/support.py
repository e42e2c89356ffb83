"""Which values does a column take? Its density, learned from noisy values (NPMLE deconvolution, g-modelling).

A blind-spot prediction f says where a value z may lie; it does not know that z is 0 or 1, a whole number, or mostly
nothing at all. With the observation ``y = z + N(0, sigma^2)``

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
from denograd.map.candidates.mixture import BLOCK, COMPONENTS, error_variances, local_weights, mixture_weights

PER_LEVEL = 4
"""Grid points per noise level."""

REACH = 5.0
"""A value lies within so many noise levels of its observation."""

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

PIECE = 8192
"""Rows that lie on the grid at once when answers are computed: bounds the memory."""

DISTINCT = 0.5
"""With a smaller share of distinct observations the noise came before the rounding, and a must stay 1."""


@dataclass(frozen=True)
class Answers:
    """Posterior of values, given what was observed and what the blind spot says.

    Attributes
    ----------
    mean, variance : (n,) arrays
    """

    mean: Array
    variance: Array

    def change(self, y: Array, sigma: Array) -> Array:
        """What every row adds to Stein's estimate of the share of the error that is left, minus 1; shape (n,)."""
        return ((self.mean - y) ** 2 + 2 * self.variance) / sigma**2 - 2


@dataclass(frozen=True)
class Support:
    """The density of one column's values, ready for new rows.

    Attributes
    ----------
    variances, weights : (m,) arrays
        s_m^2, and the weights of the components over all rows.
    edges, local : (blocks - 1,) and (blocks, m) arrays
        On a table: edges, in f, of the neighbourhoods, and their weights. A series finds its own.
    start, step : float
        Of the grid.
    density, reference : (G,) arrays or None
        a on the grid, and the a that the normaliser was computed with; None where a = 1.
    normaliser : (m, G) array or None
        Z_m on the grid.
    """

    variances: Array
    weights: Array
    edges: Array
    local: Array
    start: float = 0.0
    step: float = 1.0
    density: Array | None = None
    reference: Array | None = None
    normaliser: Array | None = None

    def answer(self, y: Array, f: Array, sigma: Array, kind: Kind) -> Answers:
        """Posterior of values; on a table each depends on its own row alone.

        Parameters
        ----------
        y, f, sigma : (n,) arrays
            Observation, blind-spot prediction and noise level.
        kind : {"tabular", "series"}
        """
        if kind == "series":
            block = np.arange(len(y)) // BLOCK
            weights = local_weights(_likelihood(self, y, f, sigma), block, self.weights)[block]
        else:
            weights = self.local[np.searchsorted(self.edges, f, side="right")]
        return _posterior(self, y, f, sigma, weights)


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
    """Learn the density of a column's values, as far as it pays.

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
    plain = _judge(flat, _posterior(flat, y, f, sigma, weights), y, sigma)
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
    likelihood = _likelihood(support, y, f, sigma)
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
    band = _Band(support, y, f, sigma)
    for _ in range(OUTER):
        lucy = _Lucy(support, band, f, weights)
        a = lucy.run(np.ones((len(y), 1)), np.array([SMOOTHING]), INNER)[:, 0]
        support = replace(support, density=a, reference=a, normaliser=_normaliser(support, a))
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


class _Band:
    """The grid points near some rows' observations, row after row: E entries.

    Attributes
    ----------
    row, point : (E,) int arrays
        Row and grid point of an entry.
    starts : (n,) int array
        First entry of every row.
    gap : (E,) float32 array
        Grid point minus observation.
    likelihood : (E,) float32 array
        N(y; z, sigma^2), up to a factor per row.
    normal : list of m (E,) float32 arrays
        N(z; f, s_m^2) times the grid's step.
    """

    def __init__(self, support: Support, y: Array, f: Array, sigma: Array) -> None:
        near = np.rint((y - support.start) / support.step).astype(np.int64)
        half = np.ceil(REACH * sigma / support.step).astype(np.int64)
        count = 2 * half + 1
        self.starts = np.cumsum(count) - count
        self.row = np.repeat(np.arange(len(y)), count)
        point = np.arange(len(self.row)) + (near - half - self.starts)[self.row]
        z = support.start + support.step * point
        self.gap = (z - y[self.row]).astype(np.float32)
        self.likelihood = np.exp(-0.5 * (self.gap / sigma.astype(np.float32)[self.row]) ** 2)
        square = ((z - f[self.row]) ** 2).astype(np.float32)
        self.normal = [
            np.exp(square * np.float32(-0.5 / s2)) * np.float32(support.step / np.sqrt(2 * np.pi * s2))
            for s2 in support.variances
        ]
        # a new row may lie beyond the grid
        assert support.density is not None
        self.point = point.clip(0, len(support.density) - 1)

    def sum(self, entries: Array) -> Array:
        """Sum over the entries of every row, (n,)."""
        total: Array = np.add.reduceat(entries, self.starts)
        return total

    def expect(self, y: Array, posterior: Array) -> Answers:
        """Mean and variance under weights of the entries that need not sum to 1."""
        total = np.maximum(self.sum(posterior), np.finfo(np.float32).tiny)
        mean = self.sum(posterior * self.gap) / total
        square = self.sum(posterior * (self.gap - mean[self.row]) ** 2) / total
        return Answers(y + mean, square.astype(float))

    def prior(self, weights: Array) -> Array:
        """Sum of the components with weights (n, m), at every entry."""
        total: Array = np.zeros_like(self.gap)
        for m, normal in enumerate(self.normal):
            total += weights[:, m].astype(np.float32)[self.row] * normal
        return total


class _Lucy:
    """Richardson and Lucy's iteration for a, with the mixture's weights held; many a side by side."""

    def __init__(self, support: Support, band: _Band, f: Array, weights: Array) -> None:
        assert support.density is not None
        self.band = band
        points = len(support.density)
        scaled = weights / _normaliser_at(support, f)
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


def _smooth(support: Support, values: Array) -> Array:
    """Convolve rows (m, G) or one row (G,) on the grid with the component normals; shape (m, G)."""
    points = values.shape[-1]
    length = 1 << (2 * points - 1).bit_length()
    frequency = np.fft.rfftfreq(length)
    kernel = np.exp(-2 * (np.pi * frequency) ** 2 * (support.variances / support.step**2)[:, None])
    return np.fft.irfft(np.fft.rfft(values, length) * kernel, length)[:, :points]


def _normaliser(support: Support, a: Array) -> Array:
    """Z_m on the grid, beyond which a = 1; shape (m, G)."""
    normaliser: Array = np.maximum(1.0 + _smooth(support, a - 1.0), 1e-12)
    return normaliser


def _normaliser_at(support: Support, f: Array) -> Array:
    """Z_m of every prediction, (n, m)."""
    assert support.normaliser is not None
    low, part = _between(support, f)
    return (1 - part)[:, None] * support.normaliser[:, low].T + part[:, None] * support.normaliser[
        :, low + 1
    ].T


def _expected(support: Support, f: Array, scaled: Array) -> Array:
    """How many values every grid point would have with a = 1: the prior's sum over rows, (G,)."""
    assert support.normaliser is not None
    low, part = _between(support, f)
    points = support.normaliser.shape[1]
    counts = np.stack(
        [np.bincount(low, s * (1 - part), points) + np.bincount(low + 1, s * part, points) for s in scaled.T]
    )
    expected: Array = np.maximum(_smooth(support, counts).sum(0), 0.0)
    return expected


def _between(support: Support, f: Array) -> tuple[NDArray[np.int64], Array]:
    """Grid point below every prediction, and the way to the next one."""
    assert support.normaliser is not None
    last = support.normaliser.shape[1] - 1
    position = ((f - support.start) / support.step).clip(0, last)
    low = np.minimum(position.astype(np.int64), last - 1)
    return low, position - low


def _pieces(n: int) -> Iterator[slice]:
    for start in range(0, n, PIECE):
        yield slice(start, start + PIECE)


def _likelihood(support: Support, y: Array, f: Array, sigma: Array) -> Array:
    """Density of every observation under every component, up to a factor per row; shape (n, m)."""
    found = np.empty((len(y), len(support.variances)))
    if support.density is None:
        total = support.variances + (sigma**2)[:, None]
        exponent = -0.5 * (((y - f) ** 2)[:, None] / total + np.log(total))
        found[:] = np.exp(exponent - exponent.max(1, keepdims=True))
        return found
    reference = support.reference
    assert reference is not None
    for rows in _pieces(len(y)):
        band = _Band(support, y[rows], f[rows], sigma[rows])
        seen = band.likelihood * reference[band.point].astype(np.float32)
        found[rows] = np.stack([band.sum(seen * normal) for normal in band.normal], 1)
    found /= _normaliser_at(support, f)
    found /= np.maximum(found.max(1, keepdims=True), np.finfo(float).tiny)
    found += np.finfo(float).tiny
    return found


def _posterior(support: Support, y: Array, f: Array, sigma: Array, weights: Array) -> Answers:
    """Posterior of every value with a mixture's weights of its own, (n, m)."""
    if support.density is None:
        posterior = _likelihood(support, y, f, sigma) * weights
        posterior /= posterior.sum(1, keepdims=True)
        gain = (sigma**2)[:, None] / (support.variances + (sigma**2)[:, None])
        mean = (posterior * gain).sum(1)
        spread = (posterior * (gain - mean[:, None]) ** 2).sum(1)
        variance = sigma**2 * (1 - mean) + (f - y) ** 2 * spread
        return Answers(y + mean * (f - y), variance)
    means, variances = np.empty(len(y)), np.empty(len(y))
    scaled = weights / _normaliser_at(support, f)
    for rows in _pieces(len(y)):
        band = _Band(support, y[rows], f[rows], sigma[rows])
        seen = band.likelihood * support.density[band.point].astype(np.float32)
        answers = band.expect(y[rows], seen * band.prior(scaled[rows]))
        means[rows], variances[rows] = answers.mean, answers.variance
    return Answers(means, variances)
