"""Cross-fitting of a user's model: retrained copies, each without one part of the data."""

from __future__ import annotations

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from denograd.data.arrays import Kind
from denograd.models.frozen import Predictor, silence
from denograd.models.training import split_rows, train_best

EPOCHS, PATIENCE, BATCH, RATE = 100, 10, 128, 1e-3


def fold_of(n: int, folds: int, kind: Kind, rng: np.random.Generator) -> NDArray[np.int64]:
    """Fold of every row: contiguous blocks of a series, shuffled on a table; shape (n,)."""
    fold = np.arange(n) * folds // n
    return fold if kind == "series" else rng.permutation(fold)


def interleaved(n: int, folds: int, stretch: int = 50) -> NDArray[np.int64]:
    """Fold of every step of a series, in turn for every stretch of steps; shape (n,).

    A long block at either end has to be predicted by models that know only one side of it; in a series that drifts
    this makes them needlessly worse.
    """
    return np.arange(n) // min(stretch, max(n // folds, 1)) % folds


def fold_models(
    predict: Predictor,
    x: Tensor,
    y: Tensor,
    fold: NDArray[np.int64],
    *,
    seed: int = 0,
    verbose: bool = False,
) -> list[Predictor]:
    """Train one copy of the model per fold on the rows of all others.

    Weights are reinitialised, then trained by Adam (1e-3, batch 128) with early stopping on the last tenth of the
    training rows. The global random state is left as it was.

    Parameters
    ----------
    predict : Predictor
    x : (n, ...) tensor
        Rows or windows (a view).
    y : (n, k) tensor
    fold : (n,) int array

    Raises
    ------
    ValueError
        If a layer has weights but no ``reset_parameters``.
    """
    for module in predict.model.modules():
        own = list(module.parameters(recurse=False))
        if own and not callable(getattr(module, "reset_parameters", None)):
            raise ValueError(
                f"folds: the layer {type(module).__name__} has weights but no reset_parameters(), so the model "
                "cannot be trained anew without a part of the data: add the method, or set folds=1 to take the model "
                "as it is, which is honest only if it was trained on other rows"
            )
    devices = [x.device] if x.device.type == "cuda" else []
    models = []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        for k in tqdm(range(fold.max() + 1), desc="folds", disable=None if verbose else True, leave=False):
            model = copy.deepcopy(predict.model)
            for module in model.modules():
                if callable(reset := getattr(module, "reset_parameters", None)):
                    reset()
            rows = torch.from_numpy(np.flatnonzero(fold != k)).to(x.device)
            one = predict.of(model)
            _train(one, x, y, rows)
            models.append(one)
    return models


def _train(predict: Predictor, x: Tensor, y: Tensor, rows: Tensor) -> None:
    cut = max(1, len(rows) // 10)
    train, valid = rows[:-cut], rows[-cut:]

    def batches() -> list[Tensor]:
        return split_rows(train[torch.randperm(len(train)).to(train.device)], BATCH)

    def loss(b: Tensor) -> Tensor:
        return predict.loss(predict(x[b], b), y[b])

    def error() -> float:
        parts = split_rows(valid, 1024)
        return sum(float((predict(x[b], b).reshape(y[b].shape) - y[b]).square().sum()) for b in parts)

    predict.model.requires_grad_(True)
    train_best(predict.model, batches, loss, error, epochs=EPOCHS, patience=PATIENCE, lr=RATE)
    predict.model.requires_grad_(False)
    silence(predict.model, x.device)
