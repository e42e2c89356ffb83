"""python -m experiments.agra, and the benchmark's networks under AGRA."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from experiments import agra
from experiments.models.agra import (
    AgraCNN1D,
    AgraCNNLSTM,
    AgraDLinear,
    AgraDNN,
    AgraFTTransformer,
    AgraLSTM,
    AgraXLSTM,
)


@pytest.mark.parametrize("kind", ["uniform", "class-dependent"])
def test_flips(kind):
    y = np.random.default_rng(0).integers(10, size=20_000)
    flipped = agra.flip(y, kind, 0.4, 10, np.random.default_rng(1))
    hit = flipped != y
    assert hit.mean() == pytest.approx(0.4, abs=0.01)
    steps = np.bincount((flipped - y)[hit] % 10, minlength=10)
    assert steps[0] == 0
    if kind == "uniform":
        assert steps[1:].min() > 0.9 * hit.sum() / 9
    else:
        assert steps[1] == hit.sum()


def test_problem_keeps_the_test_labels_and_flips_the_others():
    problem = agra.problem_of("uniform", 0.2, seed=3, scaling="spread")
    assert [len(part[0]) for part in (problem.train, problem.valid, problem.test)] == [1078, 359, 360]
    np.testing.assert_allclose(problem.train[0].mean(axis=0), 0, atol=1e-12)
    assert problem.train[0].std() == pytest.approx(1)
    for part in (problem.train, problem.valid):
        assert (part[1] != part[2]).mean() == pytest.approx(0.2, abs=0.07)


def test_scalings():
    ranged = agra.problem_of("uniform", 0.2, seed=3, scaling="range").train[0]
    assert (ranged.min(), ranged.max()) == (0, 1)
    pixel = agra.problem_of("uniform", 0.2, seed=3, scaling="pixel").train[0].std(axis=0)
    np.testing.assert_allclose(pixel[pixel > 0], 1)


def test_f1_comparison_beats_plain_training_on_class_dependent_flips():
    options = {"scaling": "spread", "lr": 0.03, "weight_decay": 1e-2}
    found = {
        name: [agra.run({**agra.TUNED[name], **options}, "class-dependent", 0.4, seed) for seed in (0, 1)]
        for name in ("plain", "F1")
    }
    for measure in ("accuracy", "macro_f1"):
        plain, f1 = (np.mean([result[measure] for result in found[name]]) for name in ("plain", "F1"))
        assert f1 > plain + 0.02
    assert all(result["flipped_dropped"] > result["clean_dropped"] for result in found["F1"])


def test_table_is_printed_and_written(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(
        agra, "GRID", {"scaling": ("spread",), "batch_size": (128,), "lr": (0.03,), "weight_decay": (1e-2,)}
    )
    monkeypatch.setattr(agra, "SETTINGS", [("uniform", 0.2)])
    monkeypatch.setenv("COLUMNS", "80")
    agra.main(["--seeds", "2", "--tuning-seeds", "1", "--out", str(tmp_path)])
    out = capsys.readouterr().out
    assert "Labels flipped: uniform 20%" in out
    assert all(len(line) <= 80 for line in out.splitlines() if str(tmp_path) not in line)
    table = (tmp_path / "table.md").read_text().splitlines()
    assert len(table) == 2 + 5
    assert table[2].startswith("| uniform 20% | plain | 0.")
    for row in table[2:]:
        method, accuracy = row.split(" | ")[1:3]
        assert re.search(rf"^{re.escape(method)} +{accuracy} ", out, flags=re.MULTILINE)
    assert len(pd.read_csv(tmp_path / "runs.csv")) == 10
    chosen = json.loads((tmp_path / "hyperparameters.json").read_text())
    assert set(chosen["uniform 20%"]) == {"plain", "cross-entropy", "F1"}

    def no_search(*_):
        raise AssertionError("searched, though the choice was handed over")

    monkeypatch.setattr(agra, "tune", no_search)
    again = tmp_path / "hyperparameters.json"
    agra.main(["seeds=2", f"tuned={again}", "--out", str(tmp_path / "again")])
    assert (tmp_path / "again" / "table.md").read_text().splitlines() == table


POINT = {"scaling": "range", "batch_size": 32, "lr": 0.1, "weight_decay": 0.01}
TUNED = dict.fromkeys(agra.TUNED, POINT)


@pytest.mark.parametrize(
    ("arguments", "text", "message"),
    [
        (["seeds=0"], None, "seeds must be at least 1, got 0"),
        (["--tuning-seeds", "-1"], None, "tuning_seeds must be at least 1"),
        (["jobs=0"], None, "jobs must be at least 1"),
        (["jobs=100000"], None, "jobs=100000 is more than the"),
        (["--tuned", "absent.json"], None, "absent.json cannot be read: No such file"),
        (["tuned=f.json"], "{", "f.json is no JSON"),
        (["tuned=f.json"], "[]", "must map settings, such as 'uniform 20%'"),
        (["tuned=f.json"], '{"unifrm 20%": {}}', "Did you mean uniform 20%"),
        (["tuned=f.json"], '{"uniform 20%": {"F1": {}}}', "needs exactly plain, cross-entropy, F1"),
        (
            ["tuned=f.json"],
            json.dumps({"uniform 20%": {**TUNED, "F1": {**POINT, "batch_size": "many"}}}),
            "'F1' of 'uniform 20%' needs exactly scaling, batch_size, lr, weight_decay",
        ),
        (["--out", "f.json"], "", "f.json cannot be a folder"),
    ],
)
def test_bad_input_is_answered(arguments, text, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "f.json").write_text(text)
    assert agra.main(arguments) == 2
    assert message in capsys.readouterr().err


def test_an_interruption_is_answered(tmp_path, monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(agra, "run", interrupted)
    assert agra.main(["--out", str(tmp_path)]) == 130
    assert "Nothing was written" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


OPTIONS = {AgraDNN: {"hidden": [8]}, AgraFTTransformer: {"width": 16, "heads": 2, "blocks": 1}}


@pytest.mark.parametrize(
    "regressor",
    [AgraDNN, AgraLSTM, AgraXLSTM, AgraCNNLSTM, AgraDLinear, AgraFTTransformer, AgraCNN1D],
)
def test_every_network_trains_under_agra(regressor):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 6) if regressor.input == "flat" else (80, 24, 3))
    y = X.reshape(80, -1)[:, 0] + 0.1 * rng.standard_normal(80)
    model = clone(regressor(options=OPTIONS.get(regressor), epochs=2, device="cpu"))
    predicted = model.fit(X, y, validation=(X[:20], y[:20])).predict(X)
    assert predicted.shape == (80,)
    assert np.isfinite(predicted).all()
    assert all(0 <= share < 1 for share in model.dropped_)
