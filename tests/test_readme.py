"""The commands of the README exist, and the shown code runs."""

import itertools
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import experiments.list
from experiments import agra, fetch, hparams
from experiments.autoencoder import command as autoencoder
from experiments.campaign import command as campaign
from experiments.campaign import runs
from experiments.compare import command as compare
from experiments.report import command as report
from experiments.run import command as run

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^ {4}(python -m experiments\.\S+[^#\n]*)", README, flags=re.MULTILINE)


def test_the_two_commands_are_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^ {4}make (\w+)", README, flags=re.MULTILINE):
        assert f"\n{target}:" in makefile


def test_there_are_commands():
    assert len(COMMANDS) >= 6


class Begun(Exception):
    """The arguments were understood, and the work would begin."""


WORK = {
    "autoencoder": (autoencoder, "experiments.autoencoder.tutorial.load"),
    "campaign": (campaign, "experiments.campaign.execution.plan"),
    "compare": (compare, "experiments.compare.comparison.configurations"),
    "fetch": (fetch, "experiments.fetch._make_folder"),
    "hparams": (hparams, "experiments.hparams._value"),
    "report": (report, "experiments.report.command.write_report"),
    "agra": (agra, "experiments.agra._main"),
    "run": (run, "experiments.run.command.run_once"),
}
"""Its main, and what each command calls once its arguments are read and checked."""


def understood(command, monkeypatch, tmp_path):
    """Call a command up to where its work would begin, and say whether it came there."""
    monkeypatch.chdir(tmp_path)
    Path("my.csv").write_text("area,price\n" + "".join(f"{i}.5,{i % 7}\n" for i in range(20)))
    name, *arguments = shlex.split(command)[2:]
    name = name.removeprefix("experiments.")
    if name == "list":
        return experiments.list.main(arguments) == 0
    module, work = WORK[name]

    def begin(*_, **__):
        if name != "run":  # a sweep has several
            raise Begun

    monkeypatch.setattr(work, begin)
    monkeypatch.setattr(sys, "argv", [name])
    expanded = runs._expanded
    monkeypatch.setattr(runs, "_expanded", lambda words: [next(expanded(words))])  # one run of each sweep
    try:
        return module.main(arguments) == 0 and name == "run"
    except Begun:
        return True
    except SystemExit:
        return False


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


def test_the_code_of_the_readme_runs(tmp_path):
    for block in re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", block],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_the_main_table_is_the_campaigns():
    shown = README.partition("<!-- overview -->\n")[2].partition("<!-- end of overview -->")[0]
    report = (ROOT / "results/uncapped/report.md").read_text().splitlines()
    first = next(number for number, line in enumerate(report) if line.startswith("|"))
    rows = list(itertools.takewhile(lambda line: line.startswith("|"), report[first:]))
    assert [line for line in shown.splitlines() if line.startswith("|")] == rows
    for image in re.findall(r"!\[.*\]\((.*)\)", README):
        assert (ROOT / image).is_file()
