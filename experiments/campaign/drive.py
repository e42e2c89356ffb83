"""Carry out a plan: feed an engine, record units whose worker died, report progress."""

from __future__ import annotations

import datetime
import heapq
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field

from tqdm import tqdm

from experiments.base import screen
from experiments.campaign.engines.base import Engine, WorkerDied
from experiments.campaign.engines.unit import OUT_OF_MEMORY, Report
from experiments.campaign.plan import Item, Plan, duration
from experiments.run.bench import summary_of
from experiments.store.cell import Cell, Stage, Status, key_of
from experiments.store.claims import last_words
from experiments.store.files import FINISHED, Store

RETRY_BUSY_S = 2.0
"""How long to wait before asking again for units that another campaign has."""


ENOUGH = 0.03
"""Share of the estimated time after which it is compared with the time it took."""


BAR = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} cells [{elapsed}{postfix}]"
"""Without the time that is left: `Progress` knows better than the mean of so many different units."""


@dataclass
class Progress:
    """How far a campaign is: a bar on a terminal, else a line per finished cell.

    Parameters
    ----------
    total : int
        Cells to do.
    seconds : float
        What they will probably take, one after the other.
    slots : int
    """

    total: int
    seconds: float
    slots: int
    log: Callable[[str], None] = lambda line: print(screen.fitted(line), flush=True)
    done: int = field(default=0, init=False)
    failed: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._bar = tqdm(total=self.total, disable=None, dynamic_ncols=True, bar_format=BAR)
        self._start = time.monotonic()
        self._passed = 0.0  # of the estimate

    def finished(self, item: Item, lines: list[str], cells: int, failed: int) -> None:
        """Note a unit's cells."""
        self.done += cells
        self.failed += failed
        self._passed += item.seconds
        self._bar.update(cells)
        for line in lines:
            if self._bar.disable:
                self.log(f"[{self.done}/{self.total}, {self.failed} failed, {self.left} left] {line}")
            else:
                self._bar.write(screen.fitted(line))

    def dropped(self, cells: int, seconds: float = 0.0) -> None:
        """Take off the total what turned out not to exist."""
        self.total -= cells
        self.seconds -= seconds
        self._bar.total = self.total
        self._bar.refresh()

    def running(self, items: list[Item]) -> None:
        """Show what is running."""
        if not self._bar.disable:
            labels = ", ".join(item.unit.label for item in items)
            self._bar.set_postfix_str(f"{self.failed} failed, {self.left} left, running: {labels}")

    @property
    def left(self) -> str:
        """The time left, by the estimate and, once a share of it has passed, by how good it was so far."""
        remaining = max(0.0, self.seconds - self._passed) / self.slots
        if self._passed < ENOUGH * self.seconds:  # starting up would count for too much
            return f"about {duration(remaining)}"
        error = (time.monotonic() - self._start) * self.slots / self._passed
        return duration(remaining * min(max(error, 1 / 3), 3.0))

    def close(self) -> None:
        self._bar.close()


def drive(
    plan: Plan, store: Store, engine: Engine, *, retries: int = 0, progress: Progress | None = None
) -> list[Cell]:
    """Do all units of a plan.

    Parameters
    ----------
    plan : Plan
    store : Store
    engine : Engine
        Stopped when this returns or raises.
    retries : int
        How often a unit is sent again whose worker died.
    progress : Progress, optional

    Returns
    -------
    failed : list of Cell
        What failed or ran out of time.

    Raises
    ------
    StoreError
        If the results folder can not be written any more; everything stored before stays.
    """
    items = plan.items
    progress = progress or Progress(
        sum(item.expected for item in items), sum(item.seconds for item in items), engine.slots
    )
    try:
        return _Drive(plan, store, engine, retries, progress).run()
    finally:
        engine.stop()
        progress.close()


class _Drive:
    def __init__(self, plan: Plan, store: Store, engine: Engine, retries: int, progress: Progress) -> None:
        self.store, self.engine, self.retries, self.progress = store, engine, retries, progress
        self.ready = list(plan.first)
        heapq.heapify(self.ready)
        self.after = dict(plan.after)
        self.busy: list[Item] = []
        self.running: dict[Future[Report], Item] = {}
        self.open = Counter(item.trial.key for item in plan.items)  # units left of each trial
        self.failed: list[Cell] = []
        self.spoiled: set[str] = set()  # trials whose arrays the next call needs

    def run(self) -> list[Cell]:
        while self.ready or self.busy or self.running:
            while self.ready and len(self.running) < self.engine.slots:
                item = heapq.heappop(self.ready)
                item.attempts += 1
                self.running[self.engine.submit(item.unit)] = item
            self.progress.running(list(self.running.values()))
            if not self.running:
                time.sleep(RETRY_BUSY_S)
                self._again()
                continue
            done, _ = wait(self.running, return_when=FIRST_COMPLETED)
            for future in done:
                self._settle(self.running.pop(future), future)
        return self.failed

    def _settle(self, item: Item, future: Future[Report]) -> None:
        lines: list[str] = []
        try:
            report = future.result()
            if report.busy:
                self.busy.append(item)
                return
            lines = report.lines
        except WorkerDied as death:
            words = last_words(item.unit.claim)
            limit = words.startswith(("Timeout", OUT_OF_MEMORY))
            if not limit and item.attempts <= self.retries:
                heapq.heappush(self.ready, item)
                return
            lines = bury(item, self.store, str(death), words)
        self._account(item, lines)
        self._again()

    def _again(self) -> None:
        """Put units back that another campaign had."""
        for item in self.busy:
            heapq.heappush(self.ready, item)
        self.busy.clear()

    def _account(self, item: Item, lines: list[str]) -> None:
        """Take note of a unit's cells, and release what waited for them."""
        trial = item.trial
        denoised = self.store.finished(trial.key)
        cells = [self.store.get(key_of(spec)) for spec in item.specs(denoised)]
        failed = [cell for cell in cells if cell is not None and cell.status not in FINISHED]
        self.failed += failed
        if failed:
            self.spoiled.add(trial.key)
        self.progress.dropped(item.expected - len(cells))
        self.progress.finished(item, lines, len(cells), len(failed))
        self.open[trial.key] -= 1
        if item.regressor is None:
            for one in self.after.pop(trial.key, []):
                if denoised is not None and denoised.status == "ok":
                    heapq.heappush(self.ready, one)
                else:
                    self.progress.dropped(one.expected, one.seconds)
                    self.open[trial.key] -= 1
        whole = self.open[trial.key] == 0 and trial.key not in self.spoiled
        if whole and not trial.bench.config.keep_arrays:
            self.store.drop_arrays(trial.key)


def bury(item: Item, store: Store, death: str, words: str) -> list[str]:
    """Store the cells that a dead worker left open; a line for each.

    Parameters
    ----------
    item : Item
    store : Store
    death : str
        How the worker ended.
    words : str
        What it left in its claim, see `experiments.store.claims.last_words`.
    """
    status: Status = "failed"
    reason = "\n".join(part for part in (words, death) if part)
    if words.startswith("Timeout"):
        status, reason = "timeout", f"{words}\nran out of time: {words.splitlines()[0]}"
    elif words.startswith(OUT_OF_MEMORY):
        reason = words
    trial, lines = item.trial, []
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    stage: Stage = "denoise" if item.regressor is None else "score"
    for spec in item.specs(store.finished(trial.key)):
        if store.finished(key := key_of(spec)) is None:
            provenance = {**trial.bench.provenance, "started": started}
            cell = Cell(key, stage, status, reason, spec, provenance=provenance)
            store.put(cell)
            lines.append(summary_of(cell))
    return lines
