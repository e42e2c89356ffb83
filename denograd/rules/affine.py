"""Models that are affine in their input: an epoch over a whole series is one convolution there and one back.

``f(window) = A . window + b`` has the same slope A everywhere, so no window needs a backward pass of its own: with
``e`` the criterion's slope in the predictions, ``g_x = e A``, its norm is known from A A', and the consensus is
the transposed convolution of the weighted ``e``. Each time step is read once, not once per window.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from denograd.data.progress import Progress
from denograd.data.windows import coverage, targets_of
from denograd.models.frozen import Predictor
from denograd.rules.descent import Descent, close_epoch, squared_rows
from denograd.rules.steps import gate


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
    """Refine a series in place, as `descend_series` would, with the model ``(slope, offset)``."""
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
