"""Does a refined training target pay on data that nobody touched: python -m benchmarks.pays [run | table].

Protocol `deployable`: all is learnt from the train part, test features are noisy as they come, the test target is
clean. Per dataset, level, draw, seed and regressor: the mean squared test error with the target as observed
(`plain`), with the blind-spot target (`smoothed`, series), with what cross-validation chose (`chosen`), and with the
clean target (`bound`). A regressor that has luck also learns the target as observed once more (`again`), with
another seed and a target moved by a thousandth of its deviation, which shows how much that luck is; `two` is the mean
of these two predictions. Where predictions were mixed, `labels` is one fit on the mixed labels instead. Rows are
appended as JSON lines; what is there is not computed again.

    python -m benchmarks.pays run --regressors ridge knn
    python -m benchmarks.pays run --regressors xgboost dnn dlinear --draws 2 3 4
    python -m benchmarks.pays run --datasets ettm2 nasdaq diabetes
    python -m benchmarks.pays table --write docs/pays.md
"""

from __future__ import annotations

import argparse
import sys
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml
from tqdm import tqdm

from benchmarks.tables import append, markdown, put, read, shown
from experiments.base import command
from experiments.base.paths import CONF, ROOT
from experiments.base.seeds import seed_of
from experiments.data.noise import Gaussian
from experiments.data.recipes import load_dataset
from experiments.data.task import Task, prepare
from experiments.models import chosen
from experiments.report import results_of
from experiments.store import archive

RESULTS = Path(__file__).with_name("pays.jsonl")
SERIES = ("daily_climate", "ett", "microsoft_stock", "wth")
TABLES = ("house_prices", "lattice_physics_test", "parkinsons", "rt_iot2022", "support2")
UNSEEN = ("diabetes", "ettm2", "nasdaq")
"""Run once, when all was settled."""

REGRESSORS = {"ridge": "Ridge", "knn": "kNN", "dnn": "DNN", "dlinear": "DLinear", "xgboost": "XGBoost"}
LUCKY = ("dnn", "dlinear", "xgboost")
MEAN_OF = {"series": ("ridge", "knn", "dnn", "dlinear"), "tables": ("ridge", "knn", "dnn", "xgboost")}
"""Regressors whose mean is asked for."""

SIGMAS = (0.0, 0.05, 0.2, 0.5)
ROWS, WINDOW = 3000, 24
EPOCHS = {"series": 8, "tabular": 15}
"""Caps, as in the campaign `pays`."""

TARGETS = {
    "chosen": "chosen",
    "denograd_target": "smoothed",
    "denograd_map": "map",
    "reference_clean_target": "bound",
}
"""What the campaign's methods are called here."""

CALLED = {"smoothed": "smoothed", "map": "`map`", "bound": "clean target"}

CELL = ("dataset", "sigma", "draw", "seed", "regressor")


def measure(task: Task, name: str, seed: int) -> dict[str, Any]:
    """Fit one regressor on every target and give its test errors."""
    estimator = yaml.safe_load((CONF / "regressor" / f"chosen_{name}.yaml").read_text())[f"chosen_{name}"][
        "estimator"
    ]
    cls = getattr(chosen, estimator.pop("_target_").rpartition(".")[2])
    if "epochs" in estimator:
        estimator["epochs"] = EPOCHS[task.kind]
    model = cls(**estimator, random_state=seed)
    X, y = task.samples(task.X, task.y, task.split.train)
    valid = task.samples(task.X, task.y, task.split.valid)
    X_test, y_test = task.samples(task.X, task.clean_y, task.split.test)
    _, y_clean = task.samples(task.X, task.clean_y, task.split.train)
    started = time.process_time()
    model.fit(X, y, validation=valid)
    cpu_s = time.process_time() - started
    predicted = {"chosen": model.predict(X_test)}

    targets = {"plain": y, "bound": y_clean, "smoothed": model.smoothed_}
    if len(model.chosen_.regressors_) > 1:
        targets["labels"] = model.chosen_.y_
    if name in LUCKY:
        jitter = np.random.default_rng(seed).standard_normal(len(y))
        targets["again"] = y + 1e-3 * y.std() * jitter
    for target, labels in targets.items():
        if labels is None:
            continue
        model.random_state = seed + 1000 * (target == "again")
        plain = model.plain()
        extra = {}
        if getattr(plain, "uses_validation", False):
            extra["validation"] = (model.shaped(valid[0]), valid[1])
        plain.fit(model.shaped(X), labels, **extra)
        predicted[target] = plain.predict(model.shaped(X_test))
    if name in LUCKY:
        predicted["two"] = (predicted["plain"] + predicted["again"]) / 2
    errors = {target: float(((found - y_test) ** 2).mean()) for target, found in predicted.items()}
    return {"mse": errors, **model.info_, "cpu_s": round(cpu_s, 3)}


def run(arguments: argparse.Namespace) -> None:
    """Compute the cells that the file does not hold yet."""
    torch.set_num_threads(1)
    out: Path = arguments.out
    known = {tuple(row[axis] for axis in CELL) for row in read(out)}
    cells = list(product(arguments.draws, range(arguments.seeds), arguments.sigmas, arguments.datasets))
    for draw, seed, sigma, dataset in tqdm(cells, disable=None):
        missing = [r for r in arguments.regressors if (dataset, sigma, draw, seed, r) not in known]
        if not missing:
            continue
        noise = Gaussian(sigma=sigma)
        task = prepare(load_dataset(dataset), noise, "deployable", repetition=draw, window=WINDOW, rows=ROWS)
        for name in missing:
            if name == "dlinear" and task.kind == "tabular":
                continue
            number = seed_of("regressor", dataset, "gaussian", draw, name) + seed
            row = dict(zip(CELL, (dataset, sigma, draw, seed, name), strict=True))
            append(out, row | measure(task, name, number))


def saved(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Per cell the share of the plain error that is saved, in per cent."""
    frame = pd.DataFrame(
        [
            {**{a: row[a] for a in CELL}, **row["mse"], "cpu_s": row["cpu_s"]}
            | {"changed": row["target_weights"]["observed"] < 1}
            for row in rows
        ]
    )
    for name in ("smoothed", "chosen", "bound", "again", "two", "labels"):
        plain = frame["plain"].where(frame["plain"] > 0)
        frame[name] = 100 * (1 - frame[name] / plain) if name in frame else np.nan
    return frame


def figure(values: pd.Series) -> str:
    """Mean, of several runs that differ by luck its spread, and how many they are."""
    if values.empty:
        return "-"
    spread = f" ± {values.std():.1f}" if len(values) > 1 else ""
    return f"{values.mean():.1f}{spread} ({len(values)})"


def cells_table(frame: pd.DataFrame, kind: str, regressors: tuple[str, ...]) -> str:
    """What the chosen target saves, per dataset and level."""
    rows = []
    series = kind == "series"
    for (dataset, sigma), part in frame.groupby(["dataset", "sigma"]):
        by = dict(list(part.groupby("regressor")))
        row = [f"`{dataset}`", f"{sigma:g}"]
        row += [figure(by[name]["chosen"]) if name in by else "-" for name in regressors]
        for target in ("chosen", "smoothed", "bound"):
            means = [by[name][target].mean() for name in regressors if name in by and name in MEAN_OF[kind]]
            if target != "smoothed" or series:
                row.append(shown(np.mean(means) if means else None, 1))
        rows.append(row)
    head = ["data", "sigma", *(REGRESSORS[name] for name in regressors), "mean"]
    return markdown([*head, *(["smoothed"] if series else []), "clean target"], rows)


def regressors_table(frame: pd.DataFrame) -> str:
    """All cells of a regressor."""
    rows = []
    for name, called in REGRESSORS.items():
        part = frame[frame["regressor"] == name]
        if part.empty:
            continue
        chosen_ = part["chosen"]
        luck = part["again"].abs()
        usual = luck.groupby(part["dataset"]).transform("median").fillna(0.0)
        rows.append(
            [
                called,
                str(len(part)),
                f"{chosen_.mean():.1f}",
                f"{100 * (chosen_ < -1).mean():.1f}",
                f"{100 * (chosen_ < -1 - usual).mean():.1f}" if luck.notna().any() else "",
                f"{luck.median():.1f}" if luck.notna().any() else "",
                shown(part["two"].mean(), 1) if luck.notna().any() else "",
                f"{chosen_.min():.1f}",
                f"{100 * part['changed'].mean():.0f}",
                f"{part['cpu_s'].median():.1f}",
            ]
        )
    head = [
        "regressor",
        "cells",
        "mean",
        "below -1, %",
        "beyond luck, %",
        "luck",
        "two fits",
        "worst",
        "target changed, %",
    ]
    return markdown([*head, "fit with choice, s"], rows)


def sums(frame: pd.DataFrame, kind: str) -> str:
    """One sentence: the mean over the regressors that are asked for, of the cells where all of them ran."""
    wanted = MEAN_OF[kind]
    part = frame[frame["regressor"].isin(wanted)]
    each = part.pivot_table(index=["dataset", "sigma"], columns="regressor", values="chosen")
    whole = each.dropna() if set(wanted) <= set(each.columns) else each.iloc[:0]
    if whole.empty:
        return "No cell has all four regressors yet."
    means = whole.mean(axis=1)
    worst = means.idxmin()
    within = pd.MultiIndex.from_frame(part[["dataset", "sigma"]]).isin(whole.index)
    return (
        f"Mean over {', '.join(REGRESSORS[name] for name in wanted)} and the {len(whole)} pairs of data and level that "
        f"all four ran on: {means.mean():.2f} %, standard error over draws {error_of_mean(part[within]):.2f}. Least: "
        f"{means.min():.1f} % (`{worst[0]}` at {worst[1]:g}); {(means < 0).sum()} below 0."
    )


def error_of_mean(part: pd.DataFrame) -> float:
    """Standard error of the mean over cells, each the mean of its draws.

    What is drawn anew is a dataset's draw: its split, noise and seeds. All levels and regressors of one err together,
    so their deviations from the means of their cells are added up before they are squared.
    """
    cell = part.groupby(["dataset", "sigma", "regressor"])["chosen"]
    n = cell.transform("size")
    off = (part["chosen"] - cell.transform("mean")) * (n / (n - 1).clip(lower=1)) ** 0.5 / n / cell.ngroups
    return float((off.groupby([part["dataset"], part["draw"]]).sum() ** 2).sum() ** 0.5)


def campaign_cells() -> pd.DataFrame:
    """Imp % of the stored cells of the campaign `pays`: a row per cell as in `saved`, a column per target."""
    everything = results_of(archive.load(ROOT / "results/pays"))
    scored = everything.headline.rename(columns={"repetition": "draw"})
    scored = scored.assign(target=[everything.rows[row].method.name for row in scored["row"]])
    cells = scored.pivot_table(
        index=["dataset_name", "sigma", "draw", "regressor"], columns="target", values="imp"
    )
    cells = cells.rename(columns=TARGETS).reindex(columns=[*TARGETS.values()])
    return cells.reset_index().rename(columns={"dataset_name": "dataset"})


def campaign_table(frame: pd.DataFrame, kind: str, regressors: tuple[str, ...]) -> str:
    """What the chosen target saves in the campaign per dataset and level, and what others save in the mean."""
    others = [name for name in TARGETS.values() if name != "chosen" and frame[name].notna().any()]
    rows = []
    for (dataset, sigma), part in frame.groupby(["dataset", "sigma"]):
        by = {name: part[part["regressor"] == name] for name in regressors}
        means = pd.DataFrame({name: by[name][[*TARGETS.values()]].mean() for name in MEAN_OF[kind]}).T
        row = [f"`{dataset}`", f"{sigma:g}", *(figure(by[name]["chosen"].dropna()) for name in regressors)]
        rows.append([*row, *(shown(means[name].mean(), 1) for name in ("chosen", *others))])
    head = ["data", "sigma", *(REGRESSORS[name] for name in regressors), "mean"]
    return markdown([*head, *(CALLED[name] for name in others)], rows)


def campaign_regressors(frame: pd.DataFrame) -> str:
    """All cells of a regressor in the campaign."""
    rows = []
    for name, called in REGRESSORS.items():
        cells = frame.loc[frame["regressor"] == name, "chosen"].dropna()
        if cells.empty:
            continue
        losing = f"{100 * (cells < -1).mean():.1f}"
        rows.append([called, str(len(cells)), f"{cells.mean():.1f}", losing, f"{cells.min():.1f}"])
    return markdown(["regressor", "cells", "mean", "below -1, %", "worst"], rows)


def all_tables(rows: list[dict[str, Any]]) -> dict[str, str]:
    """By the names of their markers."""
    frame = saved(rows)
    made = {}
    for kind, names in (("series", SERIES), ("tables", TABLES)):
        part = frame[frame["dataset"].isin(names)]
        regressors = tuple(name for name in REGRESSORS if kind == "series" or name != "dlinear")
        each = cells_table(part, kind, regressors)
        made[kind] = f"{each}\n\n{sums(part, kind)}\n\n{regressors_table(part)}"
    unseen = frame[frame["dataset"].isin(UNSEEN)]
    made["unseen"] = f"{cells_table(unseen, 'series', tuple(REGRESSORS))}\n\n{regressors_table(unseen)}"
    campaign = campaign_cells()
    for kind, names in (("series", SERIES), ("tables", TABLES)):
        part = campaign[campaign["dataset"].isin(names)]
        regressors = tuple(name for name in REGRESSORS if kind == "series" or name != "dlinear")
        each = campaign_table(part, kind, regressors)
        made[f"campaign {kind}"] = f"{each}\n\n{sums(part, kind)}\n\n{campaign_regressors(part)}"
    return made


def table(arguments: argparse.Namespace) -> None:
    """Print the tables, or put them into a page."""
    made = all_tables(read(arguments.out))
    if arguments.write is not None:
        put(arguments.write, made)
        return
    for name, text in made.items():
        print(f"{name}\n\n{text}\n")


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--datasets", nargs="+", default=[*SERIES, *TABLES])
    parser.add_argument("--regressors", nargs="+", default=list(REGRESSORS), choices=list(REGRESSORS))
    parser.add_argument("--sigmas", nargs="+", type=float, default=list(SIGMAS))
    parser.add_argument("--draws", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--write", type=Path, help="put the tables between this document's markers")
    arguments = parser.parse_args()
    {"run": run, "table": table}[arguments.what](arguments)


if __name__ == "__main__":
    sys.exit(
        command.run(main, interrupted="Interrupted. What is measured is stored; the same command goes on.")
    )
