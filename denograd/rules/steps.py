"""The per-sample update rules: how far a sample moves along its gradient.

Both rules move a sample (a window, on series) along its joint gradient ``[g_x, g_y]``. They differ in the
length of the step alone, so a rule is a function that gives the factor of the gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor


def gate(size: Tensor, tau: float) -> Tensor:
    """Select the samples that move: those with any residual beyond `tau`.

    Parameters
    ----------
    size : (B, k) tensor
        Absolute residuals.
    tau : float

    Returns
    -------
    moves : (B,) tensor of bool
    """
    return (size[:, 0] if size.shape[1] == 1 else size.amax(1)) > tau


def inverse(square: Tensor) -> Tensor:
    """``1 / sqrt(square)``; large but finite where there is no gradient at all, so that the step is 0."""
    return square.clamp(min=torch.finfo(square.dtype).tiny).rsqrt_()


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
        The factor of the gradients.
    """
    return inverse(sx + sy).mul_(nrr)


def gauss_newton(sx: Tensor, sy: Tensor, residual: Tensor, nrr: float) -> Tensor:
    """Close the fraction ``nrr`` of the distance to the surface f(x) = y (releases 1.2 and 2.0).

    The distance is ``||r|| ||g_y|| / ||[g_x, g_y]||`` to first order, since g_y is the loss' slope in r.
    Parameters and result as for `fixed`, with ``nrr`` a fraction.
    """
    joint = inverse(sx + sy)
    length: Tensor = nrr * torch.linalg.vector_norm(residual, dim=1) * (sy.sqrt() * joint)
    return length * joint
