"""Seconds and memory of a stage, and the facts of the machine that a result should carry."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from experiments.base.errors import SettingInvalid
from experiments.base.paths import ROOT


@dataclass
class Usage:
    """What a `measured` block used; filled in when the block ends."""

    seconds: float = 0.0
    peak_mb: float = 0.0


@contextlib.contextmanager
def measured() -> Iterator[Usage]:
    """Measure the wall-clock seconds of a block and its peak of resident memory above the block's start."""
    usage = Usage()
    _reset_peak()
    before = resident_mb()
    start = time.perf_counter()
    try:
        yield usage
    finally:
        usage.seconds = time.perf_counter() - start
        usage.peak_mb = max(0.0, _peak_mb() - before)


def torch_device(device: str) -> str:
    """The device that ``auto`` means on this machine; any other as it is.

    Raises
    ------
    SettingInvalid
        If CUDA is requested where there is none.
    """
    if device == "cpu":
        return device
    import torch

    if torch.cuda.is_available():
        return "cuda" if device == "auto" else device
    if device != "auto":
        raise SettingInvalid(
            f"device={device}, but torch sees no CUDA device here: use device=auto or device=cpu"
        )
    return "cpu"


def _reset_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def resident_mb() -> float:
    """Memory of this process that lies in RAM."""
    return _status("VmRSS") or _peak_mb()


def _peak_mb() -> float:
    peak = _status("VmHWM")
    if peak is not None:
        return peak
    import resource  # not on Windows

    scale = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


def _status(field: str) -> float | None:
    """A field of Linux's process status in MB; None on other systems."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return None


@cache
def commit() -> str:
    """The checkout's commit, with ``-dirty`` where files differ from it; ``unknown`` outside one."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=10)
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        head = git("rev-parse", "--short=12", "HEAD")
        return f"{head}-dirty" if git("status", "--porcelain", "-uno") else head or "unknown"
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"


@cache
def machine() -> dict[str, str | int]:
    """Processor, cores, system and interpreter; no name of the host."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "python": platform.python_version(),
    }
