"""``python -m experiments.campaign +campaign=NAME``: many runs as one, resumable, on one core or on a cluster."""

from __future__ import annotations

import itertools
import re
import shlex
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NoReturn

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.base import command
from experiments.base.errors import BadConfig, UnknownName, WrongCall
from experiments.base.paths import CONF, ROOT
from experiments.campaign.drive import drive
from experiments.campaign.engines import make_engine
from experiments.campaign.engines.base import ENGINES, EngineConf, SlurmConf
from experiments.campaign.plan import Plan, axes_of, duration, plan
from experiments.config.schema import Config, as_config, register
from experiments.config.words import GROUPS, checked, config_folders, explained, parsed, searchpath, words_of
from experiments.run.command import CellsFailed, listed
from experiments.store.cell import Cell, SchemaMismatch
from experiments.store.claims import running
from experiments.store.files import Store
from experiments.store.parquet import ARCHIVE

HELP = """Many runs as one, resumable, on one core or on a cluster. A campaign is a file of `conf/campaigns`: sweeps
as one would type them after `python -m experiments.run -m`.

Options
  +campaign=NAME  which one
  plan=true       show what is done, to do, failed, skipped, and how long it will take; run nothing
  engine=NAME     serial (default), local, ray or slurm; engine.KEY=VALUE sets its options: engine.workers=2
  only.AXIS=A,B   only some values of dataset, protocol, denoiser, regressor, repetition, noise or sigma
  KEY=VALUE       anything that a run takes, for all runs of the campaign

Examples
  python -m experiments.campaign +campaign=first plan=true
  python -m experiments.campaign +campaign=first engine=local engine.workers=2
  python -m experiments.campaign +campaign=first only.dataset=ett,wth only.denoiser=identity,pca

Groups: those of a run, see `python -m experiments.list`.

Results: cells in results/NAME, one a result.

Campaigns
{campaigns}
"""
AXES = ("dataset", "protocol", "denoiser", "regressor", "repetition", "noise", "sigma")


@dataclass
class Call:
    """A command line, taken apart.

    Attributes
    ----------
    campaign : str
    engine : EngineConf
    plan : bool
    only : dict of str to set of str
    overrides : list of str
        For every run.
    folders : list of Path
        With further members of the groups, and further campaigns.
    """

    campaign: str
    engine: EngineConf
    plan: bool = False
    only: dict[str, set[str]] = field(default_factory=dict)
    overrides: list[str] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)


def main(argv: Sequence[str] | None = None) -> int:
    """Run or plan a campaign.

    Returns
    -------
    code : int
        0 if every cell is there, 1 if something failed, 2 for a wrong call, 130 after Ctrl-C.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or command.asks_for_help(arguments):
        print(command.described(HELP.replace("{campaigns}", _descriptions())))
        return command.DONE
    return command.run(lambda: _main(arguments), interrupted=command.STORED)


def _main(arguments: Sequence[str]) -> None:
    call = parse(arguments)
    configs = configurations(call.campaign, call.overrides, call.folders)
    known_values(configs, call.only, call.campaign)
    store = Store(Path(configs[0].results_dir) / call.campaign, read_only=call.plan)
    found = plan(configs, store, only=call.only, cells=_elsewhere(store))
    print(described(found, call), flush=True)
    if told := store.told():
        print(told, flush=True)
    if call.plan:
        for pid, label in running(store.root / "claims"):
            print(f"  running now: {label} (process {pid})")
    else:
        execute(found, configs, store, call)
        where = configs[0].results_dir
        more = "" if where == "results" else f" results_dir={shlex.quote(where)}"
        print(f"Next: python -m experiments.report campaign={call.campaign}{more}")


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
    states = Counter(cell.status for cell in store.cells())
    counted = ", ".join(f"{n} {state}" for state, n in sorted(states.items()))
    print(f"Cells in {store.root / 'cells'}: {counted}. This call took {duration(time.monotonic() - start)}.")
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
            + (f"; {found.unmeasured} units are guessed" if found.unmeasured else "")
        )
    return "\n".join(lines)


def parse(arguments: Sequence[str]) -> Call:
    """Take a command line apart.

    Raises
    ------
    HarnessError
        For a name or key that does not exist, with near ones.
    """
    own: dict[str, str] = {}
    engine: dict[str, str] = {}
    only: dict[str, set[str]] = {}
    overrides = []
    folders = config_folders(arguments)
    for argument in words_of(arguments):
        key, equals, value = argument.partition("=")
        key = key.lstrip("+")
        if key in ("campaign", "plan", "engine"):
            own[key] = value
        elif key == "workers" or key.startswith("engine."):
            engine[key.removeprefix("engine.")] = value
        elif key.startswith("only."):
            if (axis := key.removeprefix("only.")) not in AXES:
                raise UnknownName("axis for 'only.'", axis, AXES)
            only[axis] = {_plain(axis, each) for each in value.strip("[]").split(",")}
        elif not equals:
            raise WrongCall(f"'{argument}' is no KEY=VALUE: see 'python -m experiments.campaign --help'")
        else:
            overrides.append(checked(argument, folders))
            if key.partition(".")[0] not in GROUPS and parsed(argument).is_sweep_override():
                raise WrongCall(
                    f"'{argument}' has several values, but {key} holds for the whole campaign: only "
                    f"{', '.join(GROUPS)} can have several. A comma in a value needs quotes: {key}='\"A,B\"'"
                )
    if "campaign" not in own:
        raise WrongCall(f"which campaign? +campaign=NAME, one of {', '.join(_names(folders))}")
    if own.get("plan", "false").lower() not in ("true", "false"):
        raise BadConfig(f"plan must be true or false, got '{own['plan']}'")
    settings = engine_of(own.get("engine", "serial"), engine)
    return Call(own["campaign"], settings, own.get("plan", "").lower() == "true", only, overrides, folders)


def _plain(axis: str, value: str) -> str:
    """A value of an axis as plans write it."""
    if axis != "sigma":
        return value.strip()
    try:
        return f"{float(value):g}"
    except ValueError as error:
        raise BadConfig(f"only.sigma is a number or several, got '{value}'") from error


def engine_of(name: str, options: dict[str, str]) -> EngineConf:
    """An engine's settings: its class's, then its file's in ``conf/engine``, then the given ones."""
    if name not in ENGINES:
        raise UnknownName("engine", name, ENGINES)
    known = [f.name for f in fields(ENGINES[name])]
    for key in options:
        if key not in known:
            raise UnknownName(f"option of engine={name}", key, known)
    node = OmegaConf.structured(ENGINES[name])
    given = OmegaConf.from_dotlist([f"{key}={value}" for key, value in options.items()])
    try:
        conf: Any = OmegaConf.to_object(
            OmegaConf.merge(node, OmegaConf.load(CONF / "engine" / f"{name}.yaml"), given)
        )
    except OmegaConfBaseException as error:
        raise BadConfig(f"engine.{error.full_key}: {str(error).splitlines()[0]}") from error
    for key, value in vars(conf).items():
        if isinstance(value, int | float) and value < (1 if key in ("workers", "jobs", "recycle") else 0):
            raise BadConfig(f"engine.{key} is too small: {value}")
    return conf


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


def configurations(name: str, overrides: Sequence[str], folders: Sequence[Path] = ()) -> list[Config]:
    """All runs of a campaign.

    Parameters
    ----------
    name : str
        A file of ``conf/campaigns``.
    overrides : sequence of str
        For every run; they win over the file's.
    folders : sequence of Path
        See `Call`.
    """
    if name not in (known := _names(folders)):
        raise UnknownName("campaign", name, known)
    path = known[name]
    content = yaml.safe_load(path.read_text())
    unknown = sorted(set(content) - {"runs", "sweeps"})
    if unknown or not content.get("sweeps"):
        raise BadConfig(
            f"{path.name} holds {', '.join(unknown) or 'no sweeps'}; it takes 'runs' and 'sweeps'"
        )
    register()
    if GlobalHydra.instance().is_initialized():
        GlobalHydra.instance().clear()
    configs = []
    with initialize_config_dir(str(CONF), version_base="1.3"):
        for sweep in content["sweeps"].values():
            merged = _merged([*content.get("runs", []), *sweep, *overrides, f"campaign={name}"])
            for one in _expanded(merged):
                try:
                    configs.append(as_config(compose("config", overrides=[*one, *searchpath(folders)])))
                except (HydraException, OmegaConfBaseException) as error:
                    raise explained(error, one) from error
    return configs


def _merged(overrides: Sequence[str]) -> list[str]:
    """Of several values for a key the last."""
    by_key: dict[str, str] = {}
    for override in overrides:
        key = re.split(r"[=@]", override.lstrip("+~"), maxsplit=1)[0]
        by_key.pop(key, None)
        by_key[key] = override
    return list(by_key.values())


def _expanded(overrides: Sequence[str]) -> Iterator[list[str]]:
    """The combinations of a sweep."""
    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except HydraException as error:
        raise BadConfig(str(error)) from error
    choices = [
        [f"{one.get_key_element()}={value}" for value in one.sweep_string_iterator()]
        if one.is_sweep_override()
        else [str(one.input_line)]
        for one in parsed
    ]
    yield from map(list, itertools.product(*choices))


def _names(folders: Sequence[Path] = ()) -> dict[str, Path]:
    """Campaigns' files by name, those of the user's folders among them."""
    return {
        path.stem: path
        for folder in (CONF, *folders)
        for path in sorted((folder / "campaigns").glob("*.yaml"))
    }


def _descriptions() -> str:
    first = {name: path.read_text().partition("\n")[0] for name, path in _names().items()}
    return "\n".join(f"  {name:12s} {line.lstrip('# ')}" for name, line in first.items())


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


def terminated(*_: object) -> NoReturn:
    raise KeyboardInterrupt
