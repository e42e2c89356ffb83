"""Seconds until the best recovery: the rule `map` (40 iterations) against `fixed` (150 epochs).

    DENOGRAD_DATA=PATH python benchmarks/time_to_quality.py

Gaussian noise of sigma standard deviations on every column. `fixed` is asked for more and more epochs and its best
answer counts, which needs the truth: nobody has that when it matters. `map` is told sigma and stops by itself.
Recovery is the share of the injected squared error that went, in percent; training is listed apart.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from denograd import BlindSpot, DenoGrad, refine
from experiments.data.recipes import load_dataset
from experiments.models.estimators import DNN, LSTMRegressor

EPOCHS = (1, 2, 5, 10, 20, 50, 100, 150)
WINDOW = 24


def measure(name: str, rows: int, sigma: float, seed: int) -> None:
    dataset = load_dataset(name)
    clean = dataset.frame.to_numpy(float)[:rows]
    clean = (clean - clean.mean(0)) / np.where(clean.std(0) > 0, clean.std(0), 1.0)
    varies = clean.std(0) > 0
    noisy = clean + sigma * np.random.default_rng([seed, 11]).standard_normal(clean.shape) * varies
    target = list(dataset.frame.columns).index(dataset.target)
    features = [i for i in range(clean.shape[1]) if i != target]

    def recovery(refined: np.ndarray) -> float:
        before = ((noisy - clean)[:, varies] ** 2).sum()
        return 100 * (1 - ((refined - clean)[:, varies] ** 2).sum() / before)

    start = time.perf_counter()
    if dataset.kind == "series":
        windows = np.lib.stride_tricks.sliding_window_view(noisy, WINDOW, 0)[:-1].transpose(0, 2, 1)
        model = LSTMRegressor(options={"hidden": 64, "layers": 1}, epochs=10, random_state=seed)
        model.fit(windows, noisy[WINDOW:, target])
        fitted = DenoGrad(model.network_, torch.nn.MSELoss()).fit(
            noisy, is_ts=True, window_size=WINDOW, target_cols=[target]
        )
    else:
        model = DNN(epochs=30, random_state=seed).fit(noisy[:, features], noisy[:, target])
        fitted = DenoGrad(model.network_, torch.nn.MSELoss()).fit(noisy[:, features], noisy[:, [target]])
    trained = time.perf_counter() - start
    found = []
    for epochs in EPOCHS:
        start = time.perf_counter()
        X, y, _, _ = fitted.transform(
            rule="fixed", nrr=0.05, nr_threshold=0.01, max_epochs=epochs, save_gradients=False, verbose=False
        )
        seconds = time.perf_counter() - start
        refined = X
        if dataset.kind == "tabular":
            refined = np.empty_like(noisy)
            refined[:, features], refined[:, [target]] = X, y.reshape(-1, 1)
        found.append((recovery(np.asarray(refined, float)), epochs, seconds))
    best, last = max(found), found[-1]
    print(
        f"{name}, {len(clean):,} rows, sigma {sigma}: fixed, trained in {trained:.1f} s: best recovery {best[0]:.1f} % "
        f"after {best[1]} epochs, {best[2]:.2f} s; after {last[1]} epochs {last[0]:.1f} %, {last[2]:.1f} s",
        flush=True,
    )
    start = time.perf_counter()
    blind = BlindSpot(dataset.kind).fit(noisy, seed=seed)
    trained = time.perf_counter() - start
    for solver in ("one_step", "lbfgs"):
        start = time.perf_counter()
        answer = refine(blind, noisy, sigma, fitted_rows=len(noisy), solver=solver)
        print(
            f"  map, {solver}, trained in {trained:.1f} s: recovery {recovery(answer.values):.1f} %, "
            f"{time.perf_counter() - start:.2f} s",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", default=["ett", "house_prices", "parkinsons"])
    parser.add_argument("--rows", type=int, default=6000, help="the first so many")
    parser.add_argument("--sigma", type=float, nargs="+", default=[0.05, 0.2])
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.data:
        for sigma in options.sigma:
            measure(name, options.rows, sigma, seed=0)
