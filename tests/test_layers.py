"""Imports point one way: experiments -> baselines, denograd; the library needs three packages alone."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ALLOWED = {
    "denograd": {"denograd", "numpy", "torch", "tqdm"},
    "baselines": {"baselines", "denograd"},
    "experiments": {"experiments", "baselines", "denograd"},
}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_imports_point_one_way(package):
    ours = set(ALLOWED)
    for path in (ROOT / package).rglob("*.py"):
        found = {name for name in imported(path) if name in ours}
        assert found <= ALLOWED[package], f"{path.relative_to(ROOT)} imports {found - ALLOWED[package]}"


def test_the_library_needs_numpy_torch_and_tqdm_alone():
    code = (
        "import sys, denograd; print(*sorted({m.partition('.')[0] for m in sys.modules} & set(sys.argv[1:])))"
    )
    heavy = ["pandas", "sklearn", "scipy", "hydra", "matplotlib", "baselines", "experiments"]
    shown = subprocess.run(
        [sys.executable, "-c", code, *heavy], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert shown.stdout.split() == []


@pytest.mark.parametrize("package", ["denograd", "baselines"])
def test_libraries_do_not_print(package):
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            printing = (
                isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
            )
            assert not printing, f"{path.relative_to(ROOT)}:{node.lineno} prints"


def test_a_foreign_denograd_is_noticed_at_start_up(tmp_path):
    (tmp_path / "denograd.py").write_text("class DenoGrad: ...\n")
    code = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]; import experiments"
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert shown.returncode == 1
    assert "shadows this project's" in shown.stderr
    assert "pip uninstall denograd" in shown.stderr
