"""Looking at a model and the data together before a run: what no run could use is refused here."""

from __future__ import annotations

import torch
from torch import Tensor

from denograd.models.frozen import Predictor


def check_model(predict: Predictor, x: Tensor, y: Tensor) -> None:
    """Run model and criterion once on a few samples, and refuse what no run could use.

    Parameters
    ----------
    predict : Predictor
    x : (B, ...) tensor
        Samples spread over the data.
    y : (B, k) tensor
    """
    try:
        prediction = predict(x.detach().requires_grad_())
    except RuntimeError as error:
        hint = (
            "its layers (or tensors that it made itself) lie on another device"
            if "same device" in str(error)
            else ("check the features it was trained on, window_size, flattening and layout")
        )
        raise ValueError(
            f"the model cannot run on a batch of shape {tuple(x.shape)}, {hint}: {error}"
        ) from error
    if not isinstance(prediction, Tensor):
        raise TypeError(f"the model must return a tensor of predictions, got {type(prediction).__name__}")
    shape = tuple(prediction.shape)
    aligned = shape[:1] == (len(x),) and prediction.numel() == y.numel() and len(shape) <= 3
    if not aligned:
        raise ValueError(
            f"outputs and targets do not align: the model gives {shape} for {len(x)} samples, "
            f"y has {y.shape[1]} target(s): expected ({len(x)}, {y.shape[1]})"
        )
    if not prediction.isfinite().all():
        raise ValueError("the model predicts NaN or infinite values: was it trained on data of this scale?")
    spread = (prediction.detach().amax(0) - prediction.detach().amin(0)).max().item()
    varied = len(x) > 1 and bool((x != x[:1]).any())
    if varied and spread <= 1e-7 * prediction.detach().abs().max().item():
        raise ValueError(
            f"the model predicts the same value for all of {len(x)} different samples: it looks untrained "
            "(or its activations are dead), so its gradients say nothing about the data"
        )
    if not prediction.requires_grad:
        raise ValueError(
            "the model's output does not depend differentiably on its input: no gradients to follow"
        )
    check_criterion(predict, prediction, y)


def check_criterion(predict: Predictor, prediction: Tensor, y: Tensor) -> None:
    """Refuse a criterion through which no gradient reaches the target."""
    target = y.detach().requires_grad_()
    name = getattr(predict.criterion, "__name__", type(predict.criterion).__name__)
    try:
        loss = predict.loss(prediction, target)
        gradient = torch.autograd.grad(loss, target, allow_unused=True)[0]
    except RuntimeError as error:
        raise ValueError(
            f"the criterion {name} is not differentiable in y ({error}): use a regression loss"
        ) from error
    off = bool((prediction.detach().reshape(y.shape) != y).any())
    if gradient is None or (off and not gradient.any()):
        raise ValueError(
            f"the criterion {name} is not differentiable in y (no gradient reaches the target): "
            "use a regression loss such as MSELoss"
        )


def is_mean(predict: Predictor, prediction: Tensor, y: Tensor) -> bool:
    """Whether the criterion averages over a batch (or is elementwise, then we do) rather than sums."""
    with torch.no_grad():
        once = predict.loss(prediction, y)
        twice = predict.loss(torch.cat([prediction, prediction]), torch.cat([y, y]))
    return bool(twice <= 1.5 * once)


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
