"""What `setup.sh` does, with a pip that only writes down what it was asked for."""

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TORCH = re.search(r"^torch==(.*)$", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE)[1]
NOT_FOUND = (
    f"ERROR: No matching distribution found for torch=={TORCH}+cpu",
    f"ERROR: Cannot install torch=={TORCH}+cpu because these package versions have conflicting dependencies.\n"
    "ERROR: ResolutionImpossible: for help visit ...",
)
PIP = """
import os, pathlib, sys
pathlib.Path(os.environ["PIP_LOG_FILE"]).open("a").write(" ".join(sys.argv[1:]) + "\\n")
if sys.argv[-1].endswith("+cpu") and os.environ.get("CPU_ERROR"):
    sys.exit(os.environ["CPU_ERROR"])
"""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="setup.sh chooses a build of torch on Linux alone"
)


@pytest.fixture
def folder(tmp_path):
    """A checkout with a virtual environment, the pip of which installs nothing, on a machine without a GPU."""
    for name in ("setup.sh", "constraints.txt"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    venv.create(tmp_path / ".venv", with_pip=False, symlinks=True)
    (site,) = (tmp_path / ".venv").glob("lib/python*/site-packages")
    (site / "pip").mkdir()
    (site / "pip/__init__.py").touch()
    (site / "pip/__main__.py").write_text(PIP)
    (tmp_path / "bin").mkdir()
    driver(tmp_path, there=False)
    return tmp_path


def driver(folder, there):
    script = folder / "bin/nvidia-smi"
    script.write_text(f"#!/bin/sh\nexit {0 if there else 1}\n")
    script.chmod(0o755)


def site_of(folder):
    return next((folder / ".venv").glob("lib/python*/site-packages"))


def setup(folder, **environment):
    """Run it; return how it ended and what pip was asked for."""
    done = subprocess.run(
        ["sh", str(folder / "setup.sh")],
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("PIP_")},
            "PYTHON": sys.executable,
            "EXTRAS": "dev",
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "PIP_LOG_FILE": str(folder / "asked"),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    asked = folder / "asked"
    return done, asked.read_text().splitlines() if asked.exists() else []


def dist_info(folder, name, version, record):
    info = site_of(folder) / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "RECORD").write_text(record)
    return info


def test_the_cpu_build_is_taken_where_there_is_one(folder):
    done, asked = setup(folder)
    assert done.returncode == 0, done.stderr
    assert [line.split()[-1] for line in asked] == [f"torch=={TORCH}+cpu", ".[dev]"]
    assert all("-c constraints.txt" in line for line in asked)


@pytest.mark.parametrize("error", NOT_FOUND, ids=["not found", "not among the constraints"])
def test_else_the_plain_one_with_a_word_on_its_size(error, folder):
    done, asked = setup(folder, CPU_ERROR=error)
    assert done.returncode == 0, done.stderr
    assert [line.split()[-1] for line in asked] == [f"torch=={TORCH}+cpu", f"torch=={TORCH}", ".[dev]"]
    assert re.search(r"no CPU build .* 2\.7 GB to download", done.stdout)


def test_another_error_is_shown_and_ends_it(folder):
    done, asked = setup(
        folder, CPU_ERROR="ERROR: Could not install packages due to an OSError: no space left"
    )
    assert done.returncode == 1
    assert "no space left" in done.stderr
    assert len(asked) == 1


def test_with_a_driver_the_plain_build_is_the_right_one(folder):
    driver(folder, there=True)
    _, asked = setup(folder)
    assert [line.split()[-1] for line in asked] == [".[dev]"]


@pytest.mark.parametrize("version", [TORCH, f"{TORCH}+cpu"])
def test_what_is_installed_stays(folder, version):
    dist_info(folder, "torch", version, "torch-1.dist-info/INSTALLER,,\n")
    _, asked = setup(folder)
    assert [line.split()[-1] for line in asked] == [".[dev]"]


def test_what_an_interrupted_run_left_is_installed_anew(folder):
    dist_info(folder, "torch", f"{TORCH}+cpu", "torch/__init__.py,,\n")  # the wheel's own list, before pip's
    (site_of(folder) / "~orch").mkdir()
    done, asked = setup(folder)
    assert "half installed" in done.stdout
    assert [line.split()[-1] for line in asked] == [f"torch=={TORCH}+cpu", ".[dev]"]
    assert not list(site_of(folder).glob("*orch*"))


@pytest.mark.slow
def test_a_half_made_environment_is_made_anew(folder):
    (site_of(folder) / "pip/__init__.py").unlink()
    (site_of(folder) / "pip/__main__.py").unlink()
    (site_of(folder) / "pip").rmdir()
    setup(folder, PIP_NO_INDEX="1")  # pip, the real one that came with the environment, finds nothing
    assert (site_of(folder) / "pip/__main__.py").stat().st_size > len(PIP)


def test_an_old_python_is_refused(folder):
    old = folder / "bin/python-old"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.18\nexit 1\n')
    old.chmod(0o755)
    done, asked = setup(folder, PYTHON=str(old))
    assert (done.returncode, asked) == (1, [])
    assert "'" + str(old) + "' is: Python 3.9.18. Name another: make setup PYTHON=python3.12" in done.stderr


@pytest.mark.parametrize(
    "name", ["setup.sh", "Makefile", ".ci/run", "pyproject.toml", "benchmarks/fetch_oracle.py"]
)
def test_no_script_names_a_host_of_packages(name):
    assert not re.search(r"pypi|pythonhosted|pytorch\.org|index-url|find-links", (ROOT / name).read_text())
