"""A command says its first line before it loads what takes seconds, and answers a wrong call before that."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WITHOUT = """
import contextlib, importlib, io, sys
for name in ("torch", "sklearn", "scipy"):
    sys.modules[name] = None  # importing it fails
module, *words = sys.argv[1:]
sys.argv[1:] = []
importlib.import_module(module).main(words)
"""


def called(module, *words, folder):
    """What a command says in a process where torch and its like cannot be imported, and how it ends."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, module, *words],
        cwd=folder,
        env={"PATH": "", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr, done.returncode


@pytest.mark.parametrize(
    ("module", "words", "first"),
    [
        ("run.command", ["dataset=diabetes", "denoiser=[identity]"], "run on diabetes: identity\n"),
        ("campaign.command", ["+campaign=demo", "plan=true"], "campaign demo: reading its runs"),
        ("hparams", ["dataset=diabetes"], "denograd diabetes gaussian sigma 0.05 "),
        ("compare.command", ["denoiser=pca"], "pca among the published methods: "),
        ("agra", ["seeds=1"], "5,204 trainings, 1 at once"),
        ("autoencoder.command", [], "autoencoder on diabetes: "),
        ("list", [], "dataset\n-------\n"),
        ("list", ["denoiser"], "denoiser\n--------\n"),
        ("list", ["dataset=ett"], "ett: reading it\n"),
        ("leaderboard", [], "leaderboard of results: reading its cells"),
        ("report.command", ["campaign=nothing"], "report of results/nothing: "),
    ],
)
def test_the_first_line_needs_neither_torch_nor_scipy(tmp_path, module, words, first):
    told, _ = called(f"experiments.{module}", *words, folder=tmp_path)
    assert told.startswith(first), told


WRONG = """
for module, *words in (
    ("run.command", "datset=ett"),
    ("campaign.command", "+campaign=demmo"),
    ("campaign.command", "+campaign=demo", "engine=locl"),
    ("hparams", "trials=0"),
    ("compare.command", "denoiser=pcaa"),
    ("agra", "seeds=0"),
    ("autoencoder.command", "loss=l3"),
    ("list", "denoser"),
    ("leaderboard", "campain=first"),
    ("report.command", "campain=first"),
):
    sys.argv[1:] = []
    code = importlib.import_module("experiments." + module).main(words)
    assert code == 2, (module, words, code)
"""


def test_a_wrong_call_is_answered_before_they_are_loaded(tmp_path):
    code = WITHOUT.partition("module, *words")[0] + WRONG
    subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PATH": "", "PYTHONPATH": str(ROOT)}, check=True
    )
    assert not list(tmp_path.iterdir())
