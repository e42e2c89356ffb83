"""The estimator's promises: what goes in comes out, nothing else changes."""

import importlib
import pkgutil
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import denograd
from denograd import DenoGrad
from denograd.data import checks

RULES = ("fixed", "gauss_newton", "global")


def denoiser(model, **kwargs):
    return DenoGrad(model, nn.MSELoss(), "cpu", **kwargs)


def quiet(**kwargs):
    return {"max_epochs": 4, "verbose": False} | kwargs


SERIES = {"is_ts": True, "window_size": 8}


def settings(rule):
    return SERIES if rule == "global" else {}


@pytest.fixture
def case(build, table, series):
    """Model and data that a rule takes."""

    def make(rule):
        if rule == "global":
            return build("lstm", 3), series, series[:, 0].copy()
        return build("mlp", 5), *table

    return make


# Published quick-start snippets


def test_quick_start_table(build, table):
    X_noisy, y_noisy = table
    denoiser = DenoGrad(model=build("mlp", 5), criterion=nn.MSELoss(), device=torch.device("cpu"))
    X_clean, y_clean, grad_x, grad_y = denoiser.fit_transform(
        X=X_noisy, y=y_noisy, nrr=0.05, nr_threshold=0.01, max_epochs=20
    )
    assert X_clean.shape == X_noisy.shape
    assert y_clean.shape == y_noisy.shape
    assert len(grad_x) == len(grad_y) == 20
    assert grad_x[0].shape == X_noisy.shape


def test_quick_start_series(build, series):
    denoiser = DenoGrad(model=build("lstm", 3), criterion=nn.MSELoss())
    X_clean, y_clean, _, _ = denoiser.fit_transform(
        X=series,
        y=series[:, 0],
        is_ts=True,
        window_size=24,
        future=1,
        stride=1,
        nrr=0.01,
        nr_threshold=0.1,
        max_epochs=20,
    )
    assert X_clean.shape == series.shape
    assert y_clean.shape == (len(series),)
    assert not np.allclose(X_clean, series)


@pytest.mark.parametrize("y", ["target", ["target"], ["target", "feat1"]])
def test_quick_start_frame(build, y):
    rng = np.random.default_rng(0)
    df = pd.DataFrame(rng.normal(size=(50, 3)), columns=["feat1", "feat2", "target"])
    model = build("mlp", 3, 1 if len(y) != 2 else 2)
    X_clean, y_clean, _, _ = DenoGrad(model, nn.MSELoss()).fit_transform(X=df, y=y, nrr=0.05, max_epochs=10)
    assert list(X_clean.columns) == list(df.columns)
    assert type(y_clean) is (pd.Series if y == "target" else pd.DataFrame)
    assert y_clean.shape == df[y].shape


def test_quick_start_of_release_2(build, series, table):
    X_clean, y_clean, _, grad_y = DenoGrad(build("lstm", 3), nn.MSELoss()).fit_transform(
        X=series, target_cols=0, is_ts=True, window_size=24, future=1, lam=1.0, rule="global", max_epochs=9
    )
    np.testing.assert_array_equal(X_clean[:, [0]], y_clean)
    assert grad_y == []
    X, y = table
    out = DenoGrad(build("mlp", 5), nn.MSELoss()).fit_transform(
        X=X, y=y, nrr=0.5, nr_threshold=0.01, max_epochs=9, rule="gauss_newton"
    )
    assert len(out) == 4


def test_positional_arguments_have_the_documented_order(build, series):
    y = series[:, 0]
    model = build("mlp", 24)
    by_name = denoiser(model).fit_transform(
        X=series,
        y=y,
        is_ts=True,
        window_size=8,
        future=2,
        stride=3,
        flattening=True,
        nrr=0.1,
        nr_threshold=0.2,
        max_epochs=3,
        denoise_y=False,
        batch_size=7,
        save_gradients=False,
    )
    by_place = denoiser(model).fit(series, y, True, 8, 2, 3, True).transform(0.1, 0.2, 3, False, 7, False)
    np.testing.assert_array_equal(by_name[0], by_place[0])
    assert by_name[2] == by_place[2] == []
    np.testing.assert_array_equal(by_place[1], y)


# What goes in comes out


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arrays_and_tensors(case, rule, dtype):
    model, X, y = case(rule)
    X, y = X.astype(dtype), y.astype(dtype)
    X_then, y_then = X.copy(), y.copy()
    out = denoiser(model).fit(X, y, **settings(rule)).transform(rule=rule, **quiet())
    assert out[0].dtype == out[1].dtype == dtype
    np.testing.assert_array_equal(X, X_then)
    np.testing.assert_array_equal(y, y_then)
    from_tensors = denoiser(model).fit(torch.tensor(X), torch.tensor(y), **settings(rule))
    again = from_tensors.transform(rule=rule, **quiet())
    assert isinstance(again[0], np.ndarray)
    np.testing.assert_array_equal(out[0], again[0])
    np.testing.assert_array_equal(out[1], again[1])


def test_a_model_in_float64_computes_in_float64(build, table):
    X, y = (v.astype(np.float64) for v in table)
    wide = denoiser(build("mlp", 5).double()).fit(X, y).transform(**quiet())[0]
    narrow = denoiser(build("mlp", 5)).fit(X, y).transform(**quiet())[0]
    assert wide.dtype == narrow.dtype == np.float64
    assert 0 < np.abs(wide - narrow).max() < 1e-5


def test_frames_keep_index_and_types(build, table):
    X, y = table
    index = pd.date_range("2020-01-01", periods=len(X), freq="D", name="day")
    frame = pd.DataFrame(X, index=index, columns=list("abcde")).astype({"b": "float64", "c": "Float64"})
    target = pd.Series(y, index=index, name="goal")
    then = frame.copy()
    X_new, y_new, _, _ = denoiser(build("mlp", 5)).fit(frame, target).transform(**quiet())
    pd.testing.assert_frame_equal(frame, then)
    assert X_new.index.equals(index)
    assert (X_new.dtypes == frame.dtypes).all()
    assert isinstance(y_new, pd.Series)
    assert y_new.name == "goal"
    assert y_new.dtype == np.float32
    plain = denoiser(build("mlp", 5)).fit(X, y).transform(**quiet())
    np.testing.assert_allclose(X_new.to_numpy(dtype=float), plain[0], atol=1e-6)


def test_several_targets_and_column_vectors(build, table):
    X, y = table
    two = np.stack([y, -y], 1)
    assert denoiser(build("mlp", 5, 2)).fit(X, two).transform(**quiet())[1].shape == two.shape
    flat_y = denoiser(build("mlp", 5)).fit(X, y).transform(**quiet())[1]
    column = denoiser(build("mlp", 5)).fit(X, y[:, None]).transform(**quiet())[1]
    np.testing.assert_array_equal(flat_y[:, None], column)


@pytest.mark.parametrize("rule", RULES)
def test_transform_starts_from_the_fitted_data_and_repeats_itself(case, rule):
    model, X, y = case(rule)
    fitted = denoiser(model).fit(X, y, **settings(rule))
    one, two = (fitted.transform(rule=rule, **quiet()) for _ in range(2))
    assert one[0].tobytes() == two[0].tobytes()
    assert one[1].tobytes() == two[1].tobytes()


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("rule", RULES)
def test_batch_size_changes_rounding_only(case, rule, reduction):
    model, X, y = case(rule)
    criterion = nn.MSELoss(reduction=reduction)
    fitted = DenoGrad(model, criterion, "cpu").fit(X, y, **settings(rule))
    one, two = (fitted.transform(rule=rule, batch_size=b, **quiet()) for b in (13, 1000))
    np.testing.assert_allclose(one[0], two[0], atol=1e-5)
    np.testing.assert_allclose(one[1], two[1], atol=1e-5)


@pytest.mark.parametrize("rule", ["fixed", "gauss_newton"])
def test_many_epochs_are_one_epoch_many_times(case, rule):
    model, X, y = case(rule)
    how = {"nr_threshold": 0.2, "rule": rule, "verbose": False}
    whole = denoiser(model).fit(X, y).transform(max_epochs=12, **how)
    for _ in range(12):
        X, y, _, _ = denoiser(model).fit(X, y).transform(max_epochs=1, **how)
    np.testing.assert_allclose(whole[0], X, atol=2e-6)
    np.testing.assert_allclose(whole[1], y, atol=2e-6)
    assert [g.shape for g in whole[2]] == [X.shape] * len(whole[2])


@pytest.mark.parametrize("rule", RULES)
def test_without_denoise_y_the_target_stays(case, rule):
    model, X, y = case(rule)
    out = denoiser(model).fit(X, y, **settings(rule)).transform(rule=rule, denoise_y=False, **quiet())
    np.testing.assert_array_equal(out[1], y)
    assert not np.array_equal(out[0], X)


def test_global_holds_target_columns_without_denoise_y(build, series):
    fitted = denoiser(build("lstm", 3)).fit(series, target_cols=[0], **SERIES)
    X, y, _, _ = fitted.transform(rule="global", denoise_y=False, **quiet())
    np.testing.assert_array_equal(X[:, 0], series[:, 0])
    assert not np.array_equal(X[:, 1], series[:, 1])
    np.testing.assert_array_equal(y, series[:, [0]])


def test_names_and_columns_say_the_same(build, series):
    frame = pd.DataFrame(series, columns=["a", "b", "c"])
    model = build("lstm", 3)
    for rule in RULES:
        named = denoiser(model).fit(frame, "b", **SERIES).transform(rule=rule, **quiet())
        numbered = denoiser(model).fit(series, target_cols=-2, **SERIES).transform(rule=rule, **quiet())
        np.testing.assert_array_equal(named[0].to_numpy(), numbered[0])
        np.testing.assert_array_equal(named[1].to_numpy(), numbered[1][:, 0])


# History, progress, silence


@pytest.mark.parametrize("rule", RULES)
def test_history(case, rule):
    model, X, y = case(rule)
    fitted = denoiser(model).fit(X, y, **settings(rule))
    fitted.transform(rule=rule, **quiet())
    assert [h["epoch"] for h in fitted.history_] == [1, 2, 3, 4]
    displacements = [h["displacement"] for h in fitted.history_]
    assert displacements[0] > 0
    assert all(h["seconds"] > 0 for h in fitted.history_)
    assert fitted.history_[-1]["residual"] < fitted.history_[0]["residual"]
    assert all(0 < h["moved"] <= 1 for h in fitted.history_)
    if rule == "global":
        assert fitted.history_[-1]["objective"] < fitted.history_[0]["objective"]


def test_the_first_figures_are_those_of_the_observed_data(build, table):
    X, y = table
    model = build("mlp", 5)
    fitted = denoiser(model).fit(X, y)
    fitted.transform(nr_threshold=0.5, nrr=0.05, **quiet())
    with torch.no_grad():
        residual = np.abs(model(torch.tensor(X))[:, 0].numpy() - y)
    first = fitted.history_[0]
    assert first["residual"] == pytest.approx(residual.mean(), rel=1e-5)
    assert first["moved"] == pytest.approx((residual > 0.5).mean())
    assert first["displacement"] == pytest.approx(0.05 * first["moved"], rel=1e-4)


def test_the_residual_of_global_is_that_of_all_windows(build, series):
    model = build("lstm", 3)
    fitted = denoiser(model).fit(series, series[:, 0], **SERIES)
    fitted.transform(rule="global", batch_size=13, **quiet())
    with torch.no_grad():
        prediction = model(torch.tensor(series).unfold(0, 8, 1)[:-1].transpose(1, 2))[:, 0].numpy()
    first = fitted.history_[0]
    assert first["residual"] == pytest.approx(np.abs(prediction - series[8:, 0]).mean(), rel=1e-5)
    assert first["moved"] == 1.0


def test_nothing_is_printed(build, table, capfd):
    X, y = table
    denoiser(build("mlp", 5)).fit(X, y).transform(max_epochs=3)
    denoiser(build("mlp", 5)).fit(X, y).transform(max_epochs=3, verbose=False)
    assert capfd.readouterr() == ("", "")


def test_the_bar_shows_the_figures_on_a_terminal(build, table, capfd, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    X, y = table
    denoiser(build("mlp", 5)).fit(X, y).transform(max_epochs=3)
    assert "denograd fixed" in capfd.readouterr().err


# Memory


def test_gradients_that_do_not_fit_are_refused(build, table, monkeypatch):
    X, y = table
    monkeypatch.setattr(checks, "available_bytes", lambda: 100_000)
    fitted = denoiser(build("mlp", 5)).fit(X, y)
    with pytest.raises(MemoryError, match=r"0\.7 MB.*0\.1 MB.*save_gradients=False"):
        fitted.transform(max_epochs=100)
    fitted.transform(save_gradients=False, **quiet())


@pytest.mark.parametrize("denoise_y", [True, False])
@pytest.mark.parametrize("target", ["apart", "cols"])
@pytest.mark.parametrize(("weights", "dtypes"), [("double", "ff"), ("float", "dd"), ("double", "fd")])
@pytest.mark.parametrize("rule", RULES)
def test_the_need_is_what_is_kept(build, series, monkeypatch, rule, weights, dtypes, target, denoise_y):
    needs = []
    monkeypatch.setattr("denograd.rules.registry.check_memory", lambda need, what: needs.append(need))
    model = getattr(build("lstm", 3), weights)()
    y = series[:, 0].astype(dtypes[1]) if target == "apart" else None
    fitted = denoiser(model).fit(
        series.astype(dtypes[0]), y, **SERIES, target_cols=None if target == "apart" else [0]
    )
    _, _, grad_x, grad_y = fitted.transform(rule=rule, denoise_y=denoise_y, **quiet())
    assert needs == [sum(g.nbytes for g in (*grad_x, *grad_y))]


def test_available_memory_is_a_sensible_figure():
    free = checks.available_bytes()
    assert free is None or 1e6 < free < 1e15


# Alone


def test_it_needs_neither_pandas_nor_scikit_learn():
    code = """
    import sys
    for name in ("pandas", "sklearn", "scipy", "hydra"):
        sys.modules[name] = None
    import numpy as np, torch, denograd
    model = torch.nn.Linear(3, 1)
    X = np.random.default_rng(0).normal(size=(20, 3))
    denograd.DenoGrad(model, torch.nn.MSELoss()).fit_transform(X, X.sum(1), max_epochs=2)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


@pytest.mark.parametrize("module", [m.name for m in pkgutil.walk_packages(denograd.__path__, "denograd.")])
def test_docstrings_are_true(module):
    import doctest

    assert doctest.testmod(importlib.import_module(module)).failed == 0
