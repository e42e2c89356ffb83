"""Checks of a model together with the data before a run: what no run could use is refused here."""

from __future__ import annotations

import torch
from torch import Tensor

from denograd.models.frozen import Predictor

SLACK, TF32 = 1000.0, 4e-3
"""Predictions of the same sample may differ by so many units of rounding of the largest one; on CUDA, where
convolutions round to ten bits, by this share of it."""


def check_model(predict: Predictor, x: Tensor, y: Tensor, samples: Tensor) -> None:
    """Run model and criterion on a few samples, and refuse what no run could use.

    Parameters
    ----------
    predict : Predictor
    x : (B, ...) tensor
        Samples spread over the data.
    y : (B, k) tensor
    samples : (B,) tensor
        Their numbers.
    """
    _check_function(predict, x, samples, y.shape[1])
    prediction = _ask(predict, x.detach().requires_grad_(), samples, y.shape[1])
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
    _check_size(predict, x, y, samples)


def _check_function(predict: Predictor, x: Tensor, samples: Tensor, targets: int) -> None:
    """Refuse a model whose prediction for a sample is not a function of that sample alone."""
    devices = [x.device] if x.device.type == "cuda" else []
    with torch.no_grad(), torch.random.fork_rng(devices=devices):
        given = x.clone()
        first = _ask(predict, given, samples, targets).reshape(len(x), -1)
        if not torch.equal(given, x):
            raise ValueError(
                "the model writes into its input (an operation in place, such as x -= x.mean(1) or "
                "nn.ReLU(inplace=True) as its first layer): work on a copy, x = x - ..., or x.clone()"
            )
        if not first.isfinite().all():
            return  # said by the caller
        eps = TF32 if x.device.type == "cuda" else SLACK * torch.finfo(first.dtype).eps
        room = eps * float(first.abs().max())

        def differs(other: Tensor, rows: slice) -> float:
            away = float((other.reshape(-1, targets) - first[rows]).abs().nan_to_num(torch.inf).max())
            return away if away > room else 0.0

        if away := differs(_ask(predict, x.clone(), samples, targets), slice(None)):
            torch.manual_seed(0)
            seeded = _ask(predict, x.clone(), samples, targets)
            torch.manual_seed(0)
            chance = torch.equal(seeded, _ask(predict, x.clone(), samples, targets))
            raise ValueError(
                f"the model predicts differently when asked twice, by up to {away:.3g}: it depends on "
                + (
                    "chance; F.dropout needs training=self.training (or use nn.Dropout), and nothing may be drawn "
                    "in forward"
                    if chance
                    else "the calls before; a hidden state or running statistics must not be kept from call to call"
                )
            )
        half = len(x) // 2
        for rows in (slice(0, half), slice(half, None)) if half else ():
            if away := differs(_ask(predict, x[rows].clone(), samples[rows], targets), rows):
                raise ValueError(
                    f"the model's prediction for a sample depends on the other samples of its batch, by up to "
                    f"{away:.3g}: batch_first=True may be missing from a recurrent layer or transformer, batch "
                    "normalisation needs its running statistics, and no mean may be taken over dimension 0"
                )


def _ask(predict: Predictor, x: Tensor, samples: Tensor, targets: int) -> Tensor:
    """Predict; refuse what is no tensor of one row of targets a sample."""
    try:
        prediction = predict(x, samples)
    except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
        if predict.forward is not None:
            hint = "look at forward(model, x, first)"
        elif "same device" in str(error):
            hint = "its layers (or tensors that it made itself) lie on another device"
        else:
            hint = (
                "check the features it was trained on, window_size, flattening and layout; a model that needs "
                "more than one tensor is asked through forward=, see DenoGrad"
            )
        raise ValueError(
            f"the model cannot run on a batch of shape {tuple(x.shape)}, {hint}: {error}"
        ) from error
    if not isinstance(prediction, Tensor):
        raise TypeError(
            f"the model must return a tensor of predictions, got {type(prediction).__name__}: pick it with "
            "forward=lambda model, x, first: model(x)[0], say"
        )
    shape = tuple(prediction.shape)
    single = len(x) == 1 and len(shape) == 0  # squeezed
    aligned = shape[:1] == (len(x),) and prediction.numel() == targets * len(x) and len(shape) <= 3
    if not aligned and not (single and targets == 1):
        raise ValueError(
            f"outputs and targets do not align: the model gives {shape} for {len(x)} samples, "
            f"y has {targets} target(s): expected ({len(x)}, {targets})"
        )
    return prediction


def _check_size(predict: Predictor, x: Tensor, y: Tensor, samples: Tensor) -> None:
    """Refuse gradients whose squares the model's type cannot hold: nothing would move, in silence."""
    g_x, g_y, _ = predict.gradients(x, y, samples)
    largest = torch.maximum(g_x.flatten(1).abs().amax(1), g_y.abs().amax(1)).double()
    largest = largest[largest > 0]
    if not len(largest):
        return
    kind = torch.finfo(x.dtype)
    usual = float(largest.median())
    if not kind.tiny < usual**2 * 1e-3 or not usual**2 * 1e3 < kind.max:
        raise ValueError(
            f"the gradients of the loss are of size {usual:.3g}, whose squares {str(x.dtype).removeprefix('torch.')} "
            "cannot hold: standardise X and y (mean 0, standard deviation 1), and train the model on that"
        )


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
        for shift in (0.0, 1.0, 10.0):  # a loss of 0 cannot tell
            target = y + shift
            once = predict.loss(prediction, target)
            twice = predict.loss(torch.cat([prediction, prediction]), torch.cat([target, target]))
            if once != 0:
                break
    return bool((twice - once).abs() <= (twice - 2 * once).abs())


def find_affine(predict: Predictor, x: Tensor, samples: Tensor) -> tuple[Tensor, Tensor] | None:
    """Find out whether a model is affine in its windows; slope and offset (see `slope_of`) if it is.

    The model's attribute ``affine`` decides, True or False. Without it the model is tried on its windows and on random
    ones up to a hundred times as far apart, where a kink or a curve would show.
    """
    declared = getattr(predict.model, "affine", None)
    if declared is False or predict.forward is not None:
        return None
    if declared:
        return slope_of(predict, x, samples)
    draw = torch.Generator().manual_seed(0)
    noise = torch.randn(x.shape, generator=draw, dtype=x.dtype).to(x.device) * x.std().clamp(min=1e-6)
    try:
        points = torch.cat([x, *(x + far * noise for far in (1.0, 10.0, 100.0))])
        return slope_of(predict, points, samples.repeat(4), SLACK * torch.finfo(x.dtype).eps)
    except (ValueError, RuntimeError):
        return None


def slope_of(
    predict: Predictor, x: Tensor, samples: Tensor, tolerance: float = 1e-4
) -> tuple[Tensor, Tensor]:
    """Read slope and offset of an affine model off its gradients.

    Parameters
    ----------
    predict : Predictor
    x : (B, W, C) tensor
        A few windows on which the claim is checked.
    samples : (B,) tensor
        Their numbers.
    tolerance : float
        How far a prediction may be off, as a share of the size of its terms.

    Returns
    -------
    slope : (k, W, C) tensor
    offset : (k,) tensor

    Raises
    ------
    ValueError
        If the model is not affine.
    """
    point = x[:1].detach().requires_grad_()
    outputs = predict(point, samples[:1]).reshape(-1)
    slope = torch.cat([torch.autograd.grad(o, point, retain_graph=True)[0] for o in outputs])
    offset = outputs.detach() - (slope * point.detach()).sum((1, 2))
    with torch.no_grad():
        truth = predict(x, samples).reshape(len(x), -1)
        guess = torch.einsum("bwc,kwc->bk", x, slope) + offset
        # What rounding may do grows with the terms of the sum, not with the sum.
        size = torch.einsum("bwc,kwc->bk", x.abs(), slope.abs()) + offset.abs()
    if not bool(((truth - guess).abs() <= tolerance * size).all()):
        raise ValueError("the model has the attribute affine=True, but its output is not affine in its input")
    return slope, offset
