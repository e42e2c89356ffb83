"""Fetch the released packages that tests and benchmarks compare with into the ignored folder `.oracle/`.

They are run side by side with ours, never imported by it: denograd as ``.oracle/1.1.0/`` and ``.oracle/2.0.0/``,
the xLSTM of its authors as ``.oracle/xlstm/`` (the part that is compared needs PyTorch alone).
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
    "1.1.0": ("denograd", "1.1.0", "453d88b57e89699298382b4081d7b907c217647fb5622fe0686b1ff2814f7d78"),
    "2.0.0": ("denograd", "2.0.0", "5138b2263be70c26bc02e5cca74d5a37d22f72b8fe5f00d4a6fd0b4aee8f0bc9"),
    "xlstm": ("xlstm", "2.0.6", "8fcb24b45a447fa255bbe4b4306aa93e6d4bd7cf06a6cd08d9494986662a141a"),
}
"""Folder in `.oracle/`, package, version, SHA-256 of its wheel."""


def fetch(folder: str, package: str, version: str, sha256: str) -> Path:
    """Download one wheel, check it, unpack it; return its folder.

    Raises
    ------
    SystemExit
        If it cannot be had or is not the one we know.
    """
    wheel = FOLDER / "wheels" / f"{package}-{version}-py3-none-any.whl"
    if not wheel.exists():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(wheel.parent)]
        if subprocess.run([*pip, f"{package}=={version}"], check=False).returncode:
            raise SystemExit(f"{package} {version} could not be downloaded: is a package index in reach?")
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != sha256:
        raise SystemExit(f"{wheel}: sha256 {found}, expected {sha256}: delete it and try again")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(FOLDER / folder)
    return FOLDER / folder


if __name__ == "__main__":
    for folder, (package, version, sha256) in WHEELS.items():
        print(f"{package} {version}: {fetch(folder, package, version, sha256).relative_to(FOLDER.parent)}")
