"""The commands of the README exist, and the shown code runs."""

import csv
import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.snippets import commands_of, execute, python_of, understood

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = commands_of(README)


def test_the_two_commands_are_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^ {4}make (\w+)", README, flags=re.MULTILINE):
        assert f"\n{target}:" in makefile


def test_there_are_commands():
    assert len(COMMANDS) >= 6


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_understood(command, monkeypatch, tmp_path):
    assert understood(command, monkeypatch, tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [
        *("fetch et", "report campain=runs", "agra --sees 2", "autoencoder --swep"),
        *("campaign +campaign=paper plan=true engine=locl", "campaign +campaign=paper plan=true datset=ett"),
        *("hparams hparams_search=denogra", "hparams dataset=et", "run -m +dataset=diabetes,nasdack"),
    ],
)
def test_a_misspelt_one_is_not(arguments, monkeypatch, tmp_path):
    assert not understood(f"python -m experiments.{arguments}", monkeypatch, tmp_path)


def test_the_list_shows_what_can_be_chosen():
    done = subprocess.run(
        [sys.executable, "-m", "experiments.list"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for word in ("ett", "17,420 x 7", "denograd_map", "xgboost", "lstm", "deployable", "smoke"):
        assert word in done.stdout


@pytest.mark.parametrize("code", python_of(README))
def test_the_code_of_the_readme_runs(code, monkeypatch, tmp_path):
    execute(code, monkeypatch, tmp_path)


def test_the_papers_figures_are_the_reports():
    shown = README.partition("<!-- figures of uncapped -->\n")[2].partition("<!-- end of figures")[0]
    rows = [line.strip("| ").split(" | ") for line in shown.splitlines() if line.startswith("|")][2:]
    with (ROOT / "results/uncapped/tables/paper_versus_ours.csv").open(newline="") as file:
        stored = list(csv.DictReader(file))
    assert len(rows) > 10
    assert [(row[0], row[2], row[3]) for row in rows] == [
        (s["figure"], s["ours"], s["verdict"]) for s in stored
    ]


@pytest.mark.parametrize("campaign", ["uncapped"])  # the README shows the findings alone of others
def test_a_table_is_its_campaigns(campaign):
    shown = README.partition(f"<!-- overview of {campaign} -->\n")[2]
    shown = shown.partition(f"<!-- end of overview of {campaign} -->")[0]
    report = (ROOT / f"results/{campaign}/report.md").read_text().splitlines()
    first = next(number for number, line in enumerate(report) if line.startswith("|"))
    rows = list(itertools.takewhile(lambda line: line.startswith("|"), report[first:]))
    assert [line for line in shown.splitlines() if line.startswith("|")] == rows
    for image in re.findall(r"!\[.*\]\((.*)\)", README):
        assert (ROOT / image).is_file()
