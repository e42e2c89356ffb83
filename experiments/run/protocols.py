"""The two evaluation protocols: what a denoiser sees, and on what its result is judged.

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
from experiments.base.fence import MethodError, array, copied, fenced, report
from experiments.base.resources import Usage, measured
from experiments.data.task import Task
from experiments.methods.reference import Reference

Rows = np.ndarray | slice
EVERYTHING = slice(None)


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
    name : str
        Of the denoiser's class, for messages.
    """

    task: Task
    problem: Problem
    make: Callable[[], Denoiser]
    seed: int
    name: str = "the denoiser"
    fit_s: float = field(default=0.0, init=False)
    denoise_s: float = field(default=0.0, init=False)
    peak_mb: float = field(default=0.0, init=False)
    info: dict[str, Any] = field(default_factory=dict, init=False)

    def under(self, protocol: str) -> RefinedData:
        """Refine as the protocol says."""
        if protocol == "deployable" and isinstance(reference := self.make(), Reference):
            return self._reference(reference)
        return {"paper": self._paper, "deployable": self._deployable}[protocol]()

    def _reference(self, reference: Reference) -> RefinedData:
        """Make a reference row: it alone is shown the clean data."""
        task = self.task
        X, y, X_test = (v.copy() for v in reference.made_of((task.X, task.y), (task.clean_X, task.clean_y)))
        X[task.split.test], y[task.split.test] = np.nan, np.nan
        return RefinedData(X, y, X_test)

    def _paper(self) -> RefinedData:
        denoiser = self._fit(EVERYTHING, train=self.task.split.train)
        out = self._denoise(denoiser, EVERYTHING)
        self.info = out.info
        return RefinedData(out.X, self._refined_target(out))

    def _deployable(self) -> RefinedData:
        task, train, both, test = self.task, self.task.split.train, self.task.fit_rows, self.task.split.test
        joint = self._fit(train)
        out = self._denoise(joint, both)
        self.info = out.info
        X, y = np.full_like(task.X, np.nan), np.full_like(task.y, np.nan)
        X[both], y[both] = out.X, self._refined_target(out)
        X_test = None
        if task.kind == "series" and getattr(joint, "causal", False):
            X_test = self._denoise(joint, EVERYTHING, causal=True).X
        elif task.kind == "tabular" and getattr(joint, "features_only", False):
            alone = self._fit(train, with_target=False)
            X[both] = self._denoise(alone, both, with_target=False).X
            X_test = np.full_like(task.X, np.nan)
            X_test[test] = self._denoise(alone, test, with_target=False).X
        return RefinedData(X, y, X_test)

    def _refined_target(self, out: Denoised) -> np.ndarray:
        return out.X[:, 0].copy() if out.y is None else out.y

    def _handed(self, rows: Rows, with_target: bool) -> tuple[np.ndarray, np.ndarray | None]:
        """Copies of rows, and of their target beside them; in a series it is one of the columns."""
        apart = with_target and self.task.kind == "tabular"
        return copied(self.task.X[rows]), copied(self.task.y[rows]) if apart else None

    def _fit(self, rows: Rows, *, train: np.ndarray | None = None, with_target: bool = True) -> Denoiser:
        X, y = self._handed(rows, with_target)
        problem = replace(
            self.problem,
            train_rows=None if train is None else copied(train),
            levels=None if self.problem.levels is None else copied(self.problem.levels),
        )
        with fenced(f"{self.name}.fit", self.seed):
            denoiser = self.make()
            with measured() as usage:
                denoiser.fit(X, y, seed=self.seed, problem=problem)
        # what another denoiser has spent on a part of this one counts as well: seconds depend on no order
        self.fit_s += self._seconds(usage) + getattr(denoiser, "shared_s", 0.0)
        return denoiser

    def _denoise(
        self, denoiser: Denoiser, rows: Rows, *, causal: bool = False, with_target: bool = True
    ) -> Denoised:
        X, y = self._handed(rows, with_target and not causal)
        with fenced(f"{self.name}.denoise", self.seed), measured() as usage:
            out = denoiser.denoise(X, y, causal=causal)
        self.denoise_s += self._seconds(usage)
        return self._checked(out, X.shape, y)

    def _checked(self, out: Any, shape: tuple[int, ...], y: np.ndarray | None) -> Denoised:
        """A copy of what came back, if it is what it should be."""
        what = f"{self.name}.denoise"
        if not isinstance(out, Denoised):
            raise MethodError(f"{what} returned a {type(out).__name__}: wanted a Denoised(X, y, info)")
        X = array(out.X, shape, f"{what}: Denoised.X")
        if y is not None and out.y is None:
            raise MethodError(f"{what} was handed a target and returned none: return Denoised(X, y)")
        if y is None and out.y is not None and self.task.kind == "tabular":
            raise MethodError(f"{what} returned a target that it was not handed: return Denoised(X)")
        target = None if out.y is None else array(out.y, shape[:1], f"{what}: Denoised.y")
        if not isinstance(out.info, dict):
            raise MethodError(f"{what}: Denoised.info is a {type(out.info).__name__}: wanted a dict")
        info = dict(out.info)
        score = info.pop("score", None)
        info = report(info, f"{what}: Denoised.info")
        if score is not None:
            info["score"] = array(
                np.asarray(score, dtype=float), shape[:1], f"{what}: Denoised.info['score']"
            )
        return Denoised(X, target, info)

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
    """Inputs and targets of the test part, copies of their own."""
    if protocol == "paper":
        return task.samples(copied(refined.X), copied(refined.y), task.split.test)
    features = {"clean": task.clean_X, "noisy": task.X, "denoised": refined.X_test}[variant]
    assert features is not None, "a denoiser without a test form has no denoised variant"
    return task.samples(copied(features), copied(task.clean_y), task.split.test)
