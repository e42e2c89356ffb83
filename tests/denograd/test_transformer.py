"""The transformer keeps scikit-learn's conventions, and new rows are denoised by what the mode allows them to see."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from denograd import DenoisingTransformer, NoiseLevelMissing, denoise

EXCLUDED = {"check_n_features_in_after_fitting": "fits 15 rows; five folds need 20, and say so"}
"""Checks of scikit-learn that the transformer does not pass, and why."""


def quick(**options):
    return DenoisingTransformer(**{"sigma": 0.3, "hidden": 0, **options})


def table(n=600, seed=0):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n))
    clean = np.column_stack([a, b, a + b, a - b])
    return clean, clean + 0.3 * rng.normal(size=clean.shape)


def series(n=900, seed=0):
    t = np.arange(n) / 10
    clean = np.column_stack([np.sin(t), np.cos(t), np.sin(2 * t)])
    return clean, clean + 0.3 * np.random.default_rng(seed).normal(size=clean.shape)


def test_conventions():
    results = check_estimator(quick(), on_skip=None, on_fail=None)
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert {name: failed[name] for name in failed if name not in EXCLUDED} == {}
    assert set(EXCLUDED) <= set(failed)


def test_fitted_rows_are_cross_fitted():
    """Those of `denoise`, and not what the same rows would be as new ones: of few rows both are held."""
    _, X = table()
    denoiser = quick()
    assert np.abs(denoiser.fit_transform(X) - denoiser.transform(X)).max() > 1e-3
    with_one_call = denoise(X, 0.3, "tabular", hidden=0)
    assert_allclose(quick().fit_transform(X), with_one_call.data)


def test_fitted_and_new_rows_have_the_levels_of_one_call():
    """Levels that are too high are lowered once: those of the other columns count, and sink as well."""
    _, X = table()
    told = [0.9, 0.15, 0.45, 0.3]
    with_one_call = denoise(X, np.array(told), "tabular", hidden=0)
    denoiser = quick(sigma=told)
    assert_allclose(denoiser.fit_transform(X), with_one_call.data)
    assert_allclose(denoiser.sigma_, with_one_call.sigma)
    assert (denoiser.sigma_ < told).any()
    (learned,) = denoiser.blind_.kept_.values()
    denoiser.transform(X[:5])
    assert list(denoiser.blind_.kept_.values()) == [learned]


@pytest.mark.parametrize("gaps", ["keep", "fill"])
def test_a_new_row_depends_on_itself_alone(gaps):
    clean, X = table()
    X[550, 1] = np.nan
    denoiser = quick(gaps=gaps).fit(X[:500])
    together = denoiser.transform(X[500:])
    for row in (500, 550, 599):
        assert_allclose(denoiser.transform(X[row : row + 1])[0], together[row - 500], rtol=1e-9, atol=1e-6)
    many = denoiser.transform(np.concatenate([X, X, X]))
    assert_allclose(many[500:600], together, rtol=1e-9, atol=1e-6)
    left = np.nanmean((together - clean[500:]) ** 2) / 0.09
    assert left < 0.8
    assert np.isnan(together).sum() == (gaps == "keep")


@pytest.mark.parametrize("lag", [0, 2, 6])
def test_a_new_step_sees_what_the_lag_allows(lag):
    clean, X = series()
    denoiser = quick(kind="series", lag=lag).fit(X[:600])
    whole = denoiser.transform(X[600:])
    later = X[600:].copy()
    later[100 + lag + 1 :] += 5.0
    assert_allclose(denoiser.transform(later)[:101], whole[:101], atol=1e-9)
    later = X[600:].copy()
    later[100 + lag] += 5.0
    assert np.abs(denoiser.transform(later)[100] - whole[100]).max() > 1e-3
    assert ((whole - clean[600:]) ** 2).mean() < (0.6 if lag == 0 else 0.4) * 0.09
    assert_allclose(denoiser.transform(X[600:]), whole)  # the filter stands where the fit ended


def test_more_lag_is_better():
    clean, X = series()
    errors = [
        ((quick(kind="series", lag=lag).fit(X[:600]).transform(X[600:]) - clean[600:]) ** 2).mean()
        for lag in (0, 3)
    ]
    assert errors[1] < errors[0]


def test_frames_and_set_output():
    _, X = table()
    frame = pd.DataFrame(X, columns=list("abcd"))
    frame.insert(1, "n", np.arange(600) % 5)
    denoiser = quick().set_output(transform="pandas").fit(frame[:500])
    new = denoiser.transform(frame[500:])
    assert list(new.columns) == list(frame.columns) == list(denoiser.get_feature_names_out())
    assert new.index.equals(frame.index[500:])
    assert_array_equal(new["n"], frame["n"][500:])
    assert denoiser.moves_.tolist() == [True, False, True, True, True]
    named = quick(sigma={"a": 0.3, "n": 0.5}).fit(frame)
    assert named.sigma_[2:].tolist() == [0.0, 0.0, 0.0]
    assert named.sigma_[1] > 0


def test_polars_frames():
    polars = pytest.importorskip("polars")
    _, X = table(200)
    frame = polars.DataFrame(dict(zip("abcd", X.T, strict=True)) | {"n": np.arange(200) % 5})
    denoiser = quick(sigma=0.3).set_output(transform="polars")
    assert denoiser.fit_transform(frame).columns == frame.columns
    assert denoiser.moves_.tolist() == [True] * 4 + [False]
    assert quick(sigma={"b": 0.3}).fit(frame).moves_.tolist() == [False, True, False, False, False]


def test_in_pipelines_and_searches():
    clean, X = table()
    y = clean @ [1.0, 2.0, 0.0, -1.0]
    frame = pd.DataFrame(X, columns=list("abcd")).assign(group="x")
    columns = ColumnTransformer([("denoise", quick(), list("abc"))])
    pipe = make_pipeline(columns, StandardScaler(), Ridge()).fit(frame[:500], y[:500])
    assert pipe.predict(frame[500:]).shape == (100,)
    search = GridSearchCV(make_pipeline(quick(), Ridge()), {"denoisingtransformer__sigma": [0.1, 0.3]}, cv=2)
    search.fit(X, y)
    assert search.best_params_["denoisingtransformer__sigma"] in (0.1, 0.3)
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    assert_array_equal(again.predict(X), search.best_estimator_.predict(X))
    assert clone(quick(lag=3)).lag == 3


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"sigma": None}, NoiseLevelMissing, "needs the noise level"),
        ({"kind": "rows"}, ValueError, "kind must be"),
        ({"gaps": "drop"}, ValueError, "gaps must be"),
        ({"lag": -1}, ValueError, "lag must be"),
        ({"lag": 1}, ValueError, "has no effect on a table"),
        ({"solver": "newton"}, ValueError, "solver must be one of"),
        ({"sigma": [0.1]}, ValueError, "one per column"),
        ({"sigma": {9: 0.1}}, ValueError, "does not have"),
    ],
)
def test_what_is_wrong_is_said(options, error, words):
    with pytest.raises(error, match=words):
        quick(**options).fit(table()[1])


def test_frames_that_it_cannot_take_are_named():
    frame = pd.DataFrame(table(60)[1], columns=list("abcd"))
    odd = frame.assign(group="x", day=pd.Timestamp("2024-01-01"))
    with pytest.raises(ValueError, match=r"'group', 'day'.*ColumnTransformer"):
        quick().fit(odd)
    with pytest.raises(ValueError, match="several columns named 'a'"):
        quick().fit(frame.set_axis(list("aacd"), axis=1))
    with pytest.raises(ValueError, match="column 'b' holds no value at all"):
        quick().fit(frame.assign(b=np.nan))
    late = frame.set_axis(pd.date_range("2024-01-01", periods=60)).iloc[::-1]
    with pytest.warns(UserWarning, match="not in the order of their index"):
        quick(kind="series").fit(late)
    found = quick(sigma=pd.Series({"a": 0.3})).fit(frame)
    assert found.moves_.tolist() == [True, False, False, False]


def test_without_scikit_learn_it_says_what_to_install():
    code = "import sys; sys.modules['sklearn'] = None; import denograd; denograd.DenoisingTransformer"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "needs scikit-learn: pip install scikit-learn" in shown.stderr


def test_levels_by_name_in_any_order():
    frame = pd.DataFrame(table(100)[1], columns=list("abcd"))
    level = {"d": 0.1, "b": 0.2}
    called, named = (quick(sigma=given, solver="one_step").fit(frame) for given in (level, pd.Series(level)))
    assert_array_equal(named.moves_, [False, True, False, True])
    assert_array_equal(named.sigma_, called.sigma_)
    with pytest.raises(TypeError, match="sigma of column 'b' must be a number, got 'x'"):
        quick(sigma={"b": "x"}).fit(frame)
