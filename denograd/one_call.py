"""One call for people who have only a table or a series, and a noise level."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import torch

from denograd.data.arrays import Array, Kind, is_frame, read
from denograd.data.time_index import check_index
from denograd.map.blind_spot import BlindSpot
from denograd.map.noise_level import by_column
from denograd.map.refine import refine
from denograd.map.solve import LARGE, Solver

Unit = Literal["data", "std"]


@dataclass(frozen=True)
class DenoisedData:
    """What `denoise` returns.

    Attributes
    ----------
    data : array, tensor or DataFrame
        The denoised data: same type, shape and dtype as what was handed over.
    sigma : (c,) array
        Noise level that was used per column, in the data's units; 0 for a column that was held.
    bound : (c,) array
        What the noise of a column cannot exceed.
    error_before, error_after : (c,) arrays
        Mean squared error per column, in squared units of the data: ``sigma**2``, and Stein's unbiased estimate
        of what is left. They are as right as `sigma` is.
    solver : {"lbfgs", "one_step"}
        What was used.
    history : list of dict
        Per iteration of L-BFGS, or of the one closed form, as `denograd.DenoGrad.history_` has it.
    """

    data: Any
    sigma: Array
    bound: Array
    error_before: Array
    error_after: Array
    solver: Solver
    history: list[dict[str, Any]] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Estimated share of the noise's squared error that is left, mean over the columns that have any."""
        noisy = self.error_before > 0
        return float((self.error_after[noisy] / self.error_before[noisy]).mean()) if noisy.any() else 1.0


def denoise(
    X: Any,
    sigma: Any = None,
    kind: Kind | None = None,
    *,
    sigma_unit: Unit = "data",
    solver: Solver | None = None,
    seed: int = 0,
    verbose: bool = False,
    **backbone: Any,
) -> DenoisedData:
    """Denoise a table or a series: train a blind-spot backbone on it, then apply the rule `map`.

    Parameters
    ----------
    X : array, tensor or DataFrame
        ``(n, c)`` rows of a table or steps of a series, or ``(n,)`` one series; floating-point, without gaps.
    sigma : float, (c,) array_like, mapping, "blind_spot" or "wavelet"
        Standard deviation of the noise: a number for all columns, one per column, or ``{column: level}`` (other
        columns are held). The names ask for an estimate, with a warning; see `denograd.map.noise_level`.
    kind : {"tabular", "series"}
        Whether the order of the rows means something; by default not, with a warning where a time index says that
        it does.
    sigma_unit : {"data", "std"}
        Whether sigma is in units of the data (default), or in standard deviations of the observed column.
    solver : {"lbfgs", "one_step"}, optional
        By default L-BFGS up to two million values, the closed form, nearly as good, beyond.
    seed : int
        Of the backbone's training.
    verbose : bool
        Show progress where stderr is a terminal.
    **backbone
        Parameters of `BlindSpot`: context, folds, hidden, epochs, device (by default that of a tensor `X`, else
        the CPU).

    Returns
    -------
    DenoisedData

    Raises
    ------
    NoiseLevelMissing
        Without a level; names what bounds it per column.
    TypeError, ValueError
        For data or parameters that cannot be right.

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
    if sigma_unit not in get_args(Unit):
        raise ValueError(f"sigma_unit must be 'data' or 'std', got {sigma_unit!r}")
    values, wrap = read(X, "X")
    check_index(X, kind)
    kind = kind or "tabular"
    shape = values.shape
    if values.ndim == 1:
        if kind == "tabular":
            raise ValueError("X has one dimension: hand over rows and columns, or set kind='series'")
        values = values[:, None]
    matrix = values.astype(np.float64)
    if matrix.ndim != 2:
        raise ValueError(f"X must have shape (rows, columns) or, one series, (steps,), got {shape}")
    names = list(X.columns) if is_frame(X) else list(range(matrix.shape[1]))
    level = by_column(sigma, names)
    if sigma_unit == "std" and level is not None:
        if isinstance(level, str):
            raise ValueError(f"sigma={level!r} is an estimate in the data's units: leave sigma_unit='data'")
        level = np.asarray(level, dtype=float) * matrix.std(0)
    if isinstance(X, torch.Tensor):
        backbone = {"device": X.device, **backbone}
    blind = BlindSpot(kind, verbose=verbose, **backbone).fit(matrix, seed=seed)
    if solver is None:
        solver = "lbfgs" if matrix.size <= LARGE else "one_step"
    found = refine(blind, matrix, level, fitted_rows=len(matrix), solver=solver, names=names, verbose=verbose)
    result = wrap(found.values.reshape(shape).astype(values.dtype))
    if isinstance(X, torch.Tensor):
        result = torch.from_numpy(result).to(dtype=X.dtype, device=X.device)
    return DenoisedData(result, found.sigma, found.bound, found.sigma**2, found.error, solver, found.history)
