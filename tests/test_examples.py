"""The examples run, and say what they found."""

import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from experiments.store.files import Store

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def test_there_are_examples():
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_example(path, capsys):
    with torch.random.fork_rng():
        runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out.count("\n") >= 2


def test_the_denoiser_of_ones_own_runs_from_its_folder(tmp_path):
    """The command of its README, in a copy of the folder elsewhere; one regressor instead of five."""
    folder = shutil.copytree(ROOT / "examples/own_denoiser", tmp_path / "mine")
    (command,) = re.findall(r"^ {4}python (.*)$", (folder / "README.md").read_text(), flags=re.MULTILINE)
    done = subprocess.run(
        [sys.executable, *shlex.split(command), "regressor=[ridge]"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    cells = list(Store(folder / "results/runs", read_only=True).cells())
    assert {cell.spec["denoiser"] for cell in cells} == {"identity", "pca", "median_clip"}
    assert {cell.status for cell in cells} == {"ok"}
    assert "median_clip" in done.stdout.lower().replace(" ", "_")
