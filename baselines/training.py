"""Training of the networks that reconstruct rows, and a fence around the global generator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from denograd.models import train_best


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Seed torch inside the block, on the CPU and `device`; outside, nothing has happened to its generators."""
    cuda = device is not None and device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if cuda else []):
        torch.default_generator.manual_seed(seed)
        if cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def train_reconstruction(
    net: nn.Module,
    rows: Tensor,
    corrupt: Callable[[Tensor], Tensor],
    *,
    epochs: int,
    patience: int,
    batch_size: int = 64,
    lr: float = 1e-3,
    valid_share: float = 0.2,
) -> dict[str, Any]:
    """Train ``net(corrupt(rows)) -> rows`` by Adam on the mean squared error, in place.

    A random fifth of the rows decides when to stop; the weights of its best epoch are kept. Draws from
    torch's global generator: call it inside `seeded`.

    Parameters
    ----------
    net : Module
        (B, d) -> (B, d).
    rows : (n, d) tensor
    corrupt : callable
        Drawn anew in every epoch for the training rows, once for the others.
    epochs, patience : int
        At most so many epochs; stop after so many without a better one.

    Returns
    -------
    info : dict
        ``epochs`` run and the best ``valid_loss``.
    """
    order = torch.randperm(len(rows)).to(rows.device)
    n_valid = int(valid_share * len(rows))
    valid, train = rows[order[:n_valid]], rows[order[n_valid:]]
    if not n_valid:
        valid = train
    corrupted_valid = corrupt(valid)

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        shuffled = train[torch.randperm(len(train)).to(train.device)]
        return zip(shuffled.split(batch_size), corrupt(shuffled).split(batch_size), strict=True)

    trained = train_best(
        net,
        batches,
        lambda pair: nn.functional.mse_loss(net(pair[1]), pair[0]),
        lambda: nn.functional.mse_loss(net(corrupted_valid), valid).item(),
        epochs=epochs,
        patience=patience,
        lr=lr,
        progress="epochs",
    )
    return {"epochs": trained.epochs, "valid_loss": trained.error}
