"""What a user installs: a wheel with `denograd` alone, an sdist with everything, one place for the version."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import denograd

ROOT = Path(__file__).resolve().parents[1]
NOT_SHIPPED = {".git", ".venv", ".oracle", "build", "dist", "site", "outputs", "multirun", "raw"}


def files_of_the_checkout():
    """What belongs to the project: what git tracks; in an unpacked sdist, what lies there."""
    if (ROOT / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split("\0")
        return sorted(name for name in listed if name and (ROOT / name).is_file())
    lying = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    return sorted(
        str(path)
        for path in lying
        if not NOT_SHIPPED & set(path.parts)
        and not re.search(r"cache|\.egg-info|PKG-INFO|setup\.cfg", str(path))
    )


def call_backend(hook, folder, out):
    """Call a hook of the build backend in a folder, as pip and `build` do, without a network."""
    code = f"import sys; from setuptools import build_meta; print(build_meta.{hook}(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(out)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return out / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """An sdist of the checkout, and from it, unpacked, a wheel and an editable one."""
    pytest.importorskip("setuptools", minversion="77", reason="building needs setuptools 77 (extra `dev`)")
    folder = tmp_path_factory.mktemp("dist")
    for name in files_of_the_checkout():
        (folder / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / "copy" / name)
    sdist = call_backend("build_sdist", folder / "copy", folder)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    source = folder / sdist.name.removesuffix(".tar.gz")
    wheel = call_backend("build_wheel", source, folder)
    (folder / "editable").mkdir()
    return {
        "sdist": sdist,
        "source": source,
        "wheel": wheel,
        "editable": call_backend("build_editable", source, folder / "editable"),
    }


@pytest.fixture(scope="module")
def installed(dist, tmp_path_factory):
    """A folder with the wheel and the packages that it needs, and nothing else."""
    site = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(dist["wheel"]) as archive:
        archive.extractall(site)
    (info,) = metadata.distributions(name="denograd-harness", path=[str(site)])
    waiting = [Requirement(line) for line in info.requires or ()]
    linked = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in linked or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        linked.add(name)
        needed = metadata.distribution(name)
        waiting += [Requirement(line) for line in needed.requires or ()]
        for file in needed.files or ():
            if file.parts[0] != ".." and not (site / file.parts[0]).exists():
                (site / file.parts[0]).symlink_to(needed.locate_file(file.parts[0]))
    return site


def run_installed(code, site, folder):
    """Run code where nothing can be imported but the standard library and what lies in `site`, or in `folder`."""
    return subprocess.run(
        [sys.executable, "-S", "-W", "error", "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )


def modules_of(package, root):
    return {str(path.relative_to(root)) for path in (root / package).rglob("*.py")}


def test_the_wheel_holds_denograd_alone(dist):
    names = {name for name in zipfile.ZipFile(dist["wheel"]).namelist() if ".dist-info/" not in name}
    assert names == modules_of("denograd", ROOT) | {"denograd/py.typed"}


def test_the_wheel_claims_no_other_name(dist):
    (top,) = [name for name in zipfile.ZipFile(dist["wheel"]).namelist() if name.endswith("top_level.txt")]
    assert zipfile.ZipFile(dist["wheel"]).read(top).split() == [b"denograd"]


def test_the_sdist_is_the_checkout(dist):
    lying = {str(path.relative_to(dist["source"])) for path in dist["source"].rglob("*") if path.is_file()}
    assert set(files_of_the_checkout()) - lying == set()


@pytest.mark.parametrize("module", ["denograd", "baselines.pca", "experiments.list"])
def test_an_editable_install_reaches_the_whole_checkout(module, dist, tmp_path):
    names = zipfile.ZipFile(dist["editable"]).namelist()
    (path_file,) = [name for name in names if name.endswith(".pth")]
    line = zipfile.ZipFile(dist["editable"]).read(path_file).decode().strip()
    assert Path(line) == dist["source"]  # a plain folder on sys.path, so that every package in it imports
    code = f"import sys; sys.path.insert(0, {line!r}); import {module} as m; print(m.__file__)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()).is_relative_to(dist["source"])


def test_the_version_stands_in_one_place(dist):
    assert f"-{denograd.__version__}" in dist["wheel"].name
    assert f"-{denograd.__version__}.tar.gz" in dist["sdist"].name
    spelt = [
        name
        for name in ("pyproject.toml", "setup.sh", "Makefile", "README.md", "CONTRIBUTING.md")
        if denograd.__version__ in (ROOT / name).read_text()
    ]
    assert spelt == []


def test_the_installed_library_works_with_three_packages(installed, tmp_path):
    code = f"""
import numpy as np, torch, denograd
assert not denograd.__file__.startswith({str(ROOT)!r}), denograd.__file__
rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3))
y = X @ [1.0, -2.0, 0.5] + 0.1 * rng.normal(size=60)
model = torch.nn.Linear(3, 1)
moved, target, _, _ = denograd.DenoGrad(model, torch.nn.MSELoss()).fit(X, y).transform(max_epochs=2)
assert moved.shape == X.shape and target.shape == y.shape
related = X[:, :1] + 0.1 * rng.normal(size=(60, 3))  # each column tells of the others
found = denograd.denoise(related, 0.1, kind="tabular")
assert found.data.shape == X.shape and not np.array_equal(found.data, related)
for name in ("sklearn", "pandas", "scipy", "hydra", "baselines", "experiments"):
    try:
        __import__(name)
    except ImportError:
        continue
    raise SystemExit(name + " can be imported: the environment of this test is not a fresh one")
"""
    done = run_installed(code, installed, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["experiments", "baselines", "conf", "tests"])
def test_a_module_of_the_users_own_is_not_in_the_way(name, installed, tmp_path):
    (tmp_path / f"{name}.py").write_text("mine = True\n")
    done = run_installed(f"import denograd, {name}; assert {name}.mine", installed, tmp_path)
    assert done.returncode == 0, done.stderr
