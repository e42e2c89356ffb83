"""One small training loop for the networks of this package, and a fence around the global generator."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm


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
    order = torch.randperm(len(rows))
    n_valid = int(valid_share * len(rows))
    valid, train = rows[order[:n_valid]], rows[order[n_valid:]]
    if not n_valid:
        valid = train
    corrupted_valid = corrupt(valid)
    optimizer = torch.optim.Adam(net.parameters(), lr=lr, fused=True)
    best, best_loss, best_epoch = copy.deepcopy(net.state_dict()), float("inf"), 0
    for epoch in tqdm(range(1, epochs + 1), desc="epochs", disable=None, leave=False):
        net.train()
        order = torch.randperm(len(train))
        shuffled = train[order]
        for batch, corrupted in zip(
            shuffled.split(batch_size), corrupt(shuffled).split(batch_size), strict=True
        ):
            optimizer.zero_grad()
            nn.functional.mse_loss(net(corrupted), batch).backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            loss = nn.functional.mse_loss(net(corrupted_valid), valid).item()
        if loss < best_loss:
            best, best_loss, best_epoch = copy.deepcopy(net.state_dict()), loss, epoch
        elif epoch - best_epoch >= patience:
            break
    net.load_state_dict(best)
    net.eval()
    return {"epochs": epoch, "valid_loss": best_loss}
