"""The code and the commands of a document, and how a test runs them."""

import importlib
import re
import shlex
import sys
import warnings
from pathlib import Path

import torch

import experiments.leaderboard
import experiments.list
from experiments import agra, fetch, hparams
from experiments.autoencoder import command as autoencoder
from experiments.campaign import command as campaign
from experiments.campaign import runs
from experiments.compare import command as compare
from experiments.report import command as report
from experiments.run import command as run

ROOT = Path(__file__).resolve().parents[1]


def python_of(text):
    """The blocks of Python in a document."""
    return re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def commands_of(text):
    """The commands of the harness in a document, indented or in a block of a shell."""
    blocks = "".join(re.findall(r"^```sh\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE))
    indented = "".join(re.findall(r"^ {4}(\S.*\n(?: {8}.*\n)*)", text, flags=re.MULTILINE))
    lines = re.sub(r"\\\n\s*", "", blocks + indented).splitlines()
    return [line.partition("  #")[0].strip() for line in lines if line.startswith("python -m experiments.")]


def execute(code, monkeypatch, folder):
    """Run a block as it stands, as a module in an empty folder that has the results, with warnings as errors."""
    (folder / "shown.py").write_text(code)
    (folder / "results").mkdir()
    for name in ("core", "uncapped"):
        (folder / "results" / name).symlink_to(ROOT / "results" / name)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("error")
        importlib.import_module("shown")


class Begun(Exception):
    """The arguments were understood, and the work would begin."""


WORK = {
    "autoencoder": (autoencoder, "experiments.autoencoder.tutorial.load"),
    "campaign": (campaign, "experiments.campaign.execution.plan"),
    "compare": (compare, "experiments.compare.comparison.configurations"),
    "fetch": (fetch, "experiments.fetch._make_folder"),
    "hparams": (hparams, "experiments.hparams._value"),
    "leaderboard": (experiments.leaderboard, "experiments.report.leaderboard.write_leaderboard"),
    "report": (report, "experiments.report.command.write_report"),
    "agra": (agra, "experiments.agra._announce"),
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
