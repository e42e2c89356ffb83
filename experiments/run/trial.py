"""One run: dataset, noise, backbone, denoisers, regressors, metrics; cell after cell.

For each repetition and protocol: split, scale, add noise (`task.prepare`). For each denoiser: refine the data
(`protocols.Refinement`, the timed part) and compare them with what was there before (`metrics.data_metrics`).
For each regressor: fit it on the refined rows and score it (`metrics.score_metrics`). Every result is a
`Cell`, stored as soon as it exists; what is stored is not computed again.
"""

from __future__ import annotations

import contextlib
import datetime
import re
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from baselines.base import NotApplicable, Problem
from experiments.base import metrics
from experiments.base.resources import Usage, commit, machine, measured
from experiments.base.seeds import seed_of
from experiments.config.components import (
    Component,
    backbones_of,
    dataset_function_of,
    denoisers_of,
    noise_of,
    regressors_of,
)
from experiments.config.schema import Config
from experiments.data import chosen
from experiments.data.dataset import Dataset
from experiments.data.task import Task, prepare
from experiments.run.backbones import BackboneProvider
from experiments.run.protocols import Refined, Refinement, compared_rows, scored_on, variants
from experiments.store.cell import Cell, Stage, Status, key_of, versions_of
from experiments.store.files import Store, StoreError


def dataset_of(config: Config) -> Dataset:
    """The dataset that a configuration chooses."""
    return chosen.load(config.dataset, config.data_dir, dataset_function_of(config))


@dataclass
class Run:
    """A configured run on one dataset.

    Parameters
    ----------
    config : Config
    store : Store
    log : callable
        Takes a line of text for each cell as it is finished.
    load : callable
        Gives the dataset that a configuration names.
    """

    config: Config
    store: Store
    log: Callable[[str], None] = lambda line: None
    load: Callable[[Config], Dataset] = dataset_of
    computed: int = field(default=0, init=False)

    def execute(self) -> list[Cell]:
        """Compute what is missing and return all cells of the run, the stored ones among them."""
        torch.set_num_threads(self.config.threads)
        cells = []
        with threadpool_limits(self.config.threads), self._progress() as bar:
            for trial in self.trials():
                self.task(trial.protocol, trial.repetition)  # bad input shows here, before any cell
                bar.set_postfix_str(f"{trial.protocol} {trial.denoiser.name}")
                for cell in trial.cells():
                    cells.append(cell)
                    bar.update()
        return cells

    def trials(self) -> Iterator[Trial]:
        """Every denoiser under every protocol and repetition."""
        for repetition in range(self.config.repetitions):
            for protocol in self.config.protocol:
                for denoiser, backbone in self.pairs:
                    yield Trial(self, protocol, repetition, denoiser, backbone)

    def task(self, protocol: str, repetition: int) -> Task:
        """The task of one protocol and repetition; the last one is kept."""
        if (protocol, repetition) not in self._tasks:
            self._tasks.clear()
            self._tasks[protocol, repetition] = prepare(
                self.dataset,
                self.noise,
                protocol,
                repetition=repetition,
                window=self.config.dataset.window,
                rows=self.config.profile.rows,
            )
        return self._tasks[protocol, repetition]

    @cached_property
    def dataset(self) -> Dataset:
        return self.load(self.config)

    @cached_property
    def noise(self) -> Any:
        return noise_of(self.config)

    @cached_property
    def regressors(self) -> list[Component]:
        return regressors_of(self.config)

    @cached_property
    def pairs(self) -> list[tuple[Component, Component | None]]:
        """Denoisers, each with every backbone that drives it, if it needs one."""
        pairs: list[tuple[Component, Component | None]] = []
        for denoiser in denoisers_of(self.config):
            backbones = backbones_of(self.config) if denoiser.needs_backbone else [None]
            pairs += [(denoiser, backbone) for backbone in backbones]
        return pairs

    @cached_property
    def _tasks(self) -> dict[tuple[str, int], Task]:
        return {}

    @cached_property
    def spec(self) -> dict[str, Any]:
        """The part of a spec that all cells of the run share."""
        dataset, sigma = self.dataset, float(self.noise.sigma)
        n = len(dataset.frame)
        return {
            "dataset": dataset.name,
            "dataset_sha256": dataset.sha256,
            **(
                {"dataset_settings": dataset.own.settings, "frame_sha256": dataset.own.frame_sha256}
                if dataset.own
                else {}
            ),
            "kind": dataset.kind,
            "target": dataset.target,
            "rows": min(self.config.profile.rows or n, n),
            "window": self.config.dataset.window if dataset.kind == "series" else None,
            "noise": _snake(type(self.noise).__name__) if sigma else "none",
            "sigma": sigma,
            "noise_params": {k: v for k, v in self.config.noise.items() if k != "_target_"} if sigma else {},
        }

    @cached_property
    def provenance(self) -> dict[str, Any]:
        caps = {k: v for k, v in vars(self.config.profile).items() if k != "name" and v is not None}
        return {
            "profile": self.config.profile.name,
            "caps": caps,
            "commit": commit(),
            "device": self.config.device,
            "threads": self.config.threads,
            **machine(),
        }

    def _progress(self) -> tqdm:
        per_pair = sum(
            1 + len(variants(p, self.noise.sigma, test_form=True)) * len(self.regressors)
            for p in self.config.protocol
        )
        total = self.config.repetitions * len(self.pairs) * per_pair
        return tqdm(total=total, desc=self.config.dataset.name, unit="cell", disable=None, dynamic_ncols=True)

    def record(self, stage: Stage, spec: dict[str, Any], work: Callable[[], dict[str, Any]]) -> Cell:
        """Do a cell's work and store what came of it, failures with their traceback included.

        Parameters
        ----------
        stage : str
        spec : dict
        work : callable
            Returns the cell's fields; ``skipped`` (a reason) among them says that there was nothing to do.
        """
        started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        status: Status = "ok"
        reason: str | None = None
        fields: dict[str, Any] = {}
        clock = time.perf_counter()
        try:
            fields = work()
            if reason := fields.pop("skipped", None):
                status = "skipped"
        except Exception as error:
            if self.config.fail_fast or isinstance(error, StoreError):
                raise
            message = next(iter(str(error).splitlines()), "")
            status, reason = "failed", f"{traceback.format_exc()}\n{type(error).__name__}: {message}"
        seconds = round(
            time.perf_counter() - clock, 4
        )  # all of it: metrics and storing, a backbone's training
        provenance = {**self.provenance, "started": started, "seconds": seconds}
        cell = Cell(key_of(spec), stage, status, reason, spec, **fields, provenance=provenance)
        self.store.put(cell)
        self.computed += 1
        self.log(summary_of(cell))
        return cell


@dataclass
class Trial:
    """One denoiser on one task: its own cell, and those of the regressors fitted on what it made."""

    run: Run
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
        for regressor in self.run.regressors:
            yield from self.scored(regressor, denoised)
        if not self.run.config.keep_arrays:
            self.run.store.drop_arrays(self.key)

    def denoised(self) -> Cell:
        """The denoiser's own cell."""
        stored = self.run.store.finished(self.key)
        if stored and self.stands(stored):
            return stored
        return self.run.record("denoise", self.spec, self._denoise)

    def stands(self, cell: Cell) -> bool:
        """Whether the denoiser's stored cell needs no further work: one that was skipped may be possible by now.

        Needs no data. What was skipped for what the data turned out to be stays so.
        """
        if cell.status != "skipped" or cell.info.get("skipped_by") == "data":
            return True
        return _still(self.run.store, cell, lambda: self.component.make().skip(self._known))

    def scored(self, regressor: Component, denoised: Cell) -> Iterator[Cell]:
        """The cells of a regressor fitted on what the denoiser made."""
        scorer = Scorer(self, regressor)
        for variant, spec in scorer.specs(denoised).items():
            stored = self.run.store.finished(key_of(spec))
            if stored and scorer.stands(stored):
                yield stored
            else:
                yield self.run.record("score", spec, partial(scorer.score, variant))

    @cached_property
    def task(self) -> Task:
        return self.run.task(self.protocol, self.repetition)

    @cached_property
    def component(self) -> Component:
        """The denoiser with the settings of the protocol."""
        return self.denoiser.under(self.protocol, self.run.config)

    @cached_property
    def spec(self) -> dict[str, Any]:
        params, backbone = self.component.identity, self.backbone
        return {
            **self.run.spec,
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

    @cached_property
    def key(self) -> str:
        return key_of(self.spec)

    @property
    def refined(self) -> Refined:
        """The refined arrays: just computed, from the cache beside the cell, or computed again."""
        if self._fresh is None:
            arrays = self.run.store.load_arrays(self.key)
            if arrays is not None:
                self._fresh = Refined(**arrays)
            else:
                self._denoise()
        assert self._fresh is not None
        return self._fresh

    _fresh: Refined | None = field(default=None, init=False)

    def _denoise(self) -> dict[str, Any]:
        task, provider = self.task, self._provider()
        noise = self.run.noise
        problem = replace(self._known, backbone=provider)
        if getattr(noise, "falls_short", False):
            problem = replace(problem, levels=np.nan_to_num(task.reached) * noise.fraction**0.5)
        denoiser = self.component.make()
        if reason := denoiser.skip(problem):
            by_data = not denoiser.skip(self._known)
            return {"skipped": reason, "info": {"skipped_by": "data"} if by_data else {}}
        if provider:
            provider(getattr(denoiser, "backbone_outputs", "target"))  # trained before anything is timed
        seed = seed_of(
            "denoiser", self.spec["dataset"], self.spec["noise"], self.repetition, self.component.name
        )
        refinement = Refinement(task, problem, self.component.make, seed)
        try:
            refined = refinement.under(self.protocol)
        except NotApplicable as error:
            return {"skipped": str(error), "info": {"skipped_by": "data"}}
        rows = compared_rows(task, self.protocol)
        _check_finite(refined, rows)
        info = {**refinement.info, "test_form": self.protocol == "paper" or refined.X_test is not None}
        info["n_constant_columns"] = task.n_constant
        if task.sigma and noise.fraction:
            info["noise_level"] = _reached(task)
        if denoiser.sequential and task.kind == "tabular" and self.protocol == "deployable":
            info["meaningless"] = "filters along the arbitrary order of a table's rows"
        if provider:
            info["backbone"] = provider.summary
        score = info.pop("score", None)
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
        self._fresh = refined
        self.run.store.save_arrays(self.key, refined.arrays())
        return {
            "metrics": found,
            "timings": {
                "backbone_s": provider.seconds if provider else 0.0,
                "fit_s": refinement.fit_s,
                "denoise_s": refinement.denoise_s,
            },
            "memory": {"peak_mb": refinement.peak_mb},
            "info": info,
        }

    @cached_property
    def _known(self) -> Problem:
        """What is known of the problem before any data are read."""
        run, noise = self.run, self.run.noise
        level = float(noise.sigma) * noise.fraction**0.5  # of a row, hit or not
        return Problem(
            run.spec["kind"],
            sigma=level if noise.features and level else None,
            sigma_target=level if noise.target else 0.0,
            window=run.config.dataset.window,
            backbone=_untrained if self.backbone else None,
        )

    def _provider(self) -> BackboneProvider | None:
        if self.backbone is None:
            return None
        config = self.run.config
        spec = {**self.run.spec, "repetition": self.repetition, "protocol": self.protocol}
        return BackboneProvider(
            self.task, self.backbone, spec, self.run.store, device=config.device, threads=config.threads
        )


@dataclass
class Scorer:
    """A regressor, fitted when first needed on a trial's train rows, and scored on variants of the test part."""

    trial: Trial
    regressor: Component

    def specs(self, denoised: Cell) -> dict[str, dict[str, Any]]:
        """The spec of each variant that the denoiser's cell allows."""
        trial = self.trial
        test_form = denoised.info["test_form"]
        return {v: self.spec(v) for v in variants(trial.protocol, trial.spec["sigma"], test_form=test_form)}

    def spec(self, variant: str) -> dict[str, Any]:
        spec = self.trial.spec
        return {
            **spec,
            "stage": "score",
            "regressor": self.regressor.name,
            "regressor_params": self.regressor.identity,
            "variant": variant,
            "versions": {**spec["versions"], **versions_of(*self.regressor.packages)},
        }

    def stands(self, cell: Cell) -> bool:
        """Whether a stored cell needs no further work: one that was skipped may be possible by now."""
        skip = getattr(self._estimator, "skip", None) if cell.status == "skipped" else None
        return skip is None or _still(self.trial.run.store, cell, skip)

    def score(self, variant: str) -> dict[str, Any]:
        """The fields of the variant's cell."""
        skip = getattr(self._estimator, "skip", None)
        if skip and (reason := skip()):
            return {"skipped": reason}
        task, refined, protocol = self.trial.task, self.trial.refined, self.trial.protocol
        estimator, fitting = self._fitted
        inputs, target = scored_on(task, refined, protocol, variant)
        with measured() as scoring, _quiet():
            prediction = np.asarray(estimator.predict(self._shaped(inputs)), dtype=float).ravel()
        return {
            "metrics": metrics.score_metrics(
                target, prediction, mean=task.target_mean, scale=task.target_scale
            ),
            "timings": {"fit_s": fitting.seconds, "score_s": scoring.seconds},
            "memory": {"peak_mb": max(fitting.peak_mb, scoring.peak_mb)},
            "info": {"n_test": len(target)},
        }

    @cached_property
    def _estimator(self) -> Any:
        spec, config = self.trial.spec, self.trial.run.config
        seed = seed_of(
            "regressor", spec["dataset"], spec["noise"], self.trial.repetition, self.regressor.name
        )
        return self.regressor.make_estimator(seed, config.device, config.threads)

    @cached_property
    def _fitted(self) -> tuple[Any, Usage]:
        task, refined, estimator = self.trial.task, self.trial.refined, self._estimator
        inputs, target = task.samples(refined.X, refined.y, task.split.train)
        extra = {}
        if getattr(estimator, "uses_validation", False):
            held_inputs, held_target = task.samples(refined.X, refined.y, task.split.valid)
            extra["validation"] = (self._shaped(held_inputs), held_target)
        with measured() as usage, _quiet():
            estimator.fit(self._shaped(inputs), target, **extra)
        return estimator, usage

    def _shaped(self, inputs: np.ndarray) -> np.ndarray:
        """Windows as they are for models of sequences, flattened for the others."""
        if inputs.ndim == 3 and getattr(self._estimator, "input", "flat") == "flat":
            return inputs.reshape(len(inputs), -1)
        return inputs


def _still(store: Store, cell: Cell, skip: Callable[[], str | None]) -> bool:
    """Whether what led to skip a cell still does; else the cell is opened again."""
    try:
        if skip():
            return True
    except Exception:  # computing the cell will tell
        pass
    store.reopen(cell.key)
    return False


def _untrained(outputs: str = "target") -> Any:
    """Stands for a backbone where none may be trained."""
    raise RuntimeError("skip() must not train a backbone")


def _reached(task: Task) -> dict[str, float | None]:
    """The level that was asked for, and those that the columns got in the rows that were hit."""
    levels = task.reached[~np.isnan(task.reached)]
    target = task.reached[0 if task.kind == "series" else -1]
    return {
        "asked": task.sigma,
        "least": round(float(levels.min()), 6) if len(levels) else None,
        "most": round(float(levels.max()), 6) if len(levels) else None,
        "target": None if np.isnan(target) else round(float(target), 6),
    }


def _snake(name: str) -> str:
    """StudentT -> student_t, the name of its YAML."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def summary_of(cell: Cell) -> str:
    """One line on a finished cell."""
    spec, seconds = cell.spec, sum(cell.timings.values())
    parts = [spec["dataset"], f"{spec['noise']} {spec['sigma']:g}", spec["protocol"], spec["denoiser"]]
    if cell.stage == "score":
        parts += [spec["regressor"], spec["variant"]]
    what = f"mse {cell.metrics['mse']:.4g}" if "mse" in cell.metrics else cell.status
    return f"{' / '.join(parts)}: {what} ({seconds:.1f} s)"


def _suspicion(task: Task, refined: Refined, rows: np.ndarray, score: Any) -> np.ndarray:
    """A score per row, the higher the more suspect: the denoiser's own, or how far it moved the row."""
    if score is not None:
        return np.asarray(score)[: len(rows)]
    moved = np.column_stack([refined.X - task.X, refined.y - task.y])[rows]
    return np.sqrt((moved**2).sum(axis=1))


def _check_finite(refined: Refined, rows: np.ndarray) -> None:
    for name, values in (("features", refined.X[rows]), ("target", refined.y[rows])):
        if not np.isfinite(values).all():
            raise ValueError(f"the denoiser returned NaN or infinite values in the {name}")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep libraries' warnings on convergence off the screen of a run of a thousand fits."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
