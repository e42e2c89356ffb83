"""`release.sh` on small repositories: what it refuses, and what it makes."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CHANGELOG = "# Changelog\n\n## 1.2.0 (2030-01-31)\n\n- New: a thing.\n\n## 1.1.0 (2029-01-31)\n\n- Old.\n"
PYTHON = """#!/bin/sh
echo "$@" >>"$ASKED"
case "$2" in build) mkdir -p dist && touch dist/x-1.2.0-py3-none-any.whl dist/x-1.2.0.tar.gz ;; esac
"""


def git(folder, *words):
    identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def folder(tmp_path):
    """A committed checkout that is ready to be released, and a Python whose `build` makes empty files."""
    checkout = tmp_path / "checkout"
    (checkout / "denograd").mkdir(parents=True)
    (checkout / "denograd/__init__.py").write_text('__version__ = "1.2.0"\n')
    (checkout / "CHANGELOG.md").write_text(CHANGELOG)
    (checkout / ".gitignore").write_text("dist/\n")
    (checkout / "release.sh").write_text((ROOT / "release.sh").read_text())
    (tmp_path / "python").write_text(PYTHON)
    (tmp_path / "python").chmod(0o755)
    git(checkout, "init", "-q")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-q", "-m", "all")
    return checkout


def release(folder):
    return subprocess.run(
        ["sh", "release.sh"],
        cwd=folder,
        env={**os.environ, "PYTHON": str(folder.parent / "python"), "ASKED": str(folder.parent / "asked")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_builds_checks_and_says_how_to_publish(folder):
    done = release(folder)
    assert done.returncode == 0, done.stderr
    build, check = (folder.parent / "asked").read_text().splitlines()
    assert build.startswith("-m build")
    assert check == "-m twine check --strict dist/x-1.2.0-py3-none-any.whl dist/x-1.2.0.tar.gz"
    assert "git tag -a v1.2.0" in done.stdout
    message = (folder / "dist/.tag-message").read_text()
    assert message.splitlines()[0].endswith(" 1.2.0")
    assert "New: a thing." in message
    assert "Old." not in message


def test_a_tag_can_be_made_from_the_message(folder):
    release(folder)
    git(folder, "tag", "-a", "v1.2.0", "--cleanup=whitespace", "-F", "dist/.tag-message")
    shown = subprocess.run(
        ["git", "tag", "-n9", "v1.2.0"], cwd=folder, capture_output=True, text=True, check=True
    )
    assert "New: a thing." in shown.stdout


def spoil(folder, how):
    if how == "dirty":
        (folder / "new").touch()
    elif how == "tagged":
        git(folder, "tag", "v1.2.0")
    else:
        name, old, new = how
        (folder / name).write_text((folder / name).read_text().replace(old, new))
        git(folder, "commit", "-q", "-a", "-m", "spoilt")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("dirty", "has changes that are not committed"),
        ("tagged", "v1.2.0 is tagged already"),
        (("CHANGELOG.md", "## 1.2.0", "## 1.3.0"), "no heading '## 1.2.0'"),
        (("CHANGELOG.md", "(2030-01-31)", "(unreleased)"), "calls 1.2.0 unreleased"),
        (("denograd/__init__.py", "__version__", "version"), "has no line of the form"),
    ],
)
def test_it_refuses(how, message, folder):
    spoil(folder, how)
    done = release(folder)
    assert done.returncode == 1
    assert message in done.stderr
    assert not (folder / "dist").exists()


def test_help_names_every_target():
    makefile = (ROOT / "Makefile").read_text()
    targets = makefile.partition(".PHONY:")[2].partition("\n")[0].split()
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [target for target in targets if target != "help" and f"make {target} " not in shown] == []
