"""Training: of a whole model with early stopping, and of the nets of all folds side by side."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from denograd.models.adam import Adam, one_cycle

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

    Examples
    --------
    >>> Trained(epochs=12, error=0.25).epochs
    12
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
        Maximum number of epochs; epochs without an improvement before the training stops.
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
    """Cut row numbers into batches; a single row left over joins the one before: batch norm needs two.

    Parameters
    ----------
    order : (n,) tensor
        Row numbers, shuffled.
    size : int
        Rows of a batch.

    Returns
    -------
    batches : list of (size,) tensors

    Examples
    --------
    >>> import torch
    >>> [part.tolist() for part in split_rows(torch.arange(5), 2)]
    [[0, 1], [2, 3, 4]]
    """
    parts = [order[start : start + size] for start in range(0, len(order), size)]
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


class FoldRows:
    """The rows that the net of every fold learns from, those of the other folds, in batches of one size.

    Parameters
    ----------
    fold : (n,) int array
    batch : int
        Rows a fold, if there are so many.

    Attributes
    ----------
    train : list of (m_k,) int arrays
    batch, rounds : int
        Rows a batch, and batches until all rows have been seen.
    """

    def __init__(self, fold: NDArray[np.int64], batch: int) -> None:
        self.train = [np.flatnonzero(fold != k) for k in range(int(fold.max()) + 1)]
        self._count = min(map(len, self.train))
        self.batch = min(batch, self._count)
        self.rounds = self._count // self.batch

    def batches(self, steps: int, g: torch.Generator, device: torch.device) -> Iterator[Tensor]:
        """Give `steps` batches of row numbers, (folds, batch), shuffled anew for every round."""
        m = self._count
        pool = torch.stack(
            [torch.from_numpy(rows[np.linspace(0, len(rows) - 1, m).astype(int)]) for rows in self.train]
        )
        for step in range(steps):
            at = step % self.rounds * self.batch
            if at == 0:
                shuffled = torch.stack([rows[torch.randperm(m, generator=g)] for rows in pool]).to(device)
            yield shuffled[:, at : at + self.batch]


def train_folds(
    net: Iterable[Tensor],
    rows: FoldRows,
    loss: Callable[[Tensor], Tensor],
    *,
    steps: int,
    rate: float,
    warm_up: float,
    g: torch.Generator,
    decay: float = 0.0,
    progress: str | None = None,
) -> None:
    """Train the nets of all folds in place, in the same batched products, by Adam and one cycle of the rate.

    Parameters
    ----------
    net : iterable of tensors
        Weights, the first axis being the fold.
    rows : FoldRows
    loss : callable
        Of a batch of row numbers, (folds, batch).
    steps : int
    rate, warm_up : float
        Highest learning rate, and the share of the steps until it is reached.
    g : torch.Generator
        Of the order of the rows.
    decay : float
        See `denograd.models.adam.Adam`.
    progress : str, optional
        Title of a progress bar, drawn where stderr is a terminal.
    """
    optimiser = Adam(net, rate, decay=decay)
    batches = rows.batches(steps, g, optimiser.values[0].device)
    bar = tqdm(batches, total=steps, desc=progress, disable=None if progress else True, leave=False)
    for step, batch in enumerate(bar):
        optimiser.lr = one_cycle(step, steps, rate, warm_up)
        optimiser.step(torch.autograd.grad(loss(batch), optimiser.values))
