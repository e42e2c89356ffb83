"""A regressor on refined data: fitted on the train rows, scored on variants of the test part."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np

from experiments.base import metrics
from experiments.base.code import versions_of
from experiments.base.fence import array, copied, fenced, report
from experiments.base.resources import Usage, measured
from experiments.base.seeds import seed_of
from experiments.config.components import Component
from experiments.data.task import Task
from experiments.models.regressors import repeats_a_constant
from experiments.run.bench import Bench, still_skipped
from experiments.run.protocols import RefinedData, scored_on, variants
from experiments.store.cell import Cell, with_code

NOT_FITTED = "the training target is one single value, which this regressor is known to predict"
"""In the cell of such a regressor, which has no seconds and no memory."""


class Scorer:
    """A regressor, fitted when first needed.

    Parameters
    ----------
    bench : Bench
    spec : dict
        Of the denoiser's cell.
    regressor : Component
    """

    def __init__(self, bench: Bench, spec: dict[str, Any], regressor: Component) -> None:
        self.bench, self.regressor, self._spec = bench, regressor, spec
        self._fitted: Usage | None = None

    def specs(self, denoised: Cell) -> dict[str, dict[str, Any]]:
        """The spec of each variant that the denoiser's cell allows."""
        spec, test_form = self._spec, denoised.info["test_form"]
        return {v: self.spec(v) for v in variants(spec["protocol"], spec["sigma"], test_form=test_form)}

    def spec(self, variant: str) -> dict[str, Any]:
        spec = {
            **self._spec,
            "stage": "score",
            "regressor": self.regressor.name,
            "regressor_params": self.regressor.identity,
            "variant": variant,
            "versions": {**self._spec["versions"], **versions_of(*self.regressor.packages)},
        }
        revision, source = self.regressor.revision, self.regressor.source
        revisions = {"regressor": revision, "regressor_seed": self.regressor.seed_revision}
        return with_code(spec, revisions, {"regressor": source})

    def stands(self, cell: Cell) -> bool:
        """Whether a stored cell needs no further work: one that was skipped may be possible by now."""
        skip = getattr(self._estimator, "skip", None) if cell.status == "skipped" else None
        return skip is None or still_skipped(self.bench.store, cell, skip)

    def score(self, variant: str, task: Task, refined: Callable[[], RefinedData]) -> dict[str, Any]:
        """The fields of the variant's cell.

        Parameters
        ----------
        variant : str
        task : Task
        refined : callable
            Gives the refined data; called only where the regressor can run.
        """
        skip = getattr(self._estimator, "skip", None)
        if skip and (reason := skip()):
            return {"skipped": reason}
        data = refined()
        inputs, target = scored_on(task, data, self._spec["protocol"], variant)
        _, learnt = task.samples(data.X, data.y, task.split.train)
        if np.ptp(learnt) == 0 and repeats_a_constant(self._estimator):
            return {
                "metrics": _metrics(task, target, np.full(len(target), learnt[0])),
                "info": {"not_fitted": NOT_FITTED, "n_test": len(target)},
            }
        fitting = self._fit(task, data)
        with self._at_work("predict"), measured() as scoring:
            predicted = self._estimator.predict(self._shaped(inputs))
        prediction = self._checked(predicted, len(target))
        return {
            "metrics": _metrics(task, target, prediction),
            "timings": {"fit_s": fitting.seconds, "score_s": scoring.seconds},
            "memory": {"peak_mb": max(fitting.peak_mb, scoring.peak_mb)},
            "info": {**self._reported(), "n_test": len(target)},
        }

    @cached_property
    def _estimator(self) -> Any:
        config = self.bench.config
        with fenced(self._name, self._seed):
            return self.regressor.make(seed=self._seed, device=config.device, threads=config.threads)

    @property
    def _seed(self) -> int:
        spec = self._spec
        name = self.regressor.seeded_as
        return seed_of("regressor", spec["dataset"], spec["noise"], spec["repetition"], name)

    def _fit(self, task: Task, refined: RefinedData) -> Usage:
        """Fit the estimator, once, on the train rows; what that took."""
        if self._fitted is not None:
            return self._fitted
        X, y = copied(refined.X), copied(refined.y)
        inputs, target = task.samples(X, y, task.split.train)
        extra = {}
        if getattr(self._estimator, "uses_validation", False):
            held_inputs, held_target = task.samples(X, y, task.split.valid)
            extra["validation"] = (self._shaped(held_inputs), _locked(held_target))
        with self._at_work("fit"), measured() as usage:
            self._estimator.fit(self._shaped(inputs), _locked(target), **extra)
        self._fitted = usage
        return usage

    def _shaped(self, inputs: np.ndarray) -> np.ndarray:
        """Windows as they are for models of sequences, flattened for the others; not to be written to."""
        if inputs.ndim == 3 and getattr(self._estimator, "input", "flat") == "flat":
            inputs = inputs.reshape(len(inputs), -1)
        return _locked(inputs)

    def _checked(self, predicted: Any, n: int) -> np.ndarray:
        """A copy of the predictions, if they are what they should be; a single column is taken for its values."""
        what = f"{self._name}.predict's result"
        if type(predicted) is np.ndarray and predicted.dtype.kind in "iuf":
            predicted = predicted.astype(float)
            if predicted.shape == (n, 1):
                predicted = predicted[:, 0]
        return array(predicted, (n,), what)

    def _reported(self) -> dict[str, Any]:
        return report(getattr(self._estimator, "info_", {}), f"{self._name}.info_")

    @property
    def _name(self) -> str:
        return self.regressor.cls.__name__

    @contextlib.contextmanager
    def _at_work(self, method: str) -> Iterator[None]:
        """The fence, and libraries' warnings on convergence kept off the screen of a run of a thousand fits."""
        with fenced(f"{self._name}.{method}", self._seed):
            warnings.simplefilter("ignore")
            yield


def _metrics(task: Task, target: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    return metrics.score_metrics(target, prediction, mean=task.target_mean, scale=task.target_scale)


def _locked(values: np.ndarray) -> np.ndarray:
    """The same values, not to be written to."""
    values = values.view()
    values.setflags(write=False)
    return values
