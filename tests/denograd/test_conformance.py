"""Ours against the released packages, wherever these can run at all."""

import copy
import itertools

import numpy as np
import pytest
import torch
from torch import nn

from denograd import DenoGrad

pytestmark = pytest.mark.oracle

EPOCHS = 20
KINDS = ("lstm", "cnn")
SPACINGS = ((1, 1), (3, 1), (1, 5), (3, 5))


def assert_same(theirs, ours, *, close=1e-5, share=0.998, largest=0.05):
    """At least `share` of the rows within `close`, none off by more than `largest`."""
    for a, b in zip(theirs[:2], ours[:2], strict=True):
        assert np.isfinite(b).all()
        away = np.abs(a.reshape(len(a), -1) - b.reshape(len(b), -1)).max(1)
        assert (away < close).mean() >= share
        assert away.max() <= largest


class Turned(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.inner = model

    def forward(self, x):
        return self.inner(x.transpose(1, 2))


def refine(model, X, y, fit, transform, criterion=None):
    denoiser = DenoGrad(model, criterion or nn.MSELoss(), "cpu").fit(X, y, **fit)
    return denoiser.transform(**transform, verbose=False)


@pytest.mark.parametrize("tau", [0.01, 0.3, 1.0])
@pytest.mark.parametrize("denoise_y", [True, False])
@pytest.mark.parametrize("kind", ["mlp", "relu"])
def test_fixed_on_a_table(release, build, table, kind, denoise_y, tau):
    X, y = table
    model = build(kind, 5)
    how = {"max_epochs": EPOCHS, "batch_size": 128, "denoise_y": denoise_y, "nr_threshold": tau}
    assert_same(release("1.1.0")(model, X, y, {}, how), refine(model, X, y, {}, how))


@pytest.mark.parametrize("denoise_y", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("stride", "future"), SPACINGS)
def test_fixed_on_a_series(release, build, series, kind, denoise_y, stride, future):
    model = build(kind, 3)
    y = series[:, 0].copy()
    fit = {"is_ts": True, "window_size": 8, "stride": stride, "future": future}
    how = {"max_epochs": EPOCHS, "batch_size": 100, "denoise_y": denoise_y, "nr_threshold": 0.1}
    # The release does not recognise a CNN inside another module: it gets one that turns its input by itself.
    released_model = Turned(model) if kind == "cnn" else model
    assert_same(release("1.1.0")(released_model, series, y, fit, how), refine(model, series, y, fit, how))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("loss", [nn.MSELoss, nn.SmoothL1Loss])
def test_fixed_with_other_criteria(release, build, table, loss, reduction):
    X, y = table
    model = build("mlp", 5)
    how = {"max_epochs": EPOCHS, "batch_size": 128}
    criterion = loss(reduction=reduction)
    theirs = release("1.1.0")(model, X, y, {}, how, criterion)
    assert_same(theirs, refine(model, X, y, {}, how, criterion))


def test_fixed_gates_close_and_the_loop_ends(release, build, table):
    X, y = table
    model = build("mlp", 5)
    how = {"max_epochs": EPOCHS, "batch_size": 300, "nr_threshold": 50.0}
    theirs, ours = release("1.1.0")(model, X, y, {}, how), refine(model, X, y, {}, how)
    assert_same(theirs, ours)
    assert len(ours[2]) == len(theirs[2]) == 1
    np.testing.assert_array_equal(ours[0], X)


def test_saved_gradients_are_the_released_ones(release, build, series):
    model = build("lstm", 3)
    y = series[:, 0].copy()
    fit = {"is_ts": True, "window_size": 8}
    how = {"max_epochs": 2, "batch_size": 1000}
    theirs = release("1.1.0")(model, series, y, fit, how)
    ours = refine(model, series, y, fit, how)
    assert len(ours[2]) == len(ours[3]) == 2
    for a, b in zip(theirs[2], ours[2], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    for a, b in zip(theirs[3], ours[3], strict=True):
        np.testing.assert_allclose(a.reshape(b.shape), b, atol=1e-5)


@pytest.mark.parametrize("etas", [(1.0, 1.0), (1.0, 0.1), (0.3, 2.0)])
@pytest.mark.parametrize("denoise_y", [True, False])
@pytest.mark.parametrize("targets", [1, 2])
def test_gauss_newton_on_a_table(release, build, table, targets, denoise_y, etas):
    X, y = table
    if targets == 2:
        y = np.stack([y, X[:, 2] * y], 1)
    model = build("mlp", 5, targets)
    how = {
        "max_epochs": EPOCHS,
        "batch_size": 128,
        "denoise_y": denoise_y,
        "eta_x": etas[0],
        "eta_y": etas[1],
    }
    theirs = release("2.0.0")(model, X, y, {}, how)
    if not denoise_y:
        del how["eta_y"]  # ours refuses what has no effect
    assert_same(theirs, refine(model, X, y, {}, how | {"rule": "gauss_newton"}), largest=0.5)


@pytest.mark.parametrize("tau", [0.5, 50.0])
def test_gauss_newton_gates_close(release, build, table, series, tau):
    how = {"max_epochs": EPOCHS, "batch_size": 300, "nr_threshold": tau}
    windows = {"is_ts": True, "window_size": 8}
    for X, y, fit in ((*table, {}), (series, series[:, 0].copy(), windows)):
        model = build("lstm" if fit else "mlp", X.shape[1])
        theirs = release("2.0.0")(model, X, y, fit, how | ({"ts_strategy": "window"} if fit else {}))
        ours = refine(model, X, y, fit, how | {"rule": "gauss_newton"})
        assert_same(theirs, ours, largest=0.5)
        assert len(ours[2]) == len(theirs[2]) < EPOCHS
        assert np.array_equal(ours[0], X) == (tau == 50.0)


CASES = list(itertools.product(("mlp", *KINDS), SPACINGS, ("y", "targets", "cols"), (True, False)))


def series_case(build, series, kind, spacing, target):
    """Model, target and fit parameters of one case of the matrix."""
    fit = {"is_ts": True, "window_size": 8, "stride": spacing[0], "future": spacing[1]}
    y = {"y": series[:, 0].copy(), "targets": series[:, :2].copy(), "cols": None}[target]
    if target == "cols":
        fit["target_cols"] = [0, 2]
    if kind == "mlp":
        fit["flattening"] = True
    return build(kind, 24 if kind == "mlp" else 3, 1 if target == "y" else 2), y, fit


@pytest.mark.parametrize(("kind", "spacing", "target", "denoise_y"), CASES)
def test_gauss_newton_on_a_series(release, build, series, kind, spacing, target, denoise_y):
    model, y, fit = series_case(build, series, kind, spacing, target)
    how = {"max_epochs": EPOCHS, "batch_size": 100, "denoise_y": denoise_y, "nr_threshold": 0.1}
    theirs = release("2.0.0")(model, series, y, fit, how | {"ts_strategy": "window"})
    assert_same(theirs, refine(model, series, y, fit, how | {"rule": "gauss_newton"}), largest=0.5)


def objective(model, series, y, fit, how, refined):
    """What `global` minimises, in float64: mean squared residual + lam * mean squared displacement."""
    window, stride, cols = fit["window_size"], fit["stride"], fit.get("target_cols")
    X = np.asarray(refined[0], dtype=float).reshape(series.shape)
    Y = X[:, cols] if cols else np.asarray(refined[1], dtype=float).reshape(len(X), -1)
    goals = Y[window + fit["future"] - 1 :: stride]
    windows = np.lib.stride_tricks.sliding_window_view(X, window, 0)[::stride][: len(goals)]
    x = torch.tensor(windows.transpose(0, 2, 1).copy())
    x = x.flatten(1) if "flattening" in fit else x.transpose(1, 2) if hasattr(model, "conv") else x
    with torch.no_grad():
        prediction = copy.deepcopy(model).double()(x).numpy()
    moved = [X - series] if cols or not how["denoise_y"] else [X - series, Y - y.reshape(Y.shape)]
    away = sum((m**2).sum() for m in moved) / sum(m.size for m in moved)
    return ((prediction.reshape(goals.shape) - goals) ** 2).mean() + how["lam"] * away


@pytest.mark.parametrize(("kind", "spacing", "target", "denoise_y"), CASES)
def test_global_on_a_series(release, build, series, kind, spacing, target, denoise_y):
    model, y, fit = series_case(build, series, kind, spacing, target)
    how = {"max_epochs": 40, "batch_size": 100, "denoise_y": denoise_y, "lam": 0.5}
    theirs = release("2.0.0")(model, series, y, fit, how)
    ours = refine(model, series, y, fit, how | {"rule": "global"})
    assert_same(theirs, ours, close=1e-4, share=0.99)
    J = [objective(model, series, y, fit, how, refined) for refined in (theirs, ours)]
    assert J[1] == pytest.approx(J[0], rel=1e-5)
    for a, b in zip(theirs[2], ours[2], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert len(theirs[3]) == len(ours[3])


def test_global_stops_where_the_release_stops(release, build, series):
    model, y, fit = series_case(build, series, "lstm", (1, 1), "cols")
    how = {"tol": 1e-3, "lr": 0.02}
    theirs = release("2.0.0")(model, series, y, fit, how)
    ours = refine(model, series, y, fit, how | {"rule": "global"})
    assert len(theirs[2]) == len(ours[2]) < 300
    assert_same(theirs, ours, close=1e-4, share=0.99)
