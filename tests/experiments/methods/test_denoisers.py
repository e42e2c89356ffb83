"""DenoGrad behind the interface of the other denoisers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir

from baselines.base import Problem
from baselines.controls import Identity
from denograd import refine
from experiments.base.errors import DatasetMissing
from experiments.base.paths import CONF
from experiments.config.schema import as_config, register
from experiments.methods import map as denoisers
from experiments.methods.map import DenoGradMap, DenoGradMapForecast, trailing_mean
from experiments.methods.rules import DenoGradRule
from experiments.models.dlinear import DLinear
from experiments.models.mlp import MLP
from experiments.models.training import History, Network
from experiments.run.backbones import Trained
from experiments.run.bench import Bench
from experiments.run.loop import execute, trials
from experiments.run.protocols import Refinement
from experiments.store.files import Store


def waves(n=400, sigma=0.3, seed=0):
    t = np.arange(n) / 12
    clean = np.column_stack([np.sin(t), np.cos(t), np.sin(t) - np.cos(t)])
    clean = (clean - clean.mean(axis=0)) / clean.std(axis=0)
    return clean, clean + sigma * np.random.default_rng(seed).normal(size=clean.shape)


def run_of(tmp_path, *overrides):
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = as_config(compose("config", overrides=["profile=smoke", "regressor=[ridge]", *overrides]))
    return Bench(config, Store(tmp_path / "campaign"))


@pytest.mark.parametrize("solver", ["auto", "one_step", "lbfgs"])
def test_map_removes_most_of_a_known_noise(solver):
    clean, noisy = waves()
    problem = Problem("series", sigma=0.3)
    out = DenoGradMap(solver=solver).fit(noisy, problem=problem).denoise(noisy)
    left = ((out.X - clean) ** 2).sum() / ((noisy - clean) ** 2).sum()
    assert left < 0.35


@pytest.mark.parametrize("kind", ["series", "tabular"])
def test_map_records_what_the_convergence_figure_reads(kind):
    _, noisy = waves()
    method = DenoGradMap(solver="lbfgs", max_epochs=5).fit(noisy, problem=Problem(kind, sigma=0.3))
    first, second = (method.denoise(noisy).info["history"] for _ in range(2))
    assert [h["epoch"] for h in first] == [h["epoch"] for h in second] == [1, 2, 3, 4, 5]
    assert {"moved", "residual", "displacement", "seconds"} <= set(first[0])


def moved_by(out, X, y):
    """Whether the target, its history (channel 0 of a series) and another feature were moved."""
    target = out.X[:, 0] if out.y is None else out.y
    moved = np.abs(out.X - X).max(axis=0) > 0
    return bool((target != y).any()), bool(moved[0]), bool(moved[1])


@pytest.mark.parametrize("sigma", ["known", "common"])
@pytest.mark.parametrize(
    ("refine", "moves"), [("both", (1, 1, 1)), ("features", (0, 0, 1)), ("target", (1, 0, 0))]
)
def test_map_moves_what_it_is_told(refine, moves, sigma, monkeypatch):
    monkeypatch.setattr("denograd.map.noise_level.common_level", lambda *_: (0.3, "as measured"))
    _, noisy = waves()
    noisy.setflags(write=False)
    problem = Problem("series", sigma=0.3)
    method = DenoGradMap(sigma, refine, solver="one_step").fit(noisy, problem=problem)
    assert moved_by(method.denoise(noisy), noisy, noisy[:, 0]) == moves


@pytest.mark.parametrize("sigma", ["known", "common"])
@pytest.mark.parametrize(("refine", "moves"), [("both", (1, 1)), ("features", (0, 1)), ("target", (1, 0))])
def test_map_of_a_table_moves_what_it_is_told(refine, moves, sigma, monkeypatch):
    monkeypatch.setattr("denograd.map.noise_level.common_level", lambda *_: (0.3, "as measured"))
    _, noisy = waves()
    X, y = noisy[:, 1:], noisy[:, 0]
    method = DenoGradMap(sigma, refine, solver="one_step").fit(X, y, problem=Problem("tabular", sigma=0.3))
    target, _, feature = moved_by(method.denoise(X, y), X, y)
    assert (target, feature) == moves


def test_map_leaves_a_target_alone_that_is_known_to_be_clean():
    _, noisy = waves()
    problem = Problem("tabular", sigma=0.3, sigma_target=0.0)
    method = DenoGradMap(solver="one_step").fit(noisy[:, 1:], noisy[:, 0], problem=problem)
    out = method.denoise(noisy[:, 1:], noisy[:, 0])
    assert (out.y == noisy[:, 0]).all()
    assert np.abs(out.X - noisy[:, 1:]).max() > 0


def test_map_says_why_it_is_skipped_without_a_level():
    assert "no noise level" in DenoGradMap().skip(Problem("series", sigma_target=0.0))
    assert DenoGradMap(sigma=0.1).skip(Problem("series")) is None
    assert DenoGradMap(sigma="auto").skip(Problem("tabular")) is None
    assert "series" in DenoGradMap(sigma="wavelet").skip(Problem("tabular"))


@pytest.mark.parametrize("denoiser", [DenoGradMap, DenoGradMapForecast])
@pytest.mark.parametrize("bad", [{"sigma": -1.0}, {"sigma": "guess"}, {"refine": "nothing"}])
def test_map_refuses_bad_parameters(denoiser, bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        denoiser(**bad)


@pytest.mark.parametrize(("refine", "moves"), [("both", (1, 1)), ("features", (0, 1)), ("target", (1, 0))])
def test_published_rules_move_what_they_are_told(refine, moves):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = MLP(n_features=2, outputs=1, hidden=[8]).eval()
    backbone = Network(module, "tabular", None, "target", History())
    _, noisy = waves(80)
    problem = Problem("tabular", backbone=lambda outputs: backbone)
    method = DenoGradRule("fixed", refine, nrr=0.05, max_epochs=3).fit(
        noisy[:, 1:], noisy[:, 0], problem=problem
    )
    out = method.denoise(noisy[:, 1:], noisy[:, 0])
    assert ((out.y != noisy[:, 0]).any(), (noisy[:, 1:] != out.X).any()) == moves
    assert len(out.info["history"]) == 3


@pytest.mark.parametrize(
    ("rule", "parameters"), [("gauss_newton", {"eta_x": 0.0, "eta_y": 0.5}), ("global", {"tol": 1e9})]
)
def test_released_parameters_reach_the_rule(rule, parameters):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = DLinear(window=6, n_features=3, outputs=1).eval()
    backbone = Network(module, "series", 6, "target", History())
    _, noisy = waves(80)
    problem = Problem("series", window=6, backbone=lambda outputs: backbone)
    plain, other = (
        DenoGradRule(rule, max_epochs=5, **given).fit(noisy, problem=problem).denoise(noisy)
        for given in ({}, parameters)
    )
    if rule == "gauss_newton":
        assert (noisy != plain.X).any()
        assert (noisy == other.X).all()
    else:
        assert len(other.info["history"]) < len(plain.info["history"])


def test_rows_that_were_hit_are_found(tmp_path):
    run = run_of(
        tmp_path,
        "dataset=nasdaq",
        "protocol=[paper]",
        "noise.fraction=0.1",
        "noise.sigma=0.5",
        "denoiser=[identity,denograd_map,residual]",
    )
    found = {c.spec["denoiser"]: c.metrics["auroc"] for c in execute(run) if c.stage == "denoise"}
    assert found["denograd_map"] > 0.95
    assert found["identity"] == 0.5


def test_a_forecasting_backbone_gives_map_a_causal_form(tmp_path):
    run = run_of(
        tmp_path,
        "dataset=nasdaq",
        "noise.sigma=0.3",
        "backbone=dlinear",
        "profile.backbone_epochs=20",
        "denoiser=[identity,denograd_map_forecast]",
    )
    cells = [c for c in execute(run) if c.spec["denoiser"] == "denograd_map_forecast"]
    assert {c.status for c in cells} == {"ok"}, [c.reason for c in cells]
    assert "denoised" in {c.spec.get("variant") for c in cells if c.spec["protocol"] == "deployable"}
    assert all(c.metrics["recovery"] > 0 for c in cells if c.stage == "denoise")


def test_no_refined_value_depends_on_the_future(tmp_path):
    from experiments.run.trial import Trial

    run = run_of(tmp_path, "dataset=nasdaq", "backbone=dlinear", "denoiser=[identity,denograd_map_forecast]")
    task = run.task("deployable", 0)
    [(_, _), (component, backbone)] = run.pairs
    provider = Trial(run, "deployable", 0, component, backbone)._provider()
    method = component.make().fit(
        task.X[task.split.train], problem=Problem("series", sigma=0.05, window=task.window, backbone=provider)
    )
    changed = task.X.copy()
    changed[600:] += 5.0
    before, after = method.denoise(task.X, causal=True).X, method.denoise(changed, causal=True).X
    assert (before[:600] == after[:600]).all()
    assert (before[600:] != after[600:]).any()


class LastStep(torch.nn.Module):
    """Forecasts what it saw last."""

    def __init__(self):
        super().__init__()
        self.one = torch.nn.Parameter(torch.ones(()))

    def forward(self, x):
        return self.one * x[:, -1]


def lagging(valid_mse):
    """What the harness hands over: a backbone for all channels, and its error on the validation part."""
    known = np.asarray(valid_mse)

    class Backbone(Trained):
        valid_mse = known

    backbone = Backbone(Network(LastStep(), "series", 6, "all", History()), valid=None)
    return lambda outputs: backbone


def drifting(n=1600, sigma=0.05, seed=0):
    """Two channels that keep still at first and then climb ever faster."""
    climb = 6e-8 * np.clip(np.arange(n) - 700, 0, None) ** 3
    clean = np.column_stack([climb, -climb])
    return clean, clean + sigma * np.random.default_rng(seed).normal(size=clean.shape)


@pytest.mark.parametrize("seed", range(3))
def test_forecasts_do_no_harm_where_a_series_drifts(seed):
    clean, noisy = drifting(seed=seed)
    V = ((noisy[1:700] - noisy[:699]) ** 2).mean(axis=0)
    problem = Problem("series", sigma=0.05, window=6, backbone=lagging(V))
    refined = DenoGradMapForecast().fit(noisy, problem=problem).denoise(noisy, causal=True).X
    for rows in (slice(900, None), slice(1280, None)):
        left = ((refined - clean)[rows] ** 2).sum(axis=0) / ((noisy - clean)[rows] ** 2).sum(axis=0)
        assert left.max() < 1.005
    assert ((refined - clean)[:700] ** 2).sum() < 0.8 * ((noisy - clean)[:700] ** 2).sum()


def test_forecasts_do_no_harm_on_stock_prices(tmp_path):
    run = run_of(
        tmp_path,
        "dataset=microsoft_stock",
        "protocol=[deployable]",
        "backbone=dlinear",
        "profile.rows=null",
        "profile.backbone_epochs=8",
        "denoiser=[identity,denograd_map_forecast]",
    )
    try:
        task = run.task("deployable", 0)
    except DatasetMissing:
        pytest.skip("needs microsoft_stock: name its folder in DENOGRAD_DATA")
    trial = list(trials(run))[-1]
    trial.denoised()
    rows = task.split.test
    refined, noise = trial.refined.X_test[rows] - task.clean_X[rows], task.X[rows] - task.clean_X[rows]
    assert ((refined**2).sum(axis=0) / (noise**2).sum(axis=0)).max() < 1.005


def test_trailing_mean_looks_back_only():
    values = np.arange(600.0)[:, None]
    found = trailing_mean(values, 401)[:, 0]
    assert (found[:99] == 0).all()
    assert found[[99, 300, 599]] == pytest.approx([49.5, 150.0, 399.0])
    assert trailing_mean(values[:50], 401).max() == 0


@pytest.mark.parametrize(
    ("refine", "moves"), [("both", (1, 1, 1)), ("features", (0, 0, 1)), ("target", (1, 0, 0))]
)
def test_forecasts_move_what_they_are_told(refine, moves):
    _, noisy = waves()
    for sigma, known in (("known", 0.3), (0.3, None)):
        problem = Problem("series", sigma=known, window=6, backbone=lagging([0.5, 0.5, 0.5]))
        method = DenoGradMapForecast(sigma, refine)
        assert method.skip(problem) is None
        out = method.fit(noisy, problem=problem).denoise(noisy)
        assert moved_by(out, noisy, noisy[:, 0]) == moves


def test_forecasts_need_a_level_somewhere_and_a_past():
    method = DenoGradMapForecast()
    assert "no noise level" in method.skip(Problem("series", sigma_target=0.0))
    assert "no noise level" in method.skip(Problem("series"))
    assert method.skip(Problem("series", sigma_target=0.2)) is None
    assert "no past" in method.skip(Problem("tabular", sigma=0.2))


@pytest.mark.parametrize(
    ("refine", "expected"), [("both", [3, 1, 2]), ("features", [0, 1, 2]), ("target", [3, 0, 0])]
)
def test_levels_that_columns_reached_are_used(refine, expected):
    series = Problem("series", sigma=9.0, levels=np.array([3.0, 1.0, 2.0]))
    table = Problem("tabular", sigma=9.0, levels=np.array([1.0, 2.0, 3.0]))
    method = DenoGradMap(refine=refine)
    assert method.skip(series) is None
    method._problem = series
    assert method._level(3, has_target=False).tolist() == expected
    method._problem = table
    assert method._level(3, has_target=True).tolist() == [*expected[1:], expected[0]]
    assert method._level(2, has_target=False).tolist() == expected[1:]
    assert "no noise level" in method.skip(Problem("series", sigma=9.0, levels=np.zeros(3)))


def test_map_is_told_the_level_that_lost_values_reached(tmp_path, monkeypatch):
    told = []

    def spy(backbone, frame, level, **given):
        told.append(level)
        return refine(backbone, frame, level, **given)

    monkeypatch.setattr(denoisers, "refine", spy)
    run = run_of(
        tmp_path,
        "dataset=nasdaq",
        "protocol=[paper]",
        "noise=missing",
        "noise.sigma=0.2",
        "denoiser.denograd_map.solver=one_step",
        "denoiser=[identity,denograd_map]",
    )
    found = {c.spec["denoiser"]: c for c in execute(run) if c.stage == "denoise"}
    level = found["identity"].info["noise_level"]
    assert level["asked"] == 0.2
    assert level["least"] <= level["target"] < 0.1 < level["most"] <= 0.25
    assert found["denograd_map"].status == "ok"
    assert told[0][0] == pytest.approx(level["target"], abs=1e-5)
    assert told[0].max() == pytest.approx(level["most"], abs=1e-5)


def test_levels_of_gaussian_noise_are_the_stated_one(tmp_path, monkeypatch):
    run = run_of(
        tmp_path, "dataset=diabetes", "noise.sigma=0.2", "noise.features=false", "denoiser=[identity]"
    )
    told = []
    monkeypatch.setattr(Identity, "skip", lambda self, problem: told.append(problem))
    level = next(trials(run)).denoised().info["noise_level"]
    assert (told[0].sigma, told[0].sigma_target, told[0].levels) == (None, 0.2, None)
    assert level["least"] == level["most"] == level["target"] == pytest.approx(0.2, rel=0.1)


def test_published_settings_see_all_rows_and_sound_ones_the_training_part(tmp_path):
    run = run_of(tmp_path, "dataset=diabetes", "protocol=[paper]", "denoiser=[identity]")
    task, seen = run.task("paper", 0), []
    refinement = Refinement(task, Problem("tabular"), lambda: Watched(seen), seed=0)
    refinement.under("paper")
    refinement.under("deployable")
    assert seen[0] == (len(task.y), task.split.train.tolist())
    assert set(seen[1:]) == {(len(task.split.train), None)}


def test_a_new_row_of_a_table_depends_on_the_fitted_rows_and_itself_alone(tmp_path):
    task = run_of(tmp_path, "dataset=diabetes", "noise.sigma=0.3", "profile.rows=100").task("deployable", 0)
    rng = np.random.default_rng(0)
    first, *others = task.split.test
    factors = rng.normal(size=(len(task.X), 2)) @ rng.normal(size=(2, task.X.shape[1]))
    X = factors / factors.std(axis=0) + 0.3 * rng.normal(size=factors.shape)

    def refined(X):
        problem = Problem("tabular", sigma=0.3)
        return Refinement(replace(task, X=X), problem, DenoGradMap, seed=0).under("deployable").X_test[first]

    alone = refined(X)
    changed = X.copy()
    changed[others] = rng.normal(size=(len(others), X.shape[1]))
    move = np.abs(alone - X[first])
    assert move.max() > 0.05
    np.testing.assert_allclose(refined(changed), alone, atol=1e-5 * move.max())


class Watched(Identity):
    def __init__(self, seen):
        super().__init__()
        self.seen = seen

    def fit(self, X, y=None, *, seed=0, problem=None):
        self.seen.append((len(X), None if problem.train_rows is None else problem.train_rows.tolist()))
        return super().fit(X, y, seed=seed, problem=problem)


@pytest.mark.parametrize(("dataset", "backbone"), [("diabetes", "mlp"), ("nasdaq", "dlinear")])
def test_any_backbone_drives_map(tmp_path, dataset, backbone):
    run = run_of(
        tmp_path,
        f"dataset={dataset}",
        f"backbone={backbone}",
        "noise.sigma=0.5",
        "profile.backbone_epochs=20",
        "denoiser=[identity,denograd_map_backbone]",
    )
    cells = [c for c in execute(run) if c.spec["denoiser"] == "denograd_map_backbone"]
    assert {c.status for c in cells} == {"ok"}, [c.reason for c in cells]
    assert {c.spec["backbone"] for c in cells} == {backbone}
    assert all(c.metrics["recovery"] > 0 for c in cells if c.stage == "denoise")


def test_a_level_that_cannot_be_estimated_skips_the_cell(tmp_path, monkeypatch):
    monkeypatch.setattr("denograd.map.noise_level.common_level", lambda *_: (np.nan, "nothing agrees"))
    how = ["denoiser=[identity,denograd_map_est]", "denoiser.denograd_map_est.sigma=common"]
    cells = execute(run_of(tmp_path, "dataset=diabetes", *how))
    mine = [c for c in cells if c.spec["denoiser"] == "denograd_map_est"]
    assert [(c.stage, c.status) for c in mine] == [("denoise", "skipped")] * 2
    assert "nothing agrees" in mine[0].reason
