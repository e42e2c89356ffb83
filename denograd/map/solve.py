"""The numbers behind the rule `map`: closed form, objective, and how much error is left.

Everything here works on a frame ``z_obs`` (n, c) whose columns `outputs` are predicted by `Segment`s of rows, and
knows nothing of where the predictions come from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from denograd.data.arrays import Array, Kind
from denograd.data.progress import Progress
from denograd.map.blind_spot import Segment, predict_rows
from denograd.map.error_scale import error_scale

Solver = Literal["lbfgs", "one_step"]
Report = Callable[..., None]

HUBER = 1.345
"""Where Huber's rho turns linear: 95 % efficient on Gaussian errors (Huber, 1964)."""

PROBE = 0.1
"""Size, in noise levels, of the probe that measures how L-BFGS answers to the data."""

ROWS_PROBED = 2000
"""Shorter frames are probed up to four times, since a probe tells the less the fewer rows there are."""

LARGE = 2_000_000
"""Frames of more values remember fewer steps of L-BFGS, to save memory."""


@dataclass(frozen=True)
class Question:
    """What is to be refined, and with what.

    Attributes
    ----------
    segments : list of Segment
        How rows are predicted; a row may have no prediction.
    outputs : (k,) int array
        Columns that are predicted.
    sigma : (c,) array
        Noise level; 0 holds a column: still an input, no term in either sum.
    held : (c,) bool array
        Columns that do not move though they may have noise.
    kind : {"tabular", "series"}
    reference : (residual, prediction) or None
        See `error_scale`.
    device : torch.device
    """

    segments: list[Segment]
    outputs: NDArray[np.int64]
    sigma: Array
    held: NDArray[np.bool_]
    kind: Kind
    reference: tuple[Array, Array] | None = None
    device: torch.device | str = "cpu"


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
    """Displacement of the closed form: ``clip(sigma^2 / (s^2 + sigma^2) r, +-1.345 sigma^2 / s)``."""
    limit = HUBER * sigma**2 / scale
    return np.clip(sigma**2 / (scale**2 + sigma**2) * residual, -limit, limit)


def stein_error(residual: Array, scale: Array, slope: Array, sigma: Array) -> tuple[Array, Array]:
    """Mean squared error that `one_step` leaves per output, without knowing the truth (Stein, 1981).

    ``sigma^2 + mean(step^2) + 2 sigma^2 mean(d step / d z_obs)``; the prediction does not see the value, so the
    derivative is the slope of the step in its residual, with the opposite sign, and 0 where the step is clipped.
    A row without a prediction keeps its noise.

    Returns
    -------
    error, uncertainty : (k,) arrays
        The estimate and its standard error.
    """
    step = one_step(residual, scale, sigma)
    inside = np.abs(step) < HUBER * sigma**2 / scale
    change = np.where(np.isnan(residual), 0.0, step**2 - 2 * sigma**2 * slope * inside)
    return sigma**2 + change.mean(0), change.std(0) / len(change) ** 0.5


def count_steps(rows: int, solver: Solver, max_iter: int) -> int:
    """How many steps `answer` reports at most, those of its probe runs included."""
    return 1 if solver == "one_step" else max_iter * (1 + _probes(rows))


def answer(z_obs: Array, question: Question, solver: Solver, max_iter: int, progress: Progress) -> Answer:
    """Refine a frame.

    L-BFGS weighs every prediction of the whole frame against every observation at once. That counts evidence
    twice where columns predict each other, and can leave a column worse than the closed form does. So it is
    asked a second time, with a random probe added to the data, which yields Stein's unbiased estimate of the
    error that it leaves (Ramani et al., 2008). A column moves at all only if the closed form gains more than the
    standard error of that estimate, and by L-BFGS only if that gains as clearly on the closed form.

    Parameters
    ----------
    z_obs : (n, c) float64 array
    question : Question
    solver : {"lbfgs", "one_step"}
    max_iter : int
        Of L-BFGS.
    progress : Progress
        Records every iteration of L-BFGS, or the one closed form; advances with the probe runs.
    """
    outputs, sigma = question.outputs, question.sigma
    level = sigma[outputs]
    moves = (sigma > 0) & ~question.held

    def closed_form(z: Array) -> tuple[Array, Array, Array, Array]:
        prediction = predict_rows(torch.from_numpy(z).to(question.device), question.segments, len(outputs))
        residual = prediction - z[:, outputs]
        scale, slope = error_scale(residual, prediction, level, question.kind, question.reference)
        step = np.zeros_like(z)
        step[:, outputs] = np.nan_to_num(one_step(residual, scale, level))
        return residual, scale, slope, step * moves

    residual, scale, slope, step = closed_form(z_obs)
    error = sigma**2
    known = question.reference
    if question.kind == "tabular" and known is not None and len(known[0]) > len(z_obs):
        judged = known[0], *error_scale(*known, level, "tabular")  # few new rows cannot judge
    else:
        judged = residual, scale, slope
    gained, uncertainty = stein_error(*judged, level)
    moves[outputs] &= gained + uncertainty < level**2
    error[outputs] = np.where(moves[outputs], gained, level**2)
    step *= moves
    if solver == "one_step" or not moves.any():
        progress.record(
            moved=float((step != 0).any(1).mean()),
            residual=float(np.nanmean(np.abs(residual))),
            displacement=float(np.linalg.norm(step, axis=1).mean()),
        )
        return Answer(step, residual, scale, error)
    found, iterations, evaluations, objective = _minimise(
        z_obs, step, scale, question, max_iter, progress.record
    )
    # divergences of both solvers' steps, from the same probes
    rng, unit = np.random.default_rng(0), np.where(sigma > 0, sigma, 1.0)
    probes = _probes(len(z_obs))
    divergence = np.zeros((2, *z_obs.shape))
    for _ in range(probes):
        probe = rng.choice([-1.0, 1.0], z_obs.shape)
        nudged = z_obs + PROBE * sigma * probe
        _, scale_, _, step_ = closed_form(nudged)
        found_, *_ = _minimise(nudged, step_, scale_, question, max_iter, progress.advance)
        for solution, change in enumerate((step_ - step, found_ - found)):
            divergence[solution] += probe * change / (PROBE * unit * probes)
    closed, joint = (2 * sigma**2 * d + x**2 for d, x in zip(divergence, (step, found), strict=True))
    gain = closed - joint
    better = moves & (gain.mean(0) > gain.std(0) / len(gain) ** 0.5)
    error = sigma**2 + np.where(better, joint.mean(0), np.minimum(closed.mean(0), 0.0))
    step = np.where(better, found, step)
    return Answer(step, residual, scale, error.clip(min=0.0), iterations, evaluations, objective)


def _probes(rows: int) -> int:
    return min(max(ROWS_PROBED // rows, 1), 4)


def _minimise(
    z_obs: Array, start: Array, scale: Array, question: Question, max_iter: int, report: Report | None
) -> tuple[Array, int, int, tuple[float, float]]:
    """Minimise the objective by L-BFGS (strong Wolfe) over the whole frame, in ``d = (z - z_obs) / sigma``.

    Returns
    -------
    step : (n, c) array
        z - z_obs.
    iterations, evaluations : int
    objective : tuple
        At `z_obs` and at the end.
    """
    device = question.device
    observed = torch.from_numpy(z_obs).to(device)
    sigma = torch.from_numpy(question.sigma).to(device)
    moves = (sigma > 0) & ~torch.from_numpy(question.held).to(device)
    unit = torch.where(sigma > 0, sigma, 1.0)
    outputs = torch.from_numpy(question.outputs).to(device)
    kept = sigma[outputs] > 0
    columns = outputs[kept]
    inverse = 1.0 / torch.from_numpy(scale).to(device)[:, kept]
    d = torch.from_numpy(start).to(device) / unit * moves
    evaluations = 0
    gaps = torch.zeros((), dtype=d.dtype, device=device)
    predicted = sum(len(range(len(d))[s.rows]) for s in question.segments) * len(columns)

    def evaluate(gradient: bool = True) -> Tensor:
        nonlocal evaluations, gaps
        evaluations += 1
        value = 0.5 * d.detach().square().sum()
        slope = d.detach().clone()
        z = torch.addcmul(observed, d.detach(), unit)
        gaps = torch.zeros_like(gaps)
        for segment in question.segments:
            rows, reads = segment.rows, segment.reads
            local = z[reads].clone().requires_grad_(gradient)
            at = slice(rows.start - reads.start, rows.stop - reads.start, rows.step)
            with torch.set_grad_enabled(gradient):
                gap = segment.predict(local)[:, kept] - local[at][:, columns]
                u = gap * inverse[rows]
                part = torch.nn.functional.huber_loss(u, torch.zeros_like(u), delta=HUBER, reduction="sum")
            if gradient:
                slope[reads] += torch.autograd.grad(part, local)[0] * unit
            value = value + part.detach()
            gaps = gaps + gap.detach().abs().sum()
        d.grad = slope * moves
        return value

    iteration, figures = 0, dict[str, float]()

    def close_iteration() -> None:
        if report is not None and iteration:
            report(**figures)
        figures.clear()

    def evaluate_and_report() -> Tensor:
        """An iteration is known by its best point: the line search takes that, or one hardly worse."""
        nonlocal iteration
        if optimiser.state[d]["n_iter"] > iteration:
            close_iteration()
            iteration = optimiser.state[d]["n_iter"]
        value = evaluate()
        if report is not None and (not figures or float(value) < figures["objective"]):
            moved = (d.detach() != 0).any(1).double().mean()
            away = (d.detach() * unit).norm(dim=1).mean()
            figures.update(
                moved=float(moved),
                residual=float(gaps) / max(1, predicted),
                displacement=float(away),
                objective=float(value),
            )
        return value

    first = d.clone()
    d = torch.zeros_like(first)
    before = float(evaluate(gradient=False))
    d = first.clone().requires_grad_()
    at_start = float(evaluate())
    # torch divides the first step by |grad|_1, which over 10^5 values would waste the first line search
    optimiser = torch.optim.LBFGS(
        [d],
        lr=max(1.0, float(d.grad.abs().sum())) if d.grad is not None else 1.0,
        max_iter=1,
        history_size=10 if d.numel() < LARGE else 5,
        tolerance_grad=1e-6,
        tolerance_change=1e-9,
        line_search_fn="strong_wolfe",
    )
    optimiser.step(evaluate_and_report)
    if max_iter > 1:
        optimiser.param_groups[0].update(lr=1.0, max_iter=max_iter - 1, max_eval=2 * max_iter)
        optimiser.step(evaluate_and_report)
    close_iteration()
    iterations = int(optimiser.state[d]["n_iter"])
    after = float(evaluate(gradient=False))
    best = d.detach() if after <= at_start else first
    return (best * unit).cpu().numpy(), iterations, evaluations, (before, min(after, at_start))
