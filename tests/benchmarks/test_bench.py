"""`python -m benchmarks`: every script has its place, and what they print comes on one page."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as bench

ROOT = Path(__file__).resolve().parents[2]
HELPERS = {"__main__", "fake", "fetch_oracle", "tables"}


def test_every_script_is_run_or_said_not_to_be():
    scripts = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
    assert set(bench.BENCHMARKS) == scripts - set(bench.BY_HAND) - HELPERS


@pytest.fixture
def page(tmp_path, monkeypatch):
    """Where the figures of these benchmarks go: one that ends well, one that fails, one that wants the raw data."""
    monkeypatch.setattr(bench, "FIGURES", tmp_path / "FIGURES.md")
    monkeypatch.delenv("DENOGRAD_DATA", raising=False)
    chosen = {
        "metrics": bench.Benchmark("Small", ("200", "3")),
        "campaign": bench.Benchmark("Wrong", ("nothing",)),
        "time_to_quality": bench.Benchmark("With data", needs_data=True),
    }
    monkeypatch.setattr(bench, "BENCHMARKS", chosen)
    return tmp_path / "FIGURES.md"


def test_what_is_printed_is_written_with_the_machine(page):
    assert bench.main(["metrics"]) == 0
    text = page.read_text()
    assert "Python 3." in text
    assert "`python benchmarks/metrics.py 200 3`" in text
    assert "200 x 3, 100 projections" in text


def test_a_failure_is_written_and_told_and_the_others_run(page, capsys):
    assert bench.main(["campaign", "time_to_quality", "metrics"]) == 1
    text = page.read_text()
    assert "failed with code 2" in text
    assert "invalid choice: 'nothing'" in text
    assert "200 x 3" in text
    shown = capsys.readouterr().out
    assert "time_to_quality: left out, it needs the raw data" in shown
    assert "failed: campaign" in shown


def test_a_wrong_name_ends_before_any_work():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "metrisc"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "metrics" in done.stderr
