"""Training with early stopping, shared by all that train a whole model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn


def train_best(
    model: nn.Module,
    batches: Callable[[], Iterable[Tensor]],
    loss: Callable[[Tensor], Tensor],
    error: Callable[[], float],
    *,
    epochs: int,
    patience: int,
    lr: float,
) -> None:
    """Train `model` by Adam, in place, and leave it with the weights of its best epoch, in evaluation mode.

    Parameters
    ----------
    model : Module
    batches : callable
        Gives the row numbers of every batch of an epoch, shuffled anew.
    loss : callable
        Of the rows of a batch.
    error : callable
        On the rows held back; computed without gradients after every epoch.
    epochs, patience : int
        At most so many epochs; stop after so many without a better one.
    lr : float
    """
    adam = torch.optim.Adam(model.parameters(), lr)
    best, least, waited = copy.deepcopy(model.state_dict()), float("inf"), 0
    for _ in range(epochs):
        model.train()
        for rows in batches():
            adam.zero_grad()
            loss(rows).backward()
            adam.step()
        model.eval()
        with torch.no_grad():
            now = error()
        waited += 1
        if now < least:
            best, least, waited = copy.deepcopy(model.state_dict()), now, 0
        if waited == patience:
            break
    model.load_state_dict(best)
