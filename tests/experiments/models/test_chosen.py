"""Regressors whose training target is chosen: what they learn from, and that nothing else is seen."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from hydra import compose, initialize_config_dir
from sklearn.base import clone
from sklearn.linear_model import Ridge

from denograd import smooth_target
from experiments.config.schema import as_config, register
from experiments.data.noise import Gaussian
from experiments.data.recipes import load_dataset
from experiments.data.task import prepare
from experiments.models.chosen import (
    ChosenDLinear,
    ChosenDNN,
    ChosenKNN,
    ChosenRidge,
    ChosenXGBoost,
    smoothed_windows_target,
)
from experiments.models.estimators import DNN
from experiments.run.bench import Bench
from experiments.run.loop import trials
from experiments.run.scoring import Scorer
from experiments.store.files import Store

CONF = Path(__file__).resolve().parents[3] / "conf" / "regressor"
CLASSES = {
    "ridge": ChosenRidge,
    "knn": ChosenKNN,
    "xgboost": ChosenXGBoost,
    "dnn": ChosenDNN,
    "dlinear": ChosenDLinear,
}
SMALL = {
    "ridge": {},
    "knn": {},
    "xgboost": {"regressor": {"n_estimators": 5}},
    "dnn": {"epochs": 2, "regressor": {"options": {"hidden": [8]}}},
    "dlinear": {"epochs": 2},
}


def task_of(name, rows=300):
    return prepare(load_dataset(name), Gaussian(sigma=0.2), "deployable", repetition=0, window=6, rows=rows)


def fitted(name, task, X=None):
    X = task.X if X is None else X
    train, valid = task.samples(X, task.y, task.split.train), task.samples(X, task.y, task.split.valid)
    return CLASSES[name](**SMALL[name]).fit(*train, validation=valid)


def test_what_stays_with_the_observed_target_is_the_plain_regressor():
    task = task_of("poly2")
    train, valid = (
        task.samples(task.X, task.y, task.split.train),
        task.samples(task.X, task.y, task.split.valid),
    )
    X, _ = task.samples(task.X, task.y, task.split.test)
    small = {"epochs": 2, "random_state": 7}
    chosen = ChosenDNN(regressor={"options": {"hidden": [8]}}, se=1e9, **small).fit(*train, validation=valid)
    plain = DNN(options={"hidden": [8]}, **small).fit(*train, validation=valid)
    assert chosen.info_["target_weights"]["observed"] == 1.0
    np.testing.assert_array_equal(chosen.predict(X), plain.predict(X))


@pytest.mark.parametrize("name", CLASSES)
def test_its_seed_is_that_of_the_plain_regressor(name, tmp_path):
    register()
    with initialize_config_dir(str(CONF.parent), version_base="1.3"):
        node = compose("config", overrides=["dataset=seasonal", f"regressor=[{name},chosen_{name}]"])
    bench = Bench(as_config(node), Store(tmp_path))
    trial = next(trials(bench))
    plain, chosen = (Scorer(bench, trial.spec, regressor) for regressor in bench.regressors)
    assert chosen._estimator.random_state == plain._seed == chosen._seed
    # no result with another seed is taken for it, and the plain regressor's stay
    assert chosen.spec("noisy")["revisions"]["regressor_seed"] == 2
    assert "regressor_seed" not in plain.spec("noisy").get("revisions", {})


@pytest.mark.parametrize("name", CLASSES)
def test_the_inner_regressor_is_the_plain_one(name):
    plain = yaml.safe_load((CONF / f"{name}.yaml").read_text())[name]
    chosen = yaml.safe_load((CONF / f"chosen_{name}.yaml").read_text())[f"chosen_{name}"]
    assert chosen["kinds"] == plain["kinds"]
    params = {k: v for k, v in chosen["estimator"].items() if k not in ("_target_", "regressor")}
    target = plain["estimator"].pop("_target_")
    assert params | chosen["estimator"]["regressor"] == plain["estimator"]
    cls = CLASSES[name].regressor_class
    assert target.endswith(f".{cls.__name__}")


@pytest.mark.parametrize(
    ("name", "dataset"),
    [(n, d) for n in CLASSES for d in ("nasdaq", "diabetes") if (n, d) != ("dlinear", "diabetes")],
)
def test_the_test_part_changes_nothing(name, dataset):
    task = task_of(dataset)
    rng = np.random.default_rng(1)
    noise_X, noise_y = task.X.copy(), task.y.copy()
    noise_X[task.split.test] = 9 * rng.normal(size=noise_X[task.split.test].shape)
    noise_y[task.split.test] = 9 * rng.normal(size=len(task.split.test))
    other = replace(task, X=noise_X, y=noise_y, clean_X=noise_X, clean_y=noise_y)
    one, two = fitted(name, task), fitted(name, other)
    assert one.chosen_.report_ == two.chosen_.report_
    assert one.chosen_.weights_.tobytes() == two.chosen_.weights_.tobytes()
    assert one.chosen_.y_.tobytes() == two.chosen_.y_.tobytes()
    inputs, _ = task.samples(task.X, task.y, task.split.test)
    assert one.predict(inputs).tobytes() == two.predict(inputs).tobytes()
    assert sum(one.info_["target_weights"].values()) == pytest.approx(1)
    series = ["smoothed"] if task.kind == "series" else []
    assert list(one.info_["target_weights"]) == ["observed", *series, "teacher"]
    assert "chosen_" not in vars(clone(one))


def test_the_smoothed_target_of_windows_is_that_of_their_series():
    series = np.random.default_rng(0).normal(size=(200, 3)).cumsum(0)
    windows = np.lib.stride_tricks.sliding_window_view(series[:-1], 5, axis=0).transpose(0, 2, 1)
    y = series[5:, 0]
    alone = smoothed_windows_target(windows[:145], y[:145], seed=2)
    np.testing.assert_array_equal(alone[:-1], smooth_target(series[:149], 0, seed=2).values[5:])
    assert alone[-1] == y[144]  # no window shows the other channels of its step
    both = smoothed_windows_target(windows[:145], y[:145], windows[145:], seed=2)
    expected = smooth_target(series[:-1], 0, valid_from=150, seed=2).values
    np.testing.assert_array_equal(both, expected[5:150])
    elsewhere = smoothed_windows_target(windows[:145], y[:145], windows[160:], seed=2)
    np.testing.assert_array_equal(elsewhere, alone)
    with pytest.raises(ValueError, match="do not follow each other"):
        smoothed_windows_target(windows[::2], y[::2], seed=2)


def test_where_nothing_pays_it_is_the_plain_regressor():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(120, 3)), rng.normal(size=120)
    model = ChosenRidge(regressor={"alpha": 2.0}).fit(X, y)
    assert model.info_["target_weights"] == {"observed": 1.0, "teacher": 0.0}
    np.testing.assert_array_equal(model.predict(X), Ridge(alpha=2.0).fit(X, y).predict(X))


def test_seed_threads_and_device_reach_the_inner_regressor():
    inner = ChosenDNN(epochs=7, threads=3, device="cpu", random_state=5).plain()
    assert (inner.epochs, inner.threads, inner.device, inner.random_state) == (7, 3, "cpu", 5)
    trees = ChosenXGBoost(regressor={"n_jobs": None}, threads=3, device="cuda", random_state=5).plain()
    assert (trees.n_jobs, trees.random_state, trees.device) == (3, 5, None)
