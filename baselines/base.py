"""The interface of every denoiser, and the types it uses.

Arrays hold rows: samples of a table or time steps of a series. A *series* is one frame ``(T, C)`` whose
channel 0 is the target; a *table* is a feature matrix ``(n, d)`` and, apart from it, a target ``(n,)``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from denograd.data import Array, Kind, with_gaps

Settings = Literal["paper", "sound"]
Outputs = Literal["target", "all"]

LARGEST = 1e150
"""Larger values, and data of smaller ones than its inverse alone, are refused: squares are computed with."""


class Backbone(Protocol):
    """A trained network of the harness, by which a denoiser is driven.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> backbone = SimpleNamespace(module=None, valid_mse=np.array([0.1]), predict=lambda rows: rows[:, :1])
    >>> backbone.predict(np.ones((2, 3))).shape  # whatever has these three is one
    (2, 1)
    """

    @property
    def module(self) -> Any:
        """The ``torch.nn.Module``, in evaluation mode, on the CPU."""
        ...

    @property
    def valid_mse(self) -> Array:
        """Mean squared error of every output on the noisy validation part, (k,)."""
        ...

    def predict(self, inputs: Array) -> Array:
        """Predict ``(n, k)`` outputs for rows ``(n, d)`` or windows ``(n, W, C)``, in batches."""
        ...


@dataclass(frozen=True)
class Problem:
    """What a denoiser may know about the data apart from their values.

    Attributes
    ----------
    kind : {"tabular", "series"}
        Whether the order of the rows is meaningful.
    sigma : float or None
        Known noise level in standard deviations of a column; None where it is unknown.
    sigma_target : float or None
        The target's level, where it differs (0: the target is clean); None means `sigma`.
    levels : (c,) array or None
        Known level of every column of the frame (a table's target is its last column), where columns differ
        from `sigma`; None where they do not.
    window : int
        Length, in time steps, of the windows that models of this series see.
    backbone : callable or None
        Returns the trained `Backbone` (trained on the first call, then cached) that predicts the ``"target"`` or,
        for a series, ``"all"`` channels. None outside the harness.
    train_rows : (m,) int array or None
        Positions, among the rows handed to ``fit``, of the training part; None means all of them.

    Examples
    --------
    >>> problem = Problem(kind="series", sigma=0.1)
    >>> problem.window, problem.levels is None
    (24, True)
    """

    kind: Kind = "tabular"
    sigma: float | None = None
    window: int = 24
    backbone: Callable[[Outputs], Backbone] | None = None
    train_rows: NDArray[np.integer[Any]] | None = None
    sigma_target: float | None = None
    levels: Array | None = None

    @property
    def is_noisy(self) -> bool:
        """Whether a noise level above 0 is known of any column."""
        given = self.levels if self.levels is not None else [self.sigma, self.sigma_target]
        return any(given)


class NotApplicable(ValueError):
    """The data turn out to lack what the denoiser needs: a result, not a failure.

    Examples
    --------
    >>> try:
    ...     raise NotApplicable("fewer rows than columns")
    ... except NotApplicable as error:
    ...     print(f"skipped: {error}")
    skipped: fewer rows than columns
    """


@dataclass(frozen=True)
class Denoised:
    """What a denoiser returns.

    Attributes
    ----------
    X : (n, d) array
        Refined features; for a series, all channels.
    y : (n,) array or None
        Refined target; None where no target was given.
    info : dict
        Facts worth reporting (columns left alone, epochs run, ...). ``info["score"]``, if present, is an
        ``(n,)`` array: the higher, the more suspect the row; otherwise the displacement serves as the score.

    Examples
    --------
    >>> denoised = Denoised(X=np.zeros((2, 3)), info={"clipped": 0.1})
    >>> denoised.y is None, denoised.info["clipped"]
    (True, 0.1)
    """

    X: Array
    y: Array | None = None
    info: dict[str, Any] = field(default_factory=dict)


@runtime_checkable
class Denoiser(Protocol):
    """A denoiser: fitted on one array, it refines the same or another one.

    ``features_only`` says that it can be fitted and applied without a target (on a table), ``causal`` that
    ``denoise(..., causal=True)`` exists: row ``t`` of the result depends on rows ``0..t`` alone.
    ``sequential`` says that it runs along the order of the rows, which is meaningless on a table.

    A denoiser of this project also has a ``revision``, initially 1: raised whenever its results change, it
    distinguishes stored results of older code from new ones. A subclass that changes sets its own.

    A class need not derive from this one. A subclass inherits `skip`, and cannot be instantiated without `fit` and
    `denoise`.

    Examples
    --------
    >>> from baselines.pca import PCA
    >>> X = np.random.default_rng(0).normal(size=(50, 1)) @ np.ones((1, 4))
    >>> isinstance(PCA(), Denoiser), PCA().skip(Problem())
    (True, None)
    >>> bool(np.allclose(PCA().fit(X).denoise(X).X, X))
    True
    """

    features_only: bool
    causal: bool
    sequential: bool

    def skip(self, problem: Problem) -> str | None:
        """Say why this denoiser cannot run on `problem`, or None if it can: by default it can on every one."""
        return None

    @abstractmethod
    def fit(self, X: Array, y: Array | None = None, *, seed: int = 0, problem: Problem = ...) -> Self:
        """Learn from the rows of `X` (and `y`); return self."""
        ...

    @abstractmethod
    def denoise(self, X: Array, y: Array | None = None, *, causal: bool = False) -> Denoised:
        """Refine `X` (and `y`); the inputs stay as they are."""
        ...


def stack(X: Array, y: Array | None) -> Array:
    """Join the target to the features as one more, last, column.

    Parameters
    ----------
    X : (n, d) array
    y : (n,) array or None

    Returns
    -------
    frame : (n, d) or (n, d + 1) array, always a copy

    Raises
    ------
    ValueError
        If `X` is not two-dimensional, the lengths differ, a value is NaN, infinite or masked, or all are so large or
        small that their squares cannot be represented.

    Examples
    --------
    >>> stack(np.zeros((2, 2)), np.ones(2))
    array([[0., 0., 1.],
           [0., 0., 1.]])
    """
    X = np.asarray(with_gaps(X))
    if X.ndim != 2:
        raise ValueError(f"X must be two-dimensional (rows, columns), got shape {X.shape}")
    if y is None:
        frame = X.copy()
    else:
        y = np.asarray(with_gaps(y))
        if y.shape != (len(X),):
            raise ValueError(f"y must have shape ({len(X)},) like the rows of X, got {y.shape}")
        frame = np.column_stack([X, y])
    if not np.issubdtype(frame.dtype, np.floating):
        frame = frame.astype(float)
    if not np.isfinite(frame).all():
        row, column = np.argwhere(~np.isfinite(frame))[0]
        raise ValueError(
            f"the data hold NaN, infinite or masked values, the first at row {row}, column {column}: "
            "impute or drop them before denoising"
        )
    largest = float(np.abs(frame).max(initial=0.0))
    if largest > LARGEST or 0 < largest < 1 / LARGEST:
        raise ValueError(
            f"the data have values of size {largest:.3g}, whose squares cannot be computed with: give them in another "
            "unit"
        )
    return frame


def unstack(frame: Array, y: Array | None, info: dict[str, Any] | None = None) -> Denoised:
    """Undo `stack`: the last column is the target if one was handed over.

    Parameters
    ----------
    frame : (n, d) or (n, d + 1) array
    y : (n,) array or None
        The argument of `stack`; only whether it is None matters.
    info : dict, optional

    Returns
    -------
    denoised : Denoised

    Examples
    --------
    >>> unstack(np.array([[0.0, 0.0, 1.0]]), np.ones(1)).y
    array([1.])
    """
    if y is None:
        return Denoised(frame, None, info or {})
    return Denoised(np.ascontiguousarray(frame[:, :-1]), frame[:, -1].copy(), info or {})


def is_target(kind: Kind, columns: int, has_target: bool) -> NDArray[np.bool_]:
    """Which column of a frame is the target: channel 0 of a series, the last one of a table if it is there.

    Parameters
    ----------
    kind : {"tabular", "series"}
    columns : int
    has_target : bool
        Whether the frame of a table has it.

    Returns
    -------
    is_target : (columns,) bool array

    Examples
    --------
    >>> is_target("series", 3, has_target=True)
    array([ True, False, False])
    """
    place = 0 if kind == "series" else columns - 1 if has_target else columns
    return np.arange(columns) == place


def levels_of(problem: Problem, columns: int, has_target: bool) -> Array:
    """Noise level of every column of a frame, 0 where there is none or none is known.

    Parameters
    ----------
    problem : Problem
    columns : int
        Columns of the frame, the target included.
    has_target : bool

    Returns
    -------
    levels : (columns,) array
        In standard deviations of a column.

    Examples
    --------
    >>> levels_of(Problem(sigma=0.1, sigma_target=0.0), columns=3, has_target=True)
    array([0.1, 0.1, 0. ])
    """
    if problem.levels is not None:
        return np.array(problem.levels[:columns], dtype=float)
    level = np.full(columns, float(problem.sigma or 0.0))
    if problem.sigma_target is not None:
        level[is_target(problem.kind, columns, has_target)] = problem.sigma_target
    return level
