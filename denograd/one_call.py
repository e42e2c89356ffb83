"""One call for users who have only a table or a series, and a noise level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch

from denograd.data.arrays import Kind, is_column
from denograd.data.threads import one_thread
from denograd.fit import GROWS, Fit, Gaps
from denograd.map.measured_level import quiet_level, replicate_level, resolution_level
from denograd.map.solve import Solver
from denograd.table.readings import Readings, same_columns, take
from denograd.table.result import DenoisedData

Unit = Literal["data", "std"]


@one_thread()
def denoise(
    X: Any,
    sigma: Any = None,
    kind: Kind | None = None,
    *,
    time: Any = None,
    gaps: Gaps = "keep",
    skip: Sequence[Any] = (),
    sigma_unit: Unit = "data",
    sigma_relative: Any = 0.0,
    replicates: Any = None,
    quiet: Any = None,
    resolution: Any = None,
    solver: Solver = "auto",
    seed: int = 0,
    verbose: bool = True,
    **backbone: Any,
) -> DenoisedData:
    """Denoise a table or a series: train a blind-spot backbone on it, then apply the rule `map`.

    Parameters
    ----------
    X : array, tensor, DataFrame (of pandas or polars) or Series
        ``(n, c)`` rows of a table or steps of a series, or ``(n,)`` one series, floating-point; NaN is a gap. In a
        DataFrame, floating-point columns are refined; integers, booleans and text are inputs that do not move;
        dates and ids are left alone. The result's `columns` says which is which.
    sigma : float, (c,) or (n, c) array_like, mapping or str
        Standard deviation of the noise: a number for all columns, one per column, or ``{column: level}`` (other
        columns are held). "auto" touches only columns whose own values show the noise and holds all others; "common"
        assumes that the noise is the same share of every column's spread, and refuses where the columns contradict
        this; "wavelet" is an upper bound for series, with a warning. The result's `evidence` says what was found.
    kind : {"tabular", "series"}, optional
        Whether the order of the rows is meaningful; by default it is where a time is known.
    time : column name or (n,) array_like, optional
        When the rows were taken; by default a DatetimeIndex. Rows are processed in this order and at regular
        steps; a missing step is a gap. Only the given rows come back, in their original order.
    gaps : {"keep", "fill"}
        Whether a gap stays a gap, or is filled with its posterior mean, with its standard error in the result's `std`.
    skip : sequence of column names
        Columns of a DataFrame to leave alone.
    sigma_unit : {"data", "std"}
        Whether sigma is in units of the data (default), or in standard deviations of the observed column.
    sigma_relative : float, array_like or mapping
        Noise that grows with the value, as a share of it; in addition to `sigma`, which may then be left out.
    replicates : like X, or a list of these, optional
        Instead of `sigma`: further measurements of the same rows.
    quiet : slice or index of rows, optional
        Instead of `sigma`: steps of a series in which nothing happens.
    resolution : float, array_like or mapping, optional
        Instead of `sigma`: the step to which a sensor rounds, where rounding is the only noise.
    solver : {"auto", "lbfgs", "one_step"}
        See `denograd.refine`.
    seed : int
        Of the backbone's training.
    verbose : bool
        Show progress where stderr is a terminal or the call comes from a notebook.
    **backbone
        Parameters of `BlindSpot`: context, folds, hidden, epochs, device (by default that of a tensor `X`, else
        the CPU).

    Returns
    -------
    DenoisedData

    Raises
    ------
    NoiseLevelMissing
        Without a level; gives the upper bound per column.
    TypeError, ValueError
        For invalid data or parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from denograd import denoise
    >>> t = np.linspace(0, 30, 600)
    >>> clean = np.column_stack([np.sin(t), np.cos(2 * t)])
    >>> noisy = clean + 0.2 * np.random.default_rng(0).normal(size=clean.shape)
    >>> result = denoise(noisy, 0.2, kind="series")
    >>> bool(((result.data - clean) ** 2).mean() < 0.3 * 0.2**2)
    True
    >>> bool(result.share < 0.3)  # what it expected itself
    True
    """
    for name, value, known in (("sigma_unit", sigma_unit, Unit), ("gaps", gaps, Gaps)):
        if value not in get_args(known):
            raise ValueError(f"{name} must be {' or '.join(map(repr, get_args(known)))}, got {value!r}")
    if is_column(sigma):
        sigma = sigma.to_dict()
    readings = take(X, sigma=sigma, kind=kind, time=time, skip=skip)
    if sigma_relative is None or isinstance(sigma_relative, str):
        raise TypeError(
            f"sigma_relative must be a number, one per column or {{column: share}}, got {sigma_relative!r}"
        )
    relative = readings.on_grid(readings.level(sigma_relative, "sigma_relative"))
    named = {"sigma": sigma, "replicates": replicates, "quiet": quiet, "resolution": resolution}
    named = {name: value for name, value in named.items() if value is not None}
    if len(named) > 1:
        raise TypeError(f"{' and '.join(named)} both name the noise level: leave one of them")
    if "replicates" in named:
        repeats = replicates if isinstance(replicates, list) or np.ndim(replicates) == 3 else [replicates]
        repeats = [same_columns(R, X, "replicates") for R in repeats]
        others = [take(R, sigma=sigma, kind=kind, time=time, skip=skip).matrix for R in repeats]
        level, evidence = replicate_level(readings.matrix, others)
    elif "quiet" in named:
        if readings.kind != "series":
            raise ValueError(
                "quiet names steps of a series: a table has none, set kind='series' or give sigma"
            )
        level, evidence = quiet_level(readings.rows(readings.matrix), quiet)
    elif "resolution" in named:
        level, evidence = resolution_level(readings.matrix, readings.level(resolution, "resolution"))
    elif sigma is None and np.any(relative):
        level, evidence = np.zeros(len(readings.moves)), GROWS
    else:
        level, evidence = _level(readings, sigma, sigma_unit), "given"
    if isinstance(X, torch.Tensor):
        backbone = {"device": X.device, **backbone}
    fit = Fit.of(
        readings, level, evidence, relative, solver=solver, seed=seed, verbose=verbose, backbone=backbone
    )
    return fit.result(gaps)


def _level(readings: Readings, sigma: Any, unit: Unit) -> Any:
    """Levels of the inputs in the data's units, on the grid; None or the name of an estimate as it is."""
    level = readings.level(sigma)
    if level is None or isinstance(level, str):
        if unit == "std" and level is not None:
            raise ValueError(f"sigma={level!r} is an estimate in the data's units: leave sigma_unit='data'")
        return level
    if unit == "std":
        level = level * np.nanstd(readings.matrix, 0)
    return readings.on_grid(level)
