"""Every regressor that a configuration names: learning, seeds, copies, odd inputs; and the two special ones."""

import pickle
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from xgboost import XGBRegressor

from experiments.config.components import Component
from experiments.config.targets import build
from experiments.models.estimators import DNN, LSTMRegressor, as_tensor
from experiments.models.regressors import ARIMA, TABPFN_WEIGHTS, TabPFN, repeats_a_constant

CONF = Path(__file__).parents[3] / "conf"
TABULAR = {"ridge", "knn", "xgboost", "dnn", "tabpfn"}
SERIES = {"xgboost", "lstm", "xlstm", "cnn_lstm", "dlinear"}
INTERPRETABLE = {"ridge", "pls", "decision_tree", "svr", "knn", "arima"}
FILES = {path.stem: OmegaConf.to_object(OmegaConf.load(path)) for path in CONF.glob("regressor/*.yaml")}
ZOO = {name: node[name] for name, node in sorted(FILES.items()) if name in node}
AGRA = {name for name in ZOO if name.startswith("agra_")}
CHOSEN = {name for name in ZOO if name.startswith("chosen_")}

SMALL = {
    "dnn": {"options": {"hidden": [16]}},
    "lstm": {"options": {"hidden": 16, "layers": 1}},
    "xlstm": {"options": {"hidden": 8, "heads": 2, "dropout": 0.0}},
    "cnn_lstm": {"options": {"dropout": 0.0}},
    "dlinear": {"options": {"average": 5}},
    "xgboost": {"n_estimators": 20},
    "arima": {"order": [2, 0, 0], "seasonal_order": [0, 0, 0, 0]},
}
SMALL |= {f"agra_{name}": node for name, node in SMALL.items() if f"agra_{name}" in AGRA}
NETS = {"dnn", "lstm", "xlstm", "cnn_lstm", "dlinear", "ft_transformer", "cnn1d"} | AGRA
W, C = 6, 3

CASES = [(name, kind) for name, entry in ZOO.items() for kind in entry["kinds"]]
WITHOUT_TABPFN = [case for case in CASES if case[0] != "tabpfn"]  # random weights learn nothing; tests below
cases = pytest.mark.parametrize(("name", "kind"), WITHOUT_TABPFN)


def make(name, seed=0, epochs=8):
    node = {**ZOO[name]["estimator"], **SMALL.get(name, {})}
    if name in NETS:
        node |= {"epochs": epochs, "lr": 0.02, "batch_size": 16}
    estimator = build(node, where=name)
    known = estimator.get_params()
    return estimator.set_params(
        **{k: v for k, v in {"random_state": seed, "device": "cpu"}.items() if k in known}
    )


def data(name, kind, n=150, seed=0, dtype=float, width=C):
    """Inputs as the regressor wants them, and a target that is linear in them."""
    rng = np.random.default_rng(seed)
    if name == "arima":  # sees the target alone
        return np.zeros((n, 1, 1), dtype), np.sin(np.arange(n) / 3) + 0.05 * rng.normal(size=n)
    if kind == "tabular":
        X = rng.normal(size=(n, width)).astype(dtype)
        return X, X @ np.linspace(-2, 1, width)
    Z = rng.normal(size=(n + W - 1, width)).astype(dtype)
    X = np.lib.stride_tricks.sliding_window_view(Z, W, axis=0).transpose(0, 2, 1)
    y = X[:, -3:, 0] @ [1.0, -2.0, 0.5]
    flat = getattr(make(name), "input", "flat") == "flat"
    return (X.reshape(n, -1) if flat else X), y


def fitted(name, kind, seed=0, epochs=8, **shape):
    X, y = data(name, kind, **shape)
    return make(name, seed, epochs).fit(X, y)


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("ridge", {"ridge"}),
        ("[ridge,knn]", {"ridge", "knn"}),
        ("interpretable", INTERPRETABLE),
        ("tabular", TABULAR),
        ("series", SERIES),
        ("[tabular,interpretable]", TABULAR | INTERPRETABLE),
        ("all", set(ZOO) - AGRA - CHOSEN),
        ("chosen", CHOSEN),
    ],
)
def test_groups_select(tmp_path, choice, names):
    (tmp_path / "config.yaml").write_text(
        "defaults: [_self_, {regressor: ridge}]\nhydra: {searchpath: ['file://" + str(CONF) + "']}\n"
    )
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        chosen = compose("config", overrides=[f"regressor={choice}"]).regressor
    assert chosen == {name: ZOO[name] for name in names}


@pytest.mark.parametrize("kind", ["tabular", "series"])
@pytest.mark.parametrize("name", ["ridge", "knn", "xgboost"])
@pytest.mark.parametrize("value", [0.0, -1e-17, 0.3, 1234.5])
def test_what_is_said_to_repeat_a_constant_does(name, kind, value):
    X, _ = data(name, kind)
    for inputs in (X, np.ones_like(X)):
        found = make(name).fit(inputs, np.full(len(X), value)).predict(X)
        assert repeats_a_constant(make(name))
        np.testing.assert_allclose(found, value, rtol=2**-22, atol=1e-12)  # XGBoost's mean is a float32


def test_what_may_predict_something_else_is_not_said_to_repeat():
    for name in NETS | {"tabpfn", "svr", "arima"}:
        assert not repeats_a_constant(build(ZOO[name]["estimator"], where=name))
    assert not repeats_a_constant(XGBRegressor(base_score=0.5))
    assert not repeats_a_constant(Ridge(fit_intercept=False))

    class Ridge2(Ridge):
        """A user's."""

    assert not repeats_a_constant(Ridge2())


@cases
def test_learns_a_linear_target_better_than_the_mean(name, kind):
    n = 150
    X, y = data(name, kind, n + 50)
    if name == "svr":
        y = y**2  # its kernel, quadratic without a constant, has even functions only
    before = X.copy(), y.copy()
    model = make(name, epochs={"xlstm": 12, "agra_cnn_lstm": 50}.get(name, 25)).fit(X[:n], y[:n])
    prediction = model.predict(X[n:])
    assert np.shape(prediction) == (50,)
    assert np.square(prediction - y[n:]).mean() < 0.9 * np.square(y[:n].mean() - y[n:]).mean()
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(y, before[1])


@cases
def test_same_seed_same_bytes_and_global_state_untouched(name, kind):
    X, _ = data(name, kind)
    state = torch.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002  (only looked at)
    first, second = (fitted(name, kind, epochs=2).predict(X) for _ in range(2))
    assert first.tobytes() == second.tobytes()
    assert torch.equal(torch.get_rng_state(), state)
    if name != "svr":  # libsvm's wrapper draws a seed from it that nothing uses
        assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002
    if name in NETS:
        assert not (fitted(name, kind, seed=1, epochs=2).predict(X) == first).any()


@cases
def test_clones_and_pickles(name, kind):
    X, y = data(name, kind)
    model = make(name, epochs=2)
    copied = clone(model)
    assert str(copied.get_params()) == str(model.get_params())
    expected = model.fit(X, y).predict(X)
    assert (copied.fit(X, y).predict(X) == expected).all()
    assert (pickle.loads(pickle.dumps(model)).predict(X) == expected).all()


@cases
def test_constant_column_and_wide_data(name, kind):
    X, y = data(name, kind)
    X = X.copy()
    X[..., 0] = 1.0
    assert np.isfinite(make(name, epochs=2).fit(X, y).predict(X)).all()
    X, y = data(name, kind, n=100 if name in CHOSEN else 10, width=20)  # folds a window apart need rows
    assert np.isfinite(make(name, epochs=2).fit(X, y).predict(X)).all()


@cases
def test_one_row(name, kind):
    X, y = data(name, kind)
    assert np.shape(make(name, epochs=2).fit(X, y).predict(X[:1])) == (1,)
    if name in {"knn", "pls", "arima"} | CHOSEN:  # k, components, lags and folds need more
        with pytest.raises(ValueError, match=r"n_samples|sample|steps|rows"):
            make(name).fit(X[:1], y[:1]).predict(X[:1])
    else:
        assert np.isfinite(make(name, epochs=2).fit(X[:1], y[:1]).predict(X[:1])).all()


@cases
def test_float32_and_float64(name, kind):
    single = fitted(name, kind, epochs=2, dtype=np.float32)
    X, _ = data(name, kind, dtype=np.float32)
    double = make(name, epochs=2).fit(X.astype(float), data(name, kind, dtype=np.float32)[1])
    np.testing.assert_allclose(single.predict(X), double.predict(X.astype(float)), rtol=1e-2, atol=1e-2)


@cases
def test_nan_is_refused(name, kind):
    X, y = data(name, kind)
    y[3] = np.nan
    with pytest.raises(ValueError, match=r"NaN|nan|Label contains|missing"):
        make(name, epochs=1).fit(X, y)


# ------------------------------------------------------------------------------------------ networks


def test_early_stopping_sees_the_validation_part_alone():
    X, y = data("dnn", "tabular")
    model = make("dnn", epochs=40).fit(X[:100], y[:100], validation=(X[100:], -100 * y[100:]))
    assert len(model.history_.valid) == model.history_.best_epoch + model.patience < 40


def test_unfitted_and_misfit():
    X, y = data("dnn", "tabular")
    with pytest.raises(NotFittedError):
        DNN().predict(X)
    model = make("dnn", epochs=1).fit(X, y)
    with pytest.raises(ValueError, match=r"fitted on inputs of shape \(3,\), got \(2,\)"):
        model.predict(X[:, :2])
    with pytest.raises(ValueError, match=r"LSTMRegressor wants X of shape \(n, W, C\)"):
        LSTMRegressor().fit(X, y)
    with pytest.raises(ValueError, match="one-dimensional"):
        DNN().fit(X, y[:, None])
    with pytest.raises(ValueError, match="not empty"):
        DNN().fit(X[:0], y[:0])


def test_windows_of_a_series_stay_views():
    Z = np.arange(40.0).reshape(20, 2)
    windows = np.lib.stride_tricks.sliding_window_view(Z, 4, axis=0).transpose(0, 2, 1)
    for part in (windows, windows[3:9], np.ascontiguousarray(windows)):
        tensor = as_tensor(part)
        assert tensor.dtype == torch.float32
        assert (tensor.numpy() == part).all()
    view = as_tensor(windows[3:9])
    assert view.untyped_storage().nbytes() == 4 * 2 * (6 + 4 - 1)


@pytest.mark.parametrize(
    "values", [np.zeros((1, 4, 2)), np.ones((3, 1, 2)), np.ones((2, 3, 1)), np.full((5, 4, 1), 2.0)]
)
def test_small_and_broadcast_windows(values):
    assert (as_tensor(values).numpy() == values).all()
    spread = np.broadcast_to(values[:1], (4, *values.shape[1:]))
    assert (as_tensor(spread).numpy() == spread).all()


# --------------------------------------------------------------------------------------------- ARIMA


def test_arima_forecasts_past_the_validation_part():
    X, y = data("arima", "series", 120)
    model = make("arima").fit(X[:80], y[:80], validation=(X[80:90], y[80:90]))
    whole = make("arima").fit(X[:80], y[:80]).predict(X[80:120])
    np.testing.assert_array_equal(model.predict(X[90:]), whole[10:])
    assert model.converged_


def test_arima_ignores_old_steps():
    X, y = data("arima", "series", 150)
    recent = make("arima").set_params(max_steps=60)
    changed = np.concatenate([y[:90] + 5, y[90:]])
    assert (recent.fit(X, y).predict(X) == clone(recent).fit(X, changed).predict(X)).all()


def test_arima_of_a_constant_is_that_constant():
    np.testing.assert_allclose(
        make("arima").fit(np.zeros((80, 1)), np.full(80, 3.0)).predict(np.zeros((5, 1))), 3.0, atol=1e-3
    )


def test_arima_says_how_many_steps_it_needs():
    with pytest.raises(ValueError, match="needs at least 32 time steps to train on, got 20"):
        ARIMA().fit(np.zeros((20, 1)), np.arange(20.0))


# -------------------------------------------------------------------------------------------- TabPFN


def test_tabpfn_without_its_package_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'denograd-harness[tabpfn]'" in TabPFN().skip()


def test_tabpfn_without_weights_says_so_at_once(monkeypatch, tmp_path):
    pytest.importorskip("tabpfn", reason="the extra 'tabpfn' is not installed")
    monkeypatch.setattr("tabpfn.model_loading.get_cache_dir", lambda: tmp_path)
    started = time.perf_counter()
    reason = TabPFN().skip()
    with pytest.raises(RuntimeError, match="huggingface"):
        TabPFN().fit(np.zeros((5, 2)), np.zeros(5))
    assert time.perf_counter() - started < 10  # the package itself retries for 23 s
    assert str(tmp_path / TABPFN_WEIGHTS) in reason
    assert "TABPFN_MODEL_CACHE_DIR" in reason


def test_tabpfn_looks_where_the_package_looks(monkeypatch, tmp_path):
    pytest.importorskip("tabpfn", reason="the extra 'tabpfn' is not installed")
    monkeypatch.setattr("tabpfn.model_loading.get_cache_dir", lambda: tmp_path)
    (tmp_path / TABPFN_WEIGHTS).touch()
    assert TabPFN().skip() is None


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A tiny checkpoint of version 2 with random weights, as the package itself would lay it out."""
    architecture = pytest.importorskip(
        "tabpfn.architectures.tabpfn_v2", reason="the extra 'tabpfn' is not installed"
    )
    buckets = 50
    config = {"emsize": 32, "nlayers": 2, "nhead": 2, "max_num_classes": 0, "num_buckets": buckets}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = architecture.get_architecture(architecture.parse_config(config)[0])
        state = {
            name: torch.randn_like(v) * 0.2 if v.is_floating_point() else v
            for name, v in module.state_dict().items()
        }
    state["criterion.borders"] = torch.linspace(-4, 4, buckets + 1)
    state["criterion.losses_per_bucket"] = torch.zeros(buckets)
    path = tmp_path_factory.mktemp("weights") / TABPFN_WEIGHTS
    torch.save({"config": config, "state_dict": state}, path)
    return str(path)


def test_tabpfn_runs_on_a_checkpoint(checkpoint):
    X, y = data("tabpfn", "tabular", 60)
    model = TabPFN(model_path=checkpoint, device="cpu", random_state=3)
    assert model.skip() is None
    state = torch.get_rng_state()
    expected = model.fit(X, y).predict(X)
    assert expected.shape == (60,)
    assert np.isfinite(expected).all()
    assert expected.std() > 0
    assert torch.equal(torch.get_rng_state(), state)
    assert (clone(model).fit(X, y).predict(X) == expected).all()
    assert (pickle.loads(pickle.dumps(model)).predict(X) == expected).all()
    single = X.astype(np.float32)
    found = [clone(model).fit(X, y).predict(X) for X in (single, single.astype(float))]
    np.testing.assert_array_equal(*found)


def test_tabpfn_odd_shapes(checkpoint):
    X, y = data("tabpfn", "tabular", 12, width=20)
    X[:, 0] = 1.0
    model = TabPFN(model_path=checkpoint, device="cpu")
    assert np.isfinite(model.fit(X, y).predict(X[:1])).all()
    with pytest.raises(ValueError, match="NaN"):
        model.fit(X, y * np.nan)


def test_tabpfn_draws_its_rows_by_the_seed(checkpoint, monkeypatch):
    X, y = data("tabpfn", "tabular", 60)
    seen = []

    class Spy:
        def __init__(self, **parameters):
            seen.append(parameters)

        def fit(self, X, y):
            seen.append(X)
            return self

    monkeypatch.setattr("tabpfn.TabPFNRegressor", Spy)
    for seed in (0, 0, 1):
        TabPFN(model_path=checkpoint, max_rows=20, random_state=seed).fit(X, y)
    parameters, first, _, again, _, other = seen
    assert parameters["n_estimators"] == 1
    assert first.shape == (20, C)
    assert (first == again).all()
    assert not (first == other).all()
    TabPFN(model_path=checkpoint, max_rows=60).fit(X, y)
    assert (seen[-1] == X).all()


def test_threads_of_the_run_are_xgboosts_jobs_and_no_part_of_what_it_is():
    node = dict(ZOO["xgboost"]["estimator"])
    component = Component("xgboost", node.pop("_target_"), node, "regressor.xgboost")
    assert component.make(seed=0, threads=2).n_jobs == 2
    chosen = replace(component, params={**node, "n_jobs": 3})
    assert chosen.make(seed=0, threads=2).n_jobs == 3
    assert chosen.identity == component.identity
