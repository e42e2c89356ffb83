"""The pages show what was measured: their tables are those that the scripts write from the stored lines."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import pays, tables
from benchmarks.map_shares import tables as map_tables

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("page", "results", "made"),
    [
        ("map.md", "map_shares.jsonl", lambda rows: map_tables.all_tables(map_tables.cells_of(rows))),
        ("pays.md", "pays.jsonl", pays.all_tables),
    ],
)
def test_a_page_shows_the_stored_measurements(tmp_path, page, results, made):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    (copy := tmp_path / page).write_text(text, encoding="utf-8")
    rows = tables.read(ROOT / "benchmarks" / results)
    assert rows
    tables.put(copy, made(rows))
    assert copy.read_text(encoding="utf-8") == text


def test_a_page_without_the_markers_is_left_as_it_is(tmp_path):
    (page := tmp_path / "page.md").write_text("<!-- here -->\nold\n<!-- end of here -->\n")
    with pytest.raises(SystemExit, match="lacks the markers <!-- there -->"):
        tables.put(page, {"here": "new", "there": "new"})
    assert "old" in page.read_text()
    tables.put(page, {"here": "new"})
    assert page.read_text() == "<!-- here -->\n\nnew\n\n<!-- end of here -->\n"


def test_a_line_that_a_kill_cut_off_is_measured_again(tmp_path):
    path = tmp_path / "lines.jsonl"
    assert tables.read(path) == []
    tables.append(path, {"a": 1, "b": {"c": 0.123456}})
    with path.open("a") as file:
        file.write('{"a": 2, "b"')
    assert tables.read(path) == [{"a": 1, "b": {"c": 0.1235}}]


def test_means_spreads_and_how_many():
    cell = {"dataset": "ett", "sigma": 0.2, "seed": 0, "regressor": "ridge", "cpu_s": 0.5}
    cell["target_weights"] = {"observed": 0.5, "smoothed": 0.5}
    rows = [
        cell | {"draw": draw, "mse": {"plain": 2.0, "chosen": chosen, "bound": 1.0, "smoothed": 2.0}}
        for draw, chosen in enumerate([1.0, 2.0])
    ]
    made = pays.all_tables(rows)
    assert "| `ett` | 0.2 | 25.0 ± 35.4 (2) | - |" in made["series"]
    assert "(not run)" in made["tables"]
    assert "No cell has all four" in made["series"]


def test_a_draw_errs_as_a_whole():
    """Two levels of one dataset that move together have the error of one; two datasets have less of it."""
    values = {0: 1.0, 1: 3.0, 2: 8.0}
    one = pd.DataFrame(
        [
            {"dataset": "ett", "sigma": sigma, "regressor": "ridge", "draw": draw, "chosen": value}
            for sigma in (0.0, 0.2)
            for draw, value in values.items()
        ]
    )
    alone = np.std([*values.values()], ddof=1) / 3**0.5
    assert pays.error_of_mean(one) == pytest.approx(alone)
    other = one.assign(dataset="wth")
    assert pays.error_of_mean(pd.concat([one, other], ignore_index=True)) == pytest.approx(alone / 2**0.5)
    assert pays.error_of_mean(one[one["draw"] == 0]) == 0
