"""What is computed once for all that share it: denoised arrays, tasks, backbones."""

import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from baselines.pca import PCA
from denograd import BlindSpot
from experiments.base.paths import CONF
from experiments.campaign.command import main
from experiments.config.schema import as_config, register
from experiments.models.training import History
from experiments.run import backbones
from experiments.run import bench as benches
from experiments.run.bench import Bench
from experiments.run.loop import execute, trials
from experiments.store.files import Store

FORMS_OF_MAP = [
    "denoiser=[identity,denograd_map]",
    "denoiser.denograd_map.solver=one_step",
    "+denoiser.lbfgs={_target_:experiments.methods.map.DenoGradMap,solver:lbfgs,max_epochs:3}",
]


def counted(monkeypatch, owner, name, calls):
    """Count the calls of a function or method."""
    before = getattr(owner, name)

    def counting(*arguments, **options):
        calls[name] += 1
        return before(*arguments, **options)

    monkeypatch.setattr(owner, name, counting)


def composed(*overrides):
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return as_config(compose("config", overrides=["profile=smoke", "profile.rows=120", *overrides]))


@pytest.mark.parametrize("dataset", ["diabetes", "seasonal"])
def test_the_forms_of_map_train_one_blind_spot_a_task(tmp_path, monkeypatch, dataset):
    shared = [f"dataset={dataset}", "noise.sigma=0.2", "regressor=ridge", "protocol=[deployable]"]
    calls = Counter()
    counted(monkeypatch, BlindSpot, "fit", calls)
    bench = Bench(composed(*shared, *FORMS_OF_MAP), Store(tmp_path / "together"))
    cells = execute(bench)
    assert calls["fit"] == (2 if dataset == "diabetes" else 1)  # of a table one of the features alone as well
    refined = {c.key: c for c in cells if c.stage == "denoise" and c.spec["denoiser"] != "identity"}
    assert len(refined) == 2
    last = ["denoiser=[identity]", FORMS_OF_MAP[-1]]
    alone = execute(Bench(composed(*shared, *last), Store(tmp_path / "alone")))
    [cell] = [c for c in alone if c.key in refined]
    assert json.dumps(refined[cell.key].metrics) == json.dumps(cell.metrics)
    # what it costs is with its backbone, whoever trained it
    trained_s = sum(seconds for _, seconds in bench.blind_spots._kept.values())
    assert trained_s > 0
    assert all(c.timings["fit_s"] >= trained_s for c in refined.values())


def test_a_single_form_keeps_no_backbone_and_its_key(tmp_path):
    bench = Bench(composed("denoiser=[identity,denograd_map]"), Store(tmp_path))
    assert bench.blind_spots is None
    component = next(component for component, _ in bench.pairs if component.name == "denograd_map")
    assert "blind_spots" not in component.identity
    assert component.seed_revision == 1
    [other] = [c for c, _ in Bench(composed(*FORMS_OF_MAP), Store(tmp_path)).pairs if c.name == "lbfgs"]
    assert (other.seeded_as, other.seed_revision) == ("denograd_map", 2)


def test_a_campaign_denoises_once_for_all_regressors_and_prepares_a_task_once(tmp_path, monkeypatch):
    calls = Counter()
    counted(monkeypatch, PCA, "_learn", calls)
    counted(monkeypatch, benches, "prepare", calls)
    words = ["+campaign=demo", f"results_dir={tmp_path}", "dataset=diabetes", "noise.sigma=0.05"]
    words += [
        "protocol=[paper,deployable]",
        "denoiser=[identity,pca]",
        "regressor=[ridge,knn]",
        "repetitions=2",
        "keep_arrays=false",
    ]
    assert main(words) == 0
    # paper: all rows; deployable: the rows with the target, and the features alone
    assert calls == {"_learn": 2 * 3, "prepare": 2 * 2}
    assert not list(Path(tmp_path).rglob("*.npz"))


def test_of_two_workers_that_need_a_backbone_at_once_one_trains(tmp_path, monkeypatch):
    calls = Counter()
    together = threading.Barrier(2, timeout=60)

    def slowly(module, *data, **options):
        calls["train"] += 1
        time.sleep(0.3)  # both have asked by then
        return History(train=[1.0], best_epoch=1)

    monkeypatch.setattr(backbones, "train", slowly)
    bench = Bench(composed("dataset=diabetes", "denoiser=[identity,denograd_fixed]"), Store(tmp_path))
    trial = next(t for t in trials(bench) if t.backbone)
    providers = [trial._provider() for _ in range(2)]

    def ask(provider):
        together.wait()
        return provider("target")

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(ask, providers))
    assert calls["train"] == 1
    assert [backbone.network.history.train for backbone in found] == [[1.0], [1.0]]
    assert not list(tmp_path.rglob("*.lock"))
