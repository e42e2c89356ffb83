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
        Columns of X that are the target (one shared variable); None if y stands apart.
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

    The rule of release 2.0 for series. z is every value of X, and of y where it stands apart and moves.

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
        X_now = X.to(dtype)
        y_now = X_now[:, cols] if shared else y.to(dtype)
        g_X, g_y = torch.zeros_like(X_now), torch.zeros_like(y_now)
        loss = torch.zeros((), dtype=torch.float64, device=X.device)
        off = torch.zeros_like(loss)
        for start in range(0, count, how.batch_size):
            n = min(how.batch_size, count - start)
            span = slice(start * stride, start * stride + (n - 1) * stride + window)
            rows = X_now[span].detach().requires_grad_()
            goals = slice(
                span.start + window + future - 1, span.start + window + future + (n - 1) * stride, stride
            )
            target = y_now[goals].detach().requires_grad_()
            prediction = predict(windows_of(rows, window, stride, n))
            part = predict.loss(prediction, target)
            if how.mean:
                part = part * (n / count)
            g_rows, g_target = torch.autograd.grad(part, (rows, target))
            g_X[span] += g_rows
            g_y[goals] += g_target
            loss += part.detach()
            off += (prediction.detach().reshape(target.shape) - target.detach()).abs().sum()
        if shared:
            g_X[:, cols] = g_X[:, cols] + g_y if how.move_y else 0.0
        pull = torch.zeros_like(loss)
        gradients = []
        for value, old, gradient in zip(values, observed, (g_X, g_y), strict=False):
            away = value - old
            pull += away.to(torch.float64).square().sum() / size
            gradient = gradient.to(value.dtype) + away * (2 * how.lam / size)
            if how.keep:
                (kept.x if value is X else kept.y).append(gradient.cpu().numpy().copy())
            gradients.append(gradient)
        adam.step(gradients)
        parts = [squared_rows(v - old) for v, old in zip(values, observed, strict=True)]
        away = torch.stack(parts).sum(0).sqrt()
        moved, residual, displacement, objective, fit = torch.stack(
            [
                (away > 0).double().mean(),
                off / (count * y_now.shape[1]),
                away.mean().double(),
                loss + how.lam * pull,
                loss,
            ]
        ).tolist()
        progress.record(
            moved=moved, residual=residual, displacement=displacement, objective=objective, criterion=fit
        )
        if before is not None and abs(objective - before) < how.tol:
            break
        before = objective
    return kept
