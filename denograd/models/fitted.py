"""What `DenoGrad.fit` hands to a rule, how it is opened for a run, and what a rule hands back."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from denograd.data.arrays import Array
from denograd.data.windows import count_windows, targets_of, windows_of
from denograd.models.frozen import Criterion, Forward, Predictor, dtype_of
from denograd.models.layouts import Layout, find_layout
from denograd.models.probe import check_model, find_affine, is_mean

PROBE_ROWS = 64
"""Samples, spread over the data, on which a model is looked at before a run."""

CACHE_BYTES = 4 * 2**20
"""What the backward pass of a batch may keep on a CPU."""


@dataclass(frozen=True)
class Fitted:
    """What a rule works on.

    Attributes
    ----------
    model : Module
    criterion : callable
    device : torch.device
    layout : {"auto", "ntc", "nct"}
    forward : callable or None
    X : (n, ...) array
        Observed features; ``(T, C)`` for a series.
    y : (n, k) array or None
        Observed target; None if none was given.
    is_ts : bool
    window_size : int or None
    future, stride : int
    flattening : bool
    target_cols : tuple of int or None
        The target's columns in X; None if it is separate.
    names : tuple
        Names, for errors and a mapping `sigma`, of the columns of X and, where it is separate, of y.
    """

    model: nn.Module
    criterion: Criterion
    device: torch.device
    layout: Layout
    forward: Forward | None
    X: Array
    y: Array | None
    is_ts: bool
    window_size: int | None
    future: int
    stride: int
    flattening: bool
    target_cols: tuple[int, ...] | None
    names: tuple[Any, ...]

    @property
    def count(self) -> int:
        """Samples: rows of a table, windows of a series."""
        if not self.is_ts:
            return len(self.X)
        return count_windows(len(self.X), self.window_size or 0, self.future, self.stride)

    def tensor(self, values: Array) -> Tensor:
        """Copy `values` to the device."""
        return torch.tensor(values, device=self.device)


@dataclass
class RuleResult:
    """What a rule gives back: arrays shaped like `Fitted`'s, gradients and figures per epoch, what else it knows."""

    X: Array
    y: Array | None
    grad_x: list[Array] = field(default_factory=list)
    grad_y: list[Array] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    details: Any = None


class Opened(NamedTuple):
    """A fitted model and its data, ready to run."""

    predict: Predictor
    X: Tensor
    y: Tensor
    dtype: torch.dtype
    mean: bool
    batch_size: int
    affine: tuple[Tensor, Tensor] | None


def open_model(fitted: Fitted, rule: str, batch_size: int | None) -> Opened:
    """Check model and data together (inside `frozen`), and refuse what does not fit."""
    if fitted.y is None:
        raise ValueError(f"rule={rule!r} needs a target: hand y or target_cols to fit")
    X, y = fitted.tensor(fitted.X), fitted.tensor(fitted.y)
    dtype = dtype_of(fitted.model, X.dtype)
    count = fitted.count
    probe = torch.as_tensor(np.unique(np.linspace(0, count - 1, PROBE_ROWS).astype(int)), device=X.device)
    if fitted.is_ts:
        window = fitted.window_size or 0
        x = windows_of(X, window, fitted.stride, count)[probe].to(dtype)
        t = targets_of(y, window, fitted.future, fitted.stride, count)[probe].to(dtype)
        known = fitted.flattening or fitted.forward is not None
        layout = "ntc" if known else find_layout(fitted.model, x, fitted.layout)
    else:
        x, t, layout = X[probe].to(dtype), y[probe].to(dtype), "ntc"
    predict = Predictor(
        fitted.model,
        fitted.criterion,
        layout,
        fitted.flattening,
        fitted.forward,
        fitted.stride if fitted.is_ts else 1,
    )
    check_model(predict, x, t, probe)
    with torch.no_grad():
        mean = is_mean(predict, predict(x, probe), t)
    affine = find_affine(predict, x, probe) if fitted.is_ts else None
    return Opened(predict, X, y, dtype, mean, batch_size or _batch_size(fitted, predict, x, probe), affine)


def _batch_size(fitted: Fitted, predict: Predictor, x: Tensor, samples: Tensor) -> int:
    """Samples per pass: what the backward pass keeps of them fits the cache of a CPU, or fills a GPU.

    A recurrent net works on one time step after the other, so its samples need little at a time. The choice
    depends on model and data alone, never on a clock: a run can be repeated to the byte.
    """
    if fitted.device.type != "cpu":
        return 16384
    if any(isinstance(m, nn.RNNBase) for m in fitted.model.modules()):
        return 256
    weights = {p.data_ptr() for p in fitted.model.parameters()}
    kept = x.numel() * x.element_size()

    def weigh(t: Tensor) -> Tensor:
        nonlocal kept
        if t.data_ptr() not in weights:
            kept += t.numel() * t.element_size()
        return t

    with torch.autograd.graph.saved_tensors_hooks(weigh, lambda t: t):
        predict(x.detach().requires_grad_(), samples)
    return int(2 ** round(math.log2(min(max(CACHE_BYTES * len(x) / kept, 256), 2048))))
