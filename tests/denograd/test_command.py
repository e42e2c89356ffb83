"""From a file to clean data: twelve files of people's jobs, wrong calls, pieces, and nothing left half done."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from denograd import pieces
from denograd.command import main, parse
from denograd.pieces import _overlapping, _sliced
from denograd.table import read_table
from tests.denograd.jobs import JOBS
from tests.denograd.table.malformed import BROKEN

ROOT = Path(__file__).resolve().parents[2]


def levels(job):
    return "sigma=" + ",".join(f"{name}:{level}" for name, level in job.sigma.items())


def ran(capsys, *arguments):
    code = main([str(a) for a in arguments])
    shown = capsys.readouterr()
    return code, " ".join(shown.out.split()), " ".join(shown.err.split())


@pytest.mark.parametrize("name", JOBS)
def test_without_an_option_it_says_what_is_in_the_file(name, tmp_path, capsys):
    job = JOBS[name](tmp_path)
    before = sorted(tmp_path.iterdir())
    code, out, err = ran(capsys, job.path)
    assert (code, err) == (0, "")
    for words in job.said:
        assert words in out
    assert "The noise of a column cannot exceed" in out
    assert "sigma=auto" in out
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", JOBS)
def test_with_a_level_the_values_come_closer_to_the_truth(name, tmp_path, capsys):
    job = JOBS[name](tmp_path)
    raw = read_table(job.path)
    code, _, err = ran(capsys, job.path, levels(job))
    assert (code, err) == (0, "")
    (output,) = [path for path in tmp_path.iterdir() if ".denoised." in path.name and path.suffix != ".html"]
    page = output.with_suffix(".html").read_text(encoding="utf-8")
    assert "Does the assumption hold?" in page
    assert page.count("data:image/png;base64,") == len(job.sigma)
    links = page.replace("http://www.w3.org", "")
    assert "http:" not in links  # base64 may hold any four letters, but no colon
    assert "https:" not in links
    found = read_table(output)
    assert list(found.frame.columns) == list(raw.frame.columns)
    assert len(found.frame) == len(raw.frame)
    for column, level in job.sigma.items():
        clean, values = job.clean[column].to_numpy(), found.frame[column].to_numpy(dtype=float)
        seen = np.isfinite(clean)
        assert np.isnan(values[~seen]).all()
        assert ((values - clean)[seen] ** 2).mean() < 0.75 * level**2, column
    untouched = [name for name in raw.frame.columns if name not in job.sigma]
    pd.testing.assert_frame_equal(found.frame[untouched], raw.frame[untouched], check_dtype=False)


def test_gaps_are_filled_where_asked(tmp_path, capsys):
    job = JOBS["logger"](tmp_path)
    assert ran(capsys, job.path, levels(job), "gaps=fill")[0] == 0
    found = read_table(tmp_path / "logger.denoised.csv").frame
    assert found["flow"].notna().all()


@pytest.mark.parametrize(
    "times",
    [
        pd.date_range("2024-03-30", periods=60, freq="h", tz="Europe/Berlin").map(lambda t: t.isoformat()),
        [f"{13 + i // 24}/3/2024 {i % 24}:05" for i in range(60)],
        [1.7e9 + 0.5 * i for i in range(60)],
    ],
)
@pytest.mark.parametrize("limit", [1 << 30, 1000])
def test_times_are_written_as_they_were(times, limit, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("denograd.table.content.MOST_BYTES", limit)
    levels = np.random.default_rng(0).normal(size=(60, 2)).round(3)
    path = tmp_path / "in.csv"
    path.write_text("time,a,b\n" + "".join(f"{t},{a},{b}\n" for t, (a, b) in zip(times, levels, strict=True)))
    assert ran(capsys, path, "sigma=0.1", "rows=100")[0] == 0
    written = (tmp_path / "in.denoised.csv").read_text().splitlines()[1:]
    assert [line.split(",")[0] for line in written] == [str(t) for t in times]


def test_readings_below_each_other_are_told(tmp_path, capsys):
    path = tmp_path / "long.csv"
    path.write_text(
        "time,sensor,value\n" + "".join(f"2024-01-{i // 2 + 1:02},{'AB'[i % 2]},{i}.5\n" for i in range(40))
    )
    out = ran(capsys, path, "sigma=0.1", "dry_run=true")[1]
    assert "50% of the rows share their time" in out
    assert "pivot" in out


def test_a_dry_run_and_what_exists_already(tmp_path, capsys):
    job = JOBS["one sensor"](tmp_path)
    code, out, _ = ran(capsys, job.path, "sigma=0.8", "dry_run=true")
    assert code == 0
    assert "Nothing was written" in out
    assert [path.name for path in tmp_path.iterdir()] == ["level.csv"]
    assert ran(capsys, job.path, "sigma=0.8")[0] == 0
    first = (tmp_path / "level.denoised.csv").read_bytes()
    code, _, err = ran(capsys, job.path, "sigma=0.5")
    assert (code, "overwrite=true" in err) == (2, True)
    assert (tmp_path / "level.denoised.csv").read_bytes() == first
    assert ran(capsys, job.path, "sigma=0.5", "--overwrite")[0] == 0
    assert (tmp_path / "level.denoised.csv").read_bytes() != first
    assert ran(capsys, job.path, "sigma=0.5", f"output={tmp_path / 'other.parquet'}")[0] == 0
    assert (tmp_path / "other.html").exists()
    assert len(pd.read_parquet(tmp_path / "other.parquet")) == 900


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["simga=0.1"], "'simga' is no key; near names: sigma"),
        (["sigma", "=", "0.1"], "'=' has no key: write KEY=VALUE"),
        (["--sigma"], "sigma must be"),
        (["--sgma", "0.1"], "'sgma' is no key; near names: sigma"),
        (["sigma=-1"], "sigma must be a number of at least 0"),
        (["sigma=level:"], "sigma must be"),
        (["sigma=nan"], "sigma must be"),
        (["sigma=0.1", "sigma=0.2"], "sigma is given twice"),
        (["sigma=leve1:0.1"], "no column; near names: level"),
        (["skip=leve1"], "no column; near names: level"),
        (["kind=rows"], "kind must be series or tabular"),
        (["gaps=drop"], "gaps must be keep or fill"),
        (["dry_run=maybe"], "dry_run must be true or false"),
        (["rows=7"], "rows must be a whole number of at least 100"),
        (["separator=::"], "separator must be one sign"),
        (["time=leve1"], "near names: level"),
        (["other.csv"], "name one file, got 2"),
        (["sigma=0.1", "output=nowhere/x.csv"], "there is no folder nowhere"),
    ],
)
def test_a_wrong_call(arguments, words, tmp_path, capsys):
    job = JOBS["one sensor"](tmp_path)
    code, _, err = ran(capsys, job.path, *arguments)
    assert code == 2
    assert words in err
    assert [path.name for path in tmp_path.iterdir()] == ["level.csv"]


def test_the_file_itself_is_never_written(tmp_path, capsys):
    job = JOBS["one sensor"](tmp_path)
    code, _, err = ran(capsys, job.path, "sigma=0.8", f"output={job.path}", "overwrite=true")
    assert (code, "never changed" in err) == (2, True)


def test_help(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert "exit codes: 0 done, 1 something failed, 2 wrong call, 130 interrupted" in shown
    assert max(map(len, shown.splitlines())) <= 120
    assert main([]) == 2


@pytest.mark.parametrize("case", BROKEN)
def test_a_file_that_is_no_table(case, tmp_path, capsys):
    build, problem, words = BROKEN[case]
    path = build(tmp_path)
    before = sorted(tmp_path.iterdir())
    code, out, err = ran(capsys, path, "sigma=0.1")
    assert code == (2 if problem in ("missing", "directory") else 1)  # the call names no file
    assert out == ""
    assert words in err
    assert "Traceback" not in err
    assert sorted(tmp_path.iterdir()) == before


def test_nothing_is_left_where_it_fails(tmp_path, capsys):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "1.5,2.5\n" * 12)
    code, _, err = ran(capsys, path, "sigma=0.1")
    assert code == 1
    assert "too few" in err
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


def test_a_file_without_decimal_numbers(tmp_path, capsys):
    path = tmp_path / "survey.csv"
    rows = (f"P{i},{20 + i % 50},{'yes' if i % 3 else 'no'}" for i in range(60))
    path.write_text("who,age in years,answer\n" + "\n".join(rows) + "\n")
    code, out, err = ran(capsys, path)
    assert (code, err) == (0, "")
    assert "nothing to refine by itself" in out
    assert "sigma='age in years':LEVEL" in out


def test_a_value_may_follow_its_option():
    read = parse(["--sigma", "0.1", "a.csv", "--dry-run", "--gaps", "fill"])
    assert read == parse(["a.csv", "sigma=0.1", "dry_run=true", "gaps=fill"])


def test_levels_are_read_from_the_right():
    assert parse(["f", "sigma=a:b:0.1,c:2"]).sigma == {"a:b": 0.1, "c": 2.0}
    assert parse(["f", "--dry-run", "--sigma=auto"]).dry_run


@pytest.mark.parametrize(("rows", "overlap"), [(100, 10), (7, 3), (250, 0)])
def test_pieces_answer_for_every_row_once(rows, overlap):
    frame = pd.DataFrame({"x": np.arange(1000)})
    kept, parts = [], 0
    for piece, keep in _overlapping(_sliced(frame, rows), overlap):
        assert len(piece) <= rows + 2 * overlap
        kept += piece["x"].iloc[keep].tolist()
        parts += 1
    assert kept == list(range(1000))
    assert parts >= 1000 // rows


@pytest.mark.parametrize("name", ["weather", "survey"])
def test_in_pieces_as_good_as_at_once(name, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(pieces, "OVERLAP", 40)
    job = JOBS[name](tmp_path)
    assert ran(capsys, job.path, levels(job), "rows=300")[0] == 0
    (output,) = tmp_path.glob("*.denoised.csv")
    found = read_table(output).frame
    assert len(found) == len(job.clean)
    for column, level in job.sigma.items():
        assert ((found[column] - job.clean[column]) ** 2).mean() < 0.75 * level**2, column
    assert "pieces" in output.with_suffix(".html").read_text()


@pytest.mark.parametrize("name", ["continental", "machine"])
def test_a_file_larger_than_memory(name, tmp_path, capsys, monkeypatch):
    job = JOBS[name](tmp_path)
    monkeypatch.setattr("denograd.table.content.MOST_BYTES", 10_000)
    code, out, err = ran(capsys, job.path, levels(job), "rows=300")
    assert (code, err) == (0, "")
    assert "more rows than memory holds" in out
    monkeypatch.undo()
    found = read_table(next(tmp_path.glob("*.denoised.csv"))).frame
    assert len(found) == len(job.clean)
    for column, level in job.sigma.items():
        assert ((found[column] - job.clean[column]) ** 2).mean() < 0.75 * level**2, column


def test_an_interrupt_leaves_nothing(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60_000, 8)), columns=list("abcdefgh"))
    frame.to_csv(tmp_path / "big.csv", index=False)
    command = [sys.executable, "-m", "denograd", str(tmp_path / "big.csv"), "sigma=0.5", "rows=2000"]
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    part = tmp_path / ".big.denoised.csv.part"
    end = time.monotonic() + 240
    while not part.exists() and time.monotonic() < end and run.poll() is None:
        time.sleep(0.05)
    os.kill(run.pid, signal.SIGINT)
    _, err = run.communicate(timeout=120)
    assert run.returncode == 130, err
    assert "interrupted, nothing was written" in err
    assert [path.name for path in tmp_path.iterdir()] == ["big.csv"]


def test_without_matplotlib_it_says_what_to_install(tmp_path, capsys, monkeypatch):
    job = JOBS["one sensor"](tmp_path)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, _, err = ran(capsys, job.path, "sigma=0.8")
    assert code == 1
    assert "pip install 'denograd-harness[cli]'" in err
