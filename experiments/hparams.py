"""``python -m experiments.hparams hparams_search=NAME``: a hyper-parameter study with Optuna, resumable."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import optuna
import yaml
from hydra import initialize_config_dir
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState
from tqdm import tqdm

from experiments.base import command, screen
from experiments.base.errors import BadConfig, HarnessError, UnknownName, WrongCall, near
from experiments.base.paths import CONF
from experiments.config.schema import Config, register, threads_fit
from experiments.config.words import (
    checked,
    composed_of,
    config_folders,
    explained,
    parsed,
    searchpath,
    without_folders,
)
from experiments.report import slug
from experiments.report.analysis.measures import MEASURES
from experiments.store.cell import Cell, key_of
from experiments.store.claims import claimed
from experiments.store.files import Store
from experiments.store.frame import frame

HELP = """A hyper-parameter study with Optuna, resumable.

A study is a file of `conf/hparams_search`: a denoiser, what to judge it by, and the space of its parameters. Each
trial is a run with this denoiser and `identity`. A study judges by the test part: it shows how sensitive a method
is, it is no way to select the settings that a table then reports. What changes the numbers (noise, regressor,
profile, repetitions, ...) makes another study; one process at a time works at each.

Options
  hparams_search=NAME  which study (default denograd)
  trials=N             how many trials in all; those of earlier calls count
  KEY=VALUE            anything that a run takes: dataset, noise, regressor, profile, ...
  campaign=NAME        keeps the cells (default hparams_ and the study's name)
  --config-dir PATH    a folder with further members of the groups, and studies in PATH/hparams_search

Examples
  python -m experiments.hparams hparams_search=denograd dataset=nasdaq profile=quick
  python -m experiments.hparams hparams_search=denograd dataset=parkinsons profile=quick trials=60
  python -m experiments.hparams hparams_search=denograd_grid dataset=diabetes profile=smoke

Groups: those of a run, see `python -m experiments.list`.

Results: cells in results_dir/campaign like any others, so what is stored is not computed again, and `python -m
experiments.report` plots them.
"""
FOLDER = CONF / "hparams_search"
FIELDS = {"denoiser", "protocol", "objective", "direction", "trials", "seed", "space"}
OBJECTIVES = {"imp"} | {measure.name for measure in MEASURES if measure.of in ("data", "cost")}
ASIDE = {
    *("campaign", "results_dir", "data_dir", "device", "threads"),
    *("keep_arrays", "figure", "fail_fast", "allow_targets"),
}
"""Settings of a run that change no number: studies that differ in them alone are one."""


class StudyBusy(HarnessError):
    """Another process works at the study."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a study; 0 if every trial has a value, 1 if one failed, 2 for a wrong call, 130 after Ctrl-C."""
    interrupted = "Interrupted. Finished trials are stored; the same command goes on from there."
    return command.start(argv, _main, lambda: command.described(HELP), interrupted=interrupted)


def _main(arguments: Sequence[str]) -> int:
    study, failed = search(arguments, say=lambda text: print(text, flush=True))
    _show(study)
    _, _, overrides = _taken_apart(arguments)
    where = [word for word in overrides if word.startswith(("campaign=", "results_dir="))]
    print(screen.next_command("python", "-m", "experiments.report", *where))
    return command.FAILED if failed else command.DONE


def search(
    arguments: Sequence[str], *, say: Callable[[str], Any] = lambda text: None
) -> tuple[optuna.Study, int]:
    """Do the trials that are still to do.

    Parameters
    ----------
    arguments : sequence of str
        ``key=value`` words.
    say : callable
        Gets a line before the first trial.

    Returns
    -------
    study : optuna.Study
    failed : int
        Trials of this call without a value.

    Raises
    ------
    HarnessError
        For bad input.
    """
    name, trials, overrides = _taken_apart(arguments)
    plan = load_search(name, [FOLDER, *(folder / "hparams_search" for folder in config_folders(arguments))])
    wanted = plan["trials"] if trials is None else trials
    first = configure(plan, {}, overrides)
    threads_fit(first.threads)
    title = title_of(name, plan, first)
    root = Store(Path(first.results_dir) / first.campaign).root
    say(f"{title}: {wanted} trials in all, cells in {root}")
    with claimed(root / "claims" / slug("hparams", title), title) as claim:
        if claim is None:
            raise StudyBusy(f"another process works at '{title}' in {root}: wait for it, or stop it")
        study = open_study(title, plan, root)
        failed = 0
        done = sum(trial.state == TrialState.COMPLETE for trial in study.get_trials(deepcopy=False))
        for _ in tqdm(range(done, wanted), desc=title, unit="trial", disable=None, dynamic_ncols=True):
            trial = study.ask()
            value = _value(plan, configure(plan, suggest(trial, plan), overrides))
            if math.isfinite(value):
                study.tell(trial, value)
            else:
                study.tell(trial, state=TrialState.FAIL)
                failed += 1
    return study, failed


def load_search(name: str, folders: Sequence[Path] = (FOLDER,)) -> dict[str, Any]:
    """Read a study's file.

    Raises
    ------
    UnknownName
        If there is no such file.
    BadConfig
        If a field is missing, unknown or not of its range.
    """
    known = {path.stem: path for folder in folders for path in sorted(folder.glob("*.yaml"))}
    if name not in known:
        raise UnknownName("hparams_search", name, known)
    path = known[name]
    plan = yaml.safe_load(path.read_text(encoding="utf-8"))
    if complaint := _complaint(plan):
        raise BadConfig(f"{path}: {complaint}")
    return dict(plan)


def _complaint(plan: Any) -> str | None:
    """What is wrong with the content of a study's file, if anything."""
    if not isinstance(plan, dict) or set(plan) - {"around"} != FIELDS:
        wrong = FIELDS ^ (set(plan) - {"around"}) if isinstance(plan, dict) else FIELDS
        return f"needs exactly the fields {', '.join(sorted(FIELDS))}: look at {', '.join(sorted(map(str, wrong)))}"
    if plan["direction"] not in ("maximize", "minimize"):
        return f"direction is maximize or minimize, got {plan['direction']!r}"
    if plan["objective"] not in OBJECTIVES:
        return f"there is no objective {plan['objective']!r}. {near(str(plan['objective']), OBJECTIVES)}"
    for field, least in (("trials", 1), ("seed", 0)):
        if type(plan[field]) is not int or plan[field] < least:
            return f"{field} is a whole number of at least {least}, got {plan[field]!r}"
    space, around = plan["space"], plan.get("around")
    if not isinstance(space, dict) or not space:
        return "space has no parameters: PARAMETER: {values: [...]} or {low: ..., high: ...}"
    for parameter, entry in space.items():
        keys = set(entry) if isinstance(entry, dict) else set()
        if not ({"low", "high"} <= keys <= {"low", "high", "log", "step"} or keys == {"values"}):
            return f"space.{parameter} is low, high (log, step) or values, got {entry}"
    if around is not None and (
        not isinstance(around, dict)
        or set(around) != set(space)
        or any("values" not in e for e in space.values())
    ):
        return "around holds a value for each parameter of space, and each of these has values"
    return None


def configure(plan: dict[str, Any], parameters: dict[str, Any], overrides: Sequence[str]) -> Config:
    """The configuration of a trial."""
    name = plan["denoiser"]
    fixed = [f"denoiser=[identity,{name}]", f"protocol=[{plan['protocol']}]"]
    cap = "profile.denograd_epochs"
    if "max_epochs" in plan["space"] and not any(word.startswith(f"{cap}=") for word in overrides):
        fixed.append(f"{cap}=null")  # a profile's cap would make different trials the same one
    register()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            drawn = (f"denoiser.{name}.{key}={value}" for key, value in parameters.items())
            return composed_of([*overrides, *fixed, *drawn])
    except (HydraException, OmegaConfBaseException) as error:
        raise explained(error, [*overrides, *fixed]) from error


def title_of(name: str, plan: dict[str, Any], config: Config) -> str:
    """The name of a study: what is most often varied in words, and a hash of all that makes its numbers."""
    judged = {key: value for key, value in plan.items() if key not in ("trials", "seed")}
    content = {key: value for key, value in asdict(config).items() if key not in ASIDE}
    level = config.noise.get("sigma", 0)
    model = str(config.noise.get("_target_", "")).rpartition(".")[2].lower()
    words = (name, config.dataset.name, model, "sigma", level, config.profile.name, plan["objective"])
    return " ".join(map(str, (*words, key_of({"plan": judged, "config": content})[:8])))


def open_study(title: str, plan: dict[str, Any], root: Path) -> optuna.Study:
    """The study, from the journal in the campaign's folder if it was begun, with what is still to do enqueued.

    That is each point of a grid without a value, and each trial that an earlier process left unfinished, which
    is set to failed. The caller holds the study's claim: no living process is at such a trial.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(str(root / "hparams.journal")))
    study = optuna.create_study(
        study_name=title, storage=storage, direction=plan["direction"], load_if_exists=True
    )
    trials = study.get_trials(deepcopy=False)
    study.sampler = optuna.samplers.TPESampler(seed=plan["seed"] + len(trials))  # going on draws other points
    points = one_at_a_time(plan) if "around" in plan else []
    for trial in trials:
        if trial.state == TrialState.RUNNING:
            points.append(_point(trial))
            study.tell(trial.number, state=TrialState.FAIL)
    settled = [_point(trial) for trial in trials if trial.state in (TrialState.COMPLETE, TrialState.WAITING)]
    for point in points:
        if point and point not in settled:
            study.enqueue_trial(point)
            settled.append(point)
    return study


def _point(trial: FrozenTrial) -> dict[str, Any]:
    """Where a trial is, or is to be if it was enqueued; empty if nothing was drawn yet."""
    return dict(trial.system_attrs.get("fixed_params", trial.params))


def one_at_a_time(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Every value of each parameter, the others held at `around`; no point twice."""
    points: list[dict[str, Any]] = []
    for parameter, entry in plan["space"].items():
        for value in entry["values"]:
            point = {**plan["around"], parameter: value}
            if point not in points:
                points.append(point)
    return points


def suggest(trial: optuna.Trial, plan: dict[str, Any]) -> dict[str, Any]:
    """Draw a trial's parameters from the space."""
    drawn: dict[str, Any] = {}
    for name, entry in plan["space"].items():
        if "values" in entry:
            drawn[name] = trial.suggest_categorical(name, entry["values"])
        elif isinstance(entry["low"], int):
            drawn[name] = trial.suggest_int(
                name, entry["low"], entry["high"], step=entry.get("step", 1), log=entry.get("log", False)
            )
        else:
            drawn[name] = trial.suggest_float(
                name, entry["low"], entry["high"], step=entry.get("step"), log=entry.get("log", False)
            )
    return drawn


def objective(cells: Sequence[Cell], denoiser: str, metric: str) -> float:
    """Mean over repetitions (and regressors) of what a study is judged by; NaN where a cell has no number."""
    from experiments.report import results_of  # slow to import

    found = results_of(frame(cells))
    table = found.score[found.score["headline"]] if metric == "imp" else found.denoise
    mine = table[table["denoiser"] == denoiser]
    if metric not in mine or mine.empty:
        return math.nan
    return float(mine[metric].mean(skipna=False))


def _value(plan: dict[str, Any], config: Config) -> float:
    from experiments.run.bench import Bench  # loads torch: the first line stands on screen by now
    from experiments.run.loop import execute

    bench = Bench(config, Store(Path(config.results_dir) / config.campaign))
    return objective(execute(bench), plan["denoiser"], plan["objective"])


def _taken_apart(arguments: Sequence[str]) -> tuple[str, int | None, list[str]]:
    name, trials, overrides, folders = "denograd", None, [], config_folders(arguments)
    for word in command.plain_words(without_folders(arguments)):
        key, _, value = word.lstrip("+").partition("=")
        if key == "hparams_search":
            name = value
        elif key == "trials":
            if not value.isdecimal() or int(value) < 1:
                raise BadConfig(f"trials is a whole number above 0, got '{value}'")
            trials = int(value)
        else:
            overrides.append(checked(word, folders))
            if parsed(word).is_sweep_override():
                raise WrongCall(
                    f"'{word}' has several values: a study is of one of each, make several studies"
                )
    if not any(word.startswith("campaign=") for word in overrides):
        overrides.append(f"campaign=hparams_{name}")
    return name, trials, [*overrides, *searchpath(folders)]


def _show(study: optuna.Study) -> None:
    trials = [trial for trial in study.get_trials() if trial.state == TrialState.COMPLETE]
    print(*screen.wrapped(f"{study.study_name}: {len(trials)} trials"), sep="\n")
    sign = -1 if study.direction == optuna.study.StudyDirection.MAXIMIZE else 1
    for trial in sorted(trials, key=lambda trial: sign * _number(trial))[:5]:
        drawn = ", ".join(f"{k} {v:.4g}" for k, v in trial.params.items())
        print(*screen.wrapped(drawn, indent=f"  {_number(trial):10.3f}  ", hanging=" " * 14), sep="\n")


def _number(trial: FrozenTrial) -> float:
    assert trial.value is not None, "a complete trial has a value"
    return trial.value


if __name__ == "__main__":
    sys.exit(main())
