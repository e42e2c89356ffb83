"""The training loop against a bare loop of forward, backward and optimiser step on batches laid out beforehand.

Run with ``python -m benchmarks.training_loop``. Both sides use the same fused Adam, seed and thread, and take
turns, so that a change of the machine's load meets both; the ratio of the medians is what counts.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from experiments.models.lstm import LSTM
from experiments.models.mlp import MLP
from experiments.models.training import TrainSettings, build_network, train


def bare(module: nn.Module, batches: list[tuple[Tensor, Tensor]], epochs: int, fused: bool) -> None:
    """Forward, backward, step; nothing else."""
    optimiser = torch.optim.Adam(module.parameters(), lr=1e-3, fused=fused)
    module.train()
    for _ in range(epochs):
        for x, y in batches:
            optimiser.zero_grad(set_to_none=True)
            nn.functional.mse_loss(module(x), y).backward()
            optimiser.step()


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def compare(
    name: str, network: type[nn.Module], X: Tensor, epochs: int, batch_size: int, rounds: int
) -> None:
    """Time the loops in turn and print one line of a Markdown table."""
    y = X.flatten(1).mean(1, keepdim=True).contiguous()
    held = len(X) // 7  # the validation part of a 70/10/20 split
    batches = [(x.contiguous(), t) for x, t in zip(X.split(batch_size), y.split(batch_size), strict=True)]
    settings = TrainSettings(epochs=epochs, patience=None, batch_size=batch_size)

    def fresh() -> nn.Module:
        return build_network(network, seed=0, n_features=X.shape[-1], outputs=1)

    def ours(*validation: Tensor) -> None:
        train(fresh(), X, y, *validation, settings=settings, seed=0, device="cpu")

    contestants: dict[str, Callable[[], object]] = {
        "bare": lambda: bare(fresh(), batches, epochs, fused=True),
        "plain": lambda: bare(fresh(), batches, epochs, fused=False),
        "ours": ours,
        "validated": lambda: ours(X[:held], y[:held]),
    }
    times: dict[str, list[float]] = {key: [] for key in contestants}
    for _ in range(rounds):
        for key, work in contestants.items():
            times[key].append(seconds(work))
    median = {key: statistics.median(values) for key, values in times.items()}
    print(
        f"| {name} | {epochs} | {median['bare']:.2f} s | {median['plain']:.2f} s | {median['ours']:.2f} s | "
        f"{median['ours'] / median['bare']:.2f} | {median['validated'] / median['bare']:.2f} |",
        flush=True,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lstm-epochs", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(24_000, 39, generator=generator)
    series = torch.randn(17_420, 7, generator=generator)
    windows = series.unfold(0, 24, 1).transpose(1, 2)
    print(
        "| training | epochs | bare | bare, Adam not fused | ours | ours / bare | with validation part / bare |"
    )
    print("|---|---|---|---|---|---|---|")
    compare("MLP 128-64-32, 24,000 x 39, batch 128", MLP, table, 20, 128, options.rounds)
    compare(
        "LSTM 2 x 64, 17,397 windows 24 x 7, batch 64", LSTM, windows, options.lstm_epochs, 64, options.rounds
    )


if __name__ == "__main__":
    main()
