"""A table in pieces: one fit on a sample drawn over all rows; the others are new rows, each for itself."""

import itertools
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from denograd.command import main
from denograd.new_rows import FittedTable
from denograd.pieces import Job, draw_sample, run
from denograd.table import read_table
from denograd.table.reading import read_pieces
from tests.denograd.jobs import mixtures

SIGMA = 0.4


def frame(n, seed=0, gaps=0.0):
    """Two columns and two made of them, the first of another size where a category says so; sorted by a column."""
    rng = np.random.default_rng(seed)
    clean = mixtures(n, seed)
    group = rng.choice(["a", "b", "c"], n)
    clean[group == "b", 0] += 2.0
    clean = pd.DataFrame(clean, columns=list("wxyz")).assign(group=group).sort_values("x", ignore_index=True)
    noisy = clean.copy()
    numbers = clean[list("wxyz")] + SIGMA * rng.normal(size=(n, 4))
    noisy[list("wxyz")] = numbers.mask(rng.random((n, 4)) < gaps)
    return clean, noisy


def cut(data, *lengths):
    edges = np.concatenate([[0], np.cumsum(lengths), [len(data)]])
    return [data.iloc[a:b] for a, b in itertools.pairwise(edges)]


def test_the_sample_is_the_same_however_the_table_is_cut():
    data = pd.DataFrame({"x": np.arange(1000)})
    one = draw_sample([data], 200, seed=3)
    for lengths in ((1, 199, 300), (250,) * 3, (900,)):
        other = draw_sample(cut(data, *lengths), 200, seed=3)
        assert_array_equal(other.place, one.place)
        assert_array_equal(other.frame["x"], one.place)
        assert other.total == 1000
    assert len(one.place) == 200
    assert not np.array_equal(draw_sample([data], 200, seed=4).place, one.place)
    assert_array_equal(draw_sample(cut(data, 5), 2000, seed=0).place, np.arange(1000))


def test_the_sample_is_of_all_rows_alike():
    data = pd.DataFrame({"x": np.arange(40)})
    counts = np.zeros(40)
    for seed in range(400):
        counts[draw_sample(cut(data, 7, 20), 10, seed).place] += 1
    # 400 draws of a quarter: 100 with a standard deviation of 8.7
    assert counts.min() > 100 - 5 * 8.7
    assert counts.max() < 100 + 5 * 8.7


@pytest.mark.parametrize("gaps", [0.0, 0.1])
def test_a_new_row_depends_on_itself_alone(gaps):
    clean, noisy = frame(600, gaps=gaps)
    fitted = FittedTable.of(noisy[::2], SIGMA, skip=[], gaps="fill")
    new = noisy[1::2].reset_index(drop=True)
    new.loc[0, "group"], new.loc[1, ["w", "x"]] = None, np.nan
    together = fitted.denoise(new)
    for rows in (slice(0, 3), slice(200, 201), slice(3, 300)):
        apart = fitted.denoise(new[rows])
        assert_allclose(apart.data[list("wxyz")], together.data[rows][list("wxyz")], atol=1e-5)
        assert_allclose(apart.std, together.std[rows], atol=1e-5)
    assert list(together.data.columns) == list(noisy.columns)
    assert together.data["group"].equals(new["group"])
    error = together.refined[:, :4] - clean[1::2][list("wxyz")].to_numpy()
    seen = np.isfinite(together.observed[:, :4])
    assert (error[seen] ** 2).mean() < 0.75 * SIGMA**2
    assert (error[~seen] ** 2).mean() < 1.0  # of a variance of 1 to 2
    inside = np.abs(error) < 1.645 * together.std.to_numpy()
    assert 0.7 < inside[seen].mean() < 0.97
    kept = replace(fitted, _gaps="keep").denoise(new)
    assert_array_equal(np.isnan(kept.data[list("wxyz")].to_numpy()), ~seen)


def test_a_row_does_not_depend_on_its_piece(tmp_path):
    """Cut by another rule, from memory and from the file, the same comes out."""
    clean, noisy = frame(500, gaps=0.05)
    path = tmp_path / "noisy.csv"
    noisy.to_csv(path, index=False)
    job = Job(sigma=SIGMA, kind="tabular", rows=240)
    whole = run(job, read_table(path), None, tmp_path / "memory.csv")
    pieces = read_pieces(path, 200)
    apart = run(job, pieces.first, pieces, tmp_path / "pieces.csv")
    one, other = (read_table(tmp_path / f"{name}.csv").frame for name in ("memory", "pieces"))
    assert_allclose(one[list("wxyz")], other[list("wxyz")], atol=2e-3)  # what is written is rounded
    assert one["group"].equals(noisy["group"])
    for outcome in (whole, apart):
        assert (outcome.rows, outcome.fitted, outcome.pieces) == (500, 240, 3)
        assert outcome.summary["gaps"].sum() == noisy.isna().sum().sum()
        assert any("240 rows, drawn at random from all 500" in note for note in outcome.notes)
    assert [(move.row, move.column) for move in whole.moves] == [(m.row, m.column) for m in apart.moves]
    move = whole.moves[0]
    assert move.observed == pytest.approx(noisy.loc[move.row, move.column])
    assert abs(one.loc[move.row, move.column] - move.refined) < 1e-3
    assert np.nanmean((one[list("wxyz")] - clean[list("wxyz")]) ** 2) < 0.85 * SIGMA**2


def test_a_level_is_found_once_for_all_rows(tmp_path):
    """Whole numbers with noise show its level, but only with all of them in sight: the file is sorted by them."""
    rng = np.random.default_rng(0)
    steps = np.sort(rng.integers(0, 12, (900, 2)).astype(float), axis=0)
    noisy = pd.DataFrame(steps + 0.1 * rng.normal(size=steps.shape), columns=["a", "b"])
    noisy.to_csv(tmp_path / "in.csv", index=False)
    job = Job(sigma="auto", kind="tabular", rows=600)
    outcome = run(job, read_table(tmp_path / "in.csv"), None, tmp_path / "out.csv")
    assert outcome.summary["sigma"].to_numpy() == pytest.approx([0.1, 0.1], rel=0.15)
    data = read_table(tmp_path / "out.csv").frame
    assert ((data - steps) ** 2).to_numpy().mean() < 0.3 * 0.01


def test_bounds_are_of_all_rows(tmp_path, capsys, monkeypatch):
    """A file in the order of its noise: its first rows are quiet."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=600)
    noise = np.repeat([0.05, 0.5], 300)[:, None] * rng.normal(size=(600, 2))
    pd.DataFrame(np.column_stack([a, a]) + noise, columns=["a", "b"]).to_csv(tmp_path / "in.csv", index=False)
    bounds = []
    for size in (1 << 30, 1000):
        monkeypatch.setattr("denograd.table.content.MOST_BYTES", size)
        assert main([str(tmp_path / "in.csv"), "rows=200"]) == 0
        out = capsys.readouterr().out
        assert "by 200 rows drawn at random from all 600" in " ".join(out.split())
        bounds.append(float(re.search(r"\n +a +([\d.]+)\n", out).group(1)))
    assert bounds[0] == bounds[1] > 0.2


def test_the_command_says_that_a_sample_was_fitted(tmp_path, capsys):
    _, noisy = frame(300)
    noisy.to_csv(tmp_path / "in.csv", index=False)
    assert main([str(tmp_path / "in.csv"), f"sigma={SIGMA}", "rows=200"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "200 rows, drawn at random from all 300" in out
    page = (tmp_path / "in.denoised.html").read_text()
    assert "by a fit on 200 of them drawn at random" in page
