"""Adam (Kingma and Ba, 2015) for what is trained in seconds: torch's own takes one to import a compiler."""

from __future__ import annotations

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
        Learning rate.
    """

    def __init__(self, values: Iterable[Tensor], lr: float):
        self.values = list(values)
        self.lr = lr
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
            mean.lerp_(gradient, 1 - MEAN)
            square.mul_(SQUARE).addcmul_(gradient, gradient, value=1 - SQUARE)
            scale = (square / (1 - SQUARE**self._steps)).sqrt_().add_(1e-8)
            value.addcdiv_(mean, scale, value=-length)
