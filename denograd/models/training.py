"""Training with early stopping, shared by all that train a whole model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn
from tqdm import tqdm

Batch = TypeVar("Batch")


@dataclass(frozen=True)
class Trained:
    """How a training went.

    Attributes
    ----------
    epochs : int
        That were run.
    error : float
        Of the best epoch, whose weights the model has.
    """

    epochs: int
    error: float


def train_best(
    model: nn.Module,
    batches: Callable[[], Iterable[Batch]],
    loss: Callable[[Batch], Tensor],
    error: Callable[[], float],
    *,
    epochs: int,
    patience: int,
    lr: float,
    progress: str | None = None,
) -> Trained:
    """Train `model` by Adam, in place, and leave it with the weights of its best epoch, in evaluation mode.

    Parameters
    ----------
    model : Module
    batches : callable
        Gives the batches of an epoch, shuffled anew: row numbers, say (see `split_rows`).
    loss : callable
        Of a batch.
    error : callable
        On the rows kept for validation; called without gradients after every epoch.
    epochs, patience : int
        At most so many epochs; stop after so many without a better one.
    lr : float
        Learning rate.
    progress : str, optional
        Title of a progress bar, drawn where stderr is a terminal.

    Returns
    -------
    Trained

    Examples
    --------
    >>> import torch
    >>> x = torch.linspace(0, 1, 64)[:, None]
    >>> model = torch.nn.Linear(1, 1)
    >>> def loss(rows):
    ...     return (model(x[rows]) - 2 * x[rows]).square().mean()
    >>> done = train_best(
    ...     model, lambda: split_rows(torch.randperm(56), 8), loss, lambda: loss(torch.arange(56, 64)).item(),
    ...     epochs=200, patience=20, lr=0.02,
    ... )
    >>> done.error < 0.01
    True
    """
    adam = torch.optim.Adam(model.parameters(), lr, fused=True)
    best, least, best_epoch = copy.deepcopy(model.state_dict()), float("inf"), 0
    for epoch in tqdm(range(1, epochs + 1), desc=progress, disable=None if progress else True, leave=False):
        model.train()
        for batch in batches():
            adam.zero_grad()
            torch.autograd.backward(loss(batch))
            adam.step()
        model.eval()
        with torch.no_grad():
            now = error()
        if now < least:
            best, least, best_epoch = copy.deepcopy(model.state_dict()), now, epoch
        elif epoch - best_epoch >= patience:
            break
    model.load_state_dict(best)
    return Trained(epoch, least)


def split_rows(order: Tensor, size: int) -> list[Tensor]:
    """Cut row numbers into batches; a single row left over joins the one before: batch norm needs two."""
    parts = [order[start : start + size] for start in range(0, len(order), size)]
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts
