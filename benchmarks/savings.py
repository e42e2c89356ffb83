"""What the harness saves without changing a result: with and without, in turn, in one process.

Run with ``python -m benchmarks.savings``. CPU seconds on one thread, medians over rounds.

- xLSTM: the last feed-forward layer on the last step only; a training step on 64 windows of 24 steps.
- constant: Ridge, kNN and XGBoost on a target of one value, whose prediction is known; a table of 20,000 x 80.
- map: three forms of one rule on a table of 1,000 rows, with one blind-spot backbone or one each.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor
from torch import Tensor
from xgboost import XGBRegressor

from baselines.base import Problem
from experiments.methods.blind_spots import BlindSpots
from experiments.methods.map import DenoGradMap
from experiments.models.regressors import repeats_a_constant
from experiments.models.xlstm import XLSTM


def cpu_seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def compare(what: str, without: Callable[[], object], saving: Callable[[], object], rounds: int) -> None:
    """Print a line of a Markdown table."""
    times = [(cpu_seconds(without), cpu_seconds(saving)) for _ in range(rounds)]
    before, after = (statistics.median(each) for each in zip(*times, strict=True))
    print(f"| {what} | {before:.3f} s | {after:.3f} s | {after / before:.2f} |", flush=True)


def xlstm(rounds: int) -> None:
    torch.manual_seed(0)
    module, x = XLSTM(5), torch.randn(64, 24, 5)

    def steps(forward: Callable[[Tensor], Tensor]) -> None:
        for _ in range(5):
            module.zero_grad()
            forward(x).square().mean().backward()

    compare(
        "xLSTM, 5 training steps",
        lambda: steps(lambda x: module.head(module.stack(module.embed(x))[:, -1])),
        lambda: steps(module),
        5 * rounds,
    )


def constant(rounds: int) -> None:
    rng = np.random.default_rng(0)
    mean = rng.standard_normal(80)
    X, y = np.tile(mean, (20_000, 1)), np.full(20_000, 0.25)
    test = X[:5_000]
    models = (
        Ridge(),
        KNeighborsRegressor(),
        XGBRegressor(n_estimators=120, max_depth=6, learning_rate=0.08, n_jobs=1),
    )
    for model in models:
        assert repeats_a_constant(model)
        compare(
            f"constant, {type(model).__name__}",
            lambda model=model: model.fit(X, y).predict(test),
            lambda: np.ptp(y) == 0 and np.full(len(test), y[0]),
            rounds,
        )


def forms_of_map(rounds: int) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1_000, 6)) @ rng.standard_normal((6, 12)) + 0.2 * rng.standard_normal(
        (1_000, 12)
    )
    problem = Problem("tabular", sigma=0.2)

    def three(shared: BlindSpots | None) -> None:
        for solver in ("auto", "one_step", "lbfgs"):
            DenoGradMap(solver=solver, blind_spots=shared).fit(X, problem=problem).denoise(X)

    compare("map, three forms", lambda: three(None), lambda: three(BlindSpots()), rounds)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| what | without | with | ratio |", "|---|---|---|---|", sep="\n")
    for part in (xlstm, constant, forms_of_map):
        part(options.rounds)


if __name__ == "__main__":
    main()
