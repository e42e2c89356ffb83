"""The rule `map`: the most probable data, given a noise level and a backbone that admits its own error.

With ``z`` every value that may move, ``z_obs`` what was observed, ``sigma_j`` the noise of column j and ``s_k`` the
standard deviation of the backbone's own error on output k at that row (see `denograd.map.error_scale`)

    minimise over z   sum rho((f_k(z) - z_k) / s_k)  +  1/2 sum ((z_ij - z_obs_ij) / sigma_j)^2

with Huber's rho: the maximum a posteriori estimate of an errors-in-variables model; of a series, weak-constraint
variational assimilation (Tremolet, 2006). ``docs/map.md`` derives it and says when not to use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from denograd.data.arrays import Array
from denograd.data.progress import Progress
from denograd.data.threads import one_thread
from denograd.map.blind_spot import BlindSpot, check_matrix
from denograd.map.error_scale import noise_bound
from denograd.map.noise_level import noise_level
from denograd.map.objective import Question
from denograd.map.solve import Solver, answer, count_steps


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


@one_thread()
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
    models = blind.models_of(len(X), fitted_rows)
    bound = noise_bound(blind.residual_)
    level = noise_level(sigma, X, bound, blind.outputs, blind.constant_, blind.kind, names)
    order = blind.order(models)
    question = Question(
        segments=list(blind.segments(models[order])),
        outputs=blind.outputs,
        sigma=level,
        moves=np.ones(blind.columns_, dtype=bool),
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


def check_solver(solver: str) -> None:
    if solver not in get_args(Solver):
        raise ValueError(f"solver must be one of {', '.join(get_args(Solver))}, got {solver!r}")
