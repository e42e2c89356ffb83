"""One run: dataset, noise, backbone, denoisers, regressors, metrics; cell after cell.

For each repetition and protocol: split, scale and add noise (`task.prepare`); for each denoiser: refine the data
(the timed part), compare them with what was there before; for each regressor: fit on the refined rows and
score. Every result is a `Cell`, stored as soon as it exists; what is stored is not computed again.
"""

from __future__ import annotations

import contextlib
import datetime
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from baselines.base import Denoiser, Problem
from experiments import metrics
from experiments.backbones import BackboneProvider
from experiments.components import Component, backbones_of, denoisers_of, noise_of, regressors_of
from experiments.config import Config
from experiments.data.recipes import Dataset, load_dataset
from experiments.resources import Usage, commit, machine, measured
from experiments.seeds import seed_of
from experiments.spec import Cell, Stage, Status, key_of, versions_of
from experiments.store import Store
from experiments.task import Task, prepare


@dataclass(frozen=True)
class Refined:
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
class Run:
    """A configured run on one dataset.

    Parameters
    ----------
    config : Config
    store : Store
    log : callable
        Takes a line of text for each finished cell.
    """

    config: Config
    store: Store
    log: Callable[[str], None] = lambda line: None
    computed: int = field(default=0, init=False)

    # ------------------------------------------------------------------------------ the experiment

    def execute(self) -> list[Cell]:
        """Compute what is missing and return all cells of the run, the stored ones among them."""
        torch.set_num_threads(self.config.threads)
        cells = []
        with threadpool_limits(self.config.threads), self._progress() as bar:
            for repetition in range(self.config.repetitions):
                for protocol in self.config.protocol:
                    for cell in self._cells_of(protocol, repetition):
                        cells.append(cell)
                        bar.set_postfix_str(f"{protocol} {cell.spec['denoiser']}", refresh=False)
                        bar.update()
        return cells

    def _cells_of(self, protocol: str, repetition: int) -> Iterator[Cell]:
        for denoiser, backbone in self.pairs:
            stage = DenoiseStage(self, protocol, repetition, denoiser, backbone)
            denoised = stage.cell()
            yield denoised
            if denoised.status == "ok":
                for regressor in self.regressors:
                    yield from stage.scores(regressor)
                if not self.config.keep_arrays:
                    self.store.drop_arrays(denoised.key)

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

    # -------------------------------------------------------------------------------- its parts

    @cached_property
    def dataset(self) -> Dataset:
        return load_dataset(self.config.dataset.name, self.config.data_dir)

    @cached_property
    def noise(self) -> Any:
        return noise_of(self.config)

    @cached_property
    def regressors(self) -> list[Component]:
        return regressors_of(self.config)

    @cached_property
    def pairs(self) -> list[tuple[Component, Component | None]]:
        """Denoisers, each with the backbone that drives it, if it needs one."""
        backbones = backbones_of(self.config)
        pairs: list[tuple[Component, Component | None]] = []
        for denoiser in denoisers_of(self.config):
            pairs += [(denoiser, b) for b in backbones] if denoiser.needs_backbone else [(denoiser, None)]
        return pairs

    @cached_property
    def _tasks(self) -> dict[tuple[str, int], Task]:
        return {}

    @cached_property
    def base_spec(self) -> dict[str, Any]:
        """The part of a spec that all cells of the run share."""
        dataset, profile = self.dataset, self.config.profile
        sigma = float(self.noise.sigma)
        return {
            "dataset": dataset.name,
            "dataset_sha256": dataset.sha256,
            "kind": dataset.kind,
            "target": dataset.target,
            "rows": min(profile.rows or len(dataset.frame), len(dataset.frame)),
            "window": self.config.dataset.window if dataset.kind == "series" else None,
            "noise": type(self.noise).__name__.lower() if sigma else "none",
            "sigma": sigma,
            "noise_params": {k: v for k, v in self.config.noise.items() if k != "_target_"} if sigma else {},
        }

    @cached_property
    def provenance(self) -> dict[str, Any]:
        return {
            "profile": self.config.profile.name,
            "caps": {k: v for k, v in vars(self.config.profile).items() if k != "name" and v is not None},
            "commit": commit(),
            "device": self.config.device,
            "threads": self.config.threads,
            **machine(),
        }

    def _progress(self) -> tqdm:
        variants = {"paper": 1, "deployable": 3 if self.noise.sigma else 2}
        per_denoiser = sum(1 + variants[p] * len(self.regressors) for p in self.config.protocol)
        total = self.config.repetitions * len(self.pairs) * per_denoiser
        return tqdm(total=total, desc=self.config.dataset.name, unit="cell", disable=None, dynamic_ncols=True)

    # ------------------------------------------------------------------- one cell, whatever happens

    def record(
        self, stage: Stage, spec: dict[str, Any], work: Callable[[], dict[str, Any]], retry: bool = False
    ) -> Cell:
        """Look a cell up, or do its work and store what came of it, failures with their traceback included.

        Parameters
        ----------
        stage : str
        spec : dict
        work : callable
            Returns the cell's fields; ``skipped`` (a reason) among them means that there was nothing to do.
        retry : bool
            Do the work although the cell is stored: its arrays are gone.
        """
        key = key_of(spec)
        if not retry and (stored := self.store.finished(key)):
            return stored
        started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        provenance = {**self.provenance, "started": started}
        status: Status = "ok"
        reason, fields = None, {}
        try:
            fields = work()
            if reason := fields.pop("skipped", None):
                status = "skipped"
        except Exception:
            if self.config.fail_fast:
                raise
            status, reason = "failed", traceback.format_exc()
        cell = Cell(key, stage, status, reason, spec, **fields, provenance=provenance)
        self.store.put(cell)
        self.computed += 1
        self.log(summary_of(cell))
        return cell


@dataclass
class DenoiseStage:
    """One denoiser on one task: its own cell, and those of the regressors that are fitted on its result."""

    run: Run
    protocol: str
    repetition: int
    denoiser: Component
    backbone: Component | None

    @cached_property
    def task(self) -> Task:
        return self.run.task(self.protocol, self.repetition)

    @cached_property
    def spec(self) -> dict[str, Any]:
        denoiser = self.denoiser.under(self.protocol, self.run.config)
        backbone = self.backbone
        return {
            "stage": "denoise",
            **self.run.base_spec,
            "repetition": self.repetition,
            "protocol": self.protocol,
            "denoiser": denoiser.name,
            "settings": denoiser.params.get("settings"),
            "denoiser_params": denoiser.params,
            "backbone": backbone.name if backbone else None,
            "backbone_params": backbone.params if backbone else {},
            "versions": versions_of(denoiser.target, *([backbone.target] if backbone else [])),
        }

    def cell(self) -> Cell:
        return self.run.record("denoise", self.spec, self._denoise)

    def scores(self, regressor: Component) -> Iterator[Cell]:
        """Fit the regressor once, if any of its cells is missing, and score every variant of the test part."""
        scorer = Scorer(self, regressor)
        variants = ["denoised"] if self.protocol == "paper" else ["clean", "noisy", "denoised"]
        for variant in variants:
            if variant == "clean" and not self.run.base_spec["sigma"]:
                continue  # the same as noisy
            if variant == "denoised" and not self._has_denoised_test:
                continue
            spec = {
                **self.spec,
                "stage": "score",
                "regressor": regressor.name,
                "regressor_params": regressor.params,
                "variant": variant,
                "versions": {**self.spec["versions"], **versions_of(regressor.target)},
            }
            yield self.run.record("score", spec, lambda variant=variant: scorer.score(variant))

    @cached_property
    def refined(self) -> Refined:
        """The refined arrays, from the cache beside the cell or computed again."""
        if not hasattr(self, "_fresh"):
            key = key_of(self.spec)
            arrays = self.run.store.load_arrays(key)
            if arrays is not None:
                return Refined(**arrays)
            self.run.record("denoise", self.spec, self._denoise, retry=True)
            if not hasattr(self, "_fresh"):
                raise RuntimeError(
                    f"{self.denoiser.name} worked before and failed now: see its cell {key[:12]}"
                )
        return self._fresh

    @property
    def _has_denoised_test(self) -> bool:
        if self.protocol == "paper":
            return True
        cell = self.run.store.get(key_of(self.spec))
        return bool(cell and cell.info.get("test_form"))

    # ------------------------------------------------------------------------------------ denoising

    def _denoise(self) -> dict[str, Any]:
        task, run = self.task, self.run
        provider = self._provider()
        problem = Problem(
            kind=task.kind,
            sigma=task.sigma or None,
            window=task.window,
            backbone=provider,
        )
        denoiser = self._make()
        if reason := denoiser.skip(problem):
            return {"skipped": reason}
        if provider:
            provider()  # trained before anything is timed
        worker = _Worker(self, problem)
        refine = worker.paper if self.protocol == "paper" else worker.deployable
        refined, info = refine(denoiser)
        _check_finite(refined, self._rows)
        self._fresh = refined
        run.store.save_arrays(key_of(self.spec), refined.arrays())
        info["test_form"] = refined.X_test is not None
        info["n_constant_columns"] = task.n_constant
        if denoiser.sequential and task.kind == "tabular" and self.protocol == "deployable":
            info["meaningless"] = "filters along the arbitrary order of a table's rows"
        if provider:
            info["backbone"] = provider.summary
        return {
            "metrics": self._metrics(refined, info),
            "timings": {
                "backbone_s": provider.seconds if provider else 0.0,
                "fit_s": worker.fit_s,
                "denoise_s": worker.denoise_s,
            },
            "memory": {"peak_mb": worker.peak_mb},
            "info": info,
        }

    def _provider(self) -> BackboneProvider | None:
        if self.backbone is None:
            return None
        config = self.run.config
        spec = {**self.run.base_spec, "repetition": self.repetition, "protocol": self.protocol}
        return BackboneProvider(
            self.task, self.backbone, spec, self.run.store, device=config.device, threads=config.threads
        )

    def _make(self) -> Denoiser:
        return self.denoiser.under(self.protocol, self.run.config).make()

    @property
    def _rows(self) -> np.ndarray:
        """Rows on which the refined data are compared with the original."""
        return np.arange(len(self.task.y)) if self.protocol == "paper" else self.task.split.train

    def _metrics(self, refined: Refined, info: dict[str, Any]) -> dict[str, float]:
        task, rows = self.task, self._rows
        reference = {"clean": task.clean_X[rows], "y_clean": task.clean_y[rows]} if task.sigma else {}
        found = metrics.data_metrics(
            task.X[rows], refined.X[rows], y_before=task.y[rows], y_after=refined.y[rows], **reference
        )
        score = info.pop("score", None)
        if not task.hit[rows].all() and task.hit[rows].any():
            if score is None:
                moved = np.column_stack([refined.X - task.X, refined.y - task.y])[rows]
                score = np.sqrt((moved**2).sum(axis=1))
            found |= metrics.detection(np.asarray(score)[: len(rows)], task.hit[rows])
        return found


class _Worker:
    """Fits and applies denoisers as a protocol wants it, and keeps the time of the two apart."""

    def __init__(self, stage: DenoiseStage, problem: Problem) -> None:
        self.task, self.problem, self.make = stage.task, problem, stage._make
        spec = stage.run.base_spec
        self.seed = seed_of("denoiser", spec["dataset"], spec["noise"], stage.repetition, stage.denoiser.name)
        self.fit_s = self.denoise_s = self.peak_mb = 0.0

    def paper(self, denoiser: Denoiser) -> tuple[Refined, dict[str, Any]]:
        """Fit on and refine all rows at once, the test rows and their target included."""
        X, y = self.task.X, self._target(slice(None))
        self._fit(denoiser, X, y)
        out = self._denoise(denoiser, X, y)
        return Refined(out.X, self._refined_target(out)), dict(out.info)

    def deployable(self, denoiser: Denoiser) -> tuple[Refined, dict[str, Any]]:
        """Fit on the train part, refine train and validation; the test features causally and by features alone."""
        task, train, both = self.task, self.task.split.train, self.task.fit_rows
        n_train = len(train)
        joint_problem = replace(self.problem, n_train=n_train)
        self._fit(denoiser, task.X[train], self._target(train), joint_problem)
        joint = self._denoise(denoiser, task.X[both], self._target(both))
        X, y = np.full_like(task.X, np.nan), np.full_like(task.y, np.nan)
        X[both], y[both] = joint.X, self._refined_target(joint)
        X_test = None
        if task.kind == "series" and denoiser.causal:
            X_test = self._denoise(denoiser, task.X, None, causal=True).X
        elif task.kind == "tabular" and denoiser.features_only:
            alone = self.make()
            self._fit(alone, task.X[train], None, joint_problem)
            X[both] = self._denoise(alone, task.X[both], None).X
            X_test = np.full_like(task.X, np.nan)
            X_test[task.split.test] = self._denoise(alone, task.X[task.split.test], None).X
        return Refined(X, y, X_test), dict(joint.info)

    def _target(self, rows: Any) -> np.ndarray | None:
        """The target handed over with the features; in a series it is one of their columns."""
        return None if self.task.kind == "series" else self.task.y[rows]

    def _refined_target(self, out: Any) -> np.ndarray:
        return out.X[:, 0].copy() if out.y is None else out.y

    def _fit(self, denoiser: Denoiser, X: Any, y: Any, problem: Problem | None = None) -> None:
        with measured() as usage:
            denoiser.fit(X, y, seed=self.seed, problem=problem or self.problem)
        self.fit_s += self._count(usage)

    def _denoise(self, denoiser: Denoiser, X: Any, y: Any, causal: bool = False) -> Any:
        with measured() as usage:
            out = denoiser.denoise(X, y, causal=causal)
        self.denoise_s += self._count(usage)
        return out

    def _count(self, usage: Usage) -> float:
        self.peak_mb = max(self.peak_mb, usage.peak_mb)
        return usage.seconds


@dataclass
class Scorer:
    """A regressor fitted on a denoiser's train rows (once, when first needed) and scored on test variants."""

    stage: DenoiseStage
    regressor: Component

    def score(self, variant: str) -> dict[str, Any]:
        if self._skip:
            return {"skipped": self._skip}
        task = self.stage.task
        estimator, fitting = self._fitted
        inputs, target = task.samples(*self._test(variant), task.split.test)
        with measured() as scoring:
            prediction = np.asarray(estimator.predict(self._shaped(inputs)), dtype=float).ravel()
        return {
            "metrics": metrics.score_metrics(
                target, prediction, mean=task.target_mean, std=task.target_scale
            ),
            "timings": {"fit_s": fitting.seconds, "score_s": scoring.seconds},
            "memory": {"peak_mb": max(fitting.peak_mb, scoring.peak_mb)},
            "info": {"n_test": len(target)},
        }

    def _test(self, variant: str) -> tuple[np.ndarray, np.ndarray]:
        task, refined = self.stage.task, self.stage.refined
        if self.stage.protocol == "paper":
            return refined.X, refined.y
        features = {"clean": task.clean_X, "noisy": task.X, "denoised": refined.X_test}[variant]
        assert features is not None, "a denoiser without a test form has no denoised variant"
        return features, task.clean_y

    @cached_property
    def _skip(self) -> str | None:
        skip = getattr(self._estimator, "skip", None)
        return skip() if skip else None

    @cached_property
    def _estimator(self) -> Any:
        stage = self.stage
        spec = stage.run.base_spec
        seed = seed_of("regressor", spec["dataset"], spec["noise"], stage.repetition, self.regressor.name)
        return self.regressor.make_estimator(seed, device=stage.run.config.device)

    @cached_property
    def _fitted(self) -> tuple[Any, Usage]:
        task, refined, estimator = self.stage.task, self.stage.refined, self._estimator
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


def summary_of(cell: Cell) -> str:
    """One line on a finished cell."""
    spec, seconds = cell.spec, sum(cell.timings.values())
    parts = [spec["dataset"], f"{spec['noise']} {spec['sigma']:g}", spec["protocol"], spec["denoiser"]]
    if cell.stage == "score":
        parts += [spec["regressor"], spec["variant"]]
    what = f"mse {cell.metrics['mse']:.4g}" if "mse" in cell.metrics else cell.status
    return f"{' / '.join(parts)}: {what} ({seconds:.1f} s)"


def _check_finite(refined: Refined, rows: np.ndarray) -> None:
    for name, values in (("features", refined.X[rows]), ("target", refined.y[rows])):
        if not np.isfinite(values).all():
            raise ValueError(f"the denoiser returned NaN or infinite values in the {name}")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Libraries' convergence warnings do not belong on the screen of a run of a thousand fits."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
