"""Adam (Kingma and Ba, 2015) for what is trained in seconds: torch's own takes one to import a compiler."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

MEAN, SQUARE = 0.9, 0.999
"""What an average of gradients, or of their squares, keeps from step to step."""


class Adam:
    """Move tensors against their gradients, by about the learning rate.

    Parameters
    ----------
    values : iterable of tensor
        Moved in place.
    lr : float
        Learning rate; may be set anew before every step.
    decay : float
        Share of itself times the learning rate that a value loses with every step (Loshchilov and Hutter, 2019).
    """

    def __init__(self, values: Iterable[Tensor], lr: float, decay: float = 0.0):
        self.values = list(values)
        self.lr = lr
        self.decay = decay
        self._mean = [torch.zeros_like(v) for v in self.values]
        self._square = [torch.zeros_like(v) for v in self.values]
        self._steps = 0

    @torch.no_grad()
    def step(self, gradients: Iterable[Tensor]) -> None:
        """Take one step, by the gradients of all values."""
        self._steps += 1
        length = self.lr / (1 - MEAN**self._steps)
        for value, gradient, mean, square in zip(
            self.values, gradients, self._mean, self._square, strict=True
        ):
            value.mul_(1 - self.lr * self.decay)
            mean.lerp_(gradient, 1 - MEAN)
            square.mul_(SQUARE).addcmul_(gradient, gradient, value=1 - SQUARE)
            scale = (square / (1 - SQUARE**self._steps)).sqrt_().add_(1e-8)
            value.addcdiv_(mean, scale, value=-length)


def one_cycle(step: int, steps: int, highest: float, warm_up: float) -> float:
    """Learning rate of a step: up from a 25th of the highest, then down to nothing (Smith and Topin, 2019).

    Parameters
    ----------
    step, steps : int
        Counted from 0, and how many there are.
    highest : float
    warm_up : float
        Share of the steps until it is reached.
    """
    top = warm_up * steps
    if step < top:
        return highest * (1 - 0.48 * (1 + math.cos(math.pi * step / top)))
    return highest * 0.5 * (1 + math.cos(math.pi * (step - top) / max(steps - top, 1)))
