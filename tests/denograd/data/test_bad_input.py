"""Bad input: each its own clear error, before anything is computed."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import NotFittedError
from torch import nn

from denograd import DenoGrad


@pytest.fixture
def fit(build, table, series):
    """Fit a table (or with `is_ts` a series) with something changed."""

    def make(*, model=None, criterion=None, device="cpu", **changed):
        if changed.get("is_ts"):
            model = model or build("lstm", 3)
            data = {"X": series, "y": series[:, 0], "window_size": 8}
        else:
            model = model or build("mlp", 5)
            data = {"X": table[0], "y": table[1]}
        return DenoGrad(model, criterion or nn.MSELoss(), device).fit(**(data | changed))

    return make


def test_data(fit, table):
    X, y = table
    hole = X.copy()
    hole[7, 2] = np.nan
    with pytest.raises(
        ValueError, match="X holds NaN, infinite or masked values, the first in row 7, column 2"
    ):
        fit(X=hole)
    with pytest.raises(ValueError, match="column 'c'"):
        fit(X=pd.DataFrame(hole, columns=list("abcde")))
    with pytest.raises(ValueError, match="y holds NaN, infinite or masked values, the first in row 3"):
        fit(y=np.where(np.arange(300) == 3, np.inf, y))
    with pytest.raises(ValueError, match="X has 300 rows, y has 299"):
        fit(y=y[1:])
    with pytest.raises(TypeError, match=r"int64.*astype"):
        fit(X=X.astype(int))
    with pytest.raises(TypeError, match="int64"):
        fit(X=torch.tensor(X).long())
    with pytest.raises(ValueError, match=r"\(rows, features\)"):
        fit(X=X[:, 0])
    with pytest.raises(ValueError, match="no rows"):
        fit(X=X[:0], y=y[:0])


def test_frames(fit, table):
    X, _ = table
    frame = pd.DataFrame(X, columns=["age", "income", "c", "d", "e"])
    for bad in (
        frame["c"].astype(int),
        frame["c"].astype(str),
        frame["c"] > 0,
        frame["c"].astype("category"),
    ):
        with pytest.raises(TypeError, match="X, column 'c'"):
            fit(X=frame.assign(c=bad))
    with pytest.raises(ValueError, match=r"'incom'.*near names: income"):
        fit(X=frame, y="incom")
    with pytest.raises(TypeError, match="X is no DataFrame"):
        fit(y="income")


def test_targets(fit, table):
    y = table[1]
    with pytest.raises(TypeError, match="int64"):
        fit(y=(y > 0).astype(int))
    with pytest.raises(ValueError, match=r"discrete, it has only the values \[0\.0, 1\.0\].*small steps$"):
        fit(y=(y > 0).astype(float))
    with pytest.raises(TypeError, match=r"int64.*target of classes cannot be refined"):
        fit(y=y.round().astype(int))
    with pytest.raises(ValueError, match=r"\(n, targets\)"):
        fit(y=np.zeros((300, 1, 1)))
    with pytest.raises(ValueError, match="not both"):
        fit(target_cols=0)
    with pytest.raises(ValueError, match="target_cols holds 5, but X has 5 columns"):
        fit(y=None, target_cols=[5])
    with pytest.raises(ValueError, match="at least one column, each once"):
        fit(y=None, target_cols=[1, 1])
    with pytest.raises(ValueError, match="needs a target"):
        fit(y=None).transform()
    with pytest.raises(ValueError, match=r"gives \(64, 1\).*y has 2 target"):
        fit(y=np.stack([y, y], 1)).transform()


def test_discrete_targets_however_they_are_named(fit, table, build):
    X, y = table
    labels = np.clip(y.round(), -1, 3)
    with pytest.warns(UserWarning, match=r"discrete, it has only the values \[-1\.0.*between them"):
        fit(y=labels).transform(max_epochs=1)
    with pytest.raises(ValueError, match="discrete"):
        fit(y=(labels > 0).astype(labels.dtype))
    fit(y=(labels - labels.mean()) / labels.std()).transform(max_epochs=1)
    fit(y=(10 * y).round()).transform(max_epochs=1)  # a count
    X = X.copy()
    X[:, 2] = labels
    frame = pd.DataFrame(X, columns=list("abcde"))
    for named in (fit(X=frame, y="c"), fit(X=X, y=None, target_cols=2), fit(X=frame, y=["c"])):
        for rule in ("fixed", "gauss_newton"):
            with pytest.warns(UserWarning, match="discrete"):
                named.transform(rule=rule, max_epochs=1, verbose=False)
        named.transform(rule="map", sigma=[0.1, 0.1, 0.0, 0.1, 0.1], solver="one_step", verbose=False)


def test_windows(fit):
    with pytest.raises(ValueError, match="needs window_size"):
        fit(is_ts=True, window_size=None)
    with pytest.raises(ValueError, match=r"has 150 steps.*window_size=150.*need 151"):
        fit(is_ts=True, window_size=150)
    for name in ("window_size", "future", "stride"):
        for bad in (0, -1, 1.5, True):
            with pytest.raises(ValueError, match=f"{name} must be a positive integer"):
                fit(is_ts=True, **{name: bad})
    with pytest.raises(ValueError, match="set is_ts=True"):
        fit(window_size=8)
    with pytest.raises(ValueError, match=r"\(steps, channels\)"):
        fit(is_ts=True, X=np.zeros((50, 3, 2)))


def test_models(fit, build):
    with pytest.raises(TypeError, match=r"torch\.nn\.Module, got LinearRegression"):
        fit(model=type("LinearRegression", (), {})())
    with pytest.raises(TypeError, match="criterion must be a loss"):
        fit(criterion="mse")
    with pytest.raises(ValueError, match=r"cannot run on a batch of shape \(64, 5\)"):
        fit(model=build("mlp", 6)).transform()
    dead = build("relu", 5)
    with torch.no_grad():
        dead[0].bias.fill_(-1e4)
    with pytest.raises(ValueError, match="looks untrained"):
        fit(model=dead).transform()
    with torch.no_grad():
        dead[2].bias.fill_(float("nan"))
    with pytest.raises(ValueError, match="predicts NaN"):
        fit(model=dead).transform()

    class Cut(nn.Linear):
        def forward(self, x):
            return super().forward(x).detach()

    with pytest.raises(ValueError, match="does not depend differentiably"):
        fit(model=Cut(5, 1)).transform()

    class Pair(nn.Linear):
        def forward(self, x):
            return super().forward(x), x

    with pytest.raises(TypeError, match="must return a tensor"):
        fit(model=Pair(5, 1)).transform()


def test_criteria(fit):
    for loss in (nn.CrossEntropyLoss, nn.NLLLoss):
        with pytest.raises(ValueError, match=f"{loss.__name__} is not differentiable in y"):
            fit(criterion=loss()).transform()

    def deaf(prediction, target):
        return ((prediction - target.detach()) ** 2).mean()

    with pytest.raises(ValueError, match="deaf is not differentiable in y"):
        fit(criterion=deaf).transform()


def test_devices(fit, build):
    model = build("mlp", 5)
    model[0].to("meta")
    with pytest.raises(ValueError, match="lies on cpu, meta"):
        fit(model=model).transform()
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="torch sees no CUDA device"):
            fit(device="cuda")
    with pytest.raises(ValueError, match="device 'gpu'"):
        fit(device="gpu")


@pytest.mark.parametrize("bad", [0, -0.1, float("nan"), float("inf"), "1"])
def test_nrr(fit, bad):
    with pytest.raises(ValueError, match="nrr must be a positive number"):
        fit().transform(nrr=bad)


def test_numbers(fit):
    for name, bad in (("nr_threshold", -1), ("max_epochs", 0), ("batch_size", 0), ("max_epochs", 1.5)):
        with pytest.raises(ValueError, match=name):
            fit().transform(**{name: bad})
    with pytest.raises(ValueError, match="eta_x"):
        fit().transform(rule="gauss_newton", eta_x=-1)
    for name in ("lam", "lr", "tol"):
        with pytest.raises(ValueError, match=name):
            fit(is_ts=True).transform(rule="global", **{name: -1})


def test_parameters_of_another_rule_name_the_right_one(fit):
    cases = {
        "lam": (1.0, "global"),
        "lr": (0.1, "global"),
        "tol": (0.1, "global"),
        "eta_x": (0.5, "gauss_newton"),
        "eta_y": (0.5, "gauss_newton"),
        "sigma": (0.2, "map"),
        "solver": ("lbfgs", "map"),
        "folds": (5, "map"),
    }
    for name, (value, owner) in cases.items():
        with pytest.raises(TypeError, match=f"{name} has no effect with rule='fixed'.*rule='{owner}'"):
            fit().transform(**{name: value})
    with pytest.raises(TypeError, match="nrr has no effect with rule='global'"):
        fit(is_ts=True).transform(rule="global", nrr=0.1)
    with pytest.raises(TypeError, match="ts_strategy='global' is rule='global'"):
        fit(is_ts=True).transform(ts_strategy="global")
    with pytest.raises(TypeError, match="'window' is rule='gauss_newton'"):
        fit(is_ts=True).transform(ts_strategy="window", rule="global")
    fit(is_ts=True).transform(ts_strategy="window", rule="gauss_newton", max_epochs=1)
    with pytest.raises(TypeError, match="ts_strategy is for series"):
        fit().transform(ts_strategy="window", rule="gauss_newton")
    with pytest.raises(TypeError, match="unexpected keyword"):
        fit().transform(nnr=0.1)


def test_parameters_without_effect_beside_the_others(fit, table):
    closed = {"rule": "map", "sigma": 0.1, "solver": "one_step"}
    with pytest.raises(TypeError, match="max_epochs has no effect with solver='one_step'"):
        fit().transform(max_epochs=5, **closed)
    with pytest.raises(TypeError, match=r"save_gradients=True.*no gradients"):
        fit().transform(save_gradients=True, **closed)
    for save in (None, False):
        assert fit().transform(save_gradients=save, **closed)[2:] == ([], [])
    with pytest.raises(TypeError, match="eta_y has no effect with denoise_y=False"):
        fit().transform(rule="gauss_newton", eta_y=0.5, denoise_y=False)
    model = nn.Linear(5, 1)
    for layout in ("nct", "ntc", "tcn"):
        with pytest.raises(ValueError, match=f"layout='{layout}' has no effect on a table"):
            DenoGrad(model, nn.MSELoss(), layout=layout).fit(*table)
    with pytest.raises(ValueError, match="layout='nct' has no effect with flattening=True"):
        DenoGrad(model, nn.MSELoss(), layout="nct").fit(*table, is_ts=True, window_size=8, flattening=True)


def test_rules(fit):
    with pytest.raises(ValueError, match="did you mean 'fixed'"):
        fit().transform(rule="fixd")
    with pytest.raises(ValueError, match="fit with is_ts=True"):
        fit().transform(rule="global")
    with pytest.raises(NotFittedError, match="before transform"):
        DenoGrad(nn.Linear(1, 1), nn.MSELoss()).transform()
