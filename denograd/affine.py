"""Models that are affine in their input: an epoch over a whole series is one convolution there and one back.

``f(window) = A . window + b`` has the same slope A everywhere, so no window needs a backward pass of its own: with
``e`` the criterion's slope in the predictions, ``g_x = e A``, its norm is known from A A', and the consensus is
the transposed convolution of the weighted ``e``. Each time step is read once, not once per window.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from denograd.backbone import Predictor
from denograd.descent import Descent, close_epoch, squared_rows
from denograd.progress import Progress
from denograd.steps import gate
from denograd.windows import coverage, targets_of


def slope_of(predict: Predictor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Read slope and offset of an affine model off its gradients.

    Parameters
    ----------
    predict : Predictor
    x : (B, W, C) tensor
        A few windows, to hold the model to its word.

    Returns
    -------
    slope : (k, W, C) tensor
    offset : (k,) tensor

    Raises
    ------
    ValueError
        If the model calls itself affine and is not.
    """
    point = x[:1].detach().requires_grad_()
    outputs = predict(point).reshape(-1)
    slope = torch.cat([torch.autograd.grad(o, point, retain_graph=True)[0] for o in outputs])
    offset = outputs.detach() - (slope * point.detach()).sum((1, 2))
    with torch.no_grad():
        truth = predict(x).reshape(len(x), -1)
        guess = torch.einsum("bwc,kwc->bk", x, slope) + offset
        # What rounding may do grows with the terms of the sum, not with the sum.
        size = torch.einsum("bwc,kwc->bk", x.abs(), slope.abs()) + offset.abs()
    if bool(((truth - guess).abs() > 1e-4 * size).any()):
        raise ValueError("the model has the attribute affine=True, but its output is not affine in its input")
    return slope, offset


def descend_affine(
    predict: Predictor,
    affine: tuple[Tensor, Tensor],
    X: Tensor,
    y: Tensor,
    how: Descent,
    progress: Progress,
    *,
    window: int,
    future: int,
    stride: int,
    count: int,
) -> None:
    """Refine a series in place, as `denograd.descent.descend_series` would, with the model ``(slope, offset)``."""
    slope, offset = affine
    kernel = slope.transpose(1, 2).contiguous()
    gram = torch.einsum("iwc,jwc->ij", slope, slope)
    X_then, y_then = X.clone(), y.clone()
    length, span = len(X), (count - 1) * stride + window
    cover = coverage(torch.ones(count, device=X.device), window, length, stride).clamp_(min=1)
    for _ in range(how.epochs):
        prediction = F.conv1d(X[:span].to(slope.dtype).t()[None], kernel, offset, stride)[0].t()
        prediction = prediction.detach().requires_grad_()
        target = targets_of(y.to(slope.dtype), window, future, stride, count).detach().requires_grad_()
        e, g_y = torch.autograd.grad(predict.loss(prediction, target), (prediction, target))
        residual = (prediction - target).detach()
        sizes = residual.abs()
        moves = gate(sizes, how.tau)
        sx = torch.linalg.vecdot(e @ gram, e)
        factor = how.rule(sx, squared_rows(g_y), residual, how.nrr).mul_(moves)[:, None]
        if how.ungated_only:
            cover = coverage(moves.to(slope.dtype), window, length, stride).clamp_(min=1)
        total = F.conv_transpose1d((e * factor).t()[None].contiguous(), kernel, stride=stride)[0].t()
        X[:span] -= how.eta_x * total / cover[:span, None]
        if how.move_y:
            targets_of(y, window, future, stride, count).sub_(how.eta_y * factor * g_y)
        if close_epoch(sizes, how.tau, (X, X_then), (y, y_then), progress):
            break
