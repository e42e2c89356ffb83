"""What commands print: at 80, 100 and 120 columns no line is broken, and ``--help`` says what one needs."""

import importlib
import re
import sys

import numpy as np
import pandas as pd
import pytest

from benchmarks import fake
from experiments.base import screen
from experiments.report import run_tables, terminal
from experiments.report.forms.table import Column, Table

COMMANDS = {
    "agra": "experiments.agra",
    "autoencoder": "experiments.autoencoder.command",
    "campaign": "experiments.campaign.command",
    "compare": "experiments.compare.command",
    "fetch": "experiments.fetch",
    "hparams": "experiments.hparams",
    "leaderboard": "experiments.leaderboard",
    "list": "experiments.list",
    "report": "experiments.report.command",
    "run": "experiments.run.command",
}
CHEAP = ["profile=smoke", "figure=false", "denoiser=[identity,pca,kalman]", "regressor=[ridge,knn]"]


def call(command, arguments, monkeypatch):
    monkeypatch.setattr(sys, "argv", [command])
    return importlib.import_module(COMMANDS[command]).main(arguments)


def broken(text, width, *allowed):
    """Lines that are too long, except those that end in one long word such as a path."""
    long = [line for line in text.splitlines() if len(line) > width]
    return [line for line in long if not any(word in line for word in allowed)]


@pytest.fixture(params=[80, 100, 120])
def width(request, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(request.param))
    return request.param


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command(command, width, monkeypatch, capsys):
    assert call(command, ["--help"], monkeypatch) == 0
    text = capsys.readouterr().out
    assert broken(text, width) == []
    examples = text.partition("\nExamples\n")[2].partition("\n\n")[0].replace("\\\n", " ")
    assert len(re.findall(rf"^  python -m experiments\.{command}\b", examples, flags=re.MULTILINE)) >= 3
    assert "Exit codes: 0 done" in text
    assert "\nResults" in text
    assert text[0].isalpha()
    if command in ("run", "campaign", "compare", "hparams", "list"):
        assert "\nGroups" in text


def test_the_list(width, monkeypatch, capsys):
    assert call("list", [], monkeypatch) == 0
    text = capsys.readouterr().out
    assert broken(text, width) == []
    assert "https://" not in text
    assert call("list", ["dataset", "verbose=true"], monkeypatch) == 0
    text = capsys.readouterr().out
    assert "https://" in text
    assert broken(text, width, "https://") == []


def test_a_run_of_ones_own_table(width, tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    columns = {f"a_rather_long_name_{i}": rng.normal(size=60) for i in range(6)}
    pd.DataFrame(columns | {"city": np.resize(["A", "B"], 60), "y": rng.normal(size=60)}).to_csv(
        tmp_path / "my.csv", index=False
    )
    words = [f"dataset.path={tmp_path / 'my.csv'}", "dataset.target=y"]
    assert call("list", words, monkeypatch) == 0
    assert call("run", [*words, *CHEAP, f"results_dir={tmp_path}"], monkeypatch) == 0
    assert call("run", [*words, *CHEAP, f"results_dir={tmp_path}", "columns=all"], monkeypatch) == 0
    assert call("run", ["dataset=mars"], monkeypatch) == 2
    text = capsys.readouterr().out
    assert broken(text, width, str(tmp_path)) == []
    assert text.count("Next: python -m experiments.run") == 1
    assert text.count("Next: python -m experiments.report campaign=runs") == 2


def test_tables_of_a_run_show_what_matters_most(width):
    cells = list(
        fake.cells(datasets=("ett",), sigmas=(0.05,), regressors=("ridge", "knn", "dnn"), repetitions=2)
    )
    for table in run_tables(cells):
        text = terminal.text(table, width=width)
        assert broken(text, width) == []
        head = next(line for line in text.splitlines() if line.startswith("method"))
        assert {"Imp %", "SWD", "rho", "recovery"} <= {word.strip() for word in re.split(r"\s{2,}", head)}
        everything = terminal.text(table, width=width, everything=True)
        assert broken(everything, width) == []
        for column in table.columns:
            assert re.search(rf"\s{re.escape(column.title)}\s", everything)
        assert all(len(line) <= width for line in terminal.legend([table], width))


def test_columns_that_are_left_out_are_named():
    value = pd.DataFrame(np.ones((2, 3)), index=["x", "y"])
    table = Table(
        "t", "A caption.", [Column("first", weight=1), Column("second"), Column("third", weight=2)], value
    )
    text = terminal.text(table, width=60)
    assert "first" in text.splitlines()[2]
    narrow = terminal.text(table, width=22)
    assert "third" in next(line for line in narrow.splitlines() if line.startswith("method"))
    assert "(columns=all)" in narrow.replace("\n    ", " ")


def test_rows_keep_together_and_words_whole():
    lines = screen.table(("name", "what"), [("a", "one two three four"), ("bb", "")], 18)
    assert lines == ["name  what", "a     one two", "      three four", "bb"]
    assert screen.wrapped("see https://example.org/a/very/long/address now", 20) == [
        "see",
        "https://example.org/a/very/long/address",
        "now",
    ]


def test_a_command_is_broken_as_a_shell_takes_it():
    shown = screen.page("Examples\n  python -m experiments.run dataset=ett profile=quick noise=none", 40)
    assert "\\\n" in shown
    assert shown.replace("\\\n", " ").split()[1:] == (
        ["python", "-m", "experiments.run", "dataset=ett", "profile=quick", "noise=none"]
    )
