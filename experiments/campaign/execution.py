"""What a campaign's call does: plan, drive, and say how it went."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from experiments.base import screen
from experiments.base.errors import UnknownName
from experiments.base.paths import ROOT
from experiments.campaign.call import Call
from experiments.campaign.drive import drive
from experiments.campaign.engines import make_engine
from experiments.campaign.engines.base import SlurmConf
from experiments.campaign.plan import Plan, axes_of, duration, plan
from experiments.config.schema import Config
from experiments.run.command import CellsFailed, listed
from experiments.store import archive
from experiments.store.cell import Cell, SchemaMismatch
from experiments.store.claims import running
from experiments.store.files import Store
from experiments.store.parquet import ARCHIVE


def carry_out(call: Call, configs: Sequence[Config]) -> Plan:
    """Plan a campaign's runs and, unless only the plan is requested, compute what is missing.

    Returns
    -------
    found : Plan

    Raises
    ------
    CellsFailed
        If a cell failed or a dataset could not be read; all are named.
    """
    known_values(configs, call.only, call.campaign)
    store = Store(Path(configs[0].results_dir) / call.campaign, read_only=call.plan)
    found = plan(configs, store, only=call.only, cells=_elsewhere(store))
    print(screen.fitted(described(found, call)), flush=True)
    if told := store.told():
        print(screen.fitted(told), flush=True)
    if call.plan:
        for pid, label in running(store.root / "claims"):
            print(screen.fitted(f"  running now: {label} (process {pid})"))
    else:
        whole = not call.only and all(word.startswith("results_dir=") for word in call.overrides)
        if whole:
            with suppress(OSError):  # a full disk will be told where a cell is lost
                archive.note_plan(store.root, found.states.total())
        execute(found, configs, store, call)
        if whole and found.after:  # how many cells wait for a denoiser is known once it has run
            with suppress(OSError):
                archive.note_plan(store.root, plan(configs, store).states.total())
        where = configs[0].results_dir
        more = [] if where == "results" else [f"results_dir={where}"]
        print(screen.next_command("python", "-m", "experiments.report", f"campaign={call.campaign}", *more))
    return found


def execute(found: Plan, configs: Sequence[Config], store: Store, call: Call) -> None:
    """Do what a plan says is to do.

    Raises
    ------
    CellsFailed
        If a cell failed or a dataset could not be read; all are named.
    """
    start = time.monotonic()
    if isinstance(call.engine, SlurmConf):
        from experiments.campaign.jobs import drive_jobs

        failed = drive_jobs(lambda: plan(configs, store, only=call.only), store, call.engine, call.only)
    else:
        engine = make_engine(call.engine, configs[0].threads)
        failed = drive(found, store, engine, retries=call.engine.retries)
    states = Counter(cell.status for cell in store.everything())
    counted = ", ".join(f"{n} {state}" for state, n in sorted(states.items()))
    took = duration(time.monotonic() - start)
    print(screen.fitted(f"Cells in {store.root}: {counted}. This call took {took}."))
    complaints = []
    if failed:
        complaints.append(f"{len(failed)} cells failed; the next call tries them again:\n{listed(failed)}")
    complaints += [f"{name} was left out: {reason}" for name, reason in found.absent]
    if complaints:
        raise CellsFailed("\n".join(complaints))


def described(found: Plan, call: Call) -> str:
    """The plan in words."""
    states = found.states
    done, failed = states["ok"], states["failed"] + states["timeout"]
    lines = [
        f"Campaign {call.campaign}: {done} cells done, {states['skipped']} skipped, {failed} failed before, "
        f"{'at most ' if found.after else ''}{states['to do']} to do in {len(found.items)} units"
    ]
    by_dataset: dict[str, tuple[int, float]] = {}
    for item in found.items:
        units, seconds = by_dataset.get(item.trial.bench.spec["dataset"], (0, 0.0))
        by_dataset[item.trial.bench.spec["dataset"]] = (units + 1, seconds + item.seconds)
    lines += [f"  {name}: {n} units, {duration(seconds)}" for name, (n, seconds) in by_dataset.items()]
    lines += [f"  {name}: cannot run. {reason}" for name, reason in found.absent]
    if found.outdated:
        lines.append(
            f"  out of date, {found.outdated.total()} cells of what is to do, for what has changed since:"
        )
        lines += [f"    {n} cells: {reason}" for reason, n in found.outdated.most_common()]
    if found.items:
        share = 1 - found.guessed_s / found.seconds
        lines.append(
            f"Time, one unit after the other: {duration(found.seconds)}, {share:.0%} of it measured on cells like these"
            + (f"; guessed units: {found.unmeasured}" if found.unmeasured else "")
        )
    return "\n".join(lines)


def known_values(configs: Sequence[Config], only: Mapping[str, set[str]], campaign: str) -> None:
    """Refuse what is asked of an axis and no run of the campaign has.

    Raises
    ------
    UnknownName
        With the near ones.
    """
    known: dict[str, set[str]] = defaultdict(set)
    for config in configs if only else ():
        for axis, values in axes_of(config).items():
            known[axis] |= values
    for axis, values in only.items():
        for value in sorted(values - known[axis]):
            raise UnknownName(axis, value, known[axis], f" in the campaign {campaign}")


def _elsewhere(store: Store) -> Iterator[Cell]:
    """Cells of the campaigns beside this one, and of those that came with the checkout: their times are a guide."""
    found = {
        path.parent.resolve()
        for results in (store.root.parent, ROOT / "results")
        for path in (*results.glob("*/cells"), *results.glob(f"*/{ARCHIVE}"))
    }
    for folder in sorted(found - {store.root.resolve()}):
        with suppress(SchemaMismatch):
            yield from Store(folder, read_only=True).everything()
