"""Time per epoch of denograd beside the released packages and the floor, interleaved on the same machine.

The floor is the bare forward pass and input gradient of the same frozen model on the same windows, at the
best of several batch sizes. Ratios are medians over the rounds of time / floor of the same round.

    python benchmarks/denograd_speed.py [--rounds 5] [--threads 1] [--device cpu] [--cases mlp dlinear lstm]
        [--contenders ours 1.1.0 2.0.0]
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import os
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import torch
from torch import nn

from denograd import DenoGrad
from experiments.models.dlinear import DLinear
from experiments.models.lstm import LSTM
from experiments.models.mlp import MLP

ORACLE = Path(__file__).resolve().parent.parent / ".oracle"
BATCHES = (64, 128, 256, 512, 1024, 2048, 4096)
CUDA_BATCHES = (1024, 4096, 16384, 65536)


def cases(name: str) -> tuple[nn.Module, np.ndarray, np.ndarray, dict[str, Any]]:
    """Give model, X, y and fit parameters of a case; generated data of the real sets' sizes."""
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    if name == "mlp":
        X = rng.normal(size=(20_000, 20)).astype(np.float32)
        return MLP(20), X, rng.normal(size=20_000).astype(np.float32), {}
    shapes = {"ecl": (1_500, 320, 24), "wth": (35_064, 12, 96)}
    length, channels, window = shapes.get(name.split("-")[-1], (17_420, 7, 24))
    Z = (0.05 * np.cumsum(rng.normal(size=(length, channels)), 0)).astype(np.float32)
    model = LSTM(channels, layers=1) if name.startswith("lstm") else DLinear(channels, window=window)
    return model, Z, Z[:, 0].copy(), {"is_ts": True, "window_size": window}


def released(version: str) -> type:
    """Load a released package under a name of its own."""
    path = ORACLE / version / "denograd.py"
    if not path.exists():
        raise SystemExit(f"denograd {version} is not at hand: run 'make oracle'")
    spec = importlib.util.spec_from_file_location("released_" + version.replace(".", "_"), path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.DenoGrad


def floor(model: nn.Module, X: np.ndarray, y: np.ndarray, fit: dict, device: str) -> Callable[[int], None]:
    """One epoch of nothing but forward and input gradient."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    model.to(device).train(device != "cpu")
    rows = torch.tensor(X, device=device)
    goals = torch.tensor(y, device=device)[:, None]
    if fit:
        window = fit["window_size"]
        rows, goals = rows.unfold(0, window, 1)[:-1].transpose(1, 2), goals[window:]

    def epoch(batch: int) -> None:
        for start in range(0, len(rows), batch):
            x = rows[start : start + batch].detach().requires_grad_()
            loss = nn.functional.mse_loss(model(x), goals[start : start + batch])
            torch.autograd.grad(loss, x)
        if device != "cpu":
            torch.cuda.synchronize()

    return epoch


def clocked(run: Callable[[], Any]) -> tuple[float, float]:
    """Wall and CPU seconds of a call; what it prints is dropped."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        return time.perf_counter() - wall, time.process_time() - cpu


def contender(name: str, case: str, device: str) -> tuple[Callable[[], Any], int]:
    """A call that runs some epochs, and their number.

    `ours` has a stranger's model, which does not say whether it is affine; that of `ours-affine` says that it is,
    that of `ours-windows` that it is not.
    """
    model, X, y, fit = cases(case)
    quick = 10 if name.startswith("ours") else 2
    how = {"max_epochs": quick, "save_gradients": False, "nr_threshold": 1e-6}
    if name.startswith("ours"):
        model.affine = {"ours": None, "ours-affine": True, "ours-windows": False}[name]
        denoiser = DenoGrad(model, nn.MSELoss(), device).fit(X, y, **fit)
        return lambda: denoiser.transform(**how, verbose=False), quick
    if name == "2.0.0":
        how["ts_strategy"] = "window"
    denoiser = released(name)(model, nn.MSELoss(), torch.device(device)).fit(X, y, **fit)
    return lambda: denoiser.transform(**how), quick


def measure(case: str, names: list[str], rounds: int, device: str) -> None:
    """Print one row per contender."""
    model, X, y, fit = cases(case)
    epoch = floor(model, X, y, fit, device)
    sizes = BATCHES if device == "cpu" else CUDA_BATCHES
    for size in sizes:
        epoch(size)
    best = min(
        sizes,
        key=lambda size: min(clocked(lambda: epoch(size))[1 if device == "cpu" else 0] for _ in range(3)),
    )
    runs = {name: contender(name, case, device) for name in names}
    wall: dict[str, list[float]] = {name: [] for name in names}
    cpu: dict[str, list[float]] = {name: [] for name in names}
    bare: list[tuple[float, float]] = []
    for _ in range(rounds):
        before = [clocked(lambda: epoch(best)) for _ in range(3)]
        for name, (run, epochs) in runs.items():
            w, c = clocked(run)
            reference = min(before, key=lambda pair: pair[1])
            wall[name].append(w / epochs / reference[0])
            cpu[name].append(c / epochs / reference[1])
        bare += before
    at = statistics.median(w for w, _ in bare)
    print(f"{case:10s} floor {at * 1e3:8.1f} ms/epoch, batch {best}")
    for name in names:
        print(
            f"{'':10s} {name:12s} {statistics.median(wall[name]):6.2f} x floor (wall) "
            f"{statistics.median(cpu[name]):6.2f} x floor (CPU)",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--cases", nargs="+", default=["mlp", "dlinear", "lstm"])
    parser.add_argument("--contenders", nargs="+", default=["ours", "1.1.0", "2.0.0"])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{options.device}, {options.threads} thread(s), torch {torch.__version__}")
    for case in options.cases:
        measure(case, options.contenders, options.rounds, options.device)
