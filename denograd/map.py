"""The rule `map`: the most probable data, given a noise level and a backbone that admits its own error.

With ``z`` every value that may move, ``z_obs`` what was observed, ``sigma_j`` the noise of column j and ``s_k`` the
standard deviation of the backbone's own error on output k at that row (see `denograd.error_scale`)

    minimise over z   sum rho((f_k(z) - z_k) / s_k)  +  1/2 sum ((z_ij - z_obs_ij) / sigma_j)^2

with Huber's rho: the maximum a posteriori estimate of an errors-in-variables model; of a series, weak-constraint
variational assimilation (Tremolet, 2006). ``docs/map.md`` derives it and says when not to use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from denograd.backbone import Predictor, frozen
from denograd.blindspot import Array, BlindSpot, Kind, Segment, check_frame, fold_of, predict_rows
from denograd.error_scale import noise_bound
from denograd.fitted import Fitted
from denograd.fitted import Refined as FittedRefined
from denograd.map_core import Answer, Question, Solver, answer, count_steps
from denograd.noise_level import noise_level
from denograd.progress import Progress
from denograd.windows import targets_of, windows_of

__all__ = ["Refined", "Solver", "refine", "transform_map"]


@dataclass(frozen=True)
class Refined:
    """What `refine` returns, everything in the data's units.

    Attributes
    ----------
    values : (n, c) array
        The refined data.
    sigma : (c,) array
        Noise level that was used; 0 for a held column.
    bound : (c,) array
        What the noise cannot exceed, by the backbone's residual.
    residual : (n, c) array
        f(z_obs) - z_obs.
    scale : (n, c) array
        s, the backbone's own error, at every row.
    score : (n,) array
        How unlike the backbone's prediction a row is: root mean square over columns of residual / bound.
    error : (c,) array
        Estimated mean squared error that is left (Stein's estimate; before, it was ``sigma**2``).
    iterations, evaluations : int
        Of the solver; an evaluation is one forward and one backward pass over all rows.
    objective : tuple of float
        Before and after; NaN for the closed form.
    history : list of dict
        Per iteration of L-BFGS, or of the one closed form, as `denograd.DenoGrad.history_` has it.
    """

    values: Array
    sigma: Array
    bound: Array
    residual: Array
    scale: Array
    score: Array
    error: Array
    iterations: int
    evaluations: int
    objective: tuple[float, float]
    history: list[dict[str, Any]]


def refine(
    blind: BlindSpot,
    X: Array,
    sigma: Any,
    *,
    fitted_rows: int = 0,
    solver: Solver = "lbfgs",
    max_iter: int = 40,
    names: Sequence[Any] | None = None,
    verbose: bool = False,
) -> Refined:
    """Refine the rows of `X` with a fitted blind-spot backbone.

    Parameters
    ----------
    blind : BlindSpot
        Fitted.
    X : (n, c) array
        In the units of the fitted data.
    sigma : float, (c,) array_like, mapping, "blind_spot" or "wavelet"
        Standard deviation of the noise in the data's units, also as ``{column: level}``, or how to estimate it.
    fitted_rows : int
        0, or the number of rows that `blind` was fitted on if these very rows lead `X`: each is then refined
        with the models that were not trained on it. What follows them is new: validation rows, say.
    solver : {"lbfgs", "one_step"}
    max_iter : int
        Of L-BFGS.
    names : sequence, optional
        What errors and a mapping `sigma` call the columns; by default their numbers.
    verbose : bool
        Show progress where stderr is a terminal.

    Returns
    -------
    Refined
    """
    X = check_frame(X)
    _check_solver(solver)
    models = blind.models_of(len(X), fitted_rows)
    bound = noise_bound(blind.residual_)
    level = noise_level(sigma, X, bound, blind.outputs, blind.constant_, blind.kind, names)
    order = blind.order(models)
    question = Question(
        segments=list(blind.segments(models[order])),
        outputs=blind.outputs,
        sigma=level,
        held=np.zeros(blind.columns_, dtype=bool),
        kind=blind.kind,
        reference=(blind.residual_, blind.prediction_),
        device=blind.device,
    )
    with Progress(count_steps(len(X), solver, max_iter), "map", verbose) as progress:
        found = answer(X[order], question, solver, max_iter, progress)
    back = np.argsort(order)
    residual = found.residual[back]
    unlike = np.where(blind.constant_, 0.0, residual / np.where(bound > 0, bound, 1.0))
    return Refined(
        values=X + found.step[back],
        sigma=level,
        bound=bound,
        residual=residual,
        scale=found.scale[back],
        score=np.sqrt((unlike**2).mean(1)),
        error=found.error,
        iterations=found.iterations,
        evaluations=found.evaluations,
        objective=found.objective,
        history=progress.history,
    )


def transform_map(
    fitted: Fitted,
    *,
    sigma: Any,
    solver: Solver,
    folds: int | None,
    max_epochs: int,
    denoise_y: bool,
    batch_size: int | None,
    verbose: bool,
) -> FittedRefined:
    """`DenoGrad.transform(rule="map")`: the rule with the user's own model.

    The frame is X, followed by y where the target stands apart from it; its outputs are the targets. Steps
    without a full window behind them have no residual, but may move.

    Parameters
    ----------
    sigma : float, array_like, mapping, "blind_spot" or "wavelet"
        A number, one per column of the frame, or ``{column: level}`` (other columns are held), in the data's
        units; or how to estimate it.
    solver : {"lbfgs", "one_step"}
        The closed form moves targets only.
    folds : int or None
        None takes the model as it is: if it was trained on these very rows, its residual looks better than it
        is. A number of folds trains that many copies anew, each refining the part that it did not see.
    max_epochs : int
        Iterations of L-BFGS.
    denoise_y : bool
        False leaves the targets where they are.
    """
    from denograd.rules import _open  # the registry of rules imports this module in turn

    _check_solver(solver)
    columns = fitted.X.shape[1]
    with (
        frozen(fitted.model, fitted.device),
        Progress(count_steps(len(fitted.X), solver, max_epochs), "map", verbose) as progress,
    ):
        opened = _open(fitted, "map", batch_size)
        frame = fitted.X.reshape(len(fitted.X), -1).astype(np.float64)
        if fitted.X.ndim != 2:
            raise ValueError(f"rule='map' refines two-dimensional data, got X of shape {fitted.X.shape}")
        each = "one per column"
        if fitted.target_cols is None:
            each += " of X, then of y"
            assert fitted.y is not None
            frame = np.concatenate([frame, fitted.y.astype(np.float64)], 1)
            outputs = np.arange(columns, frame.shape[1])
        else:
            outputs = np.array(fitted.target_cols)
        models, fold = _models(fitted, opened, folds, verbose)
        order = np.arange(len(frame)) if fitted.is_ts else np.argsort(fold, kind="stable")
        segments = _segments(
            fitted, models, fold if fitted.is_ts else fold[order], columns, opened.dtype, opened.batch_size
        )
        z = torch.from_numpy(frame[order]).to(fitted.device)
        residual = predict_rows(z, segments, len(outputs)) - frame[order][:, outputs]
        held = np.zeros(frame.shape[1], dtype=bool)
        held[outputs] = not denoise_y
        constant = (frame == frame[0]).all(0)
        kind: Kind = "series" if fitted.is_ts else "tabular"
        level = noise_level(sigma, frame, noise_bound(residual), outputs, constant, kind, fitted.names, each)
        question = Question(segments, outputs, level, held, kind, None, fitted.device)
        found: Answer = answer(frame[order], question, solver, max_epochs, progress)
    values = frame + found.step[np.argsort(order)]
    X = values[:, :columns].astype(fitted.X.dtype)
    y = values[:, outputs] if fitted.y is None else values[:, outputs].astype(fitted.y.dtype)
    return FittedRefined(X, y, history=progress.history)


def _check_solver(solver: str) -> None:
    if solver not in get_args(Solver):
        raise ValueError(f"solver must be one of {', '.join(get_args(Solver))}, got {solver!r}")


def _models(
    fitted: Fitted, opened: Any, folds: int | None, verbose: bool
) -> tuple[list[Predictor], NDArray[np.int64]]:
    """The models, and which of them predicts a row of the table or a window of the series."""
    if folds is None:
        return [opened.predict], np.zeros(len(fitted.X) if not fitted.is_ts else fitted.count, dtype=int)
    if not isinstance(folds, int) or not 2 <= folds <= fitted.count // 4:
        raise ValueError(f"folds must be None or between 2 and {fitted.count // 4}, got {folds!r}")
    from denograd.folds import fold_models

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
    columns: int,
    dtype: torch.dtype,
    size: int,
) -> list[Segment]:
    """Batches of rows, or of windows, that one model predicts."""
    found = []
    for a, b in _runs(fold, size):
        model = models[int(fold[a])]
        if not fitted.is_ts:
            predict = partial(_predict_rows, model=model, columns=columns, dtype=dtype)
            found.append(Segment(slice(a, b), slice(a, b), predict))
            continue
        window, stride = fitted.window_size or 0, fitted.stride
        ahead = window + fitted.future - 1
        rows = slice(a * stride + ahead, (b - 1) * stride + ahead + 1, stride)
        cut = partial(windows_of, width=window, stride=stride, count=b - a)
        predict = partial(_predict_rows, model=model, columns=columns, dtype=dtype, cut=cut)
        found.append(Segment(rows, slice(a * stride, rows.stop), predict))
    return found


def _runs(fold: NDArray[np.int64], size: int) -> list[tuple[int, int]]:
    """Runs of equal folds, in pieces of at most `size`."""
    edges = [0, *(np.flatnonzero(np.diff(fold)) + 1).tolist(), len(fold)]
    return [(start, min(start + size, b)) for a, b in pairwise(edges) for start in range(a, b, size)]


def _predict_rows(
    local: Tensor, *, model: Predictor, columns: int, dtype: torch.dtype, cut: Any = None
) -> Tensor:
    x = local[:, :columns].to(dtype)
    prediction = model(x if cut is None else cut(x))
    return prediction.reshape(len(prediction), -1).to(local.dtype)
