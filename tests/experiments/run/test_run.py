"""The main job on the embedded datasets, small: what it stores, shows, resumes, and how it fails."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from sklearn.linear_model import Ridge

import experiments.list
from experiments.base.paths import CONF
from experiments.base.resources import torch_device
from experiments.config.schema import as_config, register
from experiments.data.recipes import load_dataset
from experiments.data.task import used_rows
from experiments.report import results_of
from experiments.run import outcome, scoring
from experiments.run.bench import Bench
from experiments.run.command import main
from experiments.run.loop import execute
from experiments.store.files import Store
from experiments.store.frame import frame

ROOT = Path(__file__).resolve().parents[3]
CHEAP = ["denoiser=[identity,constant,pca,moving_average,kalman]", "regressor=[ridge,knn]"]


def composed(*overrides):
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return as_config(compose("config", overrides=["profile=smoke", *overrides]))


def run_of(tmp_path, *overrides):
    return Bench(composed(*overrides), Store(tmp_path / "campaign"))


def failures(cells):
    return [(c.spec["denoiser"], c.spec.get("regressor"), c.reason) for c in cells if c.status == "failed"]


def call(tmp_path, *arguments):
    return main([f"results_dir={tmp_path}", "profile=smoke", "figure=false", *arguments])


@pytest.mark.parametrize("dataset", ["diabetes", "nasdaq"])
def test_constant_scores_a_hundred_and_identity_nothing_under_paper(tmp_path, dataset):
    cells = execute(run_of(tmp_path, f"dataset={dataset}", *CHEAP))
    assert failures(cells) == []
    score = results_of(frame(cells)).score
    paper = score[score.protocol == "paper"].set_index("denoiser")["imp"]
    assert np.abs(paper["constant"] - 100).max() < 0.1
    assert np.abs(paper["identity"]).max() == 0


def test_a_score_that_is_known_in_closed_form_is_not_fitted_and_is_what_a_fit_gives(tmp_path, monkeypatch):
    overrides = ["dataset=diabetes", "noise=none", "denoiser=[identity,constant]"]
    overrides += ["regressor=[ridge,knn,xgboost]", "regressor.xgboost.estimator.n_estimators=5"]
    known = execute(run_of(tmp_path, *overrides))
    monkeypatch.setattr(scoring, "repeats_a_constant", lambda estimator: False)
    fitted = execute(Bench(composed(*overrides), Store(tmp_path / "fitted")))
    told = [
        (cell.spec["regressor"], cell.spec["protocol"], cell.spec["variant"])
        for cell in known
        if "not_fitted" in cell.info
    ]
    variants = [("deployable", "noisy"), ("deployable", "denoised"), ("paper", "denoised")]
    assert sorted(told) == sorted((name, *v) for name in ("ridge", "knn", "xgboost") for v in variants)
    for cell, other in zip(known, fitted, strict=True):
        assert cell.key == other.key
        if cell.stage == "score":
            assert bool(cell.timings) == ("not_fitted" not in cell.info)
            # float32, in which XGBoost knows a mean; 1 is a standard deviation of the target
            assert cell.metrics["mse"] == pytest.approx(other.metrics["mse"], rel=1e-6, abs=1e-13)
            assert cell.metrics["mae"] == pytest.approx(other.metrics["mae"], rel=1e-6, abs=1e-6)
    imp = [
        score[score["denoiser"] == "constant"]
        .set_index(["protocol", "regressor", "variant"])["imp"]
        .sort_index()
        for score in (results_of(frame(cells)).score for cells in (known, fitted))
    ]
    np.testing.assert_allclose(imp[0], imp[1], rtol=1e-6)


@pytest.mark.data
@pytest.mark.parametrize("dataset", ["ett", "parkinsons"])
def test_the_main_job_on_real_files(tmp_path, dataset):
    if not os.environ.get("DENOGRAD_DATA"):
        pytest.skip("DENOGRAD_DATA does not name a folder with the raw files")
    chosen = ["denoiser=[identity,constant,pca,kalman,denograd_fixed]", "regressor=[ridge]"]
    cells = execute(run_of(tmp_path, f"dataset={dataset}", *chosen))
    assert [c for c in cells if c.status != "ok" and not (c.status == "skipped" and c.reason)] == []
    assert {(c.spec["protocol"], c.spec["denoiser"]) for c in cells if c.status == "ok"} >= {
        (protocol, denoiser)
        for protocol in ("paper", "deployable")
        for denoiser in ("identity", "constant", "pca", "denograd_fixed")
    }
    score = results_of(frame(cells)).score
    paper = score[score.protocol == "paper"].set_index("denoiser")["imp"]
    assert np.abs(paper["constant"] - 100).max() < 0.1
    assert np.abs(paper["identity"]).max() == 0
    again = run_of(tmp_path, f"dataset={dataset}", *chosen)
    assert [c.key for c in execute(again)] == [c.key for c in cells]
    assert again.computed == 0


@pytest.mark.parametrize("dataset", ["diabetes", "nasdaq"])
def test_identity_under_paper_is_a_plain_fit_on_noisy_data(tmp_path, dataset):
    run = run_of(tmp_path, f"dataset={dataset}", "denoiser=[identity]", "regressor=[ridge]")
    cells = execute(run)
    [score] = [c for c in cells if c.stage == "score" and c.spec["protocol"] == "paper"]
    task = run.task("paper", 0)
    train, test = (task.samples(task.X, task.y, rows) for rows in (task.split.train, task.split.test))
    model = Ridge(alpha=1.0).fit(train[0].reshape(len(train[0]), -1), train[1])
    error = model.predict(test[0].reshape(len(test[0]), -1)) - test[1]
    assert score.metrics["mse"] == pytest.approx(float(np.mean(error**2)), rel=1e-9)


def test_a_deployable_score_uses_the_clean_test_target_and_every_variant(tmp_path):
    run = run_of(tmp_path, "dataset=diabetes", "denoiser=[identity,constant]", "regressor=[ridge]")
    cells = [c for c in execute(run) if c.stage == "score" and c.spec["protocol"] == "deployable"]
    identity = {c.spec["variant"]: c for c in cells if c.spec["denoiser"] == "identity"}
    assert set(identity) == {"clean", "noisy", "denoised"}
    assert identity["noisy"].metrics == identity["denoised"].metrics
    task = run.task("deployable", 0)
    train = task.split.train
    model = Ridge(alpha=1.0).fit(task.X[train], task.y[train])
    for variant, X in (("clean", task.clean_X), ("noisy", task.X)):
        error = model.predict(X[task.split.test]) - task.clean_y[task.split.test]
        assert identity[variant].metrics["mse"] == pytest.approx(float(np.mean(error**2)), rel=1e-9)
    constant = {c.spec["variant"]: c.metrics["r2"] for c in cells if c.spec["denoiser"] == "constant"}
    assert max(constant.values()) <= 0.01, "a constant wins nothing where the test target is untouched"


def test_without_noise_clean_is_not_shown_twice_and_nothing_is_recovered(tmp_path):
    cells = execute(run_of(tmp_path, "noise=none", "denoiser=[identity]", "regressor=[ridge]"))
    assert {c.spec.get("variant") for c in cells if c.spec["protocol"] == "deployable"} == {
        None,
        "noisy",
        "denoised",
    }
    assert all(c.spec["noise"] == "none" and "recovery" not in c.metrics for c in cells)


def test_the_scaler_of_deployable_sees_the_train_part_alone(tmp_path):
    run = run_of(tmp_path, "dataset=nasdaq", "noise=none")
    paper, deployable = run.task("paper", 0), run.task("deployable", 0)
    assert paper.X.mean(axis=0) == pytest.approx(0, abs=1e-9)
    assert deployable.X[deployable.split.train].mean(axis=0) == pytest.approx(0, abs=1e-9)
    assert abs(deployable.X.mean(axis=0)[0]) > 0.01


def test_noise_is_the_same_draw_for_all_sigmas_and_protocols(tmp_path):
    draws = []
    for sigma in (0.05, 0.2):
        run = run_of(tmp_path, f"noise.sigma={sigma}")
        for protocol in ("paper", "deployable"):
            task = run.task(protocol, 0)
            draws.append((task.X - task.clean_X) / sigma)
    for draw in draws[1:]:
        assert draw == pytest.approx(draws[0], abs=1e-9)


def test_a_second_call_computes_nothing_and_returns_the_same(tmp_path):
    first = run_of(tmp_path, *CHEAP)
    before = execute(first)
    second = run_of(tmp_path, *CHEAP)
    after = execute(second)
    assert first.computed == len(before)
    assert second.computed == 0
    assert [c.to_json() for c in before] == [c.to_json() for c in after]


def test_a_run_goes_on_where_it_was_interrupted_with_the_same_numbers(tmp_path, monkeypatch):
    whole = {c.key: c.metrics for c in execute(run_of(tmp_path / "a", *CHEAP))}
    record, calls = Bench.record, 0

    def interrupted(self, *arguments):
        nonlocal calls
        calls += 1
        if calls == 9:
            raise KeyboardInterrupt
        return record(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Bench, "record", interrupted)
        with pytest.raises(KeyboardInterrupt):
            execute(run_of(tmp_path / "b", *CHEAP))
    rest = run_of(tmp_path / "b", *CHEAP)
    resumed = {c.key: c.metrics for c in execute(rest)}
    assert rest.computed == len(whole) - 8
    assert json.dumps(resumed, sort_keys=True) == json.dumps(whole, sort_keys=True)


def test_lost_arrays_are_computed_again_with_the_same_numbers(tmp_path):
    overrides = ["denoiser=[identity,pca]", "keep_arrays=false"]
    ridge = execute(run_of(tmp_path, *overrides, "regressor=[ridge]"))
    assert not list((tmp_path / "campaign" / "arrays").iterdir())
    both = run_of(tmp_path, *overrides, "regressor=[ridge,knn]")
    cells = execute(both)
    assert failures(cells) == []
    assert {c.key for c in ridge} <= {c.key for c in cells}
    kept = execute(run_of(tmp_path / "other", "denoiser=[identity,pca]", "regressor=[ridge,knn]"))
    assert json.dumps([c.metrics for c in cells], sort_keys=True) == json.dumps(
        [c.metrics for c in kept], sort_keys=True
    )


def test_a_failing_denoiser_is_stored_the_others_finish_and_the_next_call_retries(
    tmp_path, monkeypatch, capsys
):
    arguments = ["denoiser=[identity,pca,constant]", "regressor=[ridge]"]
    with monkeypatch.context() as patch:

        def broken(self, *_, **__):
            raise ZeroDivisionError("made to fail")

        patch.setattr("baselines.pca.PCA.denoise", broken)
        assert call(tmp_path, *arguments) == 1
    assert "2 of" in (error := capsys.readouterr().err)
    assert error.count("/ pca (") == 2
    assert "made to fail" in error
    cells = list(Store(tmp_path / "runs", read_only=True).cells())
    assert {c.spec["denoiser"] for c in cells if c.status == "ok"} == {"identity", "constant"}
    assert all("Traceback" in c.reason for c in cells if c.status == "failed")
    assert call(tmp_path, *arguments) == 0


def test_fail_fast_shows_the_failure(tmp_path, monkeypatch):
    monkeypatch.setattr("baselines.pca.PCA.fit", lambda self, *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        execute(run_of(tmp_path, "fail_fast=true", "denoiser=[identity,pca]"))


def test_denograd_runs_on_both_kinds_of_data(tmp_path):
    for dataset in ("diabetes", "nasdaq"):
        run = run_of(
            tmp_path,
            f"dataset={dataset}",
            "denoiser=[identity,denograd_fixed,denograd_gauss_newton,denograd_global]",
            "regressor=[ridge]",
        )
        cells = execute(run)
        assert failures(cells) == []
        denoise = {c.spec["denoiser"]: c for c in cells if c.stage == "denoise"}
        assert denoise["denograd_fixed"].info["history"]
        assert denoise["denograd_fixed"].spec["backbone"] == ("mlp" if dataset == "diabetes" else "lstm")
        assert denoise["denograd_global"].status == ("skipped" if dataset == "diabetes" else "ok")
        variants = {
            c.spec["variant"] for c in cells if c.spec["denoiser"] == "denograd_fixed" and c.stage == "score"
        }
        assert variants == {"denoised", "clean", "noisy"}, (
            "paper scores denoised rows, deployable has no such form"
        )


def test_caps_stand_in_every_cell(tmp_path):
    cells = execute(run_of(tmp_path, "dataset=nasdaq", "denoiser=[identity,dae]", "regressor=[dnn]"))
    assert all(c.spec["rows"] == 1000 and c.provenance["caps"]["rows"] == 1000 for c in cells)
    assert {c.provenance["device"] for c in cells} == {torch_device("auto")}
    [dae] = [
        c
        for c in cells
        if c.spec["denoiser"] == "dae" and c.stage == "denoise" and c.spec["protocol"] == "paper"
    ]
    assert dae.spec["denoiser_params"]["epochs"] == 2
    assert dae.spec["settings"] == "paper"
    assert all(c.spec["regressor_params"]["epochs"] == 2 for c in cells if c.stage == "score")


def test_rows_of_a_capped_table_are_a_seeded_draw_and_of_a_series_the_first():
    table, series = load_dataset("diabetes"), load_dataset("nasdaq")
    rows = used_rows(table, 100, 0)
    assert len(set(rows)) == 100
    assert rows.max() > 110
    assert (np.diff(rows) > 0).all()
    assert (used_rows(series, 100, 0) == np.arange(100)).all()


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("dataset=diabetis", "Did you mean diabetes"),
        ("+dataset=nasdack", "Did you mean nasdaq"),
        ("denoiser=[identity,kalmann]", "Did you mean kalman"),
        ("regressor=rigde", "Did you mean ridge"),
        ("profil=smoke", "Did you mean profile"),
        ("noise.sigma=-0.1", "noise.sigma must be"),
        ("noise.sgma=0.1", "Did you mean sigma?"),
        ("denoiser.kalman.qq=1", "'qq'"),
        ("regressor.ridge.estimator.alhpa=1", "Did you mean alpha?"),
        ("regressor.ridge.estimator.solver=svd", "+regressor.ridge.estimator.solver="),
        ("datset=ett", "Did you mean dataset?"),
        ("campaigns=demo", "there is no key 'campaigns'"),
        ("justaword", "KEY=VALUE"),
        ("kalman", "did you mean denoiser=kalman?"),
        ("denoiser=[identity,", "in several words needs quotes around it all: 'denoiser=[A, B]'"),
        ("--dataset=diabetes", "a setting is written without dashes"),
        (
            "dataset=diabetes,nasdaq",
            "dataset has several values, diabetes,nasdaq: 'python -m experiments.run -m'",
        ),
        ("results_dir=a,b", """value needs quotes: 'results_dir="a,b"'"""),
        ("threads=two", "threads: Value 'two' of type 'str' could not be converted to Integer\n"),
        ("threads=100000", "threads=100000 is more than"),
        ("--config-dir=/nowhere", "/nowhere"),
        ("denoiser=[pca]", "identity"),
        ("regressor=[lstm]", "tabular"),
        ("repetitions=0", "repetitions"),
        ("results_dir=", "results_dir= names no folder"),
        ("threads=0", "threads"),
        ("device=gpu", "device"),
        ("campaign=../elsewhere", "campaign"),
        ("profile.rows=0", "profile.rows"),
        ("profile.rows=3", "rows"),
    ],
)
def test_bad_input_gets_an_answer_and_its_exit_code(tmp_path, capsys, argument, message):
    try:
        code = call(tmp_path, "denoiser=[identity,kalman]", argument)
    except SystemExit as stopped:  # Hydra's own way out
        code = stopped.code
    error = capsys.readouterr().err
    assert code == (
        1 if argument == "profile.rows=3" else 2
    )  # what the data are too short for is no wrong call
    assert message in error
    assert "Traceback" not in error
    assert not list(Store(tmp_path / "runs", read_only=True).cells())


def test_a_reader_that_leaves_is_no_error(tmp_path, capsys, monkeypatch):
    def unread(config):
        raise BrokenPipeError

    monkeypatch.setattr("experiments.run.command.run_once", unread)
    monkeypatch.setattr("experiments.base.command.os.dup2", lambda *_: None)
    assert call(tmp_path) == 0
    assert call(tmp_path, "-m", "dataset=diabetes,nasdaq") == 0
    assert capsys.readouterr().err == ""


def test_a_window_longer_than_the_series_is_named(tmp_path, capsys):
    assert call(tmp_path, "dataset=nasdaq", "dataset.window=900") == 1
    assert "dataset.window" in capsys.readouterr().err


def test_the_documented_forms_of_the_command_line(tmp_path):
    for argument in ("+dataset=diabetes", "dataset=diabetes", None):
        arguments = [argument] if argument else []
        assert call(tmp_path, *arguments, "denoiser=[identity]", "regressor=[ridge]") == 0
    assert len(list(Store(tmp_path / "runs", read_only=True).cells())) == 6


def test_help_shows_groups_options_and_three_examples():
    shown = subprocess.run(
        [sys.executable, "-m", "experiments.run", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert shown.count("python -m experiments.run ") >= 3
    for word in ("dataset", "denoiser", "regressor", "profile", "data_dir", "denograd_fixed"):
        assert word in shown
    for word in ("campaigns", "engine", "hparams_search"):
        assert word not in shown, "what a run does not take"


def test_a_denoiser_and_its_yaml_may_lie_elsewhere(tmp_path, monkeypatch, capsys):
    """The example of CONTRIBUTING.md, to the letter."""
    blocks = re.findall(
        r"```(?:python|yaml)\n# (\S+)\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL
    )
    for name, text in blocks:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    own = ["--config-dir", str(tmp_path / "conf"), "denoiser=[identity,halve]", "allow_targets=[mypackage]"]
    assert call(tmp_path, *own, "regressor=[ridge]") == 0
    found = Store(tmp_path / "runs", read_only=True).cells()
    assert {cell.spec["denoiser"] for cell in found} == {"identity", "halve"}
    capsys.readouterr()
    assert call(tmp_path, *own[:2], "denoiser=[identity,halv]") == 2
    assert "Did you mean halve" in capsys.readouterr().err


def test_a_run_writes_the_errors_of_every_fit(tmp_path):
    assert call(tmp_path, "denoiser=[identity]", "regressor=[ridge]") == 0
    written = {path.name for path in (tmp_path / "runs" / "outcomes").rglob("errors_*")}
    assert len(written) == 4, "csv and md, per protocol"


def test_the_figure_is_of_the_cells_in_the_tables(tmp_path, monkeypatch):
    """Also where nothing is computed, and with several backbones of a denoiser."""
    drawn = []
    draw = outcome.run_figure
    monkeypatch.setattr(
        outcome, "run_figure", lambda t, r, *rest: drawn.append([*map(str, r)]) or draw(t, r, *rest)
    )

    def ask(*denoisers):
        drawn.clear()
        arguments = [f"denoiser=[{','.join(denoisers)}]", "regressor=[ridge]", "protocol=[paper]"]
        assert call(tmp_path, *arguments, "dataset=nasdaq", "backbone=[lstm,dlinear]", "figure=true") == 0
        return list(drawn)

    both = ["Identity", "DenoGrad (lstm)", "DenoGrad (dlinear)"]
    assert ask("identity", "denograd_fixed") == [both]
    assert ask("identity", "denograd_fixed") == []
    assert ask("identity") == [["Identity"]], "nothing is computed, but the cells are others"
    assert ask("identity") == []
    figures = (tmp_path / "runs" / "outcomes").rglob("denoised_paper.png")
    [figure] = (path for path in figures if "DenoGrad" not in path.with_suffix(".keys").read_text())
    figure.unlink()
    assert ask("identity") == [["Identity"]]
    for arrays in (tmp_path / "runs" / "arrays").iterdir():
        arrays.unlink()
    figure.with_suffix(".keys").write_text("of other cells")
    assert ask("identity") == []
    assert not figure.exists(), "better none than one of other cells"


def test_a_sweep_goes_on_without_an_absent_dataset_and_names_it(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("DENOGRAD_DATA", raising=False)
    sweep = ["-m", "+dataset=lattice_physics,diabetes", f"data_dir={tmp_path}"]
    assert call(tmp_path, *sweep, "denoiser=[identity]", "regressor=[ridge]") == 1
    error = capsys.readouterr().err
    assert error.count("DatasetMissing: 'lattice_physics'") == 1
    assert "Traceback" not in error
    assert len(list(Store(tmp_path / "runs", read_only=True).cells())) == 6


def test_a_cell_of_another_schema_is_named(tmp_path, capsys):
    arguments = ["denoiser=[identity]", "regressor=[ridge]"]
    assert call(tmp_path, *arguments) == 0
    path = next((tmp_path / "runs" / "cells").rglob("*.json"))
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 0'))
    assert call(tmp_path, *arguments) == 1
    assert f"{path}: the cell has schema 0" in capsys.readouterr().err


def test_listing_a_data_folder_that_is_none(tmp_path, monkeypatch, capsys):
    assert experiments.list.main(["dataset", "--data-dir", str(tmp_path / "nope")]) == 1
    monkeypatch.setenv("DENOGRAD_DATA", str(tmp_path / "nope"))
    assert experiments.list.main(["dataset"]) == 1
    assert capsys.readouterr().err.count("nope") == 2


WRONG = {
    "denoiser/flat.yaml": "_target_: baselines.pca.PCA\n",
    "denoiser/mypca.yaml": "mypca:\n  _target_: baselines.pca.PCA\n  settings: null\n",
    "regressor/nokinds.yaml": "nokinds:\n  estimator:\n    _target_: sklearn.linear_model.Ridge\n",
    "regressor/badkinds.yaml": "badkinds:\n  kinds: [table]\n  estimator:\n    _target_: sklearn.linear_model.Ridge\n",
    "regressor/flat.yaml": "_target_: sklearn.linear_model.Ridge\n",
    "regressor/star.yaml": "star:\n  kinds: [tabular]\n  estimator:\n    _target_: starest.Star\n",
}


@pytest.mark.parametrize("folder", ["plain", "ü (x)=y, 'z'"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["denoiser.pca.variance=7"], "denoiser.pca: PCA("),
        (["denoiser=[]"], "denoiser is empty: choose one or several"),
        (["denoiser=[identity,flat]"], "flat"),
        (["regressor=[nokinds]"], "nokinds.kinds is missing"),
        (["regressor=[badkinds]"], "say for which data it is, kinds:"),
        (["regressor=[flat]"], "flat"),
        (["regressor=[star]", "allow_targets=[starest]"], "no estimator that can be cloned"),
        (["denoiser=[identity,mypca]", "denoiser.mypca.varince=1"], "Did you mean variance?"),
        (["noise._target_=baselines.pca.PCA"], "which is no noise model: it has no inject"),
    ],
)
def test_a_wrong_yaml_or_value_is_named(tmp_path, capsys, monkeypatch, folder, arguments, message):
    (tmp_path / folder).mkdir(parents=True)
    for name, text in WRONG.items():
        if Path(name).stem not in " ".join(arguments):
            continue
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "starest.py").write_text(
        "from sklearn.base import BaseEstimator\nclass Star(BaseEstimator):\n    def __init__(self, *a): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    chosen = [] if arguments[0].startswith("denoiser") else ["denoiser=[identity]"]
    assert call(tmp_path / "results", "--config-dir", str(tmp_path / folder), *chosen, *arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_tables_of_runs_that_differ_lie_apart(tmp_path):
    small = ["denoiser=[identity]", "regressor=[ridge]"]
    others = ["profile.rows=300"], ["noise.fraction=0.5"], ["profile.denograd_epochs=1"], ["regressor=[knn]"]
    for more in ([], *others, ["denoiser=[identity,constant]"], []):
        assert call(tmp_path, *small, *more) == 0
    assert len(list((tmp_path / "runs" / "outcomes").iterdir())) == 6
