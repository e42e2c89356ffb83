"""The leaderboard: the report's own ranks, in every view; intervals; one command for a folder of campaigns."""

import json
import re

import numpy as np
import pytest

import experiments.leaderboard
from benchmarks import fake
from experiments.campaign.call import parse
from experiments.report import results_of
from experiments.report.analysis import leaderboard, measures, ranking
from experiments.report.leaderboard import command_of, described
from experiments.report.sections.protocol import ranks_of_all
from experiments.store import archive
from experiments.store.frame import frame

DATASETS = ("ett", "wth", "daily_climate", "parkinsons", "house_prices")


@pytest.fixture(scope="module")
def everything():
    return results_of(frame(fake.cells(datasets=DATASETS, repetitions=1)))


@pytest.fixture(scope="module")
def boards(everything):
    return list(leaderboard.boards(everything))


def board(boards, **view):
    (found,) = [b for b in boards if all(getattr(b.view, key) == value for key, value in view.items())]
    return found


def test_the_ranks_of_the_published_methods_are_those_of_the_report(everything, boards):
    for condition in everything.conditions:
        for measure in (measures.IMP, measures.BY_NAME["swd"]):
            wanted = ranking.ranking(everything.under(condition), measure)
            means = "published regressors" if condition.protocol == "paper" else "all regressors"
            group = leaderboard.ANY if measure is not measures.IMP else means
            view = {"kind": "tables and series", "group": group, "methods": "published methods"}
            shown = board(boards, condition=condition, metric=measure.name, **view)
            found = {place.method: place.rank for place in shown.places if place.rank == place.rank}
            assert found == pytest.approx(wanted.ranks.to_dict())
            assert shown.critical_difference == pytest.approx(wanted.critical_difference)


def test_controls_are_shown_and_not_ranked(boards):
    for shown in boards:
        ranked = {place.method: bool(np.isfinite(place.rank)) for place in shown.places}
        assert not ranked["identity"]
        assert not ranked.get("constant", False)  # it has no correlation
        assert ranked["denograd_fixed"]
        ranks = [place.rank for place in shown.places if np.isfinite(place.rank)]
        assert ranks == sorted(ranks)


def test_all_methods_and_each_kind_and_regressor_have_a_view(boards):
    assert {b.view.methods for b in boards} == {"published methods", "all methods"}
    assert {b.view.kind for b in boards} == {"tables and series", "tables", "series"}
    assert {b.view.group for b in boards} >= {
        leaderboard.ANY,
        "published regressors",
        "all regressors",
        "knn",
    }
    alone = [b for b in boards if b.view.group == "knn"]
    assert all(b.regressors == ("knn",) for b in alone)


def test_the_report_ranks_all_methods_by_the_error_they_remove(everything, boards):
    deployable = [c for c in everything.conditions if c.protocol == "deployable" and c.sigma]
    for condition in deployable:
        shown = ranks_of_all(everything.under(condition))
        ranks = shown.value["recovery %, tables and series (n=5)"].dropna()
        group = {"kind": "tables and series", "group": leaderboard.ANY, "methods": "all methods"}
        wanted = board(boards, condition=condition, metric="recovery", **group)
        assert ranks.to_dict() == {p.title: p.rank for p in wanted.places if np.isfinite(p.rank)}
        assert {"DenoGrad", "DenoGrad MAP", "PCA"} <= set(ranks.index)
        assert not {"Identity", "Constant"} & set(shown.value.index)
        assert ranks.is_monotonic_increasing
        assert "Imp %, series (n=3)" in shown.value
    assert deployable
    paper = next(c for c in everything.conditions if c.protocol == "paper")
    assert ranks_of_all(everything.under(paper)) is None


def test_who_lacks_a_dataset_is_not_ranked_and_costs_the_others_nothing():
    cells = fake.cells(datasets=DATASETS, repetitions=1, sigmas=(0.0,), protocols=("paper",))
    lacking = [c for c in cells if (c.spec["denoiser"], c.spec["dataset"]) != ("denograd_map", "ett")]
    shown = board(
        leaderboard.boards(results_of(frame(lacking))),
        methods="all methods",
        kind="tables and series",
        metric="swd",
    )
    (place,) = [place for place in shown.places if place.method == "denograd_map"]
    assert np.isnan(place.rank)
    assert set(shown.datasets) == set(DATASETS)


def test_an_interval_holds_the_rank_and_shrinks_to_it_where_datasets_agree():
    ranks = np.array([[1.0, 2.0, 3.0], [1.0, 3.0, 2.0], [1.0, 2.0, 3.0], [1.0, 3.0, 2.0]])
    low, high = leaderboard.interval(ranks)
    assert low[0] == high[0] == 1
    assert low[1] == pytest.approx(2.0)
    assert high[1] == pytest.approx(3.0)
    # all four draws are of one kind with a chance of 1 / 16, more than a tail of the interval has
    assert np.isnan(leaderboard.interval(ranks[:2])).all()


def data_of(page):
    text = re.search(r'<script type="application/json">(.*?)</script>', page, flags=re.DOTALL)[1]
    return json.loads(text)


def test_the_command_writes_one_page_for_all_campaigns_of_a_folder(tmp_path, capsys, everything):
    for name in ("first", "mine"):
        (tmp_path / name).mkdir()
        archive.save(everything.cells, tmp_path / name)
    (tmp_path / "first/report.html").touch()
    (tmp_path / "begun/cells").mkdir(parents=True)  # what was stopped before its first result hides no other
    assert experiments.leaderboard.main([f"results_dir={tmp_path}"]) == 0
    assert str(tmp_path / "leaderboard.html") in capsys.readouterr().out
    page = (tmp_path / "leaderboard.html").read_text()
    assert not re.search(r"https?://", page)
    data = data_of(page)
    assert {name: found["report"] for name, found in data["campaigns"].items()} == {
        "first": "first/report.html",
        "mine": "",
    }
    assert all(len(b["at"]) == len(data["axes"]) - 1 for b in data["campaigns"]["mine"]["boards"])
    assert experiments.leaderboard.main([f"results_dir={tmp_path}", "campaign=nowhere"]) == 2
    assert "There are first, mine." in capsys.readouterr().err


def test_an_empty_folder_is_told(tmp_path, capsys):
    assert experiments.leaderboard.main([f"results_dir={tmp_path}"]) == 2
    assert "there is no campaign" in capsys.readouterr().err


def test_commands_are_calls_of_the_programs(boards):
    shown, place = boards[0], boards[0].places[0]
    words = command_of("uncapped", shown, place).removeprefix("python -m experiments.campaign ").split()
    assert parse(words)
    assert command_of("core", shown, place) == f"python -m experiments.compare denoiser={place.method}"
    assert "campaign=mine" in command_of("mine", shown, place)


def test_every_committed_table_that_is_linked_is_there():
    from experiments.base.paths import ROOT

    for name, found in described(ROOT / "results", ["uncapped"]).items():
        page = (ROOT / "results" / name / "report.html").read_text()
        linked = {at for b in found["boards"] for at in (b["table"], *b["runs"])}
        assert {at for at in linked if f'id="{at}"' not in page} == set()
