"""``python -m experiments.agra``: AGRA on digits with flipped labels."""

from __future__ import annotations

import itertools
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from experiments.base import command, screen
from experiments.base.command import Option
from experiments.base.errors import SettingInvalid, UnknownName
from experiments.base.resources import machine
from experiments.base.seeds import seed_of

HELP = """AGRA on scikit-learn's digits (1,797 x 64) with flipped labels: who finds the wrong ones while training?

Labels are flipped in the training and the validation part alike, never in the test part: *uniform* flips to any
other class, *class-dependent* ones to the next digit. Per setting and method, hyper-parameters are chosen once, by
the accuracy on the noisy validation part of seeds that the evaluation does not use.

Examples
  python -m experiments.agra
  python -m experiments.agra seeds=5 tuning_seeds=1 jobs=2
  python -m experiments.agra tuned=results/agra/hyperparameters.json out=results/agra_again

Results: runs.csv, table.md and hyperparameters.json in the folder `out`, the table also on screen.
"""

SETTINGS = [(kind, share) for kind in ("uniform", "class-dependent") for share in (0.2, 0.4)]
SCALINGS = ("range", "spread", "pixel")
GRID = {
    "scaling": SCALINGS,
    "batch_size": (32, 128, 512),
    "lr": (3e-3, 1e-2, 3e-2, 1e-1),  # below, ten epochs are too few to converge
    "weight_decay": (1e-5, 1e-3, 1e-2, 1e-1),
}
TUNED: dict[str, dict[str, Any]] = {
    "plain": {"comparison": None},
    "cross-entropy": {"comparison": "cross_entropy"},
    "F1": {"comparison": "f1"},
}
# with the hyper-parameters of F1
VARIANTS: dict[str, dict[str, Any]] = {
    "F1, weighted": {"comparison": "f1", "weighted": True},
    "F1, other class": {"comparison": "f1", "other": -1},
}
HEADER = (
    *("labels flipped", "method", "accuracy", "gain", "macro F1", "gain"),
    *("flipped dropped", "others dropped"),
)


@dataclass(frozen=True)
class Problem:
    """Digits with some labels flipped; part after part as (X, noisy y, true y)."""

    train: tuple[np.ndarray, np.ndarray, np.ndarray]
    valid: tuple[np.ndarray, np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray, np.ndarray]


def flip(y: np.ndarray, kind: str, share: float, classes: int, generator: np.random.Generator) -> np.ndarray:
    """Flip each label with probability `share`.

    Parameters
    ----------
    y : (n,) array of int
        From 0 to ``classes - 1``.
    kind : {"uniform", "class-dependent"}
        To any other class, each as likely; or to the next one.
    """
    hit = generator.random(len(y)) < share
    step = generator.integers(1, classes, len(y)) if kind == "uniform" else 1
    return np.where(hit, (y + step) % classes, y)


def problem_of(kind: str, share: float, seed: int, scaling: str) -> Problem:
    """Split the digits 60/20/20 and flip labels; both depend on the seed.

    Parameters
    ----------
    scaling : {"range", "spread", "pixel"}
        Pixels from 0 to 1; or centred on the training part and divided by its one standard deviation, or by each
        pixel's own.
    """
    from sklearn.datasets import load_digits  # slow to import: the first line stands on screen by now

    X, y = load_digits(return_X_y=True)
    generator = np.random.default_rng(seed_of("agra", kind, share, seed))
    rows = generator.permutation(len(X))
    parts = np.split(rows, [int(0.6 * len(X)), int(0.8 * len(X))])
    if scaling == "range":
        X = X / 16
    else:
        centred = X[parts[0]] - X[parts[0]].mean(axis=0)
        spread = centred.std(axis=0) if scaling == "pixel" else centred.std()
        X = (X - X[parts[0]].mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    noisy = flip(y, kind, share, 10, generator)
    return Problem(*((X[part], noisy[part], y[part]) for part in parts))


def run(options: dict[str, Any], kind: str, share: float, seed: int) -> dict[str, float]:
    """Train once; accuracy and macro F1 are those on the test part's true labels."""
    from sklearn.metrics import f1_score  # slow to import, as is torch

    from baselines.agra import AgraClassifier

    hyper = dict(options)
    problem = problem_of(kind, share, seed, hyper.pop("scaling"))
    X, noisy, truth = problem.train
    model = AgraClassifier(**hyper, random_state=seed).fit(X, noisy, validation=problem.valid[:2])
    flipped = noisy != truth
    predicted = model.predict(problem.test[0])
    return {
        "valid_accuracy": model.score(*problem.valid[:2]),
        "accuracy": float((predicted == problem.test[2]).mean()),
        "macro_f1": f1_score(problem.test[2], predicted, average="macro"),
        "flipped_dropped": float(model.dropped_[flipped].mean()),
        "clean_dropped": float(model.dropped_[~flipped].mean()),
    }


def tune(method: dict[str, Any], kind: str, share: float, seeds: range, jobs: int) -> dict[str, Any]:
    """The point of the grid with the highest mean accuracy on the noisy validation part."""
    points = [dict(zip(GRID, values, strict=True)) for values in itertools.product(*GRID.values())]
    scores = Parallel(n_jobs=jobs)(
        delayed(run)({**method, **point}, kind, share, seed) for point in points for seed in seeds
    )
    means = np.array([score["valid_accuracy"] for score in scores]).reshape(len(points), -1).mean(axis=1)
    return points[int(means.argmax())]


@dataclass(frozen=True)
class Options:
    seeds: Annotated[int, Option("evaluation seeds", least=1)] = 50
    tuning_seeds: Annotated[int, Option("seeds of the grid search", least=1)] = 3
    tuned: Annotated[Path | None, Option("a hyperparameters.json to use instead of the grid search")] = None
    jobs: Annotated[int, Option("processes", least=1)] = 1
    out: Annotated[Path, Option("folder")] = Path("results/agra")


def main(argv: Sequence[str] | None = None) -> int:
    """Tune, evaluate, print the table and write it."""
    interrupted = "Interrupted. Nothing was written."
    return command.start(argv, _main, lambda: command.described(HELP, Options), interrupted=interrupted)


def load_tuned(path: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Read what an earlier call chose: per setting, the hyper-parameters of each tuned method.

    Raises
    ------
    SettingInvalid
        If the file cannot be read or is no such choice.
    """
    try:
        tuned = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingInvalid(f"tuned={path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SettingInvalid(f"tuned={path} is no JSON: {error}") from error
    if not isinstance(tuned, dict):
        raise SettingInvalid(f"tuned={path} must map settings, such as '{_title(*SETTINGS[0])}', to choices")
    for setting, methods in tuned.items():
        if setting not in (known := [_title(*setting) for setting in SETTINGS]):
            raise UnknownName(f"setting (of tuned={path})", setting, known)
        if not isinstance(methods, dict) or set(methods) != set(TUNED):
            raise SettingInvalid(f"tuned={path}: '{setting}' needs exactly {', '.join(TUNED)}")
        for name, point in methods.items():
            if not _is_point(point):
                raise SettingInvalid(
                    f"tuned={path}: '{name}' of '{setting}' needs exactly {', '.join(GRID)}: one of "
                    f"{', '.join(SCALINGS)}, a whole number above 0 and two numbers of at least 0"
                )
    return tuned


def _is_point(point: Any) -> bool:
    if not isinstance(point, dict) or set(point) != set(GRID):
        return False
    rest = [value for name, value in point.items() if name != "scaling"]
    numbers = all(isinstance(value, (int, float)) and 0 <= value < math.inf for value in rest)
    return (
        numbers
        and point["scaling"] in SCALINGS
        and isinstance(point["batch_size"], int)
        and point["batch_size"] > 0
    )


def _title(kind: str, share: float) -> str:
    return f"{kind} {share:.0%}"


def _main(arguments: Sequence[str]) -> None:
    options = command.parse(arguments, Options)
    if options.jobs > (cores := int(machine()["cores"])):
        raise SettingInvalid(
            f"jobs={options.jobs} is more than the {cores} cores of this machine: use at most {cores}"
        )
    tuned = load_tuned(options.tuned) if options.tuned else {}
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingInvalid(f"out={options.out} cannot be a folder: {error.strerror}") from error
    _announce(options, tuned)
    rows = []
    chosen: dict[str, dict[str, Any]] = {}
    for kind, share in tqdm(SETTINGS, unit="setting", disable=None):
        setting = _title(kind, share)
        best = tuned.get(setting) or {
            name: tune(method, kind, share, range(1000, 1000 + options.tuning_seeds), options.jobs)
            for name, method in TUNED.items()
        }
        chosen[setting] = best
        for name, method in {**TUNED, **VARIANTS}.items():
            point = {**method, **best.get(name, best["F1"])}
            results = Parallel(n_jobs=options.jobs)(
                delayed(run)(point, kind, share, seed) for seed in range(options.seeds)
            )
            rows += [
                {"setting": setting, "method": name, "seed": seed, **result}
                for seed, result in enumerate(results)
            ]
    table = pd.DataFrame(rows)
    table.to_csv(options.out / "runs.csv", index=False)
    (options.out / "hyperparameters.json").write_text(json.dumps(chosen, indent=1) + "\n")
    shown = list(rows_of(table))
    (options.out / "table.md").write_text(markdown(shown), encoding="utf-8")
    print(*on_screen(shown), "", sep="\n")
    print(screen.fitted(f"Every run, the table and what the search chose are in {options.out}"))
    again = f"tuned={options.out / 'hyperparameters.json'}"
    print(screen.next_command("python", "-m", "experiments.agra", again, "seeds=100"))


def _announce(options: Options, tuned: dict[str, Any]) -> None:
    """Say how much there is to do, and how long it takes by the time of one training of each batch size."""
    searched = math.prod(map(len, GRID.values())) * len(TUNED) * options.tuning_seeds
    untuned = len(SETTINGS) - len(tuned)
    trainings = searched * untuned + len(SETTINGS) * (len(TUNED) + len(VARIANTS)) * options.seeds
    print(
        f"{trainings:,} trainings, {options.jobs} at once; timing three of them", file=sys.stderr, flush=True
    )
    points = [
        {name: values[0] for name, values in GRID.items()} | {"batch_size": n} for n in GRID["batch_size"]
    ]
    run({**TUNED["F1"], **points[-1]}, *SETTINGS[0], 0)  # the first one loads the libraries
    start = time.perf_counter()
    for point in points:
        run({**TUNED["F1"], **point}, *SETTINGS[0], 0)
    seconds = trainings * (time.perf_counter() - start) / len(GRID["batch_size"]) / options.jobs
    print(f"they take at most about {seconds / 60:,.0f} minutes", file=sys.stderr, flush=True)


def rows_of(table: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    """A row per setting and method, see `HEADER`: means over the seeds; gains are paired by seed, ± standard error."""
    plain = table[table.method == "plain"].set_index(["setting", "seed"])
    for (setting, method), runs in table.groupby(["setting", "method"], sort=False):
        runs = runs.set_index(["setting", "seed"])
        cells = []
        for measure in ("accuracy", "macro_f1"):
            gain = runs[measure] - plain.loc[runs.index, measure]
            paired = "-" if method == "plain" else f"{gain.mean():+.3f} ± {gain.sem():.3f}"
            cells += [f"{runs[measure].mean():.3f}", paired]
        for part in ("flipped_dropped", "clean_dropped"):
            cells.append("-" if method == "plain" else f"{runs[part].mean():.0%}")
        yield str(setting), str(method), *cells


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """The table for a document."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (HEADER, ["---"] * len(HEADER), *rows)) + "\n"


def on_screen(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The table for a terminal, a part per setting."""
    yield from screen.wrapped(
        "Means over the seeds; gain: over plain training, paired by seed, ± standard error; dropped: of the flipped "
        "labels / of the others."
    )
    for setting, group in itertools.groupby(rows, key=lambda row: row[0]):
        yield from ("", f"Labels flipped: {setting}")
        parts = [(*row[1:6], " / ".join(dict.fromkeys(row[6:]))) for row in group]
        yield from screen.table((*HEADER[1:6], "dropped"), parts)


if __name__ == "__main__":
    sys.exit(main())
