"""The two evaluation protocols: what a denoiser is given, and on what its result is judged.

``paper``: all rows at once, test rows and their target included; scored on the denoised test target.
``deployable``: fitted on the train part; the test part is refined without target and without the future, if at
all, and scored against a target that no denoiser has touched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from baselines.base import Denoised, Denoiser, Problem
from experiments.base.resources import Usage, measured
from experiments.data.task import Task


@dataclass(frozen=True)
class RefinedData:
    """What a denoiser made of a task's rows; rows that it must not touch are NaN, so that using them shows.

    Attributes
    ----------
    X, y : (n, d) and (n,) arrays
        Refined features and target: all rows under ``paper``, train and validation under ``deployable``.
    X_test : (n, d) array or None
        Under ``deployable``, features refined without any target and, in a series, without the future.
    """

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray | None = None

    def arrays(self) -> dict[str, np.ndarray]:
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass
class Refinement:
    """A denoiser at work on a task under one protocol; the seconds of its parts are kept apart.

    Parameters
    ----------
    task : Task
    problem : Problem
        What the denoiser may know.
    make : callable
        Gives a fresh denoiser.
    seed : int
    """

    task: Task
    problem: Problem
    make: Callable[[], Denoiser]
    seed: int
    fit_s: float = field(default=0.0, init=False)
    denoise_s: float = field(default=0.0, init=False)
    peak_mb: float = field(default=0.0, init=False)
    info: dict[str, Any] = field(default_factory=dict, init=False)

    def under(self, protocol: str) -> RefinedData:
        """Refine as the protocol says."""
        if protocol == "deployable" and (made_of := getattr(self.make(), "made_of", None)):
            return self._reference(made_of)
        return {"paper": self._paper, "deployable": self._deployable}[protocol]()

    def _reference(self, made_of: Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]]) -> RefinedData:
        """Make a reference row: it alone is shown the clean data."""
        task = self.task
        X, y, X_test = (v.copy() for v in made_of((task.X, task.y), (task.clean_X, task.clean_y)))
        X[task.split.test], y[task.split.test] = np.nan, np.nan
        return RefinedData(X, y, X_test)

    def _paper(self) -> RefinedData:
        X, y = self.task.X, self._target(slice(None))
        denoiser = self._fit(X, y, self.task.split.train)
        out = self._denoise(denoiser, X, y)
        self.info = dict(out.info)
        return RefinedData(out.X, self._refined_target(out))

    def _deployable(self) -> RefinedData:
        task, train, both = self.task, self.task.split.train, self.task.fit_rows
        joint = self._fit(task.X[train], self._target(train))
        out = self._denoise(joint, task.X[both], self._target(both))
        self.info = dict(out.info)
        X, y = np.full_like(task.X, np.nan), np.full_like(task.y, np.nan)
        X[both], y[both] = out.X, self._refined_target(out)
        X_test = None
        if task.kind == "series" and joint.causal:
            X_test = self._denoise(joint, task.X, None, causal=True).X
        elif task.kind == "tabular" and joint.features_only:
            alone = self._fit(task.X[train], None)
            X[both] = self._denoise(alone, task.X[both], None).X
            X_test = np.full_like(task.X, np.nan)
            X_test[task.split.test] = self._denoise(alone, task.X[task.split.test], None).X
        return RefinedData(X, y, X_test)

    def _target(self, rows: Any) -> np.ndarray | None:
        """The target handed over beside the features; in a series it is one of their columns."""
        return None if self.task.kind == "series" else self.task.y[rows]

    def _refined_target(self, out: Denoised) -> np.ndarray:
        return out.X[:, 0].copy() if out.y is None else out.y

    def _fit(self, X: np.ndarray, y: np.ndarray | None, train: np.ndarray | None = None) -> Denoiser:
        denoiser = self.make()
        with measured() as usage:
            denoiser.fit(X, y, seed=self.seed, problem=replace(self.problem, train_rows=train))
        self.fit_s += self._seconds(usage)
        return denoiser

    def _denoise(
        self, denoiser: Denoiser, X: np.ndarray, y: np.ndarray | None, *, causal: bool = False
    ) -> Denoised:
        with measured() as usage:
            out = denoiser.denoise(X, y, causal=causal)
        self.denoise_s += self._seconds(usage)
        return out

    def _seconds(self, usage: Usage) -> float:
        self.peak_mb = max(self.peak_mb, usage.peak_mb)
        return usage.seconds


def compared_rows(task: Task, protocol: str) -> np.ndarray:
    """Rows on which refined data are compared with the original: all, or those of the train part."""
    return np.arange(len(task.y)) if protocol == "paper" else task.split.train


def variants(protocol: str, sigma: float, *, test_form: bool) -> list[str]:
    """Variants of the test features that are scored.

    Parameters
    ----------
    protocol : str
    sigma : float
        At 0 the clean features are the noisy ones, and shown once.
    test_form : bool
        Whether the denoiser can refine test features.
    """
    if protocol == "paper":
        return ["denoised"]
    return [*(["clean"] if sigma else []), "noisy", *(["denoised"] if test_form else [])]


def scored_on(task: Task, refined: RefinedData, protocol: str, variant: str) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets of the test part."""
    if protocol == "paper":
        return task.samples(refined.X, refined.y, task.split.test)
    features = {"clean": task.clean_X, "noisy": task.X, "denoised": refined.X_test}[variant]
    assert features is not None, "a denoiser without a test form has no denoised variant"
    return task.samples(features, task.clean_y, task.split.test)
