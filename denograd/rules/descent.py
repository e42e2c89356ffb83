"""The loop of the per-sample rules: every sample steps along its own gradient, epoch after epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from denograd.data.arrays import Array
from denograd.data.progress import Progress
from denograd.data.windows import coverage, overlap_add, targets_of, windows_of
from denograd.models.frozen import Predictor
from denograd.rules.steps import gate, inverse

StepRule = Callable[[Tensor, Tensor, Tensor, float], Tensor]


@dataclass(frozen=True)
class Descent:
    """Settings of a run of `fixed` or `gauss_newton`.

    Attributes
    ----------
    rule : callable
        Factor of the gradients (`denograd.rules.steps`).
    ungated_only : bool
        Series: divide by the moving windows that cover a step instead of by all of them.
    nrr, tau : float
        Step and gate.
    epochs, batch_size : int
    move_y : bool
        Whether the target is refined too.
    eta_x, eta_y : float
        Factors of the two blocks.
    keep : bool
        Whether to keep each epoch's unit gradients.
    """

    rule: StepRule
    ungated_only: bool
    nrr: float
    tau: float
    epochs: int
    batch_size: int
    move_y: bool = True
    eta_x: float = 1.0
    eta_y: float = 1.0
    keep: bool = True


@dataclass
class Gradients:
    """Unit gradients of the epochs, on the host."""

    x: list[Array] = field(default_factory=list)
    y: list[Array] = field(default_factory=list)

    def append(self, parts: list[tuple[Tensor, Tensor]]) -> None:
        """Close an epoch whose batches gave `parts`."""
        self.x.append(torch.cat([p[0] for p in parts]).cpu().numpy())
        self.y.append(torch.cat([p[1] for p in parts]).cpu().numpy())


def squared_rows(g: Tensor) -> Tensor:
    """Squared norm of every sample, ``(B,)``."""
    g = g.flatten(1)
    square: Tensor = torch.linalg.vecdot(g, g)
    return square


def _unit(g_x: Tensor, g_y: Tensor, square: Tensor) -> tuple[Tensor, Tensor]:
    scale = inverse(square)
    return g_x * _like(scale, g_x), g_y * scale[:, None]


def _like(factor: Tensor, g: Tensor) -> Tensor:
    """Factors of samples ``(B,)`` in a shape that multiplies `g`, in the dtype of both."""
    return factor.view(-1, *[1] * (g.ndim - 1))


def _moved(now: Tensor, then: Tensor) -> Tensor:
    return squared_rows((now - then).to(torch.float32))


def descend_rows(
    predict: Predictor, X: Tensor, y: Tensor, dtype: torch.dtype, how: Descent, progress: Progress
) -> Gradients:
    """Refine a table in place.

    Parameters
    ----------
    predict : Predictor
    X : (n, ...) tensor
    y : (n, k) tensor
    dtype : torch.dtype
        What the model computes in.
    how : Descent
    progress : Progress
    """
    kept = Gradients()
    X_then, y_then = X.clone(), y.clone()
    n = len(X)
    sizes = torch.empty(y.shape, dtype=dtype, device=X.device)
    for _ in range(how.epochs):
        parts = []
        for start in range(0, n, how.batch_size):
            rows = slice(start, start + how.batch_size)
            g_x, g_y, r = predict.gradients(X[rows].to(dtype), y[rows].to(dtype), rows)
            sx, sy = squared_rows(g_x), squared_rows(g_y)
            moves = gate(torch.abs(r, out=sizes[rows]), how.tau)
            factor = how.rule(sx, sy, r, how.nrr).mul_(moves)
            if how.keep:
                parts.append(_unit(g_x, g_y, sx + sy))
            X[rows].addcmul_(g_x, _like(factor, g_x), value=-how.eta_x)
            if how.move_y:
                y[rows].addcmul_(g_y, factor[:, None], value=-how.eta_y)
        if how.keep:
            kept.append(parts)
        if close_epoch(sizes, how.tau, (X, X_then), (y, y_then), progress):
            break
    return kept


def descend_series(
    predict: Predictor,
    X: Tensor,
    y: Tensor,
    dtype: torch.dtype,
    how: Descent,
    progress: Progress,
    *,
    window: int,
    future: int,
    stride: int,
    count: int,
) -> Gradients:
    """Refine a series in place: an epoch's windows all see the same data, a step gets its windows' mean.

    Parameters
    ----------
    X : (T, C) tensor
    y : (T, k) tensor
    window, future, stride, count : int
        The windows (see `denograd.data.windows`).

    Others as for `descend_rows`.
    """
    kept = Gradients()
    X_then, y_then = X.clone(), y.clone()
    length = len(X)
    cover = coverage(torch.ones(count, device=X.device), window, length, stride).clamp_(min=1)
    total = torch.empty(length, X.shape[1], dtype=dtype, device=X.device)
    sizes = torch.empty(count, y.shape[1], dtype=dtype, device=X.device)
    for _ in range(how.epochs):
        parts = []
        windows = windows_of(X.to(dtype), window, stride, count)
        targets = targets_of(y.to(dtype), window, future, stride, count)
        steps_y = torch.empty_like(targets)
        total.zero_()
        for start in range(0, count, how.batch_size):
            rows = slice(start, min(start + how.batch_size, count))
            span = (rows.stop - start - 1) * stride + window
            g_x, g_y, r = predict.gradients(windows[rows], targets[rows], rows)
            sx, sy = squared_rows(g_x), squared_rows(g_y)
            moves = gate(torch.abs(r, out=sizes[rows]), how.tau)
            factor = how.rule(sx, sy, r, how.nrr).mul_(moves)
            if how.keep:
                parts.append(_unit(g_x, g_y, sx + sy))
            overlap_add(g_x, factor, total[start * stride : start * stride + span], stride)
            torch.mul(g_y, factor[:, None], out=steps_y[rows])
        if how.keep:
            kept.append(parts)
        if how.ungated_only:
            moving = gate(sizes, how.tau).to(dtype)
            cover = coverage(moving, window, length, stride).clamp_(min=1)
        X -= how.eta_x * total / cover[:, None]
        if how.move_y:
            targets_of(y, window, future, stride, count).sub_(how.eta_y * steps_y)
        if close_epoch(sizes, how.tau, (X, X_then), (y, y_then), progress):
            break
    return kept


def close_epoch(
    sizes: Tensor, tau: float, X: tuple[Tensor, Tensor], y: tuple[Tensor, Tensor], progress: Progress
) -> bool:
    """Record the epoch; say whether no sample moved. The one point of an epoch where the host waits.

    Parameters
    ----------
    sizes : (n, k) tensor
        Absolute residuals of the epoch.
    tau : float
    X, y : pairs of tensors
        Now, and as observed.
    progress : Progress
    """
    distance = (_moved(*X) + _moved(*y)).sqrt_().mean()
    moved, residual, displacement = torch.stack(
        [gate(sizes, tau).to(torch.float32).mean(), sizes.mean().to(torch.float32), distance]
    ).tolist()
    progress.record(moved=moved, residual=residual, displacement=displacement)
    return bool(moved == 0)
