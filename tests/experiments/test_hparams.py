"""A hyper-parameter study: its file, its points, going on after a stop, its plot."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from optuna.trial import TrialState

from experiments import hparams
from experiments.report import command as report
from experiments.store.files import Store

ROOT = Path(__file__).resolve().parents[2]
CHEAP = ["dataset=diabetes", "profile=smoke", "profile.rows=200", "regressor=[ridge]", "campaign=study"]
CAP = "profile.denograd_epochs=5"


def words(tmp_path, *more):
    return [*CHEAP, CAP, f"results_dir={tmp_path}", *more]


def test_a_study_goes_on_where_it_stopped_and_the_report_plots_it(tmp_path, capsys):
    study, failed = hparams.search(words(tmp_path, "trials=2"))
    first = [trial.params for trial in study.get_trials()]
    assert (len(first), failed) == (2, 0)
    assert hparams.main(words(tmp_path, "trials=3")) == 0
    again, _ = hparams.search(words(tmp_path, "trials=3"))  # nothing left to do
    trials = again.get_trials()
    assert [trial.params for trial in trials[:2]] == first
    assert len({str(trial.params) for trial in trials}) == len(trials) == 3
    assert "3 trials" in capsys.readouterr().out
    report.write_report(tmp_path / "study")
    assert (tmp_path / "study" / "figures" / "sensitivity_denograd_fixed_deployable.png").is_file()


def test_a_trial_is_judged_by_its_cells(tmp_path):
    study, _ = hparams.search(words(tmp_path, "trials=1"))
    (trial,) = study.get_trials()
    cells = list(Store(tmp_path / "study", read_only=True).cells())
    assert trial.value == hparams.objective(cells, "denograd_fixed", "imp")
    (denoised,) = [c for c in cells if c.stage == "denoise" and c.spec["denoiser"] == "denograd_fixed"]
    assert denoised.spec["denoiser_params"]["nrr"] == pytest.approx(trial.params["nrr"])
    assert hparams.objective(cells, "denograd_fixed", "swd") == denoised.metrics["swd"]


def test_a_grid_varies_one_parameter_at_a_time():
    plan = hparams.load_search("denograd_grid")
    points = hparams.one_at_a_time(plan)
    assert len(points) == 13  # 5 + 5 + 5, the middle once
    assert all(sum(point[k] != plan["around"][k] for k in point) <= 1 for point in points)


def test_what_changes_the_numbers_makes_another_study():
    plan = hparams.load_search("denograd")
    title = lambda *more: hparams.title_of("denograd", plan, hparams.configure(plan, {}, [*CHEAP, *more]))  # noqa: E731
    assert title().startswith("denograd diabetes gaussian sigma 0.05 smoke imp ")
    assert title("threads=1", "device=cpu", "campaign=other", "data_dir=x", "figure=false") == title()
    others = (
        "noise=laplace",
        "regressor=[knn]",
        "profile.rows=100",
        "repetitions=3",
        "denoiser.denograd_fixed.refine=target",
    )
    assert len({title(), *map(title, others)}) == 1 + len(others)


def test_a_study_has_a_campaign_of_its_own_and_may_lie_elsewhere(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "my conf (ü)"
    (folder / "hparams_search").mkdir(parents=True)
    (folder / "hparams_search" / "mine.yaml").write_text(GRID)
    monkeypatch.setattr(hparams, "_value", lambda *_: 1.0)
    cheap = [word for word in words(tmp_path) if not word.startswith("campaign=")]
    for flag in ([f"--config-dir={folder}"], ["-cd", str(folder)]):
        assert hparams.main([*cheap, *flag, "hparams_search=mine"]) == 0
    assert "3 trials in all" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"hparams_mine", folder.name}
    assert hparams.main([*cheap, "hparams_search=mine"]) == 2
    assert "there is no hparams_search 'mine'" in capsys.readouterr().err


GRID = """\
denoiser: denograd_fixed
protocol: deployable
objective: imp
direction: maximize
trials: 3
seed: 0
space:
  nrr: {values: [0.001, 0.01]}
  nr_threshold: {values: [0.1, 0.5]}
around: {nrr: 0.01, nr_threshold: 0.1}
"""


def call_of(tmp_path):
    """A call in a process of its own that says when it begins a trial, and then waits."""
    code = (
        "import sys, time; from experiments import hparams; from pathlib import Path\n"
        f"hparams.FOLDER = Path({str(tmp_path)!r})\n"
        "hparams._value = lambda *_: print('begun', flush=True) or time.sleep(600)\n"
        "sys.exit(hparams.main(sys.argv[1:]))"
    )
    arguments = words(tmp_path, "hparams_search=mine")
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, cwd=ROOT)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_point_of_a_grid_that_was_interrupted_is_done_by_the_next_call(tmp_path, monkeypatch, stop):
    (tmp_path / "mine.yaml").write_text(GRID)
    monkeypatch.setattr(hparams, "FOLDER", tmp_path)
    monkeypatch.setattr(hparams, "_value", lambda *_: 1.0)
    arguments = words(tmp_path, "hparams_search=mine")
    with call_of(tmp_path) as other:
        assert b"begun\n" in iter(other.stdout.readline, b"")  # behind the command's first line
        with pytest.raises(hparams.StudyBusy, match="another process"):
            hparams.search(arguments)  # and the other's trial stays as it is
        other.send_signal(stop)
        try:
            assert other.wait(timeout=60) == (130 if stop == signal.SIGINT else -stop)
        finally:
            other.kill()
    study, failed = hparams.search(arguments)
    states = [trial.state for trial in study.get_trials()]
    assert (states.count(TrialState.COMPLETE), states.count(TrialState.FAIL), len(states), failed) == (
        3,
        1,
        4,
        0,
    )
    done = [trial.params for trial in study.get_trials() if trial.state == TrialState.COMPLETE]
    assert all(point in done for point in hparams.one_at_a_time(hparams.load_search("mine", [tmp_path])))


def test_a_failed_point_of_a_grid_is_tried_again(tmp_path, monkeypatch):
    (tmp_path / "mine.yaml").write_text(GRID)
    monkeypatch.setattr(hparams, "FOLDER", tmp_path)
    values = iter([1.0, float("nan"), 3.0, 2.0])
    monkeypatch.setattr(hparams, "_value", lambda *_: next(values))
    study, failed = hparams.search(words(tmp_path, "hparams_search=mine"))
    (lost,) = [trial.params for trial in study.get_trials() if trial.state == TrialState.FAIL]
    assert failed == 1
    study, failed = hparams.search(words(tmp_path, "hparams_search=mine"))
    assert failed == 0
    assert study.get_trials()[-1].params == lost


def test_a_profile_does_not_cap_the_epochs_that_a_study_varies(tmp_path):
    plan = hparams.load_search("denograd")
    assert hparams.configure(plan, {"max_epochs": 300}, CHEAP).profile.denograd_epochs is None
    assert hparams.configure(plan, {"max_epochs": 300}, [*CHEAP, CAP]).profile.denograd_epochs == 5


def test_a_failed_trial_is_no_value(tmp_path, monkeypatch):
    monkeypatch.setattr(hparams, "objective", lambda *_: float("nan"))
    study, failed = hparams.search(words(tmp_path, "trials=1"))
    assert failed == 1
    assert study.get_trials()[0].state == TrialState.FAIL


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hparams_search=denogad"], "Did you mean denograd"),
        (["trials=many"], "trials is a whole number above 0, got 'many'"),
        (["datset=ett"], "Did you mean dataset"),
        (["--trials", "0"], "trials is a whole number above 0, got '0'"),
        (["dataset=diabetes,nasdaq"], "'dataset=diabetes,nasdaq' has several values"),
        (["--show"], "'show' says nothing by itself"),
        (["regressor=ridg"], "Did you mean ridge"),
    ],
)
def test_bad_words(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert hparams.main(arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("denoiser: x\nspace: {}\n", "needs exactly the fields"),
        (
            "{denoiser: x, protocol: paper, objective: imp, direction: up, trials: 1, seed: 0, space: {}}",
            "maximize or minimize",
        ),
        (
            "{denoiser: x, protocol: paper, objective: imp, direction: maximize, trials: 1, seed: 0, "
            "space: {a: {lo: 1}}}",
            "space.a is low, high",
        ),
        ("", "needs exactly the fields"),
        ("just text", "needs exactly the fields"),
        (GRID.replace("trials: 3", "trials: three"), "trials is a whole number of at least 1, got 'three'"),
        (GRID.replace("objective: imp", "objective: imq"), "there is no objective 'imq'. Did you mean imp"),
        (GRID.replace("objective: imp", "objective: mse"), "there is no objective 'mse'"),
        (GRID.partition("space")[0] + "space: []", "space has no parameters"),
        (GRID.replace("nr_threshold: 0.1}", "nr: 0.1}"), "around holds a value for each parameter"),
        (GRID.replace("{values: [0.1, 0.5]}", "{low: 0.1, high: 0.5}"), "each of these has values"),
        (GRID.replace("{values: [0.1, 0.5]}", "0.5"), "space.nr_threshold is low, high"),
    ],
)
def test_bad_files(tmp_path, text, message):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(hparams.BadConfig, match=message):
        hparams.load_search("mine", [tmp_path])
