"""A hyper-parameter study: its file, its points, going on after a stop, its plot."""

import pytest
from optuna.trial import TrialState

from experiments import hparams, report
from experiments.store import Store

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
        (["hparams_search=denogad"], "Did you mean 'denograd'"),
        (["trials=many"], "trials is a whole number above 0, got 'many'"),
        (["datset=ett"], "Did you mean dataset"),
        (["regressor=ridg"], "Did you mean ridge"),
    ],
)
def test_bad_words(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert hparams.main(arguments) == 1
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
    ],
)
def test_bad_files(tmp_path, text, message):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(hparams.BadConfig, match=message):
        hparams.load_search("mine", tmp_path)
