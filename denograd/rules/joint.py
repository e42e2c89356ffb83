"""The rule `global`: refine a whole series at once by minimising one objective over all of its values."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from denograd.data.progress import Progress
from denograd.data.windows import windows_of
from denograd.models.adam import Adam
from denograd.models.frozen import Predictor
from denograd.rules.descent import Gradients, squared_rows


@dataclass(frozen=True)
class Joint:
    """Settings of a run of `global`.

    Attributes
    ----------
    target_cols : tuple of int or None
        Columns of X that are the target (one shared variable); None if y is separate.
    mean : bool
        Whether the criterion is a mean over its batch (else a sum).
    lam : float
        Weight of the pull towards the observed values.
    lr : float
        Learning rate of Adam.
    tol : float
        The loop ends once the objective changes by less.
    epochs, batch_size : int
    move_y, keep : bool
        As in `denograd.rules.descent.Descent`.
    """

    target_cols: tuple[int, ...] | None
    mean: bool
    lam: float
    lr: float
    tol: float
    epochs: int
    batch_size: int
    move_y: bool = True
    keep: bool = True


def minimise_jointly(
    predict: Predictor,
    X: Tensor,
    y: Tensor,
    dtype: torch.dtype,
    how: Joint,
    progress: Progress,
    *,
    window: int,
    future: int,
    stride: int,
    count: int,
) -> Gradients:
    """Minimise criterion(f(windows), targets) + lam * mean((z - z_obs)^2) with Adam, in place.

    The rule of release 2.0 for series. z is every value of X, and of y where it is separate and moves.

    Parameters
    ----------
    predict : Predictor
    X : (T, C) tensor
    y : (T, k) tensor
        Not read where `how.target_cols` says that the target is part of X.
    dtype : torch.dtype
        What the model computes in.
    how : Joint
    progress : Progress
    window, future, stride, count : int
        The windows (see `denograd.data.windows`).

    Returns
    -------
    Gradients
        Of the objective, per epoch; ``y`` is empty where y does not move by itself.
    """
    kept = Gradients()
    shared = how.target_cols is not None
    cols = list(how.target_cols or ())
    values = [X, y] if how.move_y and not shared else [X]
    observed = [v.clone() for v in values]
    size = sum(v.numel() for v in values)
    adam = Adam(values, how.lr)
    before = None
    for _ in range(how.epochs):
        # gradients of the criterion; where the target is a part of X, what it gets counts there
        X_now = X.to(dtype)
        y_now = X_now[:, cols] if shared else y.to(dtype)
        fit, off, g_X, g_y = _criterion(
            predict, X_now, y_now, how, window=window, future=future, stride=stride, count=count
        )
        if shared:
            g_X[:, cols] = g_X[:, cols] + g_y if how.move_y else 0.0
        # the pull towards what was observed: lam * mean((z - z_obs)^2)
        away = [value - old for value, old in zip(values, observed, strict=True)]
        pull = torch.stack([a.to(torch.float64).square().sum() for a in away]).sum() / size
        gradients = [g.to(a.dtype) + a * (2 * how.lam / size) for g, a in zip((g_X, g_y), away, strict=False)]
        if how.keep:
            for store, gradient in zip((kept.x, kept.y), gradients, strict=False):
                store.append(gradient.cpu().numpy().copy())
        adam.step(gradients)
        objective = _record(progress, values, observed, off / (count * y_now.shape[1]), fit, how.lam * pull)
        if before is not None and abs(objective - before) < how.tol:
            break
        before = objective
    return kept


def _criterion(
    predict: Predictor,
    X: Tensor,
    y: Tensor,
    how: Joint,
    *,
    window: int,
    future: int,
    stride: int,
    count: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Criterion over all windows, sum of the residuals' sizes, gradients with respect to X and y."""
    g_X, g_y = torch.zeros_like(X), torch.zeros_like(y)
    total = torch.zeros((), dtype=torch.float64, device=X.device)
    off = torch.zeros_like(total)
    for start in range(0, count, how.batch_size):
        n = min(how.batch_size, count - start)
        last = (start + n - 1) * stride
        span = slice(start * stride, last + window)
        goals = slice(span.start + window + future - 1, last + window + future, stride)
        rows = X[span].detach().requires_grad_()
        target = y[goals].detach().requires_grad_()
        prediction = predict(windows_of(rows, window, stride, n), slice(start, start + n))
        part = predict.loss(prediction, target)
        if how.mean:
            part = part * (n / count)
        g_rows, g_target = torch.autograd.grad(part, (rows, target))
        g_X[span] += g_rows
        g_y[goals] += g_target
        total += part.detach()
        off += (prediction.detach().reshape(target.shape) - target.detach()).abs().sum()
    return total, off, g_X, g_y


def _record(
    progress: Progress,
    values: list[Tensor],
    observed: list[Tensor],
    residual: Tensor,
    fit: Tensor,
    pull: Tensor,
) -> float:
    """Note the figures of an epoch; give its objective, which is that before the step."""
    parts = [squared_rows(v - old) for v, old in zip(values, observed, strict=True)]
    away = torch.stack(parts).sum(0).sqrt()
    moved, size, displacement, objective, criterion = torch.stack(
        [(away > 0).double().mean(), residual, away.mean().double(), fit + pull, fit]
    ).tolist()
    progress.record(
        moved=moved, residual=size, displacement=displacement, objective=objective, criterion=criterion
    )
    return float(objective)
