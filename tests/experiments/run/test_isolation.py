"""Nothing that a method does changes what another one gets: methods that misbehave beside some that do not."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir

from experiments.base import metrics
from experiments.base.errors import HarnessError
from experiments.base.fence import MethodError, copied, fenced
from experiments.base.paths import CONF, ROOT
from experiments.config.schema import BackboneConf, RegressorConf, as_config, register
from experiments.run.bench import Bench
from experiments.run.loop import execute
from experiments.store.files import Store

HERE = Path(__file__).parent
BEHAVE = ("identity", "keeps", "draws", "pca")
MISBEHAVE = {
    "in_place": ("InPlace", "copy first"),
    "wrong_shape": ("WrongShape", "Returns.denoise: Denoised.X has the shape (1,"),
    "broadcast": ("Broadcast", "Denoised.y has the shape (1,)"),
    "shorter": ("Shorter", "has the shape"),
    "no_target": ("NoTarget", "was handed a target and returned none"),
    "bare": ("Bare", "returned a ndarray: wanted a Denoised"),
    "nothing": ("Nothing", "returned a NoneType"),
    "integers": ("Integers", "is of type int64"),
    "objects": ("Objects", "is of type object"),
    "complex": ("Complex", "is of type complex128"),
    "masked": ("Masked", "is a MaskedArray"),
    "not_a_number": ("NotANumber", "NaN or infinite"),
    "infinite": ("Infinite", "NaN or infinite"),
    "bad_info": ("BadInfo", "Denoised.info cannot be stored"),
    "huge_info": ("HugeInfo", "at most 1,048,576 are kept"),
    "circular_info": ("CircularInfo", "Denoised.info cannot be stored"),
    "bad_score": ("BadScore", "Denoised.info['score'] has the shape (3,)"),
    "raises": ("Raises", "no such luck"),
    "exits": ("Exits", "tried to end the process: SystemExit(3)"),
    "exits_skip": ("ExitsSkip", "tried to end the process"),
    "base_error": ("BaseError", "tried to end the process: BaseException"),
    "skips_oddly": ("SkipsOddly", "wanted a reason (str) or None"),
}
UNRULY = {
    "unlocked": "InPlaceUnlocked",
    "keeps_reference": "KeepsReference",
    "prints": "Prints",
    "leaves_threads": "LeavesThreads",
    "changes_process": "ChangesProcess",
    "closes_streams": "ClosesStreams",
}
"""They get away with it: their own cells are fine, and so are the others'."""


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(HERE)


def target(cls):
    return f"{{_target_:misbehaving.{cls}}}"


def added(**denoisers):
    return [f"+denoiser.{name}={target(cls)}" for name, cls in denoisers.items()]


def bench_of(tmp_path, *overrides):
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        shared = ["profile=smoke", "allow_targets=[misbehaving]", "regressor=[ridge,knn]", "figure=false"]
        config = as_config(compose("config", overrides=[*shared, *overrides]))
    return Bench(config, Store(tmp_path))


def numbers(cells, names=BEHAVE):
    """What must be the same, by what the cell is of; seconds, memory and provenance are not."""
    found = {}
    for cell in cells:
        if cell.spec["denoiser"] in names:
            spec = cell.spec
            place = (spec["protocol"], spec["denoiser"], spec.get("regressor"), spec.get("variant"))
            info = {k: v for k, v in cell.info.items() if k != "history"}
            found[place] = (cell.key, cell.status, repr(sorted(cell.metrics.items())), json.dumps(info))
    return found


@pytest.mark.parametrize("dataset", ["diabetes", "nasdaq"])
def test_those_that_behave_get_the_same_beside_any_that_do_not(tmp_path, dataset):
    plain = [f"dataset={dataset}", "denoiser=[identity,pca]"]
    good = added(keeps="Keeps", draws="Draws")
    alone = numbers(execute(bench_of(tmp_path / "alone", *plain, *good)))
    bad = added(**{name: cls for name, (cls, _) in MISBEHAVE.items()}, **UNRULY)
    # Hydra keeps the order: what misbehaves comes before what behaves.
    cells = execute(bench_of(tmp_path / "beside", *plain, *bad, *good))
    assert numbers(cells) == alone
    states = {c.spec["denoiser"]: (c.status, c.reason) for c in cells if c.stage == "denoise"}
    for name, (_, message) in MISBEHAVE.items():
        if name in ("no_target", "infinite") and dataset == "nasdaq":
            continue  # in a series nobody is handed a target apart
        status, reason = states[name]
        assert status == "failed", name
        assert message in reason, name
    for name in UNRULY:
        assert states[name][0] == "ok", states[name]


def test_the_process_is_as_before(tmp_path):
    numpy_state, python_state = np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    torch_state, folder, environment = torch.get_rng_state(), os.getcwd(), dict(os.environ)
    swd, mean, path = metrics.swd, np.mean, list(sys.path)
    execute(
        bench_of(tmp_path, "denoiser=[identity]", *added(changes="ChangesProcess", closes="ClosesStreams"))
    )
    assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002
    assert random.getstate() == python_state
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()
    assert (os.getcwd(), dict(os.environ), sys.path) == (folder, environment, path)
    assert (metrics.swd, np.mean, metrics.PROJECTIONS) == (swd, mean, 100)
    assert not sys.stderr.closed
    os.fstat(2)


REGRESSORS = {
    "in place": "copy first",
    "exit": "tried to end the process",
    "info": "Regressor.info_ cannot be stored",
    "shape": "has the shape",
    "short": "has the shape",
    "scalar": "is a float",
    "nan": "NaN or infinite",
    "text": "is of type <U1",
    "none": "is a NoneType",
    "list": "is a list",
}


@pytest.mark.parametrize("dataset", ["diabetes", "nasdaq"])
def test_regressors_that_misbehave_fail_alone(tmp_path, dataset):
    def run(name, **ways):
        bench = bench_of(tmp_path / name, f"dataset={dataset}", "denoiser=[identity,pca]")
        for regressor, way in ways.items():
            node = {"_target_": "misbehaving.Regressor", "way": way}
            bench.config.regressor[regressor] = RegressorConf(["tabular", "series"], node)
        return execute(bench)

    ways = {f"r{i}": way for i, way in enumerate(REGRESSORS)}
    alone = {c.key: c.metrics for c in run("alone", last="none at all")}
    # The good one comes last, on data that the bad ones have had.
    cells = run("beside", **ways, unlocked="unlocked", last="none at all")
    assert {c.key: c.metrics for c in cells if c.key in alone} == alone
    for name, way in ways.items():
        found = [c for c in cells if c.spec.get("regressor") == name]
        assert {c.status for c in found} == {"failed"}, way
        assert all(REGRESSORS[way] in c.reason for c in found), (way, found[0].reason)
    # Whether it can unlock what it got or fails at that: nobody else sees what it wrote.
    assert len({c.status for c in cells if c.spec.get("regressor") == "unlocked"}) == 1


NETWORKS = {
    "shape": "Network gives (",
    "short": "Network gives (",
    "nan": "the loss became nan",
    "tuple": "Network returned a tuple: wanted a tensor",
    "none": "Network returned a NoneType",
    "exit": "tried to end the process",
    "raise": "no such luck",
    "in place": "writes into",
}


def test_backbones_that_misbehave_fail_alone(tmp_path):
    def run(name, *ways):
        words = ["dataset=diabetes", "protocol=[paper]", "denoiser=[identity,denograd_fixed]", "backbone=mlp"]
        bench = bench_of(tmp_path / name, *words, "regressor=[ridge]", "profile.backbone_epochs=2")
        good = bench.config.backbone.pop("mlp")
        for way in ways:
            node = {"_target_": "misbehaving.Network", "way": way}
            bench.config.backbone[way.replace(" ", "_")] = BackboneConf(["tabular"], node, good.training)
        bench.config.backbone["mlp"] = good  # last, in a process that the others have had
        return execute(bench)

    alone = {c.key: c.metrics for c in run("alone")}
    cells = run("beside", *NETWORKS, "globals")
    assert {c.key: c.metrics for c in cells if c.key in alone} == alone
    assert "SPOILED" not in os.environ
    for way, message in NETWORKS.items():
        [found] = [c for c in cells if c.spec["backbone"] == way.replace(" ", "_") and c.stage == "denoise"]
        assert found.status == "failed", way
        assert message in found.reason, (way, found.reason)


def test_a_single_column_of_predictions_is_taken_for_its_values(tmp_path):
    cells = execute(bench_of(tmp_path, "denoiser=[identity]", "regressor=[pls]"))
    assert {c.status for c in cells} == {"ok"}


NOISE = """
import numpy as np
from experiments.data.noise import Gaussian, Noise, Noisy

class InPlace(Gaussian):
    def inject(self, clean, **rest):
        clean += 1
        return super().inject(clean, **rest)

class Nothing(Gaussian):
    def inject(self, clean, **rest):
        return clean + 1

class Short(Gaussian):
    def inject(self, clean, **rest):
        return super().inject(clean[:-1], **rest)

class Missing(Gaussian):
    def inject(self, clean, **rest):
        found = super().inject(clean, **rest)
        found.values[0, 0] = np.nan
        return found

class Without(Noise): ...

class Exits(Gaussian):
    def inject(self, clean, **rest):
        raise SystemExit
"""


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        ("InPlace", "copy first"),
        ("Nothing", "returned a ndarray: wanted a Noisy"),
        ("Short", "has the shape"),
        ("Missing", "NaN or infinite"),
        ("Without", "has no method error"),
        ("Exits", "tried to end the process"),
    ],
)
def test_a_noise_model_that_misbehaves_is_named_before_any_cell(tmp_path, monkeypatch, cls, message):
    (tmp_path / f"loud_{cls.lower()}.py").write_text(NOISE)
    monkeypatch.syspath_prepend(tmp_path)
    module = f"loud_{cls.lower()}"
    node = [f"noise._target_={module}.{cls}", f"allow_targets=[{module}]", "denoiser=[identity]"]
    with pytest.raises(HarnessError) as caught:
        execute(bench_of(tmp_path / "store", *node))
    assert message in str(caught.value)
    assert cls in str(caught.value)
    assert not list(Store(tmp_path / "store", read_only=True).cells())


def test_a_copy_is_ones_own_and_locked():
    values = np.arange(6.0).reshape(2, 3)
    mine = copied(values)
    with pytest.raises(ValueError, match="read-only"):
        mine += 1
    mine.flags.writeable = True
    mine += 1
    assert values.sum() == 15
    with pytest.raises(MethodError, match=r"Halve\.fit writes into"), fenced("Halve.fit", 0):
        copied(values)[:] = 0


def test_ctrl_c_is_no_method_s_failure():
    with pytest.raises(KeyboardInterrupt), fenced("Halve.fit", 0):
        raise KeyboardInterrupt


def test_what_hangs_or_dies_is_stopped_by_the_local_engine(tmp_path):
    """In a process of its own: the pool's workers are killed, and a thread that is left does not keep it alive."""
    plain = [
        "dataset=diabetes",
        "protocol=[paper]",
        "denoiser=[identity]",
        "regressor=[ridge]",
        "noise.sigma=0.05",
    ]
    good = added(keeps="Keeps", draws="Draws")
    bad = added(
        hangs="Hangs",
        killed="Killed",
        exits_hard="ExitsHard",
        threads="LeavesThreads",
        closes="ClosesStreams",
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)])}

    def campaign(name, *words):
        limits = ["engine=local", "engine.workers=1", "engine.timeout_s=20"]
        call = [
            "+campaign=demo",
            *plain,
            "allow_targets=[misbehaving]",
            f"results_dir={tmp_path / name}",
            *words,
        ]
        return subprocess.run(
            [sys.executable, "-m", "experiments.campaign", *limits, *call],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )

    done = campaign("alone", *good)
    assert done.returncode == 0, done.stderr
    done = campaign("beside", *bad, *good)
    assert done.returncode == 1, done.stderr
    alone, beside = (
        numbers(Store(tmp_path / name / "demo", read_only=True).cells(), ("identity", "keeps", "draws"))
        for name in ("alone", "beside")
    )
    assert beside == alone
    states = {
        c.spec["denoiser"]: c.status
        for c in Store(tmp_path / "beside" / "demo", read_only=True).cells()
        if c.stage == "denoise"
    }
    assert (states["hangs"], states["killed"], states["exits_hard"]) == ("timeout", "failed", "failed")
    assert (states["threads"], states["closes"]) == ("ok", "ok")
