"""A unit of work, and how a process does it: under a claim, within limits, leaving a record if it dies."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import gc
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO

import torch
from threadpoolctl import threadpool_limits

from experiments.base.fence import left_running
from experiments.base.resources import resident_mb
from experiments.config.schema import Config, DatasetConf
from experiments.data.dataset import Dataset
from experiments.run.bench import Bench
from experiments.run.bench import dataset_of as read_dataset
from experiments.run.trial import Trial
from experiments.store.claims import claimed
from experiments.store.files import Store

OUT_OF_MEMORY = "Out of memory"
"""Start of a worker's last words when it passed its limit."""


@dataclass(frozen=True)
class Unit:
    """A denoiser's cell on one task, or all cells of one regressor on what that denoiser made.

    Attributes
    ----------
    name : str
        Names the unit's claim: no two units of a store that write the same cells have different names.
    config : Config
    protocol, repetition, denoiser, backbone
        Which trial of the run.
    regressor : str or None
        None for the denoiser's own cell.
    """

    name: str
    config: Config
    protocol: str
    repetition: int
    denoiser: str
    backbone: str | None
    regressor: str | None

    @property
    def label(self) -> str:
        parts = (self.config.dataset.name, self.protocol, self.denoiser, self.regressor)
        return " / ".join(part for part in parts if part)

    @property
    def store_root(self) -> Path:
        return Path(self.config.results_dir) / self.config.campaign

    @property
    def claim(self) -> Path:
        return self.store_root / "claims" / self.name

    def trial(self, bench: Bench) -> Trial:
        """The trial in a run of this unit's configuration."""
        for denoiser, backbone in bench.pairs:
            if (denoiser.name, backbone.name if backbone else None) == (self.denoiser, self.backbone):
                return Trial(bench, self.protocol, self.repetition, denoiser, backbone)
        raise LookupError(f"the run has no denoiser {self.denoiser} with backbone {self.backbone}")


@dataclass(frozen=True)
class Limits:
    """What a worker may take for a unit: seconds, and MB of resident memory."""

    timeout_s: float | None = None
    memory_mb: float | None = None


@dataclass
class Report:
    """What became of a unit; its cells are in the store.

    Attributes
    ----------
    lines : list of str
        One for each cell that was computed.
    busy : bool
        Another process has this unit; nothing was done.
    spoiled : bool
        A method has left threads behind that would keep the process from ending: it is to be replaced.
    """

    lines: list[str] = field(default_factory=list)
    busy: bool = False
    spoiled: bool = False


def perform(unit: Unit, limits: Limits | None = None) -> Report:
    """Compute the cells of a unit that are missing.

    Parameters
    ----------
    unit : Unit
    limits : Limits or None
        None in a process that must survive: then nothing can stop the unit.
    """
    report, start = Report(), time.monotonic()
    bench = _bench_of(unit.config)
    bench.log = report.lines.append
    with claimed(unit.claim, unit.label) as claim:
        if claim is None:
            return Report(busy=True)
        _keep_to(unit.config.threads)
        with _guarded(claim, limits) if limits else contextlib.nullcontext():
            trial = unit.trial(bench)
            computed = bench.computed
            denoised = trial.denoised()
            if unit.regressor is None:
                if denoised.status == "ok" and bench.computed == computed:
                    _ = trial.refined  # the cell was there and its arrays were not: they are wanted
            elif denoised.status == "ok":
                [regressor] = [r for r in bench.regressors if r.name == unit.regressor]
                for _ in trial.scored(regressor, denoised):
                    pass
    del trial, denoised
    _give_back(limits is not None, thoroughly=time.monotonic() - start > 10)
    report.spoiled = bool(left_running())
    return report


_benches: list[Bench] = []


def _bench_of(config: Config) -> Bench:
    """A bench with this configuration; the last one is kept, and its dataset and task with it."""
    if not _benches or _benches[0].config != config:
        _benches[:] = [Bench(config, Store(Path(config.results_dir) / config.campaign), load=dataset_of)]
    return _benches[0]


_datasets: list[tuple[tuple[DatasetConf, str | None], Dataset]] = []


def dataset_of(config: Config) -> Dataset:
    """A configuration's dataset; the last one is kept."""
    wanted = (config.dataset, config.data_dir)
    if not _datasets or _datasets[0][0] != wanted:
        _datasets[:] = [(wanted, read_dataset(config))]
    return _datasets[0][1]


@contextlib.contextmanager
def _guarded(claim: IO[bytes], limits: Limits) -> Iterator[None]:
    """End this process when it passes a limit, or crashes; the claim's file then says where it was.

    The clock is a monotonic one in a thread of C, which needs no lock of the interpreter.
    """
    faulthandler.enable(claim)
    if limits.timeout_s:
        faulthandler.dump_traceback_later(limits.timeout_s, exit=True, file=claim)
    done = threading.Event()
    if limits.memory_mb:
        threading.Thread(target=_watch, args=(claim, limits.memory_mb, done), daemon=True).start()
    try:
        yield
    finally:
        done.set()
        faulthandler.cancel_dump_traceback_later()
        faulthandler.disable()


def _watch(claim: IO[bytes], memory_mb: float, done: threading.Event) -> None:
    while not done.wait(0.05):
        if (used := resident_mb()) > memory_mb:
            claim.write(f"{OUT_OF_MEMORY}: {used:,.0f} MB of {memory_mb:,.0f} MB\n".encode())
            claim.flush()
            os._exit(1)


def _keep_to(threads: int) -> None:
    """Hold this process to so many threads."""
    torch.set_num_threads(threads)
    threadpool_limits(threads)


def _give_back(own: bool = True, *, thoroughly: bool = True) -> None:
    """Return freed memory to the system, so that the next unit's peak is its own.

    Parameters
    ----------
    own : bool
        The process is a worker's, whose libraries can be left out of collections; then these cost nothing.
    thoroughly : bool
        Elsewhere collect old objects as well, which takes a tenth of a second.
    """
    gc.collect(2 if own or thoroughly else 1)
    if own:
        _freeze()
    if trim := _trim():
        trim(0)


@cache
def _freeze() -> None:
    """Once the libraries are loaded, leave their half a million objects out of further collections."""
    gc.freeze()


@cache
def _trim() -> ctypes._NamedFuncPointer | None:
    try:
        return ctypes.CDLL("libc.so.6").malloc_trim
    except (OSError, AttributeError):  # not glibc
        return None
