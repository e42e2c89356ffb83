"""The rule `map`: the most probable data, given a noise level and a backbone with a known error of its own.

With ``z`` the values that may move, ``z_obs`` the observations, ``sigma_j`` the noise of column j and ``s_k`` the
standard deviation of the backbone's own error on output k at that row (see `denograd.map.error_scale`)

    minimise over z   sum rho((f_k(z) - z_k) / s_k)  +  1/2 sum ((z_ij - z_obs_ij) / sigma_j)^2

with Huber's rho: the maximum a posteriori estimate of an errors-in-variables model; of a series, weak-constraint
variational assimilation (Tremolet, 2006). ``docs/map.md`` derives it and says when not to use it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from denograd.data.arrays import Array
from denograd.data.progress import Progress
from denograd.data.threads import one_thread
from denograd.map.blind_spot import BlindSpot
from denograd.map.error_scale import LEAST_SHARE, error_scale, noise_bound
from denograd.map.noise_level import NoiseLevel, by_column, cap_by_residual, noise_level, per_column
from denograd.map.objective import Question
from denograd.map.posterior import FEWEST, Posterior
from denograd.map.segments import check_matrix
from denograd.map.solve import Solver, answer, count_steps


@dataclass(frozen=True)
class Refined:
    """What `refine` returns, everything in the data's units.

    Attributes
    ----------
    values : (n, c) array
        The refined data.
    sigma : (c,) array, or (n, c) where values have levels of their own
        Noise level used; 0 for a held column or value.
    evidence : tuple of str
        Where the level of every column comes from.
    bound : (c,) array
        Upper bound of the noise level, by the backbone's residual.
    residual : (n, c) array
        f(z_obs) - z_obs.
    scale : (n, c) array
        s, the backbone's own error, at every row.
    score : (n,) array
        How far a row is from the backbone's prediction: root mean square over columns of residual / bound.
    error : (c,) array
        Estimated remaining mean squared error (Stein's estimate; before, it was the mean of ``sigma**2``). With
        ``solver="auto"`` it is never below its own standard error, and the evidence says where that was so.
    iterations, evaluations : int
        Of the solver; an evaluation is one forward and one backward pass over all rows.
    objective : tuple of float
        Before and after; NaN for the closed form.
    history : list of dict
        Per iteration of L-BFGS, or for the single closed-form step, as in `denograd.DenoGrad.history_`.
    outliers : (n, c) bool array
        Values too extreme to be measurements, such as sentinels: left as they are, and nothing is learnt from them.

    Examples
    --------
    >>> import numpy as np
    >>> from denograd import BlindSpot, refine
    >>> noisy = np.sin(np.linspace(0, 30, 600))[:, None] + 0.2 * np.random.default_rng(0).normal(size=(600, 1))
    >>> found = refine(BlindSpot("series").fit(noisy), noisy, 0.2)
    >>> bool(found.error[0] < found.sigma[0] ** 2 < 1.5 * found.bound[0] ** 2)
    True
    """

    values: Array
    sigma: Array
    evidence: tuple[str, ...]
    bound: Array
    residual: Array
    scale: Array
    score: Array
    error: Array
    iterations: int
    evaluations: int
    objective: tuple[float, float]
    history: list[dict[str, Any]]
    outliers: NDArray[np.bool_]


@one_thread()
def refine(
    blind: BlindSpot,
    X: Array,
    sigma: Any,
    *,
    fitted_rows: int = 0,
    solver: Solver = "auto",
    sigma_relative: Any = 0.0,
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
    sigma : float, (c,) or (n, c) array_like, mapping, "auto", "common" or "wavelet"
        Standard deviation of the noise in the data's units: for all columns, per column, per value (which needs
        the fitted rows among X), or as ``{column: level}``; or how to estimate it, see
        `denograd.map.noise_level.noise_level`.
    fitted_rows : int
        0, or the number of rows that `blind` was fitted on if `X` begins with these very rows: each is then refined
        with the models that were not trained on it. The rows after them are new, such as validation rows.
    solver : {"auto", "lbfgs", "one_step"}
        The posterior mean by the candidates that Stein's estimate prefers (`denograd.map.posterior`); or the
        objective above by L-BFGS, or its closed form.
    sigma_relative : float, (c,) or, as for sigma, (n, c) array_like, or mapping
        Noise that grows with the value, as a share of it: ``sigma^2 + (sigma_relative f)^2`` at every value, f
        being the backbone's prediction.
    max_iter : int
        Of L-BFGS.
    names : sequence, optional
        Names of the columns for errors and a mapping `sigma`; by default their numbers.
    verbose : bool
        Show progress where stderr is a terminal.

    Returns
    -------
    Refined

    Examples
    --------
    Learn from one part of a series, and refine what comes after it.

    >>> import numpy as np
    >>> from denograd import BlindSpot, refine
    >>> t = np.linspace(0, 60, 1200)
    >>> clean = np.column_stack([np.sin(t), np.cos(2 * t)])
    >>> noisy = clean + 0.2 * np.random.default_rng(0).normal(size=clean.shape)
    >>> blind = BlindSpot("series", hidden=0).fit(noisy[:800], seed=0)
    >>> new = refine(blind, noisy[800:], 0.2)
    >>> bool(((new.values - clean[800:]) ** 2).mean() < 0.2 * 0.2**2)
    True
    """
    X = check_matrix(X)
    check_solver(solver)
    names = names or range(blind.columns_)
    models = blind.models_of(len(X), fitted_rows)
    bound = noise_bound(blind.residual_)
    given = noise_level(
        sigma,
        np.where(blind.outliers_, np.nan, blind.observed_),
        bound,
        blind.outputs,
        blind.constant_,
        blind.kind,
        names,
        blind=blind,
        rows=len(X) if fitted_rows else 0,
        rms=np.sqrt(blind.mse_),
        # the posterior's mixture needs none
        least_share=0.0 if solver == "auto" else LEAST_SHARE,
    )
    relative = np.array(by_column(sigma_relative, names), dtype=float)
    if relative.shape not in ((), (blind.columns_,)) and (not fitted_rows or relative.shape != X.shape):
        raise ValueError(
            f"sigma_relative must be a number, one per column ({blind.columns_}) or, with the fitted rows among X, "
            f"per value {X.shape}, got shape {relative.shape}"
        )
    if not np.isfinite(relative).all() or (relative < 0).any():
        raise ValueError(f"sigma_relative must be finite and not negative, got {sigma_relative}")
    if solver == "auto":
        return _refine_auto(blind, X, given, relative, bound, fitted_rows, verbose)
    if given.sigma.ndim == 2 or relative.any():
        raise ValueError(f"solver={solver!r} knows one level per column: use solver='auto' for more")
    order = blind.order(models)
    question = Question(
        segments=list(blind.segments(models[order])),
        outputs=blind.outputs,
        sigma=given.sigma,
        moves=np.ones(blind.columns_, dtype=bool),
        kind=blind.kind,
        reference=(blind.residual_, blind.prediction_),
        device=blind.device,
    )
    with Progress(count_steps(len(X), solver, max_iter), "map", verbose) as progress:
        found = answer(X[order], question, solver, max_iter, progress)
    back = np.argsort(order)
    residual = found.residual[back]
    outliers = blind.is_far(X)
    return Refined(
        values=X + np.where(outliers, 0.0, found.step[back]),
        sigma=given.sigma,
        evidence=given.evidence,
        bound=bound,
        residual=residual,
        scale=found.scale[back],
        score=_score(blind, residual, bound),
        error=found.error,
        iterations=found.iterations,
        evaluations=found.evaluations,
        objective=found.objective,
        history=progress.history,
        outliers=outliers,
    )


def _refine_auto(
    blind: BlindSpot,
    X: Array,
    given: NoiseLevel,
    relative: Array,
    bound: Array,
    fitted_rows: int,
    verbose: bool,
) -> Refined:
    """`refine` by the posterior mean."""
    n = fitted_rows
    if not np.array_equal(X[:n], blind.observed_[:n]):
        raise ValueError(f"fitted_rows={n}, but the first {n} rows of X are not those that fit saw")
    # what the blind spot says of the fitted rows is known
    residual = np.empty(X.shape)
    residual[:n] = blind.residual_[:n]
    if n < len(X):
        residual[n:] = (blind.predict(X, fitted_rows=n) - X)[n:]
    prediction, fitted_prediction = X + residual, blind.observed_ + blind.residual_

    level = given.sigma
    fitted_level = level[:n] if level.ndim == 2 else level
    if relative.any():
        # fitted rows tell how large a level can be: a new row's does not depend on the rows beside it
        own = relative[:n] if relative.ndim == 2 else relative
        grown = np.where(blind.constant_, 0.0, np.hypot(fitted_level, own * fitted_prediction))
        fitted_level = cap_by_residual(grown, np.sqrt(blind.mse_), blind.outputs, 0.0, blind)
        factor = per_column(fitted_level) / np.maximum(per_column(grown), np.finfo(float).tiny)
        level = factor * np.hypot(level, relative * prediction)
    with Progress(blind.columns_ + 1, "map", verbose) as progress:
        posterior = posterior_of(blind, fitted_level, progress)
        step = np.zeros(X.shape)
        step[:n] = posterior.step_[:n]
        if n < len(X):
            step[n:] = posterior.step(X, prediction, level, n)
        progress.record(
            moved=float((step != 0).any(1).mean()),
            residual=float(np.abs(residual).mean()),
            displacement=float(np.linalg.norm(step, axis=1).mean()),
        )
    reference = None if n == len(X) else (blind.residual_, blind.prediction_)
    scale, _ = error_scale(residual, prediction, per_column(level), blind.kind, reference)
    return Refined(
        values=X + step,
        sigma=level,
        evidence=tuple(_grounds(given.evidence, posterior)),
        bound=bound,
        residual=residual,
        scale=scale,
        score=_score(blind, residual, bound),
        error=posterior.error_,
        iterations=0,
        evaluations=1,
        objective=(float("nan"), float("nan")),
        history=progress.history,
        outliers=blind.is_far(X),
    )


def _grounds(evidence: Sequence[str], posterior: Posterior) -> Iterator[str]:
    """Where every column's level comes from, and what the posterior could not do with it."""
    for said, few, unclear in zip(evidence, posterior.too_few_, posterior.unclear_, strict=True):
        if few:
            said += f", held: fewer than {FEWEST} values to learn from"
        if unclear:
            said += ", the error left cannot be told from 0: it is at most about the one given"
        yield said


@one_thread()
def posterior_of(blind: BlindSpot, level: Array, progress: Progress | None = None) -> Posterior:
    """What the fitted rows teach for these levels, (c,) or (n, c); learned once."""
    key = level.tobytes()
    found: Posterior | None = blind.kept_.get(key)
    if found is None:
        advance = None if progress is None else progress.advance
        found = Posterior(seed=blind.seed_).fit(blind, level, advance=advance)
        blind.kept_ = {key: found}
    return found


def _score(blind: BlindSpot, residual: Array, bound: Array) -> Array:
    """How unlike the backbone's prediction every row is, (n,)."""
    unlike = np.where(blind.constant_, 0.0, residual / np.where(bound > 0, bound, 1.0))
    score: Array = np.sqrt((unlike**2).mean(1))
    return score


def check_solver(solver: str) -> None:
    if solver not in get_args(Solver):
        raise ValueError(f"solver must be one of {', '.join(get_args(Solver))}, got {solver!r}")
