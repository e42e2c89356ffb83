"""The per-sample update rules: how far a sample goes along its gradient.

Both rules move a sample (a window, on series) along its joint gradient ``[g_x, g_y]``. They differ in the
length of the step alone, so a rule is a function that gives the factor of the gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor


def gate(size: Tensor, tau: float) -> Tensor:
    """1 for a sample that moves, 0 for one with all of its residuals within `tau`.

    Parameters
    ----------
    size : (B, k) tensor
        Absolute residuals.
    tau : float

    Returns
    -------
    moves : (B,) tensor
    """
    return (size.amax(1) > tau).to(size.dtype)


def inverse(square: Tensor) -> Tensor:
    """``1 / sqrt(square)``, and 0 where there is no gradient at all."""
    return torch.where(square > 0, square.rsqrt(), 0.0)


def fixed(sx: Tensor, sy: Tensor, residual: Tensor, nrr: float) -> Tensor:
    """Step of constant length ``nrr``: x' = x - nrr * g_x / ||[g_x, g_y]||.

    The rule of the paper (Alonso-Ramos et al., "DenoGrad", and release 1.1).

    Parameters
    ----------
    sx, sy : (B,) tensors
        Squared norms of g_x and g_y.
    residual : (B, k) tensor
        Unused: the length does not depend on it.
    nrr : float
        Length of the step in units of the data.

    Returns
    -------
    factor : (B,) tensor
        What to multiply the gradients with.
    """
    return nrr * inverse(sx + sy)


def gauss_newton(sx: Tensor, sy: Tensor, residual: Tensor, nrr: float) -> Tensor:
    """Close the fraction ``nrr`` of the distance to the surface f(x) = y (releases 1.2 and 2.0).

    The distance is ``||r|| ||g_y|| / ||[g_x, g_y]||`` to first order, since g_y is the loss' slope in r.
    Parameters and result as for `fixed`, with ``nrr`` a fraction.
    """
    joint = inverse(sx + sy)
    return nrr * torch.linalg.vector_norm(residual, dim=1) * sy.sqrt() * joint * joint
