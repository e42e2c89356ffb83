"""The rule `map`: the most probable data, given a noise level and a backbone that admits its own error.

With ``z`` every value that may move, ``z_obs`` what was observed, ``sigma_j`` the noise of column j and
``s_k`` the standard deviation of the backbone's own error on output k (at that row)

    minimise over z   sum rho((f_k(z) - z_k) / s_k)  +  1/2 sum ((z_ij - z_obs_ij) / sigma_j)^2

with Huber's rho: the maximum a posteriori estimate of an errors-in-variables model; for series, weak-constraint
variational assimilation (Tremolet, 2006).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from denograd.blindspot import Array, BlindSpot, Segment, check_frame
from denograd.error_scale import LEAST_SHARE, error_scale, noise_bound

Solver = Literal["lbfgs", "one_step"]

HUBER = 1.345
"""Where Huber's rho turns linear: 95 % efficient on Gaussian errors (Huber, 1964)."""

PROBE = 0.1
"""Size, in noise levels, of the probe that measures how L-BFGS answers to the data."""


class NoiseLevelMissing(ValueError):
    """The rule `map` was asked for without a noise level."""


@dataclass(frozen=True)
class Refined:
    """What the rule `map` returns.

    Attributes
    ----------
    values : (n, c) array
        The refined data, in the data's units.
    sigma : (c,) array
        Noise level that was used per column, in the data's units; 0 for a held column.
    bound : (k,) array
        sqrt(V) of every output: no noise can be larger.
    residual, scale : (n, k) arrays
        f(z_obs) - z_obs, and s, the backbone's own error.
    error : (c,) array
        Estimated mean squared error that is left (Stein's estimate for the closed form, see `stein_error`).
    iterations, evaluations : int
        Of the solver; an evaluation is one forward and one backward pass over all rows.
    objective : (2,) tuple of float
        Before and after; NaN for the closed form.
    """

    values: Array
    sigma: Array
    bound: Array
    residual: Array
    scale: Array
    error: Array
    iterations: int = 0
    evaluations: int = 1
    objective: tuple[float, float] = (float("nan"), float("nan"))


def noise_level(sigma: Any, columns: int, bound: Array, outputs: NDArray[np.int64], held: Array) -> Array:
    """Check `sigma`, spread it over the columns and cap it by what the backbone's error allows.

    Parameters
    ----------
    sigma : float or (columns,) array_like or None
    columns : int
    bound : (k,) array
        What the noise of every output cannot exceed, see `noise_bound`.
    outputs : (k,) int array
        Columns that are outputs.
    held : (columns,) bool array
        Columns that must not move.

    Returns
    -------
    (columns,) array

    Raises
    ------
    NoiseLevelMissing
        If `sigma` is None.
    ValueError
        If it is negative, not finite, or has a wrong length.
    """
    if sigma is None:
        listed = ", ".join(f"{j}: {b:.4g}" for j, b in zip(outputs, bound, strict=True))
        raise NoiseLevelMissing(
            "the rule 'map' needs the noise level: sigma, a number or one per column, in the data's units. "
            f"It cannot exceed the backbone's own error, per column {{{listed}}}; the truth may be far below"
        )
    level = np.array(sigma, dtype=float)
    if level.ndim > 1 or (level.ndim == 1 and len(level) != columns):
        raise ValueError(f"sigma must be a number or one per column ({columns}), got shape {level.shape}")
    if not np.isfinite(level).all() or (level < 0).any():
        raise ValueError(f"sigma must be finite and not negative, got {sigma}")
    level = np.broadcast_to(level, (columns,)).copy()
    level[held] = 0.0
    level[outputs] = np.minimum(level[outputs], np.sqrt(1 - LEAST_SHARE) * bound)
    return level


def one_step(residual: Array, scale: Array, sigma: Array) -> Array:
    """Displacement of the closed form: ``clip(sigma^2 / (s^2 + sigma^2) r, +-1.345 sigma^2 / s)``."""
    limit = HUBER * sigma**2 / scale
    return np.clip(sigma**2 / (scale**2 + sigma**2) * residual, -limit, limit)


def stein_error(residual: Array, scale: Array, slope: Array, sigma: Array) -> Array:
    """Mean squared error that `one_step` leaves per output, without knowing the truth (Stein, 1981).

    ``sigma^2 + mean(step^2) + 2 sigma^2 mean(d step / d z_obs)``; the prediction does not see the value, so the
    derivative is the slope of the step in its residual, with the opposite sign, and 0 where the step is clipped.
    """
    step = one_step(residual, scale, sigma)
    inside = np.abs(step) < HUBER * sigma**2 / scale
    return sigma**2 + np.nanmean(step**2 - 2 * sigma**2 * slope * inside, 0)


def minimise(
    z_obs: Tensor,
    segments: Iterable[Segment],
    outputs: NDArray[np.int64],
    sigma: Tensor,
    scale: Tensor,
    start: Tensor,
    *,
    max_iter: int = 40,
    progress: Callable[[float], None] | None = None,
) -> tuple[Tensor, int, int, tuple[float, float]]:
    """Minimise the objective by L-BFGS (strong Wolfe) in whitened variables ``d = (z - z_obs) / sigma``.

    Parameters
    ----------
    z_obs : (n, c) float64 tensor
    segments : segments of rows; a row that none predicts has no residual term, but may move
    outputs : (k,) int array
        Columns that the segments predict.
    sigma : (c,) tensor
        0 holds a column: still an input, no term in either sum.
    scale : (n, k) tensor
    start : (n, c) tensor
        First z.
    max_iter : int

    Returns
    -------
    z : (n, c) tensor
    iterations, evaluations : int
    objective : tuple
        At `z_obs` and at `z`.
    """
    segments = list(segments)
    moves = sigma > 0
    unit = torch.where(moves, sigma, 1.0)
    kept = moves[outputs]
    columns = torch.from_numpy(outputs)[kept]
    inverse = (1.0 / scale[:, kept]).contiguous()
    d = (((start - z_obs) / unit) * moves).requires_grad_()
    spent = 0

    def objective(gradient: bool = True) -> Tensor:
        nonlocal spent
        spent += 1
        value = 0.5 * d.detach().square().sum()
        grad = d.detach().clone() if gradient else None
        z = torch.addcmul(z_obs, d.detach(), unit * moves)
        with torch.set_grad_enabled(gradient):
            for segment in segments:
                local = z[segment.reads].clone().requires_grad_(gradient)
                at = slice(
                    segment.rows.start - segment.reads.start,
                    segment.rows.stop - segment.reads.start,
                    segment.rows.step,
                )
                u = (segment.predict(local)[:, kept] - local[at][:, columns]) * inverse[segment.rows]
                part = torch.nn.functional.huber_loss(u, torch.zeros_like(u), delta=HUBER, reduction="sum")
                if grad is not None:
                    grad[segment.reads] += torch.autograd.grad(part, local)[0] * unit
                value = value + part.detach()
        if grad is not None:
            d.grad = grad * moves
        if progress is not None:
            progress(float(value))
        return value

    with torch.no_grad():
        first = d.detach().clone()
        d.zero_()
        before = float(objective(gradient=False))
        d.copy_(first)
    at_start = float(objective())
    # torch divides the first step by |grad|_1, which over 10^5 values wastes the first line search
    optimiser = torch.optim.LBFGS(
        [d],
        lr=max(1.0, float(d.grad.abs().sum())) if d.grad is not None else 1.0,
        max_iter=1,
        history_size=10 if d.numel() < 2_000_000 else 5,
        tolerance_grad=1e-6,
        tolerance_change=1e-9,
        line_search_fn="strong_wolfe",
    )
    optimiser.step(objective)
    group = optimiser.param_groups[0]
    group.update(lr=1.0, max_iter=max_iter - 1, max_eval=2 * max_iter)
    if max_iter > 1:
        optimiser.step(objective)
    after = float(objective(gradient=False))
    best = d.detach() if after <= at_start else first
    z = torch.where(moves, z_obs + best * unit, z_obs)
    return z, int(optimiser.state[d]["n_iter"]), spent, (before, min(after, at_start))


def predict_all(z: Tensor, segments: Iterable[Segment], outputs: int) -> Array:
    """Predictions of all rows, NaN for those that no segment predicts; shape (n, outputs)."""
    out = torch.full((len(z), outputs), torch.nan, dtype=z.dtype)
    with torch.no_grad():
        for segment in segments:
            out[segment.rows] = segment.predict(z[segment.reads])
    return out.numpy()


def refine(
    blind: BlindSpot,
    X: Array,
    sigma: Any,
    *,
    fitted_rows: int = 0,
    solver: Solver = "lbfgs",
    max_iter: int = 40,
) -> Refined:
    """Refine the rows of `X` with a fitted blind-spot backbone.

    Parameters
    ----------
    blind : BlindSpot
        Fitted.
    X : (n, c) array
        In the units of the fitted data.
    sigma : float or (c,) array_like
        Standard deviation of the noise in the data's units.
    fitted_rows : int
        0, or the number of rows that `blind` was fitted on if these very rows lead `X` (see
        `BlindSpot.predict`). What follows them is new: validation rows, say.
    solver : {"lbfgs", "one_step"}
    max_iter : int
        Of L-BFGS.

    Returns
    -------
    Refined
    """
    X = check_frame(X)
    if solver not in ("lbfgs", "one_step"):
        raise ValueError(f"solver must be 'lbfgs' or 'one_step', got {solver!r}")
    models = blind.models_of(len(X), fitted_rows)
    bound = noise_bound(blind.residual_)
    level = noise_level(sigma, blind.columns_, bound, blind.outputs, blind.constant_)
    order = np.argsort(models, kind="stable") if blind.kind == "tabular" else np.arange(len(X))
    segments = list(blind.segments(models[order]))
    back = np.argsort(order)

    def closed_form(z: Array) -> tuple[Array, ...]:
        prediction = predict_all(torch.from_numpy(z[order]), segments, blind.columns_)[back]
        residual = prediction - z
        reference = (blind.residual_, blind.prediction_)
        scale, slope = error_scale(residual, prediction, level, blind.kind, reference)
        return residual, scale, slope, one_step(residual, scale, level)

    def iterate(z: Array, scale: Array, step: Array) -> tuple[Array, int, int, tuple[float, float]]:
        found, *counts = minimise(
            torch.from_numpy(z[order]),
            segments,
            blind.outputs,
            torch.from_numpy(level),
            torch.from_numpy(scale[order]),
            torch.from_numpy((z + step)[order]),
            max_iter=max_iter,
        )
        return found.numpy()[back] - z, *counts

    residual, scale, slope, step = closed_form(X)
    error = stein_error(residual, scale, slope, level)
    if solver == "one_step" or not level.any():
        return Refined(X + step, level, bound, residual, scale, error)
    moved, iterations, evaluations, objective = iterate(X, scale, step)
    # Stein's estimate of what L-BFGS leaves: its divergence from one random probe (Ramani et al., 2008)
    probe = np.random.default_rng(0).choice([-1.0, 1.0], X.shape) * level * PROBE
    _, scale_, _, step_ = closed_form(X + probe)
    moved_, *_ = iterate(X + probe, scale_, step_)
    safe = np.where(level > 0, level, 1.0)
    divergence = (probe / safe * (moved_ - moved) / safe).mean(0) / PROBE**2
    error_lbfgs = level**2 * (1 + 2 * divergence) + (moved**2).mean(0)
    better = error_lbfgs < error
    return Refined(
        X + np.where(better, moved, step),
        level,
        bound,
        residual,
        scale,
        np.minimum(error, error_lbfgs),
        iterations,
        evaluations,
        objective,
    )
