"""The experiment: one denoiser on one task, then every regressor on its output.

1. Refine the task's data (the timed part): fit the denoiser and let it denoise as the protocol says.
2. Compare the refined data with what was there before, and with the clean data: the denoiser's own cell.
3. For each regressor: fit it on the refined rows, score it on the test part: a cell for each variant of that.

What is stored already is not computed again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from baselines.base import Backbone, Denoiser, NotApplicable, Outputs, Problem
from experiments.base import metrics
from experiments.base.code import versions_of
from experiments.base.fence import MethodError, fenced
from experiments.base.seeds import seed_of
from experiments.config.components import Component
from experiments.data.noise import Noise
from experiments.data.task import Task, problem_of
from experiments.run.backbones import BackboneProvider, with_backbone
from experiments.run.bench import Bench, still_skipped
from experiments.run.protocols import RefinedData, Refinement, compared_rows
from experiments.run.scoring import Scorer
from experiments.store.cell import Cell, key_of, with_code


@dataclass
class Trial:
    """One denoiser on one task: its own cell, and those of the regressors fitted on what it made."""

    bench: Bench
    protocol: str
    repetition: int
    denoiser: Component
    backbone: Component | None

    def cells(self) -> Iterator[Cell]:
        """The denoiser's cell, then the regressors'; only what is missing is computed."""
        denoised = self.denoised()
        yield denoised
        if denoised.status != "ok":
            return
        for regressor in self.bench.regressors:
            yield from self.scored(regressor, denoised)
        if not self.bench.config.keep_arrays:
            self.bench.store.drop_arrays(self.key)

    def denoised(self) -> Cell:
        """The denoiser's own cell."""
        stored = self.bench.store.finished(self.key)
        if stored and self.stands(stored):
            return stored
        return self.bench.record("denoise", self.spec, self._denoise)

    def scored(self, regressor: Component, denoised: Cell) -> Iterator[Cell]:
        """The cells of a regressor fitted on what the denoiser made."""
        scorer = Scorer(self.bench, self.spec, regressor)
        for variant, spec in scorer.specs(denoised).items():
            stored = self.bench.store.finished(key_of(spec))
            if stored and scorer.stands(stored):
                yield stored
            else:
                yield self.bench.record("score", spec, partial(self._score, scorer, variant))

    def stands(self, cell: Cell) -> bool:
        """Whether the denoiser's stored cell needs no further work: one that was skipped may be possible by now.

        Needs no data. What was skipped for what the data turned out to be stays so.
        """
        if cell.status != "skipped" or cell.info.get("skipped_by") == "data":
            return True
        return still_skipped(self.bench.store, cell, lambda: self._skips(self._known))

    @cached_property
    def task(self) -> Task:
        return self.bench.task(self.protocol, self.repetition)

    @cached_property
    def component(self) -> Component:
        """The denoiser with the settings of the protocol."""
        return self.denoiser.under(self.protocol, self.bench.config)

    @cached_property
    def spec(self) -> dict[str, Any]:
        params, backbone = self.component.identity, self.backbone
        spec = {
            **self.bench.spec,
            "stage": "denoise",
            "repetition": self.repetition,
            "protocol": self.protocol,
            "denoiser": self.component.name,
            "settings": params.get("settings"),
            "denoiser_params": params,
            "backbone": backbone.name if backbone else None,
            "backbone_params": backbone.identity if backbone else {},
            "versions": versions_of(*self.component.packages, *(backbone.packages if backbone else ())),
        }
        spec = with_code(spec, {"metrics": metrics.REVISION}, {})
        revisions = {"denoiser": self.component.revision, "denoiser_seed": self.component.seed_revision}
        spec = with_code(spec, revisions, {"denoiser": self.component.source})
        return with_backbone(spec, backbone) if backbone else spec

    @cached_property
    def key(self) -> str:
        return key_of(self.spec)

    @property
    def refined(self) -> RefinedData:
        """The refined arrays: just computed, from the cache beside the cell, or computed again."""
        if self._fresh is None:
            arrays = self.bench.store.load_arrays(self.key)
            if arrays is not None:
                self._fresh = RefinedData(**arrays)
            else:
                self._denoise()
        assert self._fresh is not None
        return self._fresh

    _fresh: RefinedData | None = field(default=None, init=False)

    def _score(self, scorer: Scorer, variant: str) -> dict[str, Any]:
        return scorer.score(variant, self.task, lambda: self.refined)

    def _denoise(self) -> dict[str, Any]:
        """The fields of the denoiser's cell."""
        task, provider = self.task, self._provider()
        problem = task.problem(provider)
        # Does it run on these data at all?
        if reason := self._skips(problem):
            by_data = not self._skips(self._known)
            return {"skipped": reason, "info": {"skipped_by": "data"} if by_data else {}}
        if provider:  # its backbone is trained before anything is timed
            with fenced(f"the network {self.spec['backbone']}", self._seed):
                provider(getattr(self._asked, "backbone_outputs", "target"))
        # Refine as the protocol says: this alone is timed.
        refinement = Refinement(task, problem, self._make, self._seed, self.component.cls.__name__)
        try:
            refined = refinement.under(self.protocol)
        except NotApplicable as error:
            return {"skipped": str(error), "info": {"skipped_by": "data"}}
        # Compare, on the rows that the protocol names.
        rows = compared_rows(task, self.protocol)
        score = refinement.info.pop("score", None)
        found = _compared(task, refined, rows, score)
        self._fresh = refined
        self.bench.store.save_arrays(self.key, refined.arrays())
        return {
            "metrics": found,
            "timings": {
                "backbone_s": provider.seconds if provider else 0.0,
                "fit_s": refinement.fit_s,
                "denoise_s": refinement.denoise_s,
            },
            "memory": {"peak_mb": refinement.peak_mb},
            "info": {**refinement.info, **self._facts(refined, provider)},
        }

    @cached_property
    def _asked(self) -> Denoiser:
        """A denoiser that is asked and never fitted."""
        return self._make()

    def _make(self) -> Denoiser:
        config = self.bench.config
        made: Denoiser = self.component.make(
            seed=self._seed,
            device=config.device,
            threads=config.threads,
            blind_spots=self.bench.blind_spots,
        )
        return made

    def _skips(self, problem: Problem) -> str | None:
        """Why the denoiser cannot run, in its own words."""
        name = f"{self.component.cls.__name__}.skip"
        with fenced(name, self._seed):
            reason = self._asked.skip(problem)
        if reason is not None and not isinstance(reason, str):
            raise MethodError(f"{name} returned a {type(reason).__name__}: wanted a reason (str) or None")
        return reason

    def _facts(self, refined: RefinedData, provider: BackboneProvider | None) -> dict[str, Any]:
        """What a reader of the cell should know of it beside its numbers."""
        task = self.task
        facts: dict[str, Any] = {
            "test_form": self.protocol == "paper" or refined.X_test is not None,
            "n_constant_columns": task.n_constant,
        }
        if far := task.far_test_rows():
            facts["far_test_rows"] = far
        if task.sigma and self.bench.noise.fraction:
            facts["noise_level"] = _reached(task)
        against_order = getattr(self._asked, "sequential", False) and task.kind == "tabular"
        if against_order and self.protocol == "deployable":
            facts["meaningless"] = "filters along the arbitrary order of a table's rows"
        if provider:
            facts["backbone"] = provider.summary
        return facts

    @property
    def _seed(self) -> int:
        spec = self.spec
        return seed_of("denoiser", spec["dataset"], spec["noise"], self.repetition, self.component.seeded_as)

    @cached_property
    def _known(self) -> Problem:
        """What is known of the problem before any data are read."""
        bench = self.bench
        noise: Noise = bench.noise
        known = problem_of(bench.spec["kind"], noise, bench.config.dataset.window)
        return replace(known, backbone=_untrained if self.backbone else None)

    def _provider(self) -> BackboneProvider | None:
        if self.backbone is None:
            return None
        config = self.bench.config
        spec = {**self.bench.spec, "repetition": self.repetition, "protocol": self.protocol}
        return BackboneProvider(
            self.task, self.backbone, spec, self.bench.store, device=config.device, threads=config.threads
        )


def _compared(task: Task, refined: RefinedData, rows: np.ndarray, score: Any) -> dict[str, float]:
    """The metrics of the refined rows; where noise is on a share of the rows also how well these were found."""
    found = metrics.data_metrics(
        task.X[rows],
        refined.X[rows],
        y_before=task.y[rows],
        y_after=refined.y[rows],
        clean=task.clean_X[rows] if task.sigma else None,
        y_clean=task.clean_y[rows] if task.sigma else None,
    )
    if 0 < task.hit[rows].sum() < len(rows):
        found |= metrics.detection(_suspicion(task, refined, rows, score), task.hit[rows])
    return found


def _suspicion(task: Task, refined: RefinedData, rows: np.ndarray, score: Any) -> np.ndarray:
    """A score per row, the higher the more suspect: the denoiser's own, or how far it moved the row."""
    if score is not None:
        return np.asarray(score)[: len(rows)]
    moved = np.column_stack([refined.X - task.X, refined.y - task.y])[rows]
    return np.sqrt((moved**2).sum(axis=1))


def _untrained(outputs: Outputs) -> Backbone:
    """Stands for a backbone where none may be trained."""
    raise RuntimeError("skip() must not train a backbone")


def _reached(task: Task) -> dict[str, float | None]:
    """The level that was requested, and those that the columns got in the rows that were hit."""
    levels = task.reached[~np.isnan(task.reached)]
    target = task.reached[0 if task.kind == "series" else -1]
    return {
        "asked": task.sigma,
        "least": round(float(levels.min()), 6) if len(levels) else None,
        "most": round(float(levels.max()), 6) if len(levels) else None,
        "target": None if np.isnan(target) else round(float(target), 6),
    }
