"""Gaps in a table under a multivariate normal: the first guess.

By expectation maximisation (Little and Rubin, Statistical analysis with missing data, 2019, chapter 11).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from denograd.data.arrays import Array

ROUNDS, TOLERANCE = 20, 1e-3
"""Of expectation maximisation at most, and the change of a covariance, of unit variances, at which it has arrived."""

MOST, PIECE = 20_000, 4096
"""Rows that are enough to learn from; rows that are worked on at once."""

RIDGE = 1e-3
"""Added to the variances, in squared standard deviations."""

GAP = 1e6
"""Variance of a gap's observation, in squared standard deviations of its column: as good as none."""


@dataclass(frozen=True)
class Normal:
    """A multivariate normal, in standardised units: center (c,), spread (c, c)."""

    center: Tensor
    spread: Tensor


def fit_normal(
    y: Array, missing: NDArray[np.bool_], prior: float = 0.0, start: Normal | None = None
) -> Normal:
    """Learn mean and covariance from rows with gaps.

    Parameters
    ----------
    y : (n, c) array
        Standardised columns; what stands at gaps does not count.
    missing : (n, c) bool array
    prior : float
        Pseudo-observations of independent columns: an inverse Wishart prior of the covariance. As many rows as
        columns keep chance correlations from being taken as real.
    start : Normal, optional
        One that is near.
    """
    n, c = y.shape
    rows = np.unique(np.linspace(0, n - 1, min(n, MOST)).astype(int))
    values, gap = torch.from_numpy(np.where(missing, 0.0, y)[rows]), torch.from_numpy(missing[rows])
    unit = torch.eye(c, dtype=torch.float64)
    normal = start or Normal(torch.zeros(c, dtype=torch.float64), unit)
    for _ in range(ROUNDS):
        mean, _, hidden = _condition(normal, values, gap)
        center = mean.mean(0)
        apart = mean - center
        total = apart.T @ apart + hidden
        alone = torch.diag(total.diagonal()) / len(rows)
        spread = (total + prior * alone) / (len(rows) + prior) + RIDGE * unit
        change = float((spread - normal.spread).abs().max())
        normal = Normal(center, spread)
        if change < TOLERANCE:
            break
    return normal


def condition(normal: Normal, y: Array, missing: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Mean and variance of every value, given what its row holds, (n, c) each; 0 variance where it is observed."""
    values, gap = torch.from_numpy(np.where(missing, 0.0, y)), torch.from_numpy(missing)
    mean, variance, _ = _condition(normal, values, gap)
    return mean.numpy(), variance.numpy()


def leave_one_out(normal: Normal, y: Array, missing: NDArray[np.bool_]) -> tuple[Array, Array]:
    """What the other observed values of its row say of every value, and what it adds itself to the row's gaps.

    With P the inverse covariance of a row's observed values x, in closed form ``x_j - (P (x - center))_j / P_jj``.

    Returns
    -------
    mean : (n, c) array
        Of observed values; at gaps without a meaning.
    gain : (n, c, c) array
        ``gain[:, k, j]``: by how much the mean of value k, given all observed ones, grows with value j.
    """
    values, gap = torch.from_numpy(np.where(missing, 0.0, y)), torch.from_numpy(missing)
    seen = normal.spread + torch.diag_embed(GAP * gap.double() + 1e-9)
    precision = torch.linalg.inv(seen)
    apart = (values - normal.center) * ~gap
    mean = values - (precision @ apart[..., None])[..., 0] / precision.diagonal(dim1=-2, dim2=-1)
    return mean.numpy(), (normal.spread @ precision).numpy()


def _condition(normal: Normal, values: Tensor, gap: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Conditional mean and variance of every value, and the rows' conditional covariances summed."""
    center, spread = normal.center, normal.spread
    mean, variance, total = values.clone(), torch.zeros_like(values), torch.zeros_like(spread)
    incomplete = torch.nonzero(gap.any(1))[:, 0]
    for at in range(0, len(incomplete), PIECE):
        rows = incomplete[at : at + PIECE]
        hidden = gap[rows]
        seen = spread + torch.diag_embed(GAP * hidden.double() + 1e-9)
        gain = torch.linalg.solve(seen, spread.expand_as(seen)).transpose(1, 2)
        here = center + ((values[rows] - center) * ~hidden)[:, None, :].matmul(gain.transpose(1, 2))[:, 0]
        left = spread - gain @ spread
        mean[rows] = torch.where(hidden, here, values[rows])
        both = hidden[:, :, None] & hidden[:, None, :]
        left = torch.where(both, left, 0.0)
        variance[rows] = left.diagonal(dim1=-2, dim2=-1)
        total += left.sum(0)
    return mean, variance, total
