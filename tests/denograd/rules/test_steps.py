"""The rules' mathematics: finite differences, invariants, and what the released packages got wrong."""

import numpy as np
import pytest
import torch
from torch import nn

from denograd import DenoGrad
from denograd.data.windows import count_windows, coverage, overlap_add, targets_of, windows_of
from denograd.rules.steps import fixed, gate, gauss_newton


def numeric_gradient(function, point, h=1e-6):
    """Central differences of a scalar function at an array."""
    out = np.zeros_like(point)
    for i in np.ndindex(point.shape):
        up, down = point.copy(), point.copy()
        up[i] += h
        down[i] -= h
        out[i] = (function(up) - function(down)) / (2 * h)
    return out


def loss_of(model):
    """Squared error of one sample in NumPy's terms."""

    def loss(x, y):
        with torch.no_grad():
            return float(((model(torch.tensor(x[None])) - torch.tensor(y)) ** 2).sum())

    return loss


def expected_step(model, x, y, rule, nrr):
    """The step of one sample by finite differences."""
    loss = loss_of(model)
    g_x = numeric_gradient(lambda v: loss(v, y), x)
    g_y = numeric_gradient(lambda v: loss(x, v), y)
    norm = np.sqrt((g_x**2).sum() + (g_y**2).sum())
    with torch.no_grad():
        residual = model(torch.tensor(x[None]))[0].numpy() - y
    length = nrr
    if rule == "gauss_newton":
        length = nrr * np.linalg.norm(residual) * np.linalg.norm(g_y) / norm
    return length * g_x / norm, length * g_y / norm


@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("rule", ["fixed", "gauss_newton"])
def test_a_step_on_a_table_is_that_of_finite_differences(build, table, rule, targets):
    X = table[0][:9].astype(np.float64)
    y = np.random.default_rng(0).normal(size=(9, targets))
    model = build("mlp", 5, targets).double()
    new_X, new_y, _, _ = (
        DenoGrad(model, nn.MSELoss(), "cpu")
        .fit(X, y)
        .transform(nrr=0.1, max_epochs=1, rule=rule, verbose=False, nr_threshold=0.0)
    )
    for i in range(9):
        step_x, step_y = expected_step(model, X[i], y[i], rule, 0.1)
        np.testing.assert_allclose(X[i] - new_X[i], step_x, atol=1e-7)
        np.testing.assert_allclose(y[i] - new_y[i], step_y, atol=1e-7)


@pytest.mark.parametrize("flattening", [True, False])
@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize(("stride", "future"), [(1, 1), (3, 1), (3, 5)])
@pytest.mark.parametrize("rule", ["fixed", "gauss_newton"])
def test_a_step_on_a_series_is_the_mean_of_its_windows(
    build, series, rule, stride, future, targets, flattening
):
    """Flattened windows and several targets are what release 1.1 cannot run."""
    Z = series[:31].astype(np.float64)
    y = Z[:, :targets].copy()
    W = 4
    inner = build("mlp", 12, targets).double()
    model = inner if flattening else nn.Sequential(nn.Flatten(), inner)
    fit = {"is_ts": True, "window_size": W, "stride": stride, "future": future, "flattening": flattening}
    how = {"nrr": 0.1, "max_epochs": 1, "rule": rule, "verbose": False, "nr_threshold": 0.6}
    new_Z, new_y, _, _ = DenoGrad(model, nn.MSELoss(), "cpu").fit(Z, y, **fit).transform(**how)
    total, count, expected_y = np.zeros_like(Z), np.zeros(len(Z)), y.copy()
    wrapped = nn.Sequential(nn.Flatten(), inner)
    gated = 0
    for start in range(0, len(Z) - W - future + 1, stride):
        window, t = Z[start : start + W], start + W + future - 1
        with torch.no_grad():
            moves = (np.abs(wrapped(torch.tensor(window[None]))[0].numpy() - y[t]) > 0.6).any()
        gated += not moves
        if moves:
            step_x, step_y = expected_step(wrapped, window, y[t], rule, 0.1)
            total[start : start + W] += step_x
            expected_y[t] -= step_y
        count[start : start + W] += moves if rule == "gauss_newton" else 1
    assert gated > 0
    np.testing.assert_allclose(new_Z, Z - total / np.maximum(count, 1)[:, None], atol=1e-7)
    np.testing.assert_allclose(new_y, expected_y, atol=1e-7)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_global_gradient_is_that_of_finite_differences(build, series, reduction):
    Z = series[:20].astype(np.float64)
    model = build("lstm", 3).double()
    criterion = nn.MSELoss(reduction=reduction)
    lam = 0.7

    def objective(v):
        x = torch.tensor(v)
        with torch.no_grad():
            fit = criterion(model(x.unfold(0, 4, 1)[:-1].transpose(1, 2)), x[4:, :1])
        return float(fit) + lam * ((v - Z) ** 2).mean()

    fitted = DenoGrad(model, criterion, "cpu").fit(Z, is_ts=True, window_size=4, target_cols=0)
    _, _, gradients, _ = fitted.transform(
        rule="global", max_epochs=2, lam=lam, lr=0.01, verbose=False, batch_size=5
    )
    np.testing.assert_allclose(gradients[0], numeric_gradient(objective, Z), atol=1e-8)
    middle = Z - 0.01 * np.sign(gradients[0])  # Adam's first step
    np.testing.assert_allclose(gradients[1], numeric_gradient(objective, middle), atol=1e-5)
    objectives = [h["objective"] for h in fitted.history_]
    assert objectives[0] == pytest.approx(objective(Z))
    assert objectives[1] == pytest.approx(objective(middle), rel=1e-5)


def test_fixed_goes_exactly_nrr_far(table, build):
    X, y = table
    new_X, new_y, _, _ = (
        DenoGrad(build("mlp", 5), nn.MSELoss(), "cpu")
        .fit(X, y)
        .transform(nrr=0.07, max_epochs=1, nr_threshold=0.0, verbose=False)
    )
    away = np.sqrt(((new_X - X) ** 2).sum(1) + (new_y - y) ** 2)
    np.testing.assert_allclose(away, 0.07, rtol=1e-4)


def test_gauss_newton_lands_on_a_linear_surface_in_one_step(table):
    X, y = table
    model = nn.Linear(5, 1)
    fitted = DenoGrad(model, nn.MSELoss(), "cpu").fit(X, y)
    new_X, new_y, _, _ = fitted.transform(rule="gauss_newton", nrr=1.0, max_epochs=1, verbose=False)
    with torch.no_grad():
        off = model(torch.tensor(new_X))[:, 0].numpy() - new_y
    moved = (new_X != X).any(1)
    assert np.abs(off[moved]).max() < 1e-5


def test_a_sample_without_any_gradient_stays():
    zero, r = torch.zeros(2), torch.ones(2, 1)
    assert torch.equal(fixed(zero, zero, r, 0.1) * zero, zero)
    assert torch.equal(gauss_newton(zero, zero, r, 0.1) * zero, zero)


def test_gate_closes_only_if_all_outputs_are_within():
    size = torch.tensor([[0.1, 0.1], [0.1, 0.3], [0.2, 0.2]])
    assert gate(size, 0.2).tolist() == [False, True, False]


@pytest.mark.parametrize("stride", [1, 2, 3, 7])
@pytest.mark.parametrize("future", [1, 4])
def test_windows_targets_and_overlap_add(stride, future):
    T, W = 40, 5
    Z = torch.arange(T * 2.0).reshape(T, 2)
    n = count_windows(T, W, future, stride)
    windows = windows_of(Z, W, stride, n)
    targets = targets_of(Z, W, future, stride, n)
    assert windows.shape == (n, W, 2)
    assert len(targets) == n
    assert windows.untyped_storage().data_ptr() == Z.untyped_storage().data_ptr()
    rng = np.random.default_rng(0)
    weight = torch.tensor(rng.integers(0, 2, n).astype("f4"))
    steps = torch.tensor(rng.normal(size=(n, W, 2)).astype("f4"))
    total, cover = np.zeros((T, 2)), np.zeros(T)
    for s in range(n):
        np.testing.assert_array_equal(windows[s], Z[s * stride : s * stride + W])
        np.testing.assert_array_equal(targets[s], Z[s * stride + W + future - 1])
        total[s * stride : s * stride + W] += (weight[s] * steps[s]).numpy()
        cover[s * stride : s * stride + W] += weight[s].item()
    assert n == 0 or (n - 1) * stride + W + future - 1 < T <= n * stride + W + future - 1
    out = torch.zeros(T, 2)
    overlap_add(steps, weight, out, stride)
    np.testing.assert_allclose(out, total, atol=1e-6)
    np.testing.assert_array_equal(coverage(weight, W, T, stride), cover)


def test_too_short_a_series_has_no_window():
    assert count_windows(5, 5, 1, 1) == 0
    assert count_windows(6, 5, 1, 1) == 1
    assert count_windows(3, 5, 1, 2) == 0
