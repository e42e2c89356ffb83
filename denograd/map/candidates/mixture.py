"""Weights of a mixture, over all rows and in a neighbourhood: empirical Bayes by expectation maximisation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from denograd.data.arrays import Array
from denograd.data.outliers import far_limits

COMPONENTS = 10
"""Variances that a backbone's error may have."""

BLOCK = 200
"""Rows of a neighbourhood: steps in time, or values alike in their prediction."""

PRIOR, SWEEPS = 20.0, 6
"""Rows' worth of the weights over all rows that every neighbourhood starts with; sweeps of the EM algorithm."""

FEW, PRICE = 200, 4.0
"""Below so many rows Stein's estimate is raised, by about so many rows' worth of noise: measured at 30 and 60 rows."""


def error_variances(residual: Array, level: float) -> Array:
    """Variances that the backbone's error may have, `COMPONENTS` of them.

    Their top follows from the residual without what is far out: one sentinel would spread the grid over nothing.

    Parameters
    ----------
    residual : (n,) array
    level : float
        Noise level, above 0.
    """
    low, high = far_limits(residual[:, None])
    mean = mean_square(residual[(residual >= low) & (residual <= high)])
    return np.geomspace(max(1e-3 * mean, 0.03 * level**2), 30 * mean, COMPONENTS)


def mean_square(residual: Array) -> float:
    """Mean of the squares, never 0."""
    return max(float((residual.astype(float) ** 2).mean()), np.finfo(float).tiny)


def mixture_weights(density: Array, sweeps: int = 100, most: int = 5000) -> Array:
    """Maximum likelihood weights of the components, from at most `most` evenly spaced rows."""
    density = density[:: max(1, len(density) // most)]
    weights = np.full(density.shape[1], 1.0 / density.shape[1])
    for _ in range(sweeps):
        posterior = density * weights
        posterior /= posterior.sum(1, keepdims=True)
        weights = posterior.mean(0)
    return weights


def local_weights(
    density: Array, block: NDArray[np.int64], weights: Array, blocks: int | None = None
) -> Array:
    """Weights per block of rows (sorted by block), shared with the neighbours and drawn to `weights`.

    Parameters
    ----------
    density : (n, m) array
        Density of every row under every component, up to a factor per row.
    block : (n,) int array, ascending
    weights : (m,) array
        Over all rows.
    blocks : int, optional
        How many there are, if more than `block` names.

    Returns
    -------
    (blocks, m) array
    """
    blocks = int(block[-1]) + 1 if blocks is None else blocks
    first = np.searchsorted(block, np.arange(blocks))
    full = np.searchsorted(block, np.arange(blocks), side="right") > first
    local = np.broadcast_to(weights, (blocks, len(weights)))
    for _ in range(SWEEPS):
        posterior = density * local[block]
        posterior /= posterior.sum(1, keepdims=True)
        counts = np.zeros(local.shape)
        counts[full] = np.add.reduceat(posterior, first[full])
        padded = np.pad(counts, ((1, 1), (0, 0)))
        counts = counts + 0.5 * (padded[:-2] + padded[2:]) + PRIOR * weights
        local = counts / counts.sum(1, keepdims=True)
    return local


def flattery(rows: int) -> float:
    """Share of the noise's variance by which Stein's estimate is too low, the mixture's weights being fitted to `rows`.

    It falls with 1 / rows, and is left out from `FEW` rows on, where it is below a fiftieth.
    """
    return PRICE * max(1 / rows - 1 / FEW, 0.0)
