"""A new method among the published ones: from stored cells, which are not computed anew; on the campaign demo."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import baselines.pca
from benchmarks import fake
from experiments.base.paths import ROOT
from experiments.campaign.command import main as campaign
from experiments.campaign.runs import configurations
from experiments.compare import comparison
from experiments.compare.command import main
from experiments.report import results_of
from experiments.report.sections import standing
from experiments.store import archive
from experiments.store.files import Store
from experiments.store.frame import frame

OWN = ROOT / "examples" / "own_denoiser"


@pytest.fixture(scope="module")
def committed(tmp_path_factory):
    """Stored cells of the methods to compare with."""
    folder = tmp_path_factory.mktemp("committed")
    words = ["+campaign=demo", f"results_dir={folder}", "only.dataset=diabetes", "regressor=[ridge]"]
    assert campaign(words) == 0
    archive.save(archive.load(folder / "demo"), folder / "demo")
    shutil.rmtree(folder / "demo" / "cells")
    return folder / "demo" / "cells.parquet"


@pytest.fixture
def small(committed, monkeypatch, tmp_path):
    """A comparison over one dataset, in a folder of one's own."""

    def one_dataset(name, overrides):
        configs = configurations(name, [*overrides, "regressor=[ridge]"])
        return [config for config in configs if config.dataset.name == "diabetes"]

    monkeypatch.setattr(comparison, "CAMPAIGN", "demo")
    monkeypatch.setattr(comparison, "COMMITTED", committed)
    monkeypatch.setattr(comparison, "configurations", one_dataset)
    monkeypatch.chdir(shutil.copytree(OWN, tmp_path / "mine"))
    monkeypatch.syspath_prepend(tmp_path / "mine")
    return tmp_path / "mine" / "results" / "demo"


MINE = ["denoiser=median_clip", "--config-dir", "conf", "allow_targets=[median_clip]"]


def computed(folder):
    return {cell.spec["denoiser"] for cell in Store(folder, read_only=True).cells()}


def test_a_method_of_ones_own_is_ranked_without_computing_the_others(small, capsys):
    assert main(MINE) == 0
    out = capsys.readouterr().out
    assert computed(small) == {"median_clip"}
    assert "out of date" not in out
    for protocol in ("deployable", "paper"):
        assert f"median_clip, {protocol}: " in out
        assert " of 4 by Imp %" in out
    page = (small / "compare_median_clip.html").read_text()
    assert page.count("<table") >= 6
    assert "Moving average" in page
    assert (small / "compare_median_clip.md").is_file()
    assert '"median_clip"' in (small.parent / "leaderboard.html").read_text()
    assert main(MINE) == 0
    assert "median_clip: 0 cells to do" in capsys.readouterr().out


def test_only_the_method_as_it_is_now_is_ranked(small, capsys):
    assert main([*MINE, "denoiser.median_clip.width=1.0"]) == 0
    assert main([*MINE, "denoiser.median_clip.width=2.0"]) == 0
    out = capsys.readouterr().out
    assert "width" not in out
    assert out.count("median_clip, deployable: ") == 2


def test_what_is_out_of_date_is_said_and_computed_anew_on_demand(small, capsys, monkeypatch):
    monkeypatch.setattr(baselines.pca.PCA, "revision", 77, raising=False)
    assert main(MINE) == 0
    out = capsys.readouterr().out
    assert "are missing or out of date" in out
    assert "recompute=true" in out
    assert computed(small) == {"median_clip"}
    assert "out of date" in (small / "compare_median_clip.html").read_text()
    assert main([*MINE, "recompute=true"]) == 0
    assert computed(small) == {"median_clip", "pca"}
    capsys.readouterr()
    assert main(MINE) == 0
    assert "out of date" not in capsys.readouterr().out


def test_without_the_stored_cells_it_says_what_to_do(small, capsys, monkeypatch):
    monkeypatch.setattr(comparison, "COMMITTED", Path("nowhere/cells.parquet"))
    assert main(MINE) == 1
    assert "restore it from the repository" in capsys.readouterr().err
    assert not small.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["results_dir=x"], "which method?"),
        (["denoiser=[]"], "which method?"),
        (["denoiser=pcaa"], "pca"),
        (["denoiser=pca", "noise.sigma=1"], "the rest is the campaign's"),
        (["denoiser=pca", "noize.sigma=1"], "noise"),
        (["denoiser=pca", "recompute=yes"], "recompute is true or false"),
        (["denoiser=pca", "engine=locl"], "local"),
        (["denoiser=median_clip", "--config-dir", "conf"], "allow_targets=[median_clip]"),
    ],
)
def test_a_wrong_call_gets_its_answer(small, words, message, capsys):
    assert main(words) in (1, 2)
    assert message in capsys.readouterr().err


def test_ranks_over_settings_with_one_that_lacks_numbers():
    cells = frame(fake.cells(datasets=("ett", "wth"), sigmas=(0.05,), regressors=("ridge",), repetitions=1))
    lacking = (cells["denoiser"] == "pca") & (cells["dataset"] == "wth")
    everything = results_of(cells[~lacking].reset_index(drop=True))
    table = standing.standing(everything)[0]
    by_name = {row.method.name: row for row in table.rows}
    assert np.isnan(table.at("value", by_name["pca"], 0))
    assert "not ranked" in next(standing.place(table, "pca"))
    ranks = table.value.iloc[:, 0].dropna()
    n = len(ranks)
    assert ranks.sum() == pytest.approx(n * (n + 1) / 2)
    assert not any(row.method.control for row in table.rows)
    assert isinstance(table.value, pd.DataFrame)


def test_the_committed_cells_are_those_of_the_campaign():
    if not comparison.COMMITTED.is_file():
        pytest.skip("results/core/cells.parquet is not in this checkout")
    cells = archive.load(comparison.COMMITTED.parent)
    assert set(cells["status"]) <= {"ok", "skipped"}
    published = (
        cells[cells["stage"] == "denoise"].groupby(["dataset", "sigma", "protocol"])["denoiser"].nunique()
    )
    assert len(published) == 24
    assert (published >= 10).all()
    assert os.path.getsize(comparison.COMMITTED) < 2_000_000
    golden = json.loads((ROOT / "tests" / "experiments" / "golden.json").read_text())
    now = {tuple(name.split("/")[1::2]): made["revision"] for name, made in golden.items()}
    of_what = cells[cells["stage"] == "denoise"].groupby(["denoiser", "protocol"])["more"]
    stored = of_what.agg(lambda texts: max(_revision(text) for text in texts))
    old = {place: revision for place, revision in stored.items() if revision != now[place]}
    assert not old, f"out of date in results/core: {old}; run the campaign core, and keep its cells.parquet"


def _revision(text):
    return json.loads(text or "{}").get("revisions", {}).get("denoiser", 1)
