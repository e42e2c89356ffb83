"""What all trials of a run share: the data, the noise, the tasks, and how a result is recorded."""

from __future__ import annotations

import datetime
import re
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from experiments.base.code import revision_of, source_of
from experiments.base.resources import commit, machine, torch_device
from experiments.config.components import (
    Component,
    backbones_of,
    dataset_function_of,
    denoisers_of,
    noise_of,
    regressors_of,
)
from experiments.config.schema import Config
from experiments.data import chosen, task
from experiments.data.dataset import Dataset
from experiments.data.recipes import DATASETS
from experiments.data.task import Task, prepare
from experiments.methods.blind_spots import BlindSpots
from experiments.store.cell import Cell, Stage, Status, key_of, with_code
from experiments.store.files import Store, StoreError


def dataset_of(config: Config) -> Dataset:
    """The dataset that a configuration chooses."""
    return chosen.load(config.dataset, config.data_dir, dataset_function_of(config))


@dataclass
class Bench:
    """Where the trials of one configuration on one dataset are done.

    Parameters
    ----------
    config : Config
    store : Store
    log : callable
        Takes a line of text for each cell as it is finished.
    load : callable
        Gives the dataset that a configuration names.

    Attributes
    ----------
    computed : int
        Cells that were computed, and not found in the store.
    """

    config: Config
    store: Store
    log: Callable[[str], None] = lambda line: None
    load: Callable[[Config], Dataset] = dataset_of
    computed: int = field(default=0, init=False)

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
    def blind_spots(self) -> BlindSpots | None:
        """What the denoisers share that train a blind-spot backbone; None where there is one: nothing is kept then."""
        takers = [denoiser for denoiser, _ in self.pairs if denoiser.takes("blind_spots")]
        return BlindSpots() if len(takers) > 1 else None

    @cached_property
    def pairs(self) -> list[tuple[Component, Component | None]]:
        """Denoisers, each with every backbone that drives it, if it needs one."""
        pairs: list[tuple[Component, Component | None]] = []
        for denoiser in denoisers_of(self.config):
            backbones = backbones_of(self.config) if denoiser.needs_backbone else [None]
            pairs += [(denoiser, backbone) for backbone in backbones]
        return pairs

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
    def _tasks(self) -> dict[tuple[str, int], Task]:
        return {}

    @cached_property
    def spec(self) -> dict[str, Any]:
        """The part of a spec that all cells of the run share."""
        dataset, sigma = self.dataset, float(self.noise.sigma)
        n = len(dataset.frame)
        spec = {
            "dataset": dataset.name,
            "dataset_sha256": dataset.sha256,
            **(dataset.own.identity if dataset.own else {}),
            "kind": dataset.kind,
            "target": dataset.target,
            "rows": min(self.config.profile.rows or n, n),
            "window": self.config.dataset.window if dataset.kind == "series" else None,
            "noise": noise_name(self.noise),
            "sigma": sigma,
            "noise_params": {k: v for k, v in self.config.noise.items() if k != "_target_"} if sigma else {},
        }
        recipe = None if dataset.own else DATASETS.get(dataset.name)
        revisions = {"dataset": recipe.revision if recipe else 1, "task": task.REVISION}
        if not sigma:
            return with_code(spec, revisions, {})
        noise = type(self.noise)
        return with_code(spec, {**revisions, "noise": revision_of(noise)}, {"noise": source_of(noise)})

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """What is worth knowing of a result but does not identify it."""
        caps = {k: v for k, v in vars(self.config.profile).items() if k != "name" and v is not None}
        return {
            "profile": self.config.profile.name,
            "caps": caps,
            "commit": commit(),
            "device": torch_device("auto") if self.config.device == "auto" else self.config.device,
            "threads": self.config.threads,
            **machine(),
        }

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
        clock = time.perf_counter()
        status, reason, fields = self._done(work)
        seconds = round(time.perf_counter() - clock, 4)  # all of it: metrics, storing, a backbone's training
        provenance = {**self.provenance, "started": started, "seconds": seconds}
        cell = Cell(key_of(spec), stage, status, reason, spec, **fields, provenance=provenance)
        self.store.put(cell)
        self.computed += 1
        self.log(summary_of(cell))
        return cell

    def _done(self, work: Callable[[], dict[str, Any]]) -> tuple[Status, str | None, dict[str, Any]]:
        """Status, reason and fields of a cell."""
        try:
            fields = work()
        except Exception as error:
            if self.config.fail_fast or isinstance(error, StoreError):
                raise
            message = next(iter(str(error).splitlines()), "")
            return "failed", f"{traceback.format_exc()}\n{type(error).__name__}: {message}", {}
        reason = fields.pop("skipped", None)
        return ("skipped" if reason else "ok"), reason, fields


def summary_of(cell: Cell) -> str:
    """One line on a finished cell."""
    spec, seconds = cell.spec, sum(cell.timings.values())
    parts = [spec["dataset"], f"{spec['noise']} {spec['sigma']:g}", spec["protocol"], spec["denoiser"]]
    if cell.stage == "score":
        parts += [spec["regressor"], spec["variant"]]
    what = f"mse {cell.metrics['mse']:.4g}" if "mse" in cell.metrics else cell.status
    return f"{' / '.join(parts)}: {what} ({seconds:.1f} s)"


def still_skipped(store: Store, cell: Cell, skip: Callable[[], str | None]) -> bool:
    """Whether what led to skip a cell still does; else the cell is opened again."""
    try:
        if skip():
            return True
    except Exception:  # computing the cell will tell
        pass
    store.reopen(cell.key)
    return False


def noise_name(noise: Any) -> str:
    """What a noise model is called in a spec: StudentT is student_t, the name of its YAML; none at level 0."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(noise).__name__).lower() if noise.sigma else "none"
