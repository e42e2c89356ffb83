"""The numerics of the rule `map`: closed form, objective, and the remaining error.

Everything here works on a data matrix ``z_obs`` (n, c) whose columns `outputs` are predicted by `Segment`s of rows,
wherever the predictions come from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from denograd.data.arrays import Array
from denograd.data.progress import Progress
from denograd.map.candidates.mixture import flattery
from denograd.map.error_scale import error_scale
from denograd.map.objective import HUBER, Objective, Question
from denograd.map.segments import predict_rows
from denograd.models.lbfgs import Minimum, lbfgs

Solver = Literal["auto", "lbfgs", "one_step"]
"""How the rule `map` is solved: ``"auto"`` by the posterior mean (`denograd.map.posterior`), ``"lbfgs"`` over all
values at once, ``"one_step"`` in closed form."""

NUDGE = 0.1
"""Size, in noise levels, of the random change of the data that shows how a solver answers to them."""

ROWS_NUDGED = 2000
"""Shorter data are nudged up to four times, since a nudge tells the less the fewer rows there are."""

LARGE = 2_000_000
"""With more values L-BFGS remembers fewer steps, to save memory."""

TOLERANCE = 1e-4
"""L-BFGS ends where an iteration lowers the objective by less than this share."""


@dataclass(frozen=True)
class Answer:
    """Displacement and estimates; shapes as in `denograd.map.refine.Refined`."""

    step: Array
    residual: Array
    scale: Array
    error: Array
    iterations: int = 0
    evaluations: int = 1
    objective: tuple[float, float] = (float("nan"), float("nan"))


def one_step(residual: Array, scale: Array, sigma: Array) -> Array:
    """Displacement of the closed form: ``clip(sigma^2 / (s^2 + sigma^2) r, +-1.345 sigma^2 / s)``.

    Parameters
    ----------
    residual : (n, k) array
        r, the prediction minus what was observed, in the data's units.
    scale : (n, k) array
        s, standard deviation of the prediction's own error.
    sigma : (k,) or (n, k) array
        Noise level.

    Returns
    -------
    step : (n, k) array

    Notes
    -----
    The minimiser of Huber's loss (Huber 1964) of the residual plus the squared displacement in noise levels.

    Examples
    --------
    >>> import numpy as np
    >>> one_step(np.array([1.0]), np.array([1.0]), np.array([1.0]))  # equally sure: half of the way
    array([0.5])
    """
    limit = HUBER * sigma**2 / scale
    return np.clip(sigma**2 / (scale**2 + sigma**2) * residual, -limit, limit)


def stein_error(residual: Array, scale: Array, slope: Array, sigma: Array) -> tuple[Array, Array]:
    """Mean squared error that `one_step` leaves per output, without knowing the truth (Stein, 1981).

    ``sigma^2 + mean(step^2) + 2 sigma^2 mean(d step / d z_obs)``; the prediction does not see the value, so the
    derivative is the slope of the step in its residual, with the opposite sign, and 0 where the step is clipped.
    A row without a prediction keeps its noise. Where rows are few, what the estimate flatters by is added.

    Returns
    -------
    error, uncertainty : (k,) arrays
        The estimate and its standard error.
    """
    step = one_step(residual, scale, sigma)
    inside = np.abs(step) < HUBER * sigma**2 / scale
    change = np.where(np.isnan(residual), 0.0, step**2 - 2 * sigma**2 * slope * inside)
    error = sigma**2 * (1 + flattery(len(change))) + change.mean(0)
    return error, change.std(0) / len(change) ** 0.5


def count_steps(rows: int, solver: Solver, max_iter: int) -> int:
    """How many steps `answer` reports at most, those of its nudged runs included."""
    return 1 if solver == "one_step" else max_iter * (1 + _nudges(rows))


@dataclass(frozen=True)
class ClosedForm:
    """The closed form at a data matrix: residual, scale and slope of `error_scale`, and the step that follows."""

    residual: Array
    scale: Array
    slope: Array
    step: Array


def closed_form(z: Array, question: Question) -> ClosedForm:
    """Displacement with the prediction held at `z`, for all columns that may move."""
    outputs, level = question.outputs, question.sigma[question.outputs]
    prediction = predict_rows(torch.from_numpy(z).to(question.device), question.segments, len(outputs))
    residual = prediction - z[:, outputs]
    scale, slope = error_scale(residual, prediction, level, question.kind, question.reference)
    step = np.zeros_like(z)
    step[:, outputs] = np.nan_to_num(one_step(residual, scale, level))
    return ClosedForm(residual, scale, slope, step * question.moves)


def answer(z_obs: Array, question: Question, solver: Solver, max_iter: int, progress: Progress) -> Answer:
    """Refine a data matrix.

    L-BFGS weighs every prediction against every observation at once. That counts evidence twice where columns
    predict each other, and can leave a column worse than the closed form does. So a column moves at all only if
    the closed form gains more than the standard error of Stein's estimate, and by L-BFGS only if that gains as
    clearly on the closed form.

    Parameters
    ----------
    z_obs : (n, c) float64 array
    question : Question
    solver : {"lbfgs", "one_step"}
    max_iter : int
        Of L-BFGS.
    progress : Progress
        Records every iteration of L-BFGS, or the one closed form; advances with the nudged runs.
    """
    outputs, sigma = question.outputs, question.sigma
    level = sigma[outputs]
    closed = closed_form(z_obs, question)

    # Which outputs gain by the closed form? Few new rows cannot judge: those of the fit do.
    known = question.reference
    if question.kind == "tabular" and known is not None and len(known[0]) > len(z_obs):
        judged = known[0], *error_scale(*known, level, "tabular")
    else:
        judged = closed.residual, closed.scale, closed.slope
    gained, uncertainty = stein_error(*judged, level)
    moves = (sigma > 0) & question.moves
    moves[outputs] &= gained + uncertainty < level**2
    step, error = closed.step * moves, sigma**2
    error[outputs] = np.where(moves[outputs], gained, level**2)
    if solver == "one_step" or not moves.any():
        progress.record(
            moved=float((step != 0).any(1).mean()),
            residual=float(np.nanmean(np.abs(closed.residual))),
            displacement=float(np.linalg.norm(step, axis=1).mean()),
        )
        return Answer(step, closed.residual, closed.scale, error)

    # L-BFGS from there, and what each of the two leaves of every value's error
    found, minimum = _joint(z_obs, closed.scale, step, question, max_iter, progress.record)
    before = Objective(z_obs, closed.scale, question).value_and_gradient(torch.zeros_like(minimum.point))[0]
    risks = _nudged_risks(z_obs, question, closed, step, found, minimum.iterations, moves, progress)

    # The solution that is clearly better, column by column
    gain = risks[0] - risks[1]
    better = moves & (gain.mean(0) > gain.std(0) / len(gain) ** 0.5)
    error = sigma**2 + np.where(better, risks[1].mean(0), np.minimum(risks[0].mean(0), 0.0))
    error += moves * sigma**2 * flattery(len(judged[0]))
    return Answer(
        np.where(better, found, step),
        closed.residual,
        closed.scale,
        error.clip(min=0.0),
        minimum.iterations,
        minimum.evaluations,
        (before, minimum.value),
    )


def _nudges(rows: int) -> int:
    return min(max(ROWS_NUDGED // rows, 1), 4)


def _nudged_risks(
    z_obs: Array,
    question: Question,
    closed: ClosedForm,
    step: Array,
    found: Array,
    iterations: int,
    moves: NDArray[np.bool_],
    progress: Progress,
) -> Array:
    """Change of every value's squared error by both solutions, without knowing the truth; shape (2, n, c).

    ``step^2 + 2 sigma^2 d step / d z_obs``; the derivative is measured by the answer to small random changes of
    the data (Ramani et al., 2008), the same for both. L-BFGS takes as many iterations each time: it is
    the same function of the data.
    """
    sigma, unit = question.sigma, np.where(question.sigma > 0, question.sigma, 1.0)
    rng, nudges = np.random.default_rng(0), _nudges(len(z_obs))
    divergence = np.zeros((2, *z_obs.shape))
    for _ in range(nudges):
        nudge = rng.choice([-1.0, 1.0], z_obs.shape)
        nudged = z_obs + NUDGE * sigma * nudge
        there = closed_form(nudged, question)
        step_there = there.step * moves
        found_there, _ = _joint(
            nudged, there.scale, step_there, question, iterations, progress.advance, tolerance=0.0
        )
        for solution, change in enumerate((step_there - step, found_there - found)):
            divergence[solution] += nudge * change / (NUDGE * unit * nudges)
    return np.stack([2 * sigma**2 * d + x**2 for d, x in zip(divergence, (step, found), strict=True)])


def _joint(
    z_obs: Array,
    scale: Array,
    start: Array,
    question: Question,
    max_iter: int,
    record: Callable[..., None],
    tolerance: float = TOLERANCE,
) -> tuple[Array, Minimum]:
    """Minimise the objective over all values at once, from the displacement `start`."""
    objective = Objective(z_obs, scale, question)

    def report(d: torch.Tensor, value: float) -> None:
        record(**objective.figures(d), objective=value)

    minimum = lbfgs(
        objective.value_and_gradient,
        objective.whiten(start),
        max_iter=max_iter,
        memory=10 if z_obs.size < LARGE else 5,
        tolerance=tolerance,
        report=report,
    )
    return objective.displacement(minimum.point), minimum
