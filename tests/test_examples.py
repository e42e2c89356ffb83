"""The examples run, and say what they found."""

import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch

from experiments.store.files import Store

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def test_there_are_examples():
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_example(path, capsys, monkeypatch):
    monkeypatch.setattr(plt, "show", lambda: None)
    with torch.random.fork_rng():
        runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out.count("\n") >= 2
    figures = [plt.figure(number) for number in plt.get_fignums()]
    plt.close("all")
    assert len(figures) == path.read_text().count("plt.show()")
    assert all(
        figure.get_suptitle() for figure in figures
    )  # what the gallery says of it to who cannot see it


def test_an_example_as_an_executed_notebook(tmp_path):
    """One of them; `make notebooks` executes all."""
    for package in ("jupytext", "nbclient", "ipykernel"):
        pytest.importorskip(package, reason="the extra 'notebooks' is not installed", exc_type=ImportError)
    command = [sys.executable, "docs/notebooks.py", "frame_with_gaps", "--into", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    cells = json.loads((tmp_path / "frame_with_gaps.ipynb").read_text())["cells"]
    assert "".join(cells[0]["source"]).startswith("# A table with gaps")
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    kinds = {kind for cell in code for output in cell["outputs"] for kind in output.get("data", {})}
    assert "image/png" in kinds
    wrong = subprocess.run([*command[:2], "no_such"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (wrong.returncode, "frame_with_gaps" in wrong.stderr) == (2, True)


OWN = {
    "own_denoiser": {"denoiser": "median_clip"},
    "own_regressor": {"regressor": "kernel_smoother"},
    "own_noise": {"noise": "drift"},
    "own_dataset": {"dataset": "greenhouse"},
    "sklearn_transformer": {"denoiser": "low_rank"},
}
"""Folders with something of one's own, and what must stand in the cells."""


def commands_of(folder):
    text = (folder / "README.md").read_text()
    return [shlex.split(line) for line in re.findall(r"^ {4}python (.*)$", text, flags=re.MULTILINE)]


@pytest.mark.parametrize("name", OWN)
def test_what_is_ones_own_runs_from_its_folder(name, tmp_path):
    """The commands of its README, in a copy of the folder elsewhere; one regressor instead of five."""
    folder = shutil.copytree(ROOT / "examples" / name, tmp_path / "mine")
    shown = ""
    for command in commands_of(folder):
        few = command[1] == "experiments.run" and not any(word.startswith("regressor=") for word in command)
        done = subprocess.run(
            [sys.executable, *command, *(["regressor=[ridge]"] if few else [])],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        shown += done.stdout
    cells = list(Store(folder / "results/runs", read_only=True).cells())
    for axis, own in OWN[name].items():
        assert own in {cell.spec.get(axis) for cell in cells}
        assert own in shown.lower().replace(" ", "_")
    assert {cell.status for cell in cells} == {"ok"}


def test_a_denoiser_of_ones_own_takes_two_files_and_25_lines():
    files = [path for path in (ROOT / "examples/own_denoiser").rglob("*") if path.suffix in (".py", ".yaml")]
    assert len(files) == 2
    assert sum(len(path.read_text().splitlines()) for path in files) <= 25


def test_the_readings_are_what_their_script_writes(tmp_path):
    folder = shutil.copytree(ROOT / "examples/own_dataset", tmp_path / "mine")
    before = (folder / "readings.csv").read_text()
    runpy.run_path(str(folder / "make_readings.py"))
    after = (folder / "readings.csv").read_text()
    assert [line.count(";") for line in after.splitlines()] == [
        line.count(";") for line in before.splitlines()
    ]
    assert after.partition("\n")[0] == before.partition("\n")[0]
