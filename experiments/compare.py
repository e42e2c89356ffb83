"""``python -m experiments.compare denoiser=NAME``: a new method among the published ones, which are not run again."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.base import command, screen
from experiments.base.errors import HarnessError, WrongCall
from experiments.base.paths import ROOT
from experiments.campaign.command import configurations, engine_of
from experiments.campaign.drive import drive
from experiments.campaign.engines import make_engine
from experiments.campaign.engines.base import EngineConf, SlurmConf
from experiments.campaign.plan import Plan, duration, plan
from experiments.config.schema import Config
from experiments.config.words import checked, config_folders, searchpath
from experiments.report import Results, Table, results_of, terminal
from experiments.report.forms.document import Section, markdown
from experiments.report.forms.page import page
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

HELP = """A new method among the published ones.

The method is run on the campaign `core`: five datasets that need no download, twelve settings, some minutes. The
others' results are read from stored cells of that same campaign, not computed again. Where these are out of date (other
code, other versions of libraries) that is said, and recompute=true computes them anew.

Options
  denoiser=NAME        a member of the group, of yours too; several as 'denoiser=[A,B]'
  --config-dir PATH    a folder with members of your own, such as PATH/denoiser/mine.yaml
  allow_targets=[]     your packages, whose classes a _target_ may name
  denoiser.NAME.KEY=V  a parameter of it
  recompute=false      compute anew what is out of date of the others
  engine=serial        as of a campaign, such as engine=local engine.workers=2
  results_dir=results  where results go
  columns=fit          of the tables on screen those that fit; or all
  device, threads      as of a run

Examples
  python -m experiments.compare denoiser=denograd_map_est
  python -m experiments.compare denoiser=mine --config-dir conf 'allow_targets=[mine]'
  python -m experiments.compare 'denoiser=[mine,pca]' --config-dir conf 'allow_targets=[mine]' recompute=true

Groups: denoiser; the rest is laid down by `conf/campaigns/core.yaml`.

Results: cells in results_dir/core, the page results_dir/core/compare_NAME.html (and .md).
"""
KEYS = ("denoiser", "allow_targets", "results_dir", "columns", "data_dir", "device", "threads")


@dataclass
class Call:
    """A command line, taken apart.

    Attributes
    ----------
    names : tuple of str
        The methods to compare.
    shared, own : list of str
        Words for every run, and those that concern the methods alone.
    engine : EngineConf
    recompute : bool
    """

    names: tuple[str, ...]
    shared: list[str]
    own: list[str]
    engine: EngineConf
    recompute: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Compare what the command line names; the exit codes are those of `command.run`."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or command.asks_for_help(arguments):
        print(command.described(HELP))
        return command.DONE
    return command.run(lambda: _main(parse(arguments)), interrupted=command.STORED)


def parse(arguments: Sequence[str]) -> Call:
    """Take a command line apart.

    Raises
    ------
    HarnessError
        For a name or key that does not exist, with near ones; for one that would change the campaign.
    """
    folders = config_folders(arguments)
    names: list[str] = []
    engine: dict[str, str] = {}
    own, shared = searchpath(folders), list[str]()
    chosen, recompute, before = "serial", False, ""
    for word in arguments:
        key, _, value = word.lstrip("+").partition("=")
        if word.startswith("--config-dir") or before == "--config-dir":
            pass
        elif key == "denoiser":
            checked(word, folders)
            names += [name.strip() for name in value.strip("[]").split(",")]
        elif key == "recompute":
            recompute = _switch(value)
        elif key == "engine":
            chosen = value
        elif key.startswith("engine."):
            engine[key.removeprefix("engine.")] = value
        elif key.partition(".")[0] not in KEYS:
            checked(word, folders)  # a misspelt one is told with the near ones
            raise WrongCall(f"'{word}': a comparison takes {', '.join(KEYS)}; the rest is the campaign's")
        else:
            (own if key.startswith(("denoiser", "allow_targets")) else shared).append(checked(word, folders))
        before = word
    if not names:
        raise WrongCall("which method? denoiser=NAME: see 'python -m experiments.list denoiser'")
    return Call(tuple(dict.fromkeys(names)), shared, own, engine_of(chosen, engine), recompute)


def _switch(value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise WrongCall(f"recompute is true or false, got '{value}'")
    return value.lower() == "true"


def _main(call: Call) -> None:
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
    print(f"\nNext: open {shlex.quote(str(path))}")


if __name__ == "__main__":
    sys.exit(main())
