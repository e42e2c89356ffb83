"""A comparison: the published methods' cells come from the archive, a new method's are computed, all are ranked."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from experiments.base import screen
from experiments.base.errors import HarnessError, WrongCall
from experiments.base.paths import ROOT
from experiments.campaign.drive import drive
from experiments.campaign.engines import make_engine
from experiments.campaign.engines.base import EngineConf, SlurmConf
from experiments.campaign.plan import Plan, duration, plan
from experiments.campaign.runs import configurations
from experiments.compare.call import Call
from experiments.config.schema import Config
from experiments.report import Results, Table, results_of, terminal
from experiments.report.forms.document import Section, markdown
from experiments.report.forms.page import page
from experiments.report.leaderboard import write_leaderboard
from experiments.report.sections.standing import place, sections_of, standing
from experiments.run.bench import Bench
from experiments.run.command import CellsFailed, listed
from experiments.run.loop import trials
from experiments.run.scoring import Scorer
from experiments.store import archive
from experiments.store.cell import key_of
from experiments.store.files import Store, write_atomically
from experiments.store.parquet import ARCHIVE

CAMPAIGN = "core"
COMMITTED = ROOT / "results" / CAMPAIGN / ARCHIVE
"""The cells of the published methods."""


def compare(call: Call) -> None:
    """Compute what a method lacks, rank it among the others, print the standing and write the page."""
    others = configurations(CAMPAIGN, call.shared)
    named = ",".join(dict.fromkeys(["identity", *call.names]))
    mine = configurations(CAMPAIGN, [*call.shared, *call.own, f"denoiser=[{named}]"])
    folder = Path(others[0].results_dir) / CAMPAIGN
    store = _opened(folder)
    theirs = plan(others, store)
    _tell(theirs, call.recompute)
    if call.recompute:
        _drive(theirs, others, store, call.engine)
    wanted = plan(mine, store, only={"denoiser": set(call.names)})
    print(
        f"{', '.join(call.names)}: {wanted.states['to do']} cells to do, {duration(wanted.seconds)} if measured"
    )
    _drive(wanted, mine, store, call.engine)

    published = {denoiser.name for config in others[:1] for denoiser, _ in Bench(config, store).pairs}
    cells = archive.load(folder)
    keys = set(_keys(mine, store, set(call.names)))
    cells = cells[cells["key"].isin(keys) | cells["denoiser"].isin(published - set(call.names))]
    everything = results_of(cells.reset_index(drop=True))
    stale = theirs.states["to do"] > 0 and not call.recompute
    _show(everything, call, folder, stale=stale, columns=others[0].columns)


def _opened(folder: Path) -> Store:
    """The store, with the published methods' cells in it.

    Raises
    ------
    HarnessError
        If these are nowhere.
    """
    if not (folder / ARCHIVE).is_file():
        if not COMMITTED.is_file():
            raise HarnessError(
                f"{COMMITTED} is not there, which holds the published methods' cells: restore it from the repository, "
                f"or compute it with 'python -m experiments.campaign +campaign={CAMPAIGN}' and "
                f"'python -m experiments.report campaign={CAMPAIGN}'"
            )
        write_atomically(folder / ARCHIVE, COMMITTED.read_bytes())
    return Store(folder)


def _tell(theirs: Plan, recompute: bool) -> None:
    """Say what of the stored cells is out of date."""
    missing = theirs.states["to do"]
    if not missing:
        return
    because = ", for what has changed since:" if theirs.outdated else "."
    lines = [f"Of the published methods' cells {missing} are missing or out of date{because}"]
    lines += [f"  {n} cells: {reason}" for reason, n in theirs.outdated.most_common(5)]
    if not recompute:
        lines.append(
            f"They are compared as they are; recompute=true computes them anew ({duration(theirs.seconds)})."
        )
    for line in lines:
        print(*screen.wrapped(line, hanging="    "), sep="\n")


def _drive(found: Plan, configs: Sequence[Config], store: Store, conf: EngineConf) -> None:
    if not found.items:
        return
    if isinstance(conf, SlurmConf):
        raise WrongCall("a comparison takes minutes: use engine=serial, local or ray")
    failed = drive(found, store, make_engine(conf, configs[0].threads), retries=conf.retries)
    if failed:
        raise CellsFailed(f"{len(failed)} cells failed; the next call tries them again:\n{listed(failed)}")


def _keys(configs: Sequence[Config], store: Store, names: set[str]) -> Iterator[str]:
    """The keys of the cells that these methods have in the campaign."""
    for config in configs:
        bench = Bench(config, store)
        for trial in trials(bench):
            if trial.denoiser.name not in names or (denoised := store.get(trial.key)) is None:
                continue
            yield trial.key
            if denoised.status != "ok":
                continue
            for regressor in bench.regressors:
                yield from map(key_of, Scorer(bench, trial.spec, regressor).specs(denoised).values())


def _show(everything: Results, call: Call, folder: Path, *, stale: bool, columns: str) -> None:
    """Print the standing and write the page."""
    tables: list[Table] = standing(everything)
    print()
    for table in tables:
        print(terminal.text(table, ansi=sys.stdout.isatty(), everything=columns == "all"))
    said = [line for name in call.names for table in tables for line in place(table, name)]
    for line in said:
        print(*screen.wrapped(line), sep="\n")
    title = f"{', '.join(call.names)} among the published methods"
    notes = ["Some of the others' cells are out of date: recompute=true computes them anew."] if stale else []
    head = Section("Standing", [*said, *notes, *tables])
    path = folder / f"compare_{'_'.join(call.names)}.html"
    sections = [head, *sections_of(everything)]
    write_atomically(path, page(title, sections, folder).encode())
    write_atomically(path.with_suffix(".md"), markdown(title, sections).encode())
    board = write_leaderboard(folder.parent)
    print("", screen.next_command("open", str(path)), sep="\n")
    print(screen.fitted(f"The ranks of all campaigns, to be filtered, are in {board}"))
