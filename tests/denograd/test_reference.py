"""Every fast path against the rules as they are written (`reference.py`), on a matrix of cases."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from denograd import BlindSpot, DenoGrad, refine
from denograd.map.objective import Objective, Question

_spec = importlib.util.spec_from_file_location("reference", Path(__file__).with_name("reference.py"))
reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reference)

W = 6
CLOSE = {"rtol": 0, "atol": 1e-9}
"""Sums of some hundred float64 terms of size 1, in another order, over a few epochs."""


@pytest.fixture
def data():
    rng = np.random.default_rng(3)
    t = np.arange(41)
    Z = np.stack([np.sin(t / 5), np.cos(t / 3), t / 40], 1) + 0.3 * rng.normal(size=(41, 3))
    goal = np.stack([Z @ [1.0, -1.0, 0.5], Z[:, 0] * Z[:, 1]], 1) + 0.3 * rng.normal(size=(41, 2))
    return Z, goal


def sample_model(build, kind, targets):
    """A model as DenoGrad gets it, and as the reference sees it: (1, W, C) or (1, d) to (1, k)."""
    if kind == "flat":
        inner = build("mlp", W * 3, targets).double()
        return inner, nn.Sequential(nn.Flatten(), inner), {"flattening": True}
    if kind == "cnn":
        inner = build("cnn", 3, targets).double()
        return inner, lambda x: inner(x.transpose(1, 2)), {}
    model = build(kind, 3, targets).double().eval()
    return model, model, {}


class Linear(nn.Module):
    """Affine in its window, and says so."""

    affine = True

    def __init__(self, targets):
        super().__init__()
        self.layer = nn.Linear(W * 3, targets)

    def forward(self, x):
        return self.layer(x.flatten(1))


def affine_model(targets):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return Linear(targets).double()


RULES = {"fixed": {"nrr": 0.07}, "gauss_newton": {"nrr": 0.4, "eta_x": 0.8, "eta_y": 1.3}}


def settings(rule, move_y, tau):
    """The same parameters for the reference and for `transform`."""
    theirs = {**RULES[rule], "rule": rule, "tau": tau, "epochs": 4, "move_y": move_y}
    ours = {**RULES[rule], "rule": rule, "nr_threshold": tau, "max_epochs": 4, "denoise_y": move_y}
    if not move_y:
        ours.pop("eta_y", None)
    return theirs, {**ours, "verbose": False}


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
@pytest.mark.parametrize("move_y", [True, False])
@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("tau", [0.0, 0.4])
@pytest.mark.parametrize("rule", RULES)
def test_rows(build, data, rule, tau, targets, move_y, batch_size):
    X, y = data[0], data[1][:, :targets]
    model, criterion = build("mlp", 3, targets).double(), nn.MSELoss()
    theirs, ours = settings(rule, move_y, tau)
    expected = reference.refine_rows(model, criterion, X, y, **theirs)
    found = DenoGrad(model, criterion, "cpu").fit(X, y).transform(batch_size=batch_size, **ours)
    for a, b in zip(found, expected, strict=False):
        assert_allclose(a, b, **CLOSE)


@pytest.mark.parametrize("criterion", [nn.MSELoss(reduction="sum"), nn.SmoothL1Loss(), nn.L1Loss()])
@pytest.mark.parametrize("rule", RULES)
def test_rows_with_other_losses(build, data, rule, criterion):
    X, y = data[0], data[1]
    model = build("mlp", 3, 2).double()
    theirs, ours = settings(rule, True, 0.2)
    expected = reference.refine_rows(model, criterion, X, y, **theirs)
    found = DenoGrad(model, criterion, "cpu").fit(X, y).transform(batch_size=10, **ours)
    for a, b in zip(found, expected, strict=False):
        assert_allclose(a, b, **CLOSE)


SPACINGS = [(1, 1), (1, 4), (3, 1), (W, 2), (W + 3, 1)]


@pytest.mark.parametrize(("stride", "future"), SPACINGS)
@pytest.mark.parametrize("kind", ["flat", "cnn", "lstm"])
@pytest.mark.parametrize("move_y", [True, False])
@pytest.mark.parametrize("rule", RULES)
def test_series(build, data, rule, move_y, kind, stride, future):
    targets = 2 if stride == 3 else 1
    X, y = data[0], data[1][:, :targets]
    model, plain, how = sample_model(build, kind, targets)
    theirs, ours = settings(rule, move_y, 0.3)
    expected = reference.refine_series(plain, nn.MSELoss(), X, y, **theirs, W=W, future=future, stride=stride)
    fitted = DenoGrad(model, nn.MSELoss(), "cpu").fit(
        X, y, is_ts=True, window_size=W, future=future, stride=stride, **how
    )
    for batch_size in (1, 4, 1000):
        found = fitted.transform(batch_size=batch_size, **ours)
        for a, b in zip(found, expected, strict=False):
            assert_allclose(a, b, **CLOSE)


@pytest.mark.parametrize(("stride", "future"), SPACINGS)
@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("tau", [0.0, 0.5])
@pytest.mark.parametrize("move_y", [True, False])
@pytest.mark.parametrize("rule", RULES)
def test_affine_series(data, rule, move_y, tau, targets, stride, future):
    X, y = data[0], data[1][:, :targets]
    model = affine_model(targets)
    theirs, ours = settings(rule, move_y, tau)
    expected = reference.refine_series(model, nn.MSELoss(), X, y, **theirs, W=W, future=future, stride=stride)
    fitted = DenoGrad(model, nn.MSELoss(), "cpu").fit(
        X, y, is_ts=True, window_size=W, future=future, stride=stride
    )
    for save in (False, True):  # by one convolution, and by one pass per window
        found = fitted.transform(save_gradients=save, **ours)
        for a, b in zip(found, expected, strict=False):
            assert_allclose(a, b, **CLOSE)


@pytest.mark.parametrize(("stride", "future"), SPACINGS)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("target_cols", [None, [0, 2]])
@pytest.mark.parametrize("move_y", [True, False])
def test_joint(build, data, move_y, target_cols, reduction, stride, future):
    X, y = data
    model, criterion = build("lstm", 3, 2).double(), nn.MSELoss(reduction=reduction)
    how = {"lam": 0.6, "lr": 0.03, "tol": 1e-4}
    expected = reference.refine_jointly(
        model, criterion, X, y, **how, epochs=6, W=W, future=future, stride=stride,
        target_cols=target_cols, move_y=move_y,
    )  # fmt: skip
    fit = {"is_ts": True, "window_size": W, "future": future, "stride": stride}
    fitted = DenoGrad(model, criterion, "cpu").fit(
        X, None if target_cols else y, target_cols=target_cols, **fit
    )
    for batch_size in (3, 1000):
        found = fitted.transform(
            rule="global", max_epochs=6, denoise_y=move_y, batch_size=batch_size, verbose=False, **how
        )
        # Adam divides by the root of the gradient's square, which magnifies rounding where that is near 0
        assert_allclose(found[0], expected[0], rtol=0, atol=1e-7)
        goal = expected[0][:, target_cols] if target_cols else expected[1]
        assert_allclose(found[1], goal, rtol=0, atol=1e-7)


@pytest.fixture(params=["tabular", "series"])
def blind(request, data):
    Z = np.column_stack([data[0], data[1]])
    near = {"context": 2} if request.param == "series" else {}
    return Z, BlindSpot(request.param, folds=2, hidden=4, epochs=2, **near).fit(Z)


def predictions(blind, X, fitted_rows):
    return blind.predict(X, fitted_rows=fitted_rows)


@pytest.mark.parametrize("fitted_rows", [True, False])
@pytest.mark.parametrize("chunk", [7, 4096])
def test_map_closed_form(blind, fitted_rows, chunk, monkeypatch):
    Z, backbone = blind
    monkeypatch.setattr("denograd.map.blind_spot.CHUNK", chunk)
    rows = len(Z) if fitted_rows else 0
    found = refine(backbone, Z, 0.3, fitted_rows=rows, solver="one_step")
    f = predictions(backbone, Z, rows)
    assert_allclose(found.residual, f - Z, rtol=0, atol=1e-5)  # the nets compute in float32
    expected = reference.map_closed_form(f, Z, found.sigma, found.scale)
    moved = (found.values != Z).any(0)
    assert moved.any()
    assert_allclose(found.values[:, moved], expected[:, moved], rtol=0, atol=1e-5)


@pytest.mark.parametrize("chunk", [7, 4096])
@pytest.mark.parametrize("held", [[], [1, 4]])
def test_map_objective_and_its_gradient(blind, chunk, held, monkeypatch):
    """By value and by central differences, at a point away from the data."""
    Z, backbone = blind
    monkeypatch.setattr("denograd.map.blind_spot.CHUNK", chunk)
    rng = np.random.default_rng(0)
    n, c = Z.shape
    sigma = np.array([0.3, 0.2, 0.4, 0.5, 0.1])
    sigma[held] = 0.0
    s = rng.uniform(0.2, 0.6, size=(n, c))
    models = backbone.models_of(n, n)
    order = backbone.order(models)
    segments = list(backbone.segments(models[order]))
    moves = np.array([True, True, True, False, True])
    question = Question(segments, np.arange(c), sigma, moves, backbone.kind)
    objective = Objective(Z[order], s[order], question)
    step = 0.5 * sigma * moves * rng.normal(size=(n, c))

    def at(step):
        return reference.map_objective(
            lambda z: backbone.predict(z, fitted_rows=n), Z + step, Z, np.arange(c), sigma, s
        )

    value, gradient = objective.value_and_gradient(objective.whiten(step[order]))
    # float32 nets: 2^-24 of predictions of size 1 over s >= 0.2, in a sum of 200 terms
    assert value == pytest.approx(at(step), rel=1e-5)
    assert (gradient.numpy()[:, (sigma == 0) | ~moves] == 0).all()
    h = 1e-3
    for i, j in [(0, 0), (5, 2), (20, 4), (n - 1, 0), (11, 2)]:
        nudge = np.zeros_like(step)
        nudge[i, j] = h * sigma[j]
        slope = (at(step + nudge) - at(step - nudge)) / (2 * h)
        assert gradient[np.flatnonzero(order == i)[0], j].item() == pytest.approx(slope, rel=0.02, abs=0.02)
