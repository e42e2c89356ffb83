"""The rule `map` with a user's own model in place of the blind-spot backbone."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from denograd.data.arrays import Array, Kind, near_power_of_two
from denograd.data.progress import Progress
from denograd.data.windows import targets_of, windows_of
from denograd.map.candidates.support import fit_support
from denograd.map.error_scale import noise_bound
from denograd.map.noise_level import NoiseLevel, noise_level
from denograd.map.objective import Question
from denograd.map.posterior import FEWEST
from denograd.map.refine import Refined, check_solver
from denograd.map.segments import Segment, predict_rows
from denograd.map.solve import Answer, Solver, answer, count_steps
from denograd.models.fitted import Fitted, Opened, RuleResult, open_model
from denograd.models.folds import fold_models, fold_of
from denograd.models.frozen import Predictor, frozen

FOLDS = 5
"""Copies of the model, by default."""


def transform_map(
    fitted: Fitted,
    *,
    sigma: Any,
    solver: Solver,
    folds: int,
    max_epochs: int,
    denoise_y: bool,
    batch_size: int | None,
    verbose: bool,
) -> RuleResult:
    """`DenoGrad.transform(rule="map")`: the rule with the user's own model.

    The data matrix is X, followed by y where the target is separate; its outputs are the targets. Steps
    without a full window before them have no residual, but may move.

    Parameters
    ----------
    sigma : float, array_like, mapping, "auto", "common" or "wavelet"
        A number, one per column of that matrix, or ``{column: level}`` (other columns are held), in the data's
        units; or how to estimate it.
    solver : {"auto", "lbfgs", "one_step"}
        L-BFGS, the closed form, which moves targets only, or whichever is better: L-BFGS, except for targets whose
        density is more informative (`denograd.map.candidates.support`).
    folds : int
        Number of retrained, cross-fitted copies of the model, each to refine the part that it did not see: a model's
        residual on its training rows is too small. 1 takes the model as it is.
    max_epochs : int
        Iterations of L-BFGS.
    denoise_y : bool
        False leaves the targets where they are.
    """
    check_solver(solver)
    columns = fitted.X.shape[1]
    with (
        frozen(fitted.model, fitted.device),
        Progress(count_steps(len(fitted.X), solver, max_epochs), "map", verbose) as progress,
    ):
        opened = open_model(fitted, "map", batch_size)
        matrix = fitted.X.reshape(len(fitted.X), -1).astype(np.float64)
        if fitted.X.ndim != 2:
            raise ValueError(f"rule='map' refines two-dimensional data, got X of shape {fitted.X.shape}")
        each = "one per column"
        if fitted.target_cols is None:
            each += " of X, then of y"
            assert fitted.y is not None
            matrix = np.concatenate([matrix, fitted.y.astype(np.float64)], 1)
            outputs = np.arange(columns, matrix.shape[1])
        else:
            outputs = np.array(fitted.target_cols)
        models, fold = _models(fitted, opened, folds, verbose)
        order = np.arange(len(matrix)) if fitted.is_ts else np.argsort(fold, kind="stable")
        numbers = np.arange(fitted.count) if fitted.is_ts else order
        segments = _segments(fitted, models, fold[numbers], numbers, columns, opened.dtype, opened.batch_size)
        z = torch.from_numpy(matrix[order]).to(fitted.device)
        residual = predict_rows(z, segments, len(outputs)) - matrix[order][:, outputs]
        moves = np.ones(matrix.shape[1], dtype=bool)
        moves[outputs] = denoise_y
        constant = (matrix == matrix[0]).all(0)
        kind: Kind = "series" if fitted.is_ts else "tabular"
        bound = noise_bound(residual)
        level = noise_level(sigma, matrix, bound, outputs, constant, kind, fitted.names, each)
        question = Question(segments, outputs, level.sigma, moves, kind, None, fitted.device)
        found: Answer = answer(
            matrix[order], question, "lbfgs" if solver == "auto" else solver, max_epochs, progress
        )
        if solver == "auto":
            _prefer_supports(found, matrix[order], question)
    back = np.argsort(order)
    values = matrix + found.step[back]
    X = values[:, :columns].astype(fitted.X.dtype)
    y = values[:, outputs] if fitted.y is None else values[:, outputs].astype(fitted.y.dtype)
    details = _details(values, found, level, bound, outputs, back, progress)
    return RuleResult(X, y, history=progress.history, details=details)


def _details(
    values: Array,
    found: Answer,
    level: NoiseLevel,
    bound: Array,
    outputs: NDArray[np.int64],
    back: NDArray[np.int64],
    progress: Progress,
) -> Refined:
    """What `denograd.refine` says of its result, of the data matrix."""
    residual = found.residual[back]
    per_column = np.full(values.shape[1], np.nan)
    per_column[outputs] = bound
    unlike = np.nan_to_num(residual / np.where(bound > 0, bound, 1.0))
    return Refined(
        values=values,
        sigma=level.sigma,
        evidence=level.evidence,
        bound=per_column,
        residual=residual,
        scale=found.scale[back],
        score=np.sqrt((unlike**2).mean(1)),
        error=found.error,
        iterations=found.iterations,
        evaluations=found.evaluations,
        objective=found.objective,
        history=progress.history,
        outliers=np.zeros(values.shape, dtype=bool),
    )


def _prefer_supports(found: Answer, z_obs: Array, question: Question) -> None:
    """Put the posterior mean under a target's density where Stein's estimate clearly likes it better."""
    for i, j in enumerate(question.outputs.tolist()):
        sigma = float(question.sigma[j])
        rows = np.flatnonzero(~np.isnan(found.residual[:, i]))
        if sigma == 0 or not question.moves[j] or len(rows) < FEWEST:
            continue
        unit = near_power_of_two(sigma)  # densities are computed in float32
        y, guess = z_obs[rows, j] / unit, (z_obs[rows, j] + found.residual[rows, i]) / unit
        fit = fit_support(y, guess, np.full(len(y), sigma / unit), question.kind)
        gain = found.error[j] - sigma**2 * (1 + fit.change.sum() / len(z_obs))
        if gain > sigma**2 * fit.change.std() / len(rows) ** 0.5:
            found.step[:, j] = 0.0
            found.step[rows, j] = unit * (fit.answers.mean - y)
            found.error[j] -= gain


def _models(
    fitted: Fitted, opened: Opened, folds: int, verbose: bool
) -> tuple[list[Predictor], NDArray[np.int64]]:
    """The models, and which of them predicts a row of the table or a window of the series."""
    if folds == 1 or not any(True for _ in fitted.model.parameters()):
        return [opened.predict], np.zeros(fitted.count, dtype=int)
    if not isinstance(folds, int) or not 2 <= folds <= fitted.count // 4:
        raise ValueError(
            f"folds must be 1, the model as it is, or up to {fitted.count // 4}, a quarter of the samples, got "
            f"{folds!r}"
        )
    fold = fold_of(fitted.count, folds, "series" if fitted.is_ts else "tabular", np.random.default_rng(0))
    x, y = opened.X, opened.y
    if fitted.is_ts:
        window = fitted.window_size or 0
        x = windows_of(x, window, fitted.stride, fitted.count)
        y = targets_of(y, window, fitted.future, fitted.stride, fitted.count)
    models = fold_models(opened.predict, x.to(opened.dtype), y.to(opened.dtype), fold, verbose=verbose)
    return models, fold


def _segments(
    fitted: Fitted,
    models: list[Predictor],
    fold: NDArray[np.int64],
    numbers: NDArray[np.int64],
    columns: int,
    dtype: torch.dtype,
    size: int,
) -> list[Segment]:
    """Batches of rows, or of windows, that one model predicts; `numbers` are those of the samples."""
    found = []
    samples = torch.from_numpy(numbers).to(fitted.device)
    for a, b in _runs(fold, size):
        model = models[int(fold[a])]
        if not fitted.is_ts:
            predict = partial(_predict_rows, model=model, samples=samples[a:b], columns=columns, dtype=dtype)
            found.append(Segment(slice(a, b), slice(a, b), predict))
            continue
        window, stride = fitted.window_size or 0, fitted.stride
        ahead = window + fitted.future - 1
        rows = slice(a * stride + ahead, (b - 1) * stride + ahead + 1, stride)
        cut = partial(windows_of, width=window, stride=stride, count=b - a)
        ask = partial(_predict_rows, model=model, samples=samples[a:b], columns=columns, dtype=dtype)
        predict = partial(ask, cut=cut)
        found.append(Segment(rows, slice(a * stride, rows.stop), predict))
    return found


def _runs(fold: NDArray[np.int64], size: int) -> list[tuple[int, int]]:
    """Runs of equal folds, in pieces of at most `size`."""
    edges = [0, *(np.flatnonzero(np.diff(fold)) + 1).tolist(), len(fold)]
    return [(start, min(start + size, b)) for a, b in pairwise(edges) for start in range(a, b, size)]


def _predict_rows(
    local: Tensor,
    *,
    model: Predictor,
    samples: Tensor,
    columns: int,
    dtype: torch.dtype,
    cut: Any = None,
) -> Tensor:
    x = local[:, :columns].to(dtype)
    prediction = model(x if cut is None else cut(x), samples)
    return prediction.reshape(len(prediction), -1).to(local.dtype)
