"""Does a refined training target pay on data that nobody touched: python -m benchmarks.pays [run | table].

Protocol `deployable`: all is learnt from the train part, test features are noisy as they come, the test target is
clean. Per dataset, level, draw, seed and regressor: the mean squared test error with the target as observed
(`plain`), with the blind-spot target (`smoothed`, series), with what cross-validation chose (`chosen`), and with the
clean target (`bound`: what no refined target can be expected to beat). Rows are appended as JSON lines; what is there
is not computed again.

    python -m benchmarks.pays run --out pays.jsonl --regressors ridge knn --draws 3
    python -m benchmarks.pays run --out pays.jsonl --regressors xgboost dnn dlinear --draws 3 --seeds 3
    python -m benchmarks.pays table --out pays.jsonl
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml
from tqdm import tqdm

from experiments.base.paths import CONF
from experiments.base.seeds import seed_of
from experiments.data.noise import Gaussian
from experiments.data.recipes import load_dataset
from experiments.data.task import Task, prepare
from experiments.models import chosen

SERIES = ("daily_climate", "ett", "microsoft_stock", "wth")
TABLES = ("house_prices", "lattice_physics_test", "parkinsons", "rt_iot2022", "support2")
REGRESSORS = ("ridge", "knn", "xgboost", "dnn", "dlinear")
SIGMAS = (0.0, 0.05, 0.2, 0.5)
ROWS, WINDOW = 3000, 24
EPOCHS = {"series": 8, "tabular": 15}
"""Caps of the first campaign."""

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
    errors = {"chosen": float(((model.predict(X_test) - y_test) ** 2).mean())}

    targets = {"plain": y, "bound": y_clean, "smoothed": model.smoothed_}
    for target, labels in targets.items():
        if labels is None:
            continue
        plain = model.plain()
        extra = {}
        if getattr(plain, "uses_validation", False):
            extra["validation"] = (model.shaped(valid[0]), valid[1])
        plain.fit(model.shaped(X), labels, **extra)
        errors[target] = float(((plain.predict(model.shaped(X_test)) - y_test) ** 2).mean())
    return {"mse": errors, **model.info_, "cpu_s": round(cpu_s, 3)}


def run(arguments: argparse.Namespace) -> None:
    """Compute the cells that the file does not hold yet."""
    torch.set_num_threads(1)
    out: Path = arguments.out
    known = {tuple(row[axis] for axis in CELL) for row in read(out)} if out.exists() else set()
    cells = list(
        product(range(arguments.draws), range(arguments.seeds), arguments.sigmas, arguments.datasets)
    )
    with out.open("a", encoding="utf-8") as file:
        for draw, seed, sigma, dataset in tqdm(cells, disable=None):
            missing = [r for r in arguments.regressors if (dataset, sigma, draw, seed, r) not in known]
            if not missing:
                continue
            noise = Gaussian(sigma=sigma)
            task = prepare(
                load_dataset(dataset), noise, "deployable", repetition=draw, window=WINDOW, rows=ROWS
            )
            for name in missing:
                if name == "dlinear" and task.kind == "tabular":
                    continue
                number = seed_of("regressor", dataset, "gaussian", draw, name) + seed
                row = dict(zip(CELL, (dataset, sigma, draw, seed, name), strict=True))
                file.write(json.dumps(row | measure(task, name, number)) + "\n")
                file.flush()


def read(path: Path) -> list[dict[str, Any]]:
    """Rows of the file; a last line that a kill cut off is left out."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return rows


def table(arguments: argparse.Namespace) -> None:
    """Print the share of the plain error that is saved, in per cent."""
    rows = read(arguments.out)
    frame = pd.DataFrame([{**{a: row[a] for a in CELL}, **row["mse"], "cpu_s": row["cpu_s"]} for row in rows])
    for name in ("smoothed", "chosen", "bound"):
        frame[name] = 100 * (1 - frame[name] / frame["plain"])
    frame["kind"] = np.where(frame["dataset"].isin(SERIES), "series", "tables")
    for kind, part in frame.groupby("kind"):
        targets = ["chosen", "bound"] if kind == "tables" else ["smoothed", "chosen", "bound"]
        print(f"\n{kind}: chosen target, saved %, mean over draws and seeds\n")
        each = part.pivot_table(index=["dataset", "sigma"], columns="regressor", values="chosen")
        mean = part.groupby([*CELL[:2], "regressor"])[targets].mean().groupby(list(CELL[:2])).mean()
        print(pd.concat([each, mean.add_prefix("mean ")], axis=1).round(1).to_string())
        print(f"\n{kind}: cells of one draw and seed\n")
        found = part.groupby("regressor").agg(
            cells=("chosen", "size"),
            mean=("chosen", "mean"),
            worst=("chosen", "min"),
            below_minus_1=("chosen", lambda x: 100 * (x < -1).mean()),
            moved=("chosen", lambda x: 100 * (x != 0).mean()),
            cpu_s=("cpu_s", "median"),
        )
        print(found.round(2).to_string())


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("--out", type=Path, default=Path("pays.jsonl"))
    parser.add_argument("--datasets", nargs="+", default=[*SERIES, *TABLES])
    parser.add_argument("--regressors", nargs="+", default=list(REGRESSORS), choices=REGRESSORS)
    parser.add_argument("--sigmas", nargs="+", type=float, default=list(SIGMAS))
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    {"run": run, "table": table}[arguments.what](arguments)


if __name__ == "__main__":
    main()
