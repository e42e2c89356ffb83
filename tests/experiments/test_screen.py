"""What commands print: at 80, 100 and 120 columns no line is broken, and ``--help`` says what one needs."""

import importlib
import re
import shlex
import sys
from collections import Counter
from types import SimpleNamespace

import numpy as np
import optuna
import pandas as pd
import pytest
from matplotlib.figure import Figure

from benchmarks import fake
from experiments import agra, fetch, hparams
from experiments.autoencoder import tutorial
from experiments.base import command as commands
from experiments.base import screen
from experiments.base.errors import FetchFailed, HarnessError
from experiments.campaign import execution, runs
from experiments.campaign.drive import Progress
from experiments.compare import comparison
from experiments.compare.call import parse
from experiments.report import results_of, run_tables, terminal
from experiments.report.forms.table import Column, Table
from experiments.store.frame import frame

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


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """A folder with a table; what a run computes there stays for the next one."""
    folder = tmp_path_factory.mktemp("mine")
    rng = np.random.default_rng(0)
    columns = {f"a_rather_long_name_{i}": rng.normal(size=60) for i in range(6)}
    pd.DataFrame(columns | {"city": np.resize(["A", "B"], 60), "y": rng.normal(size=60)}).to_csv(
        folder / "my.csv", index=False
    )
    return folder


def test_a_run_of_ones_own_table(width, mine, monkeypatch, capsys):
    words = [f"dataset.path={mine / 'my.csv'}", "dataset.target=y"]
    assert call("list", words, monkeypatch) == 0
    assert call("run", [*words, *CHEAP, f"results_dir={mine}"], monkeypatch) == 0
    assert call("run", ["dataset=mars"], monkeypatch) == 2
    text = capsys.readouterr().out
    assert broken(text, width, str(mine)) == []
    assert text.count("Next: python -m experiments.run") == 1
    assert text.count("Next: python -m experiments.report campaign=runs") == 1


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
        assert len(terminal.legend([table], width)) == len({column.hint for column in table.columns} - {""})


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


def test_what_must_be_seen_with_a_title_stands_under_it():
    value = pd.DataFrame(np.ones((2, 2)), index=["x", "y"])
    lines = terminal.text(Table("t", "", [Column("A", under="R2 -0.42 [B]; more"), Column("B")], value))
    head, under, *_ = lines.splitlines()[1:]
    assert under.strip() == "R2 -0.42 [B]"
    assert head.index("A") == under.index("]")


def test_files_that_are_fetched(width, tmp_path, monkeypatch, capsys):
    def no_network(*_):
        raise FetchFailed(
            "download failed (https://example.org/data.csv: the server cannot be reached at all)"
        )

    monkeypatch.setattr(fetch, "_download", no_network)
    monkeypatch.delenv("DENOGRAD_DATA", raising=False)
    assert call("fetch", ["all", f"data_dir={tmp_path}"], monkeypatch) == 1
    assert call("fetch", ["ett", "wth", "verify=true", f"data_dir={tmp_path}"], monkeypatch) == 1
    assert call("fetch", ["nasdaq", f"data_dir={tmp_path}"], monkeypatch) == 0
    shown = capsys.readouterr()
    assert "Next: python -m experiments.run +dataset=nasdaq" in shown.out
    assert "To get it by hand" in shown.err
    assert broken(shown.out + shown.err, width, str(tmp_path), "https://") == []


def test_a_study_of_settings(width, monkeypatch, capsys):
    study = optuna.create_study(study_name="denograd my_own_table gaussian sigma 0.05 smoke imp " * 2)
    names = [f"a_parameter_of_a_long_name_{i}" for i in range(5)]
    spaces = {name: optuna.distributions.FloatDistribution(0, 1) for name in names}
    study.add_trial(
        optuna.trial.create_trial(params=dict.fromkeys(names, 0.123456), distributions=spaces, value=12.5)
    )
    monkeypatch.setattr(hparams, "search", lambda *_, **__: (study, 0))
    assert call("hparams", ["dataset=diabetes", "results_dir=elsewhere"], monkeypatch) == 0
    text = capsys.readouterr().out
    assert broken(text, width) == []
    assert "12.500" in text
    assert "Next: python -m experiments.report" in text
    assert "results_dir=elsewhere" in text


def test_a_campaign(width, tmp_path, monkeypatch, capsys):
    found = SimpleNamespace(
        states=Counter(ok=1_000, skipped=20, failed=3),
        items=[],
        after={},
        absent=[
            ("ecl", "DatasetMissing: its file is not there: get it with 'python -m experiments.fetch ecl'")
        ],
        outdated=Counter({"the source of a_module_of_ones_own.AMethodOfOnesOwn is another one now": 1_234}),
    )
    monkeypatch.setattr(
        runs, "configurations", lambda *_: [SimpleNamespace(results_dir=str(tmp_path), threads=1)]
    )
    monkeypatch.setattr(execution, "plan", lambda *_, **__: found)
    monkeypatch.setattr(execution, "drive", lambda *_, **__: [])
    assert call("campaign", ["+campaign=core", "plan=true"], monkeypatch) == 0
    found.absent.clear()
    assert call("campaign", ["+campaign=core"], monkeypatch) == 0
    progress = Progress(total=44, seconds=100.0, slots=1)
    cell = (
        "a_table_of_ones_own / gaussian 0.05 / deployable / denograd_map_backbone / ft_transformer / denoised"
    )
    progress.finished(SimpleNamespace(seconds=1.0), [f"{cell}: mse 0.552 (0.0 s)"], 1, 0)
    progress.close()
    text = capsys.readouterr().out
    assert "Next: python -m experiments.fetch ecl\n" in text
    assert "Next: python -m experiments.report campaign=core" in text
    assert "denograd_map_backbone / ft_transformer" in text.replace("\n    ", " ")
    assert broken(text, width, str(tmp_path)) == []


def test_a_comparison(width, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(comparison, "write_leaderboard", lambda folder: folder / "leaderboard.html")
    cells = fake.cells(datasets=("ett", "wth"), sigmas=(0.05,), regressors=("ridge",), repetitions=1)
    everything = results_of(pd.DataFrame(frame(list(cells))))
    call_ = parse(["denoiser=pca"])
    comparison._show(everything, call_, tmp_path, stale=True, columns="fit")
    comparison._show(everything, call_, tmp_path, stale=True, columns="all")
    text = capsys.readouterr().out
    assert "rank Imp %" in text
    assert broken(text, width, str(tmp_path)) == []


def test_agra(width):
    rows = [
        {"setting": setting, "method": method, "seed": seed}
        | dict.fromkeys(("accuracy", "macro_f1", "flipped_dropped", "clean_dropped"), 0.5 + seed / 10)
        for setting in ("uniform 20%", "class-dependent 40%")
        for method in ("plain", "cross-entropy", "F1, other class")
        for seed in range(2)
    ]
    text = "\n".join(agra.on_screen(list(agra.rows_of(pd.DataFrame(rows)))))
    assert broken(text, width) == []
    assert text.count("+0.000 ± 0.000") == 8


def test_the_autoencoder(width, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tutorial, "SWEEP", {name: values[:1] for name, values in tutorial.SWEEP.items()})
    monkeypatch.setattr(tutorial, "plot_reconstruction", lambda *_: Figure())
    assert call("autoencoder", ["epochs=10", f"out={tmp_path}"], monkeypatch) == 0
    assert call("autoencoder", ["epochs=2", "sweep=true", f"out={tmp_path}"], monkeypatch) == 0
    text = capsys.readouterr().out
    assert "share_left" in text
    assert text.count("Next: python -m experiments.run dataset=diabetes") == 2
    assert broken(text, width, str(tmp_path)) == []


def test_an_error(width, monkeypatch, capsys):
    assert call("fetch", ["gas"], monkeypatch) == 2
    commands.tell(HarnessError("a cell failed:\n    one that is named / at some length " * 4))
    text = capsys.readouterr().err
    assert "there is no dataset 'gas'" in text
    assert broken(text, width) == []


def test_a_log_keeps_whole_lines(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert screen.fitted("word " * 40) == "word " * 40


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
    given = ["python", "-m", "experiments.run", "dataset.path=a file with blanks.csv", "x='1'"] + ["y=2"] * 20
    told = screen.next_command(*given).removeprefix("Next: ")
    assert "\\\n" in told
    assert shlex.split(told.replace("\\\n", " ")) == given
    assert shown.replace("\\\n", " ").split()[1:] == (
        ["python", "-m", "experiments.run", "dataset=ett", "profile=quick", "noise=none"]
    )
