"""What stands behind surprising figures of the paper's protocol, traced to the refined data.

python -m benchmarks.surprises   # two minutes; the data of parkinsons and microsoft_stock: DENOGRAD_DATA, or fetched

DenoGrad on two datasets, repetition 0, as in the campaign `uncapped`, with its arrays kept; then the same regressor on
data of which only a part was refined. What it prints stands in docs/paper.md.
"""

from __future__ import annotations

import tempfile

import numpy as np

from experiments import Study
from experiments.config.components import regressors_of
from experiments.data.task import Task


def study_of(dataset: str, regressor: str, folder: str) -> Study:
    """A study of DenoGrad on one dataset under the paper's protocol, computed."""
    study = Study(
        dataset,
        denoisers=["denograd_fixed"],
        regressors=[regressor],
        noise=None,
        protocols="paper",
        profile="full",
        results_dir=folder,
        keep_arrays=True,
    )
    study.run()
    return study


def arrays_of(study: Study) -> tuple[Task, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The task, and features and target of all rows before and after DenoGrad, standardised."""
    found = {
        cell.spec["denoiser"]: study.bench.store.load_arrays(cell.key)
        for cell in study.cells
        if cell.stage == "denoise"
    }
    return study.bench.task("paper", 0), found["identity"], found["denograd_fixed"]


def error(study: Study, task: Task, X: np.ndarray, y: np.ndarray) -> float:
    """Squared error on the test rows of the study's regressor after learning from the train rows."""
    [component] = regressors_of(study.config)
    model = component.make(seed=0, threads=1).fit(X[task.split.train], y[task.split.train])
    return float(((model.predict(X[task.split.test]) - y[task.split.test]) ** 2).mean())


def saturated(folder: str) -> None:
    """A backbone that cannot follow prices to where it never saw any."""
    study = study_of("microsoft_stock", "dlinear", folder)
    task, before, after = arrays_of(study)
    print("microsoft_stock, LSTM as the backbone, target in its standard deviations:")
    for name in ("train", "valid", "test"):
        rows = getattr(task.split, name)
        old, new = before["y"][rows], after["y"][rows]
        moved = ((new - old) ** 2).mean() ** 0.5
        print(
            f"  {name}: at most {old.max():.2f}, after DenoGrad {new.max():.2f}; moved by {moved:.3f} (rms)"
        )
    print(study.table().to_string())


def blurred(folder: str) -> None:
    """A column of few values that says whose rows they are."""
    study = study_of("parkinsons", "xgboost", folder)
    task, before, after = arrays_of(study)
    X, y, moved = before["X"], before["y"], after["X"]
    names = study.dataset.X_y()[2]
    print("parkinsons, squared error of XGBoost:")
    print(f"  as it is {error(study, task, X, y):.3f}, refined {error(study, task, moved, after['y']):.3f}")
    print(f"  the target alone refined {error(study, task, X, after['y']):.3f}")
    for j, name in enumerate(names[: X.shape[1]]):
        put_back = moved.copy()
        put_back[:, j] = X[:, j]
        values = f"{len(np.unique(X[:, j])):,} values, refined {len(np.unique(moved[:, j])):,}"
        shift = ((moved[:, j] - X[:, j]) ** 2).mean() ** 0.5
        print(
            f"  all refined but {name}: {error(study, task, put_back, after['y']):.3f} ({values}, moved by {shift:.3f})"
        )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        saturated(scratch)
        blurred(scratch)
