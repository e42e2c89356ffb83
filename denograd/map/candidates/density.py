"""The posterior of a column's values under their density: what `support` learns, ready to answer.

With a, the density on a grid beside what the blind spot says (see `denograd.map.candidates.support`), and the normals
of variance s_m^2 around f, a value's posterior is a sum over the few grid points near its observation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from denograd.data.arrays import Array, Kind
from denograd.map.candidates.mixture import BLOCK, local_weights

REACH = 5.0
"""A value lies within so many noise levels of its observation."""

PIECE = 8192
"""Rows that lie on the grid at once when answers are computed: bounds the memory."""


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
            weights = local_weights(likelihood_of(self, y, f, sigma), block, self.weights)[block]
        else:
            weights = self.local[np.searchsorted(self.edges, f, side="right")]
        return posterior_of(self, y, f, sigma, weights)


class Band:
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


def likelihood_of(support: Support, y: Array, f: Array, sigma: Array) -> Array:
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
        band = Band(support, y[rows], f[rows], sigma[rows])
        seen = band.likelihood * reference[band.point].astype(np.float32)
        found[rows] = np.stack([band.sum(seen * normal) for normal in band.normal], 1)
    found /= normaliser_at(support, f)
    found /= np.maximum(found.max(1, keepdims=True), np.finfo(float).tiny)
    found += np.finfo(float).tiny
    return found


def posterior_of(support: Support, y: Array, f: Array, sigma: Array, weights: Array) -> Answers:
    """Posterior of every value with a mixture's weights of its own, (n, m)."""
    if support.density is None:
        posterior = likelihood_of(support, y, f, sigma) * weights
        posterior /= posterior.sum(1, keepdims=True)
        gain = (sigma**2)[:, None] / (support.variances + (sigma**2)[:, None])
        mean = (posterior * gain).sum(1)
        spread = (posterior * (gain - mean[:, None]) ** 2).sum(1)
        variance = sigma**2 * (1 - mean) + (f - y) ** 2 * spread
        return Answers(y + mean * (f - y), variance)
    means, variances = np.empty(len(y)), np.empty(len(y))
    scaled = weights / normaliser_at(support, f)
    for rows in _pieces(len(y)):
        band = Band(support, y[rows], f[rows], sigma[rows])
        seen = band.likelihood * support.density[band.point].astype(np.float32)
        answers = band.expect(y[rows], seen * band.prior(scaled[rows]))
        means[rows], variances[rows] = answers.mean, answers.variance
    return Answers(means, variances)


def normaliser_of(support: Support, a: Array) -> Array:
    """Z_m on the grid, beyond which a = 1; shape (m, G)."""
    normaliser: Array = np.maximum(1.0 + smooth(support, a - 1.0), 1e-12)
    return normaliser


def normaliser_at(support: Support, f: Array) -> Array:
    """Z_m of every prediction, (n, m)."""
    assert support.normaliser is not None
    low, part = between(support, f)
    return (1 - part)[:, None] * support.normaliser[:, low].T + part[:, None] * support.normaliser[
        :, low + 1
    ].T


def smooth(support: Support, values: Array) -> Array:
    """Convolve rows (m, G) or one row (G,) on the grid with the component normals; shape (m, G)."""
    points = values.shape[-1]
    length = 1 << (2 * points - 1).bit_length()
    frequency = np.fft.rfftfreq(length)
    kernel = np.exp(-2 * (np.pi * frequency) ** 2 * (support.variances / support.step**2)[:, None])
    return np.fft.irfft(np.fft.rfft(values, length) * kernel, length)[:, :points]


def between(support: Support, f: Array) -> tuple[NDArray[np.int64], Array]:
    """Grid point below every prediction, and the way to the next one."""
    assert support.normaliser is not None
    last = support.normaliser.shape[1] - 1
    position = ((f - support.start) / support.step).clip(0, last)
    low = np.minimum(position.astype(np.int64), last - 1)
    return low, position - low


def _pieces(n: int) -> Iterator[slice]:
    for start in range(0, n, PIECE):
        yield slice(start, start + PIECE)
