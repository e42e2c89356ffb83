"""Campaigns: what they contain, their plan, order, resumption, and answers to bad input. In this process."""

import errno
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.base.paths import CONF
from experiments.campaign.call import engine_of, parse
from experiments.campaign.command import main
from experiments.campaign.drive import Progress, drive
from experiments.campaign.engines.base import SerialConf
from experiments.campaign.engines.serial import Serial
from experiments.campaign.plan import Item, Timings, duration, plan
from experiments.campaign.runs import configurations
from experiments.run.bench import Bench
from experiments.run.loop import execute, trials
from experiments.store import archive
from experiments.store.claims import claimed, last_words, running
from experiments.store.files import Store

ROOT = Path(__file__).resolve().parents[3]
SMALL = [
    "dataset=diabetes",
    "noise.sigma=0.05",
    "protocol=[paper]",
    "denoiser=[identity,pca]",
    "regressor=[ridge,knn]",
]


@pytest.fixture(autouse=True)
def no_other_campaigns(tmp_path, monkeypatch):
    """A plan learns from every campaign of the checkout: here there is none."""
    monkeypatch.setattr("experiments.campaign.execution.ROOT", tmp_path / "checkout")


def call(tmp_path, *arguments):
    return main(["+campaign=demo", f"results_dir={tmp_path}", *arguments])


def cells(tmp_path, name="demo"):
    return {cell.key: cell for cell in Store(tmp_path / name, read_only=True).cells()}


def test_a_campaign_computes_what_single_runs_compute(tmp_path, capsys):
    assert call(tmp_path, "denoiser=[identity,pca]", "regressor=[ridge]") == 0
    capsys.readouterr()
    assert archive.planned(tmp_path / "demo") is None  # of the whole campaign nothing is known
    for config in configurations(
        "demo", ["denoiser=[identity,pca]", "regressor=[ridge]", f"results_dir={tmp_path}"]
    ):
        run = Bench(config, Store(tmp_path / "demo"))
        execute(run)
        assert run.computed == 0, "a run finds everything in the campaign's store"
    alone = Bench(config, Store(tmp_path / "alone"))
    for cell in execute(alone):
        stored = cells(tmp_path)[cell.key]
        assert json.dumps(cell.metrics, sort_keys=True) == json.dumps(stored.metrics, sort_keys=True)


PARTS = "allow_targets=[campaign_parts]"


def test_what_was_skipped_is_computed_once_it_is_possible(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    key = tmp_path / "key"
    one = f"+denoiser.one={{_target_:campaign_parts.Locked,key:{key}}}"
    two = f"+denoiser.two={{_target_:campaign_parts.Locked,key:{key},hollow:true}}"
    target = ["regressor.ridge.estimator._target_=campaign_parts.LockedRegressor"]
    target += [f"+regressor.ridge.estimator.key={key}", "protocol=[paper]", "dataset=diabetes"]
    arguments = [PARTS, "noise.sigma=0.05", one, two, *target, "denoiser=[identity]", "regressor=[ridge,knn]"]

    def states():
        found = {}
        for cell in cells(tmp_path).values():
            found[cell.spec["denoiser"], cell.spec.get("regressor")] = cell.status
        return found

    assert call(tmp_path, *arguments) == 0
    before = {path: path.read_bytes() for path in (tmp_path / "demo" / "cells").rglob("*.json")}
    skipped = {("one", None), ("two", None), ("identity", "ridge")}
    assert {cell for cell, status in states().items() if status == "skipped"} == skipped
    capsys.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr(Bench, "record", None)
        patch.setattr(Bench, "dataset", property(lambda self: self.load(self.config)))
        assert call(tmp_path, *arguments) == 0
    assert "0 to do in 0 units" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in before} == before

    key.touch()
    assert call(tmp_path, "plan=true", *arguments) == 0
    assert "2 cells done, 0 skipped, 0 failed before, at most 7 to do" in capsys.readouterr().out
    assert call(tmp_path, *arguments) == 0
    assert {cell for cell, status in states().items() if status == "skipped"} == {("two", None)}
    assert states()["one", "ridge"] == states()["identity", "ridge"] == "ok"
    capsys.readouterr()
    assert call(tmp_path, "plan=true", *arguments) == 0
    assert "0 to do in 0 units" in capsys.readouterr().out, "what the data were is not asked again"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_claim_that_cannot_be_written_is_named(tmp_path, monkeypatch, capsys, code):
    def refuse(self, *arguments, **options):
        if self.parent.name == "claims":
            raise OSError(code, os.strerror(code))
        return opened(self, *arguments, **options)

    opened = Path.open
    monkeypatch.setattr(Path, "open", refuse)
    assert call(tmp_path, *SMALL) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"StoreError: cannot write {tmp_path / 'demo' / 'claims'}")
    assert os.strerror(code) in error
    assert "run the same command again" in error


def test_a_plan_runs_nothing_and_counts_what_there_is(tmp_path, capsys):
    assert call(tmp_path, "plan=true", *SMALL) == 0
    shown = capsys.readouterr().out
    assert "0 cells done" in shown
    assert "6 to do in 6 units" in shown
    assert "guessed" in shown
    assert list(tmp_path.iterdir()) == []
    assert call(tmp_path, *SMALL) == 0
    capsys.readouterr()
    assert call(tmp_path, "plan=true", *SMALL) == 0
    assert "6 cells done, 0 skipped, 0 failed before, 0 to do" in capsys.readouterr().out
    assert call(tmp_path, "plan=true", *SMALL, "denoiser=[identity,pca,kalman]") == 0
    shown = capsys.readouterr().out
    assert "6 cells done" in shown
    assert "3 to do" in shown


def test_a_failure_is_listed_counted_by_the_plan_and_tried_again(tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr("baselines.pca.PCA.fit", lambda self, *_, **__: 1 / 0)
        assert call(tmp_path, *SMALL) == 1
    out, error = capsys.readouterr()
    assert "1 cells failed" in error
    assert "diabetes / paper / pca" in error
    assert "3/3, 1 failed" in out or "4/4, 1 failed" in out
    assert call(tmp_path, "plan=true", *SMALL) == 0
    assert "1 failed before" in capsys.readouterr().out
    assert call(tmp_path, *SMALL) == 0
    assert {cell.status for cell in cells(tmp_path).values()} == {"ok"}


def test_an_absent_dataset_is_named_and_the_others_run(tmp_path, capsys):
    assert call(tmp_path, *SMALL, "dataset=lattice_physics,diabetes", f"data_dir={tmp_path}") == 1
    assert "lattice_physics was left out" in capsys.readouterr().err
    assert call(tmp_path, *SMALL, "dataset=lattice_physics", f"data_dir={tmp_path}", "plan=true") == 0
    assert "Next: python -m experiments.fetch lattice_physics\n" in capsys.readouterr().out
    assert len(cells(tmp_path)) == 6


def test_cheap_units_come_first_and_measured_ones_are_known(tmp_path, capsys):
    overrides = [
        "dataset=diabetes,nasdaq",
        "denoiser=[identity,pca,denograd_fixed]",
        f"results_dir={tmp_path}",
    ]
    dear = ["profile.denograd_epochs=null", "profile.backbone_epochs=null"]
    configs = configurations("demo", [*overrides, *dear, "regressor=[ridge,dnn]", "noise.sigma=0.05"])
    found = plan(configs, Store(tmp_path / "demo"))
    order = [item.trial.denoiser.name for item in sorted(found.first)]
    runs = order[:6], order[6:]  # one dataset after the other, as the campaign's file has them
    assert [run.index("denograd_fixed") for run in runs] == [4, 4], (
        "both protocols' cheap denoisers come first"
    )
    assert len(found.first) == 2 * 2 * 3
    assert found.unmeasured == len(found.items)
    assert call(tmp_path, "denoiser=[identity,pca]", "regressor=[ridge]", "dataset=diabetes") == 0
    again = plan(configs, Store(tmp_path / "demo"))
    assert again.unmeasured < found.unmeasured
    assert again.seconds < found.seconds


def test_times_are_scaled_by_rows_and_epochs(tmp_path):
    small = [*SMALL[:3], "denoiser=[identity,dae]", "regressor=[ridge]", f"results_dir={tmp_path}"]
    [config] = configurations("demo", small)
    known = execute(Bench(config, Store(tmp_path / "demo")))
    timings = Timings(known)

    def seconds(*overrides):
        [config] = configurations("demo", [*small, *overrides])
        [trial] = [t for t in trials(Bench(config, Store(tmp_path / "demo"))) if t.denoiser.name == "dae"]
        return timings.of(trial, None, 1)

    base, measured = seconds()
    double, _ = seconds("profile.autoencoder_epochs=200")
    assert measured
    assert double - 0.05 == pytest.approx(100 * (base - 0.05), rel=1e-6)


def test_only_restricts_every_axis(tmp_path, capsys):
    assert (
        call(tmp_path, "only.dataset=diabetes", "only.denoiser=pca", "only.regressor=knn", "only.sigma=0.05")
        == 0
    )
    found = cells(tmp_path).values()
    assert {cell.spec["dataset"] for cell in found} == {"diabetes"}
    assert {cell.spec["denoiser"] for cell in found} == {"pca"}
    assert {cell.spec["sigma"] for cell in found} == {0.05}
    assert {cell.spec.get("regressor") for cell in found} == {"knn", None}


def test_arrays_are_dropped_when_the_last_regressor_is_done_and_made_again_when_wanted(tmp_path):
    arrays = tmp_path / "demo" / "arrays"
    assert call(tmp_path, *SMALL, "regressor=[ridge]", "keep_arrays=false") == 0
    assert list(arrays.iterdir()) == []
    before = cells(tmp_path)
    assert call(tmp_path, *SMALL, "keep_arrays=false") == 0
    assert list(arrays.iterdir()) == []
    after = cells(tmp_path)
    assert len(after) == 6
    assert all(after[key] == cell for key, cell in before.items()), "what was finished is as it was"


def test_cells_that_two_sweeps_share_are_planned_once(tmp_path):
    configs = configurations("demo", [*SMALL, f"results_dir={tmp_path}"])
    found = plan(configs * 2, Store(tmp_path / "demo"))
    assert len(found.items) == 6
    assert found.states["to do"] == 6


def test_a_unit_that_another_campaign_has_is_left_to_it(tmp_path, monkeypatch):
    monkeypatch.setattr("experiments.campaign.drive.RETRY_BUSY_S", 0.01)
    store = Store(tmp_path / "demo")
    configs = configurations("demo", [*SMALL, f"results_dir={tmp_path}"])
    found = plan(configs, store)
    first = min(found.first)
    held = claimed(first.unit.claim, "another")
    held.__enter__()
    lines = []

    def release_at_the_end(line):
        lines.append(line)
        if len(lines) == 3:  # the other denoiser and its two regressors
            held.__exit__(None, None, None)

    progress = Progress(6, 1.0, 1, log=release_at_the_end)
    assert drive(found, store, Serial(SerialConf()), progress=progress) == []
    assert len(cells(tmp_path)) == 6
    assert first.trial.denoiser.name not in lines[0]


def test_a_claim_dies_with_its_process_and_keeps_its_last_words(tmp_path):
    path = tmp_path / "claims" / "unit"
    # The package loads the libraries; the module alone does not need them.
    code = (
        "import sys, os, pathlib\nsys.path.insert(0, 'experiments/store')\nfrom claims import claimed\n"
        f"with claimed(pathlib.Path({str(path)!r}), 'some unit') as file:\n"
        "    file.write(b'Oh\\n'); file.flush(); print('held', flush=True); sys.stdin.read(1); os._exit(1)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout.readline() == b"held\n"
    with claimed(path, "mine") as file:
        assert file is None
    assert running(path.parent) == [(holder.pid, "some unit")]
    assert last_words(path) == "", "a living process has none"
    holder.communicate(b"x")
    assert running(path.parent) == []
    assert last_words(path) == "Oh"
    assert not path.exists()
    with claimed(path, "mine") as file:
        assert file is not None
    assert not path.exists()


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("+campaign=papper", "paper"),
        ("engine=locl", "local"),
        ("engine.worker=2", "Did you mean workers"),
        ("--config-dir", "--config-dir needs a folder"),
        ("--config-dir=", "--config-dir needs a folder"),
        ("--plain", "'plain' says nothing by itself"),
        ("--datset=ett", "Did you mean dataset"),
        ("-m", "'-m' says nothing by itself"),
        ("only=ett", "write only.AXIS=A,B"),
        ("workers=2", "engine=serial has no workers: that is an option of engine=local or slurm"),
        ("engine.workers=two", "workers"),
        ("engine.workers=0", "workers"),
        ("engine.workers=1000", "cores"),
        ("only.datset=ett", "dataset"),
        ("plan=maybe", "plan"),
        ("datset=ett", "Did you mean dataset"),
        ("dataset=etth", "ett"),
        ("noise.sgma=1", "Did you mean sigma?"),
        ("denoiser.pca.varince=0.5", "Did you mean variance?"),
        ("threads=100000", "threads=100000 is more than"),
        ("hydra.run.dir=elsewhere", "is refused"),
        ("justaword", "KEY=VALUE"),
    ],
)
def test_bad_input_gets_an_answer_and_exit_code_two(tmp_path, capsys, argument, message):
    arguments = ["engine=local"] if argument.startswith("engine.") else []
    assert call(tmp_path, *SMALL, *arguments, argument) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_limits_are_refused_where_nothing_can_enforce_them(tmp_path, capsys):
    assert call(tmp_path, *SMALL, "engine.timeout_s=5") == 2
    assert "engine=local" in capsys.readouterr().err


def test_without_a_campaign_help_is_shown(capsys):
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert "plan=true" in shown
    for path in (CONF / "campaigns").glob("*.yaml"):
        assert path.stem in shown
    assert main(["plan=true"]) == 2
    assert "which campaign" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONF / "campaigns").glob("*.yaml")))
def test_every_campaign_composes_and_its_components_exist(name):
    configs = configurations(name, ["results_dir=nowhere"])
    seen = set()
    for config in configs:
        assert config.campaign == name
        signature = (config.dataset.kind, *config.denoiser, *config.regressor, *config.backbone)
        if signature not in seen:  # building them is what takes time
            seen.add(signature)
            run = Bench(config, Store("nowhere", read_only=True))
            assert run.pairs
            assert run.regressors


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONF / "engine").glob("*.yaml")))
def test_every_engine_file_fits_its_settings(name):
    assert engine_of(name, {}).retries >= 0


def test_an_option_may_have_dashes():
    """What it was once: the plan asked for with ``--plan`` was not heard, and the campaign ran."""
    call = parse(["--campaign", "demo", "--plan", "--only.sigma", "0.05", "--results-dir=x"])
    assert (call.campaign, call.plan, call.only) == ("demo", True, {"sigma": {"0.05"}})
    assert call.overrides == ["results_dir=x"]


def test_workers_may_be_given_short():
    assert parse(["+campaign=demo", "engine=local", "workers=1"]).engine.workers == 1


def test_times_are_told_as_people_say_them():
    assert [duration(s) for s in (5, 120, 7265, 200000)] == ["5 s", "2 min", "2 h 01 min", "2 d 7 h"]


def test_cells_of_another_schema_beside_a_campaign_are_passed_over(tmp_path, capsys):
    other = tmp_path / "old" / "cells" / "ab" / "ab.json"
    other.parent.mkdir(parents=True)
    other.write_text('{"schema": 0}')
    assert call(tmp_path, "plan=true", *SMALL) == 0
    assert main(["+campaign=demo", f"results_dir={tmp_path}", "plan=true"]) == 0
    mine = tmp_path / "demo" / "cells" / "ab" / "ab.json"
    mine.parent.mkdir(parents=True)
    mine.write_text('{"schema": 0}')
    capsys.readouterr()
    assert call(tmp_path, "plan=true", *SMALL) == 1
    assert f"{mine}: the cell has schema 0" in capsys.readouterr().err


def test_the_time_left_trusts_neither_the_start_nor_a_wild_factor(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("experiments.campaign.drive.time.monotonic", lambda: now[0])
    item = Item(None, None)
    progress = Progress(100, 1000.0, 2)
    for seconds, at, left in ((1, 60, "about 8 min"), (99, 60, "9 min"), (100, 10_000, "20 min")):
        item.seconds, now[0] = seconds, at
        progress.finished(item, [], 1, 0)
        assert progress.left == left
    progress.close()


@pytest.mark.slow
def test_a_sweep_of_single_runs_goes_through_hydras_joblib_launcher(tmp_path):
    arguments = [
        "-m",
        "hydra/launcher=joblib",
        "hydra.launcher.n_jobs=2",
        f"results_dir={tmp_path}",
        "campaign=swept",
    ]
    arguments += ["profile=smoke", "figure=false", "dataset=diabetes,nasdaq"]
    arguments += ["denoiser=[identity,pca]", "regressor=[ridge]"]
    subprocess.run(
        [sys.executable, "-m", "experiments.run", *arguments], cwd=ROOT, check=True, capture_output=True
    )
    assert {cell.spec["dataset"] for cell in cells(tmp_path, "swept").values()} == {"diabetes", "nasdaq"}


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("results_dir=a,b", "results_dir holds for the whole campaign"),
        ("threads=1,2", "threads holds for the whole campaign"),
        ("data_dir=x,y", "data_dir holds for the whole campaign"),
        ("repetitions=1,2", "repetitions holds for the whole campaign"),
        ("only.dataset=mars", "there is no dataset 'mars' in the campaign demo"),
        ("only.denoiser=pcaa", "Did you mean pca?"),
        ("only.denoiser=[identity,pcaa]", "Did you mean pca?"),
        ("only.regressor=lstm", "there is no regressor 'lstm' in the campaign demo"),
        ("only.protocol=papers", "Did you mean paper?"),
        ("only.sigma=0.07", "there is no sigma '0.07' in the campaign demo"),
        ("only.sigma=low", "only.sigma is a number"),
        ("only.repetition=3", "there is no repetition '3' in the campaign demo"),
        ("only.noise=gausian", "Did you mean gaussian?"),
    ],
)
def test_what_no_run_of_a_campaign_has_is_refused(tmp_path, monkeypatch, capsys, argument, message):
    monkeypatch.chdir(tmp_path)
    assert main(["+campaign=demo", argument]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", ["0.050", "[0.05]", "5e-2"])
def test_values_of_an_axis_are_taken_for_what_they_are(value):
    assert parse(["+campaign=demo", f"only.sigma={value}"]).only == {"sigma": {"0.05"}}
    assert parse(["+campaign=demo", "only.denoiser=[identity, pca]"]).only == {
        "denoiser": {"identity", "pca"}
    }


def test_a_campaign_of_ones_own_and_its_members_lie_elsewhere(tmp_path, capsys):
    files = {
        "campaigns/mine.yaml": "# mine\nruns: [profile=smoke, figure=false]\nsweeps:\n  a:\n"
        "    - dataset=diabetes\n    - denoiser=[identity,refined]\n    - regressor=[ridge]\n",
        "denoiser/refined.yaml": "refined:\n  _target_: experiments.methods.rules.DenoGradRule\n",
    }
    for name, text in files.items():
        path = tmp_path / "ü (x)=y" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    arguments = ["--config-dir", str(tmp_path / "ü (x)=y"), "+campaign=mine", f"results_dir={tmp_path}"]
    assert main([*arguments, "plan=true"]) == 0
    assert "to do in 8 units" in capsys.readouterr().out
    assert main(arguments) == 0
    assert {c.spec["denoiser"] for c in Store(tmp_path / "mine").cells()} == {"identity", "refined"}
    assert archive.planned(tmp_path / "mine") == len(cells(tmp_path, "mine"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no keys: it takes 'sweeps'"),
        ("just text", "holds no keys"),
        ("runs: []", "holds runs: it takes 'sweeps'"),
        ("sweeps: {a: [dataset=diabetes]}\nextra: 1", "holds sweeps, extra"),
        ("sweeps: {a: dataset=diabetes}", "sweeps.a is no list of words"),
        ("sweeps: {a: [{dataset: diabetes}]}", "sweeps.a is no list of words"),
        ("runs: profile=smoke\nsweeps: {a: [dataset=diabetes]}", "runs is no list of words"),
        ("sweeps: {a: [datset=diabetes]}", "there is no 'datset' among the settings of a run. Did you mean"),
        ("sweeps: {a: [dataset=diabetis]}", "diabetis"),
    ],
)
def test_a_campaign_of_ones_own_with_a_mistake_gets_its_answer(tmp_path, capsys, text, message):
    (tmp_path / "conf" / "campaigns").mkdir(parents=True)
    (tmp_path / "conf" / "campaigns" / "mine.yaml").write_text(text)
    assert main(["--config-dir", str(tmp_path / "conf"), "+campaign=mine", f"results_dir={tmp_path}"]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["conf"]


class Terminal(io.StringIO):
    """What a bar takes for a screen that somebody watches."""

    def isatty(self):
        return True


def last_bar(screen):
    return [line for line in re.split(r"[\r\n]", screen.getvalue()) if "%|" in line][-1]


def test_a_bar_ends_full_and_tells_one_time_left(tmp_path, monkeypatch):
    """Of what fails or has no form for the test part, less is done than could be expected."""
    monkeypatch.setattr("baselines.pca.PCA.fit", lambda self, *_, **__: 1 / 0)
    monkeypatch.setattr("sys.stderr", Terminal())
    words = [*SMALL, "protocol=[deployable]", "denoiser=[identity,pca,isolation_forest]"]
    assert call(tmp_path, *words) == 1
    bar = last_bar(sys.stderr)
    done, total = re.search(r"(\d+)/(\d+) cells", bar).groups()
    assert done == total == str(len(cells(tmp_path)))
    assert "100%" in bar
    middle = [line for line in re.split(r"[\r\n]", sys.stderr.getvalue()) if "running: " in line]
    assert {line.count(" left") for line in middle} == {1}
    assert not any("<" in line for line in middle), "tqdm's own time left"


def test_the_bar_of_a_run_ends_full(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stderr", Terminal())
    monkeypatch.setattr("baselines.pca.PCA.fit", lambda self, *_, **__: 1 / 0)
    words = [*SMALL, "protocol=[deployable]", "denoiser=[identity,pca,isolation_forest]"]
    [config] = configurations("demo", [*words, f"results_dir={tmp_path}"])
    found = execute(Bench(config, Store(tmp_path / "demo")))
    assert "100%|" in last_bar(sys.stderr)
    assert f"{len(found)}/{len(found)} [" in last_bar(sys.stderr)


def test_what_older_code_computed_is_listed_with_what_has_changed(tmp_path, monkeypatch, capsys):
    assert call(tmp_path, *SMALL) == 0
    monkeypatch.setattr("baselines.pca.PCA.revision", 2, raising=False)
    capsys.readouterr()
    assert call(tmp_path, "plan=true", *SMALL) == 0
    shown = capsys.readouterr().out
    assert "3 cells: denoiser pca (revision 1 -> 2)" in shown
    assert call(tmp_path, *SMALL) == 0
    monkeypatch.undo()
    assert call(tmp_path, "plan=true", *SMALL) == 0


def test_a_plan_learns_from_the_archives_of_the_checkout(tmp_path, capsys):
    assert call(tmp_path, *SMALL) == 0
    folder = tmp_path / "checkout" / "results" / "committed"
    folder.mkdir(parents=True)
    archive.save(archive.load(tmp_path / "demo"), folder)
    capsys.readouterr()
    for name in ("with", "without"):
        assert call(tmp_path / name, "plan=true", *SMALL) == 0
        assert ("100% of it measured" in capsys.readouterr().out) is (name == "with")
        shutil.rmtree(tmp_path / "checkout", ignore_errors=True)
