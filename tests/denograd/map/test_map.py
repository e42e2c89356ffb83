from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from denograd import BlindSpot, DenoGrad, NoiseLevelMissing, denoise
from denograd.map.error_scale import error_scale, noise_bound
from denograd.map.noise_level import wavelet_level
from denograd.map.objective import HUBER, Objective, Question
from denograd.map.refine import refine
from denograd.map.solve import one_step, stein_error
from denograd.models.lbfgs import lbfgs

RNG = np.random.default_rng


def curve(n=300, noise=0.2, seed=0):
    t = np.linspace(0, 40, n)
    clean = np.column_stack([np.sin(t), np.cos(t), np.sin(2 * t)])
    return clean, clean + noise * RNG(seed).normal(size=clean.shape)


def surface(n=500, noise=0.2, seed=0):
    a, b = RNG(seed).normal(size=(2, n))
    clean = np.column_stack([a, b, a + b, a - b, np.tanh(a)])
    return clean, clean + noise * RNG(seed + 1).normal(size=clean.shape)


DATA = {"series": curve, "tabular": surface}


@cache
def fitted(kind, **settings):
    clean, noisy = DATA[kind]()
    noisy.setflags(write=False)
    return clean, noisy, BlindSpot(kind, **{"hidden": 4, "epochs": 3, **settings}).fit(noisy)


def share(refined, clean, noisy):
    return ((refined - clean) ** 2).sum(0) / ((noisy - clean) ** 2).sum(0)


@pytest.mark.parametrize("kind", ["series", "tabular"])
@pytest.mark.parametrize("solver", ["one_step", "lbfgs", "auto"])
def test_moves_towards_the_truth_and_knows_how_far(kind, solver):
    clean, noisy, blind = fitted(kind)
    found = refine(blind, noisy, 0.2, fitted_rows=len(noisy), solver=solver)
    left = share(found.values, clean, noisy)
    assert left.mean() < {"series": 0.3, "tabular": 0.65}[kind]
    assert left.max() < 1.0
    assert_allclose((found.error / 0.2**2).mean(), left.mean(), atol=0.1)


@pytest.mark.parametrize("kind", ["series", "tabular"])
def test_lbfgs_lowers_the_objective(kind):
    _, noisy, blind = fitted(kind)
    found = refine(blind, noisy, 0.2, fitted_rows=len(noisy), solver="lbfgs", max_iter=20)
    assert found.objective[1] < found.objective[0]
    assert 1 < found.iterations <= 20


@pytest.mark.parametrize("solver", ["one_step", "lbfgs", "auto"])
def test_without_noise_nothing_moves(solver):
    _, noisy, blind = fitted("series")
    found = refine(blind, noisy, 0.0, fitted_rows=len(noisy), solver=solver)
    assert_array_equal(found.values, noisy)
    found = refine(blind, noisy, [0.2, 0.0, 0.2], fitted_rows=len(noisy), solver=solver)
    assert_array_equal(found.values[:, 1], noisy[:, 1])
    assert (found.values[:, [0, 2]] != noisy[:, [0, 2]]).any(0).all()
    assert_array_equal(found.error[1], 0.0)


@pytest.mark.parametrize("solver", ["one_step", "lbfgs", "auto"])
def test_constant_columns_are_held(solver):
    _, noisy = curve()
    noisy[:, 2] = 5.0
    found = refine(
        BlindSpot("series", hidden=0).fit(noisy), noisy, 0.2, fitted_rows=len(noisy), solver=solver
    )
    assert_array_equal(found.values[:, 2], 5.0)
    assert found.sigma[2] == 0.0


def test_the_closed_form():
    r, s, sigma = np.array([[0.1, -10.0]]), np.array([[0.3, 0.3]]), np.array([0.4, 0.4])
    expected = [0.16 / (0.09 + 0.16) * 0.1, -HUBER * 0.16 / 0.3]
    assert_allclose(one_step(r, s, sigma)[0], expected)
    # it is the minimum over its own value of rho((f - z) / s) + (z - z_obs)^2 / (2 sigma^2), up to the clip
    grid = np.linspace(-1, 1, 200_001)
    u = (r[0, 0] - grid) / 0.3
    objective = np.where(np.abs(u) <= HUBER, u**2 / 2, HUBER * np.abs(u) - HUBER**2 / 2) + grid**2 / 0.32
    assert_allclose(grid[objective.argmin()], expected[0], atol=1e-5)


def test_the_closed_form_is_what_refine_does():
    _, noisy, blind = fitted("tabular")
    found = refine(blind, noisy, 0.2, fitted_rows=len(noisy), solver="one_step")
    assert_allclose(found.values, noisy + one_step(found.residual, found.scale, found.sigma))


def test_scale_and_slope_of_gaussian_residuals():
    r = RNG(0).normal(scale=0.5, size=(20_000, 1))
    scale, slope = error_scale(r, np.zeros_like(r), np.array([0.3]), "series")
    step = 0.09 / (scale**2 + 0.09) * r  # the variance 0.5^2 is 0.4^2 of the backbone's and 0.3^2 of noise
    assert_allclose((step * r).mean() / (r**2).mean(), 0.09 / 0.25, rtol=0.1)
    assert_allclose(slope.mean(), 0.09 / 0.25, rtol=0.1)


def test_slope_is_the_derivative_of_the_step():
    rng = RNG(0)
    known = np.where(rng.random(4000) < 0.2, 2.0, 0.2) * rng.normal(size=4000)
    known = (known + 0.3 * rng.normal(size=4000))[:, None]
    sigma, flat = np.array([0.3]), np.zeros((4000, 1))
    at = np.linspace(-3, 3, 201)[:, None]

    def step(r):
        scale, slope = error_scale(r, np.zeros_like(r), sigma, "tabular", (known, flat))
        return sigma**2 / (scale**2 + sigma**2) * r, slope

    slope = step(at)[1]
    h = 1e-5
    assert_allclose(slope, (step(at + h)[0] - step(at - h)[0]) / (2 * h), atol=1e-3)


def test_scale_follows_a_backbone_that_gets_worse():
    rng = RNG(0)
    r = np.concatenate([rng.normal(scale=0.3, size=1000), rng.normal(scale=3.0, size=1000)])[:, None]
    scale, _ = error_scale(r, np.zeros_like(r), np.array([0.25]), "series")
    assert np.median(scale[1200:]) > 5 * np.median(scale[:800])


def test_heavy_tails_are_told_from_noise():
    rng = RNG(0)
    own = np.where(rng.random(20_000) < 0.05, 5.0, 0.05) * rng.normal(size=20_000)
    noise = 0.3 * rng.normal(size=20_000)
    r = (own - noise)[:, None]
    sigma = np.array([0.3])
    scale, slope = error_scale(r, np.zeros_like(r), sigma, "tabular")
    left = ((noise + one_step(r, scale, sigma)[:, 0]) ** 2).mean() / (noise**2).mean()
    plain = np.sqrt(np.maximum((r**2).mean() - 0.09, 0.0)) * np.ones_like(r)
    assert left < 0.3 < ((noise + one_step(r, plain, sigma)[:, 0]) ** 2).mean() / (noise**2).mean()
    assert_allclose(stein_error(r, scale, slope, sigma)[0] / 0.09, left, atol=0.05)


def test_objective_and_gradient():
    """The minimum of a quadratic case has a closed form: f(z) = z @ A, nobody beyond Huber's c."""
    rng = RNG(0)
    z_obs = 0.1 * rng.normal(size=(6, 3))
    A = np.array([[0.0, 0.5, 0.1], [0.3, 0.0, 0.2], [0.4, 0.1, 0.0]])
    sigma, s = np.array([0.3, 0.2, 0.4]), 0.5
    from denograd.map.segments import Segment

    parts = [slice(0, 4), slice(4, 6)]
    segments = [Segment(p, p, lambda z: z @ torch.from_numpy(A)) for p in parts]
    question = Question(segments, np.arange(3), sigma, np.ones(3, bool), "tabular")
    objective = Objective(z_obs, np.full((6, 3), s), question)
    start = torch.zeros(6, 3, dtype=torch.float64)
    step = objective.displacement(lbfgs(objective.value_and_gradient, start, max_iter=40).point)
    M = A - np.eye(3)
    exact = z_obs @ np.diag(sigma**-2.0) @ np.linalg.inv(M @ M.T / s**2 + np.diag(sigma**-2.0))
    assert_allclose(z_obs + step, exact, atol=1e-6)


def test_batches_do_not_change_the_result(monkeypatch):
    import denograd.map.blind_spot as module

    _, noisy, blind = fitted("series")
    whole = refine(blind, noisy, 0.2, fitted_rows=len(noisy), max_iter=5)
    monkeypatch.setattr(module, "CHUNK", 45)
    parts = refine(blind, noisy, 0.2, fitted_rows=len(noisy), max_iter=5)
    assert_allclose(parts.values, whole.values, atol=2e-3)
    assert_allclose(parts.objective, whole.objective, rtol=1e-4)
    one = refine(blind, noisy, 0.2, fitted_rows=len(noisy), solver="one_step")
    monkeypatch.setattr(module, "CHUNK", 4096)
    same = refine(blind, noisy, 0.2, fitted_rows=len(noisy), solver="one_step")
    assert_allclose(one.values, same.values, atol=1e-5)


def test_same_input_same_bytes_and_input_stays():
    _, noisy, blind = fitted("tabular")
    kept = noisy.copy()
    first, second = (refine(blind, noisy, 0.2, fitted_rows=len(noisy), max_iter=5).values for _ in range(2))
    assert_array_equal(first, second)
    assert_array_equal(noisy, kept)


def test_new_rows_of_a_table_are_refined_one_by_one():
    clean, noisy = surface(900)
    blind = BlindSpot(hidden=8, epochs=3).fit(noisy[:600])
    new = refine(blind, noisy[600:], 0.2, solver="one_step").values
    assert_allclose(refine(blind, noisy[600:610], 0.2, solver="one_step").values, new[:10], atol=1e-6)
    assert share(new, clean[600:], noisy[600:]).mean() < 0.7
    both = refine(blind, noisy, 0.2, fitted_rows=600, solver="one_step").values
    assert_allclose(both[600:], new, atol=1e-6)


def test_the_level_is_capped_by_the_residual():
    _, noisy, blind = fitted("tabular")
    with pytest.warns(UserWarning, match="larger than the noise can be"):
        found = refine(blind, noisy, 100.0, fitted_rows=len(noisy), solver="one_step")
    assert (found.sigma <= noise_bound(blind.residual_)).all()


def test_the_bound_holds_whatever_the_backbone_gets_wrong():
    rng = RNG(0)
    noise = rng.normal(size=(50_000, 3)) * 0.3
    own = np.column_stack([np.zeros(50_000), rng.laplace(size=50_000), rng.choice([0.0, 9.0], 50_000)])
    bound = noise_bound(own + noise)
    assert (bound > 0.29).all()
    assert_allclose(bound[0], 0.3, rtol=0.02)


@pytest.mark.parametrize(
    ("sigma", "message"),
    [
        (-0.1, "not negative"),
        ([0.1, 0.2], r"one per column \(3\) or per value \(300, 3\), got shape \(2,\)"),
        (np.nan, "finite"),
        ("loud", "'auto', 'common' or 'wavelet'"),
    ],
)
def test_bad_levels(sigma, message):
    _, noisy, blind = fitted("series", hidden=0)
    with pytest.raises(ValueError, match=message):
        refine(blind, noisy, sigma, fitted_rows=len(noisy))


def test_no_level_names_the_bounds():
    _, noisy, blind = fitted("series", hidden=0)
    with pytest.raises(NoiseLevelMissing) as error:
        refine(blind, noisy, None)
    for bound in noise_bound(blind.residual_):
        assert f"{bound:.4g}" in str(error.value)


def test_no_level_names_the_columns_of_a_frame():
    _, noisy = curve()
    frame = pd.DataFrame(noisy, columns=["price", "volume", "rate"])
    with pytest.raises(NoiseLevelMissing, match=r"\{price: .*, volume: .*, rate: [\d.]+\}") as error:
        denoise(frame, kind="series", hidden=0)
    assert list(error.value.bound) == ["price", "volume", "rate"]
    fitted = DenoGrad(nn.Linear(3, 1), nn.MSELoss(), "cpu").fit(frame, pd.Series(noisy[:, 0], name="goal"))
    with pytest.raises(NoiseLevelMissing, match=r"\{goal: "):
        fitted.transform(rule="map", folds=1, verbose=False)
    named = DenoGrad(nn.Linear(3, 1), nn.MSELoss(), "cpu").fit(frame, "rate")
    with pytest.raises(NoiseLevelMissing, match=r"\{rate: "):
        named.transform(rule="map", folds=1, verbose=False)


def test_many_bounds_are_not_all_listed():
    noisy = RNG(0).normal(size=(100, 25))
    with pytest.raises(NoiseLevelMissing, match=r"9: [\d.]+, and 15 more") as error:
        denoise(noisy, hidden=0)
    assert len(error.value.bound) == 25


def test_unknown_solver():
    _, noisy, blind = fitted("series", hidden=0)
    with pytest.raises(ValueError, match="solver must be one of auto, lbfgs, one_step"):
        refine(blind, noisy, 0.1, solver="newton")


def test_the_wavelet_level_warns():
    _, noisy, blind = fitted("series")
    with pytest.warns(UserWarning, match="may be worse"):
        refine(blind, noisy, "wavelet", solver="one_step")
    _, table, other = fitted("tabular", hidden=0)
    with pytest.raises(ValueError, match="needs a series"):
        refine(other, table, "wavelet")


def test_a_common_level_is_found_where_columns_bear_each_other_out():
    clean, noisy = curve(1500)
    blind = BlindSpot("series", hidden=0).fit(noisy)
    found = refine(blind, noisy, "common", fitted_rows=len(noisy), solver="one_step")
    assert_allclose(found.sigma, 0.2, rtol=0.2)
    assert "agree" in found.evidence[0]
    assert share(found.values, clean, noisy).mean() < 0.5


def test_no_common_level_where_columns_do_not():
    X = RNG(0).normal(size=(300, 5)) * [1, 2, 3, 4, 5]
    X[:, 0] += 3 * np.sign(X[:, 1])
    blind = BlindSpot("tabular", hidden=0).fit(X)
    with pytest.raises(NoiseLevelMissing, match=r"apart\. Give sigma.*sigma='auto'") as caught:
        refine(blind, X, "common")
    assert set(caught.value.bound) == set(range(5))


@pytest.mark.filterwarnings("ignore:sigma is larger")
def test_a_level_that_the_residual_rules_out_is_capped_and_said():
    _, noisy, blind = fitted("series", hidden=0)
    found = refine(blind, noisy, [0.1, 5.0, 0.1], fitted_rows=len(noisy))
    assert found.sigma[1] <= found.bound[1]
    assert found.evidence[0] == "given"
    assert f"5 capped to {found.sigma[1]:.3g}" in found.evidence[1]


def test_wavelet_level_is_the_median_finest_coefficient():
    pywt = pytest.importorskip("pywt")
    from denograd.map.noise_level import DB4

    assert_allclose(DB4, pywt.Wavelet("db4").rec_lo, atol=1e-12)
    noise = RNG(0).normal(scale=0.3, size=(20_000, 2)) + np.linspace(0, 5, 20_000)[:, None]
    assert_allclose(wavelet_level(noise), 0.3, rtol=0.05)


# ------------------------------------------------------------------- through the estimator, with other models


class Ahead(nn.Module):
    """Next step of the whole frame from a window of 8: a linear model that can be trained in a moment."""

    def __init__(self, channels, window=8, flat=False):
        super().__init__()
        self.flat = flat
        self.layer = nn.Linear(channels * window, channels)

    def forward(self, x):
        return self.layer(x if self.flat else x.flatten(1))


def forecaster(noisy, window=8, **options):
    model = Ahead(noisy.shape[1], window, **options)
    X = np.lib.stride_tricks.sliding_window_view(noisy[:-1], window, axis=0).transpose(0, 2, 1)
    X = X.reshape(len(X), -1)
    A = np.column_stack([X, np.ones(len(X))])
    weights = np.linalg.solve(A.T @ A + np.eye(A.shape[1]), A.T @ noisy[window:])
    with torch.no_grad():
        model.layer.weight.copy_(torch.tensor(weights[:-1].T))
        model.layer.bias.copy_(torch.tensor(weights[-1]))
    return model


def run(model, noisy, *, future=1, stride=1, flat=False, **settings):
    cols = list(range(noisy.shape[1]))
    denoiser = DenoGrad(model, nn.MSELoss(), device="cpu")
    denoiser.fit(noisy, is_ts=True, window_size=8, target_cols=cols, flattening=flat, stride=stride)
    return denoiser, denoiser.transform(rule="map", verbose=False, **{"folds": 1, **settings})


@pytest.mark.parametrize("solver", ["lbfgs", "one_step"])
@pytest.mark.parametrize("flat", [False, True])
def test_a_forecaster_serves_as_a_backbone(solver, flat):
    clean, noisy = curve(600)
    model = forecaster(noisy, flat=flat)
    weights = model.layer.weight.clone()
    denoiser, (X, y, grad_x, grad_y) = run(model, noisy, flat=flat, sigma=0.2, solver=solver)
    assert share(X, clean, noisy).mean() < {"lbfgs": 0.5, "one_step": 0.75}[solver]
    assert_array_equal(y, X)
    assert (grad_x, grad_y) == ([], [])
    assert_array_equal(model.layer.weight.detach(), weights.detach())
    history = denoiser.history_
    assert {"moved", "residual", "displacement", "seconds"} <= set(history[0])
    assert 0 < history[-1]["moved"] <= 1
    if solver == "lbfgs":
        # one record per iteration, none of the probe's
        assert [h["epoch"] for h in history] == list(range(1, len(history) + 1))
        assert 5 < len(history) <= 40
        objective = [h["objective"] for h in history]
        assert objective == sorted(objective, reverse=True)
    else:
        assert_array_equal(X[:8], noisy[:8])  # no window lies behind them
        moved = np.linalg.norm(X - noisy, axis=1)
        assert_allclose(history[0]["displacement"], moved.mean())
        assert_allclose(history[0]["moved"], (moved > 0).mean())
        assert len(history) == 1


def test_the_closed_form_of_a_forecaster_is_causal():
    _, noisy = curve(300)
    model = forecaster(noisy)
    changed = noisy.copy()
    changed[200] += 0.3
    first, second = (run(model, z, sigma=0.2, solver="one_step")[1][0] - z for z in (noisy, changed))
    # the error's scale is learned from all residuals, so earlier steps agree nearly, not exactly
    assert np.abs(first - second)[:200].max() < 0.05 < np.abs(first - second)[200:].max()


def test_strides_and_targets_left_alone():
    clean, noisy = curve(600)
    model = forecaster(noisy)
    _, (X, _, _, _) = run(model, noisy, stride=3, sigma=0.2)
    assert share(X, clean, noisy).mean() < 1.0
    _, (X, _, _, _) = run(model, noisy, sigma=0.2, denoise_y=False)
    assert_array_equal(X, noisy)


def test_a_table_with_its_target_apart():
    clean, noisy = surface(600)
    model = nn.Linear(2, 1)
    with torch.no_grad():
        model.weight.fill_(1.0)
        model.bias.fill_(0.0)
    X, y = noisy[:, :2].astype(np.float32), noisy[:, 2]
    denoiser = DenoGrad(model, nn.MSELoss(), device="cpu").fit(X, y)
    X_, y_, _, _ = denoiser.transform(rule="map", folds=1, sigma=0.2, verbose=False)
    assert (X_.dtype, y_.dtype) == (np.float32, np.float64)
    assert share(y_, clean[:, 2], y) < 0.8
    _, kept, _, _ = denoiser.transform(
        rule="map", folds=1, sigma=[0.2, 0.2, 0.2], denoise_y=False, verbose=False
    )
    assert_array_equal(kept, y)
    with pytest.raises(NoiseLevelMissing, match=r"one per column of X, then of y, .*\{y: ") as missing:
        denoiser.transform(rule="map", folds=1, verbose=False)
    assert list(missing.value.bound) == ["y"]
    with pytest.raises(ValueError, match=r"one per column of X, then of y \(3\), got shape \(2,\)"):
        denoiser.transform(rule="map", folds=1, sigma=[0.2, 0.2], verbose=False)
    with pytest.raises(TypeError, match="nothing to move"):
        denoiser.transform(rule="map", folds=1, sigma=0.2, solver="one_step", denoise_y=False, verbose=False)


def test_levels_by_column():
    _, noisy = surface(200)
    frame = pd.DataFrame(noisy[:, :2], columns=["a", "b"])
    goal = pd.Series(noisy[:, 2], name="goal")
    model = nn.Linear(2, 1)
    with torch.no_grad():
        model.weight.fill_(1.0)
        model.bias.fill_(0.0)

    def refined(X, y, sigma):
        X, y, _, _ = (
            DenoGrad(model, nn.MSELoss(), "cpu")
            .fit(X, y)
            .transform(rule="map", folds=1, sigma=sigma, verbose=False)
        )
        return np.column_stack([X, y])

    expected = refined(frame, goal, [0.2, 0.0, 0.1])
    assert_array_equal(refined(frame, goal, {"a": 0.2, "goal": 0.1}), expected)
    assert_array_equal(refined(frame, goal, pd.Series({"goal": 0.1, "a": 0.2})), expected)
    assert_array_equal(refined(frame.to_numpy(), goal.to_numpy(), {0: 0.2, "y": 0.1}), expected)
    with pytest.raises(ValueError, match=r"does not have: \['c'\]; it has \['a', 'b', 'goal'\]"):
        refined(frame, goal, {"c": 0.1})
    _, series, blind = fitted("series")
    assert_array_equal(
        refine(blind, series, {0: 0.2}, solver="one_step").values,
        refine(blind, series, [0.2, 0.0, 0.0], solver="one_step").values,
    )


def test_folds_train_copies_that_have_not_seen_the_part():
    clean, noisy = curve(400)
    model = forecaster(noisy)
    weights, state = model.layer.weight.clone(), torch.get_rng_state()
    settings = {"sigma": 0.2, "folds": 3, "solver": "one_step"}
    _, (X, _, _, _) = run(model, noisy, **settings)
    assert share(X, clean, noisy).mean() < 0.9
    assert_array_equal(run(model, noisy, **settings)[1][0], X)
    assert_array_equal(model.layer.weight.detach(), weights.detach())
    assert_array_equal(torch.get_rng_state(), state)
    with pytest.raises(ValueError, match="folds must be 1, the model as it is, or up to 98"):
        run(model, noisy, sigma=0.2, folds=1000)


def test_folds_need_layers_that_can_start_anew():
    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = nn.Parameter(torch.ones(1))

        def forward(self, x):
            return x * self.factor

    _, noisy = curve()
    with pytest.raises(ValueError, match="Scale has weights but no reset_parameters"):
        run(nn.Sequential(Scale(), forecaster(noisy)), noisy, sigma=0.2, folds=3)


def test_an_overfitted_model_is_not_believed_by_default():
    """Its errors on the rows that it was trained on are far too small; what is known stands in result_."""
    rng = RNG(0)
    X = rng.uniform(-2, 2, size=(150, 2))
    clean = np.sin(X[:, 0]) + X[:, 1]
    y = clean + 0.3 * rng.normal(size=150)
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(2, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 1)
    ).double()
    adam, x, goal = torch.optim.Adam(model.parameters(), 3e-3), torch.tensor(X), torch.tensor(y)[:, None]
    for _ in range(800):
        adam.zero_grad()
        nn.functional.mse_loss(model(x), goal).backward()
        adam.step()
    denoiser = DenoGrad(model, nn.MSELoss(), "cpu").fit(X, y)
    how = {"rule": "map", "sigma": {"y": 0.3}, "solver": "one_step", "verbose": False}

    def left(**settings):
        return float(
            ((denoiser.transform(**how, **settings)[1] - clean) ** 2).mean() / ((y - clean) ** 2).mean()
        )

    as_it_is, honest = left(folds=1), left()
    assert honest < 0.5 < 0.6 < as_it_is
    result = denoiser.result_
    assert_allclose(result.error[2] / 0.3**2, honest, atol=0.25)
    assert_allclose(result.sigma, [0.0, 0.0, 0.3])
    assert np.isnan(result.bound[:2]).all()
    assert result.bound[2] > 0.28
    assert_array_equal(result.values[:, 2], denoiser.transform(**how)[1])
    denoiser.transform(max_epochs=1, verbose=False)
    assert denoiser.result_ is None


def test_a_model_without_weights_is_taken_as_it_is():
    class Mean(nn.Module):
        def forward(self, x):
            return x.mean(1)

    X = RNG(0).normal(size=(100, 2))
    y = X.mean(1) + 0.3 * RNG(1).normal(size=100)
    denoiser = DenoGrad(Mean(), nn.MSELoss(), "cpu").fit(X, y)
    found = denoiser.transform(rule="map", sigma={"y": 0.3}, solver="one_step", verbose=False)
    assert (found[1] != y).any()
