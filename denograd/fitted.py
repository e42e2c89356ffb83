"""What `DenoGrad.fit` hands to a rule, and what a rule hands back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from denograd.backbone import Criterion, Layout
from denograd.data import Array
from denograd.windows import count_windows


@dataclass(frozen=True)
class Fitted:
    """What a rule works on.

    Attributes
    ----------
    model : Module
    criterion : callable
    device : torch.device
    layout : {"auto", "ntc", "nct"}
    X : (n, ...) array
        Observed features; ``(T, C)`` for a series.
    y : (n, k) array or None
        Observed target; None if none was handed over.
    is_ts : bool
    window_size : int or None
    future, stride : int
    flattening : bool
    target_cols : tuple of int or None
        The target's columns in X; None if it stands apart.
    names : tuple
        What errors and a mapping `sigma` call the columns of X and, where it stands apart, of y.
    """

    model: nn.Module
    criterion: Criterion
    device: torch.device
    layout: Layout
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
class Refined:
    """What a rule gives back: arrays shaped like `Fitted`'s, gradients per epoch, figures per epoch."""

    X: Array
    y: Array | None
    grad_x: list[Array] = field(default_factory=list)
    grad_y: list[Array] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
