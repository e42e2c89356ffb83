"""A dataset prepared for one protocol: rows split, columns scaled, noise added; the clean data kept as reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from baselines.base import Backbone, Outputs, Problem
from experiments.base.errors import HarnessError
from experiments.base.fence import MethodError, array, copied, fenced
from experiments.base.seeds import seed_of
from experiments.data.dataset import Dataset
from experiments.data.noise import Noisy, over_all_rows
from experiments.data.splits import Scaler, Split, split_rows, window_view

REVISION = 1
"""To be raised when splits, scales or noise come out otherwise; see `experiments.base.code`."""


FAR, FAR_COLUMNS = 10.0, 3
"""Standard deviations of the train part beyond which a test row is told, and how many columns are named."""


class TooShort(HarnessError):
    """Fewer rows than the task needs."""


@dataclass(frozen=True)
class Task:
    """Standardised arrays with noise, and the same without.

    Attributes
    ----------
    kind : {"tabular", "series"}
    window : int
        Time steps that a model of a series sees.
    X : (n, d) array
        Features; of a series the whole frame, the target as channel 0.
    y : (n,) array
        Target.
    clean_X, clean_y : arrays of the same shapes
        The reference: what was there before noise was added (at sigma 0 the data themselves).
    split : Split
        Rows of train, validation and test.
    target_mean, target_scale : float
        Undo the target's scaling: ``y * target_scale + target_mean``.
    sigma : float
        Level of the injected noise in standard deviations of a column; 0 means none.
    reached : (c,) array
        Level that each column of the frame really got in the rows that noise was added to, a table's target
        being the last one; NaN where none was to be added.
    hit : (n,) bool array
        Rows that noise was added to.
    n_constant : int
        Columns that were constant in the rows the scaler saw, and got no noise.
    names : tuple of str
        Columns of `X`.
    known : Problem
        What a denoiser may know.
    """

    kind: Any
    window: int
    X: np.ndarray
    y: np.ndarray
    clean_X: np.ndarray
    clean_y: np.ndarray
    split: Split
    target_mean: float
    target_scale: float
    sigma: float
    reached: np.ndarray
    hit: np.ndarray
    n_constant: int
    names: tuple[str, ...]
    known: Problem

    def far_test_rows(self) -> dict[str, Any]:
        """Rows of the test part with a value that the train part says nothing about: `FAR` of its standard deviations
        from its mean or more, before noise was added.

        Returns
        -------
        found : dict
            ``rows`` and ``of`` (rows of the test part), and ``furthest``: column to its largest distance, the
            `FAR_COLUMNS` furthest ones; empty where there is no such row.
        """
        series = self.kind == "series"
        frame = self.clean_X if series else np.column_stack([self.clean_X, self.clean_y])
        train, test = frame[self.split.train], frame[self.split.test]
        spread = train.std(axis=0)
        varies = spread > 1e-12
        away = np.abs(test[:, varies] - train[:, varies].mean(axis=0)) / spread[varies]
        far = away >= FAR
        if not far.any():
            return {}
        names = np.array(self.names if series else (*self.names, "target"))[varies]
        furthest = np.argsort(-away.max(axis=0), kind="stable")[:FAR_COLUMNS]
        columns = {str(names[j]): round(float(away[:, j].max()), 1) for j in furthest if far[:, j].any()}
        return {"rows": int(far.any(axis=1).sum()), "of": len(test), "furthest": columns}

    @property
    def fit_rows(self) -> np.ndarray:
        """Rows of train and validation: what a deployed denoiser may refine looking both ways."""
        return np.concatenate([self.split.train, self.split.valid])

    def problem(self, backbone: Callable[[Outputs], Backbone] | None = None) -> Problem:
        """What a denoiser may know, and the backbone that drives it."""
        return replace(self.known, backbone=backbone)

    def samples(self, X: np.ndarray, y: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets of a model whose targets lie in the given rows.

        Returns
        -------
        inputs : (m, d) array, or (m, window, d) view of a series
            The window of a target may reach back into the part before.
        targets : (m,) array
        """
        if self.kind == "tabular":
            return X[rows], y[rows]
        rows = rows[rows >= self.window]
        first, last = int(rows[0]), int(rows[-1])  # the parts of a series are contiguous
        return window_view(X, self.window)[first - self.window : last - self.window + 1], y[rows]


def used_rows(dataset: Dataset, cap: int | None, repetition: int) -> np.ndarray:
    """Rows that a capped run uses: the first ones of a series, a seeded draw, in order, of a table."""
    n = len(dataset.frame)
    if cap is None or cap >= n:
        return np.arange(n)
    if dataset.kind == "series":
        return np.arange(cap)
    draw = np.random.default_rng(seed_of("rows", dataset.name, repetition)).permutation(n)[:cap]
    return np.sort(draw)


def problem_of(kind: str, noise: Any, window: int) -> Problem:
    """What a denoiser may know before any data are read: the kind, the windows, and the level of the noise."""
    level = float(over_all_rows(noise, noise.sigma))
    return Problem(
        "series" if kind == "series" else "tabular",
        sigma=level if noise.features and level else None,
        sigma_target=level if noise.target else 0.0,
        window=window,
    )


def injected(
    noise: Any, clean: np.ndarray, *, seed: int, constant: np.ndarray, target_column: int, kind: str
) -> Noisy:
    """The output of a noise model for clean data, checked.

    Raises
    ------
    MethodError
        If the model fails, or returns something else.
    """
    name = type(noise).__name__
    try:
        with fenced(f"{name}.inject", seed):
            noisy = noise.inject(
                copied(clean), seed=seed, constant=copied(constant), target_column=target_column, kind=kind
            )
    except HarnessError:
        raise
    except Exception as error:
        raise MethodError(f"{name}.inject failed: {type(error).__name__}: {error}") from error
    if not isinstance(noisy, Noisy):
        raise MethodError(f"{name}.inject returned a {type(noisy).__name__}: wanted a Noisy")
    values = array(noisy.values, clean.shape, f"{name}.inject: Noisy.values")
    sigma = array(noisy.sigma, clean.shape[1:], f"{name}.inject: Noisy.sigma")
    hit = noisy.hit
    if type(hit) is not np.ndarray or hit.dtype != bool or hit.shape != clean.shape[:1]:
        raise MethodError(f"{name}.inject: Noisy.hit must be an array of bool of shape {clean.shape[:1]}")
    return Noisy(values, copied(hit), int(noisy.n_constant), sigma)


def prepare(
    dataset: Dataset, noise: Any, protocol: str, *, repetition: int, window: int, rows: int | None
) -> Task:
    """Split, scale, add noise.

    Parameters
    ----------
    dataset : Dataset
    noise : noise model
        See `experiments.data.noise`.
    protocol : {"paper", "deployable"}
        Under ``paper`` the scaler sees all rows, under ``deployable`` the train part alone.
    repetition : int
        Names the draws of the split and of the noise.
    window : int
        Time steps; ignored for tables.
    rows : int or None
        Cap on the rows, see `used_rows`.

    Raises
    ------
    TooShort
        If a series has fewer steps than its window and parts need.
    """
    X, y, names = dataset.X_y()
    chosen = used_rows(dataset, rows, repetition)
    X, y = X[chosen], y[chosen]
    series = dataset.kind == "series"
    frame = X if series else np.column_stack([X, y])
    target = 0 if series else frame.shape[1] - 1

    groups = None if dataset.groups is None else dataset.groups[chosen]
    split = split_rows(len(frame), dataset.kind, seed_of("split", dataset.name, repetition), groups)
    if series and len(split.train) <= window:
        raise TooShort(
            f"the training part of {dataset.name} has {len(split.train)} steps, its windows {window}: "
            "use a shorter window (dataset.window=N) or more rows (profile.rows=N)"
        )
    if min(len(split.train), len(split.valid), len(split.test)) == 0:
        raise TooShort(f"{dataset.name} has {len(frame)} rows, too few for train, validation and test parts")

    scaler = Scaler().fit(frame if protocol == "paper" else frame[split.train])
    if scaler.constant[target]:
        raise TooShort(
            f"the target {dataset.target!r} of {dataset.name} does not vary in the {len(chosen)} rows used: "
            "there is nothing to learn. Use more rows (profile.rows=N)"
        )
    clean = scaler.transform(frame)
    seed = seed_of("noise", dataset.name, type(noise).__name__, repetition)
    noisy = injected(
        noise, clean, seed=seed, constant=scaler.constant, target_column=target, kind=dataset.kind
    )

    spared = scaler.constant | ~np.where(np.arange(frame.shape[1]) == target, noise.target, noise.features)
    known = problem_of(dataset.kind, noise, window)
    if getattr(noise, "falls_short", False):  # then the level of every column is told
        known = replace(known, levels=over_all_rows(noise, np.where(spared, 0.0, noisy.sigma)))

    def part(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return copied(values if series else values[:, :-1]), copied(values[:, target])

    noisy_X, noisy_y = part(noisy.values)
    clean_X, clean_y = part(clean)
    return Task(
        kind=dataset.kind,
        window=window,
        X=noisy_X,
        y=noisy_y,
        clean_X=clean_X,
        clean_y=clean_y,
        split=split,
        target_mean=float(scaler.mean[target]),
        target_scale=float(scaler.scale[target]),
        sigma=float(noise.sigma),
        reached=np.where(spared, np.nan, noisy.sigma),
        hit=noisy.hit,
        n_constant=noisy.n_constant,
        names=tuple(names),
        known=known,
    )
