"""The commands of the README exist, and the shown code runs."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^ {4}(python -m experiments\.\S+[^#\n]*)", README, flags=re.MULTILINE)


def test_the_two_commands_are_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^ {4}make (\w+)", README, flags=re.MULTILINE):
        assert f"\n{target}:" in makefile


def test_there_are_commands():
    assert len(COMMANDS) >= 6


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_understood(command):
    module, *arguments = shlex.split(command)[2:]
    if module == "experiments.run" and "-m" in arguments:
        arguments = [a.partition(",")[0] for a in arguments if a != "-m"]
    arguments = [*arguments, "--cfg", "job"] if module == "experiments.run" else ["--help"]
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_list_shows_what_can_be_chosen():
    done = subprocess.run(
        [sys.executable, "-m", "experiments.list"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for word in ("ett", "17,420 x 7", "denograd_map", "xgboost", "lstm", "deployable", "smoke"):
        assert word in done.stdout


def test_the_code_of_the_readme_runs():
    for block in re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", block],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
