"""Fetch the released packages that tests and benchmarks compare with into the ignored folder `.oracle/`.

They are run side by side with ours, never imported by it: ``.oracle/1.1.0/`` and ``.oracle/2.0.0/``.
Safe to repeat: a version that is there with the right checksum is not fetched again.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / ".oracle"
WHEELS = {
    "1.1.0": "453d88b57e89699298382b4081d7b907c217647fb5622fe0686b1ff2814f7d78",
    "2.0.0": "5138b2263be70c26bc02e5cca74d5a37d22f72b8fe5f00d4a6fd0b4aee8f0bc9",
}


def fetch(version: str, sha256: str) -> Path:
    """Download one wheel, check it, unpack it; return its folder.

    Raises
    ------
    SystemExit
        If it cannot be had or is not the one we know.
    """
    wheel = FOLDER / "wheels" / f"denograd-{version}-py3-none-any.whl"
    if not wheel.exists():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(wheel.parent)]
        if subprocess.run([*pip, f"denograd=={version}"], check=False).returncode:
            raise SystemExit(f"denograd {version} could not be downloaded: is a package index in reach?")
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != sha256:
        raise SystemExit(f"{wheel}: sha256 {found}, expected {sha256}: delete it and try again")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(FOLDER / version)
    return FOLDER / version


if __name__ == "__main__":
    for version, sha256 in WHEELS.items():
        print(f"denograd {version}: {fetch(version, sha256).relative_to(FOLDER.parent)}")
