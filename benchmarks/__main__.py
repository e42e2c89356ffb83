"""Run every benchmark on this machine, one after the other, and write what they print into benchmarks/FIGURES.md.

python -m benchmarks [NAME ...]   # all of them, or those named

A benchmark that needs the raw data says so and is left out where DENOGRAD_DATA does not name them. Figures that stand
in the documents were measured on the machine that is named there; these are yours.
"""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from experiments.base import command
from experiments.base.errors import UnknownName
from experiments.base.resources import commit

HERE = Path(__file__).resolve().parent
FIGURES = HERE / "FIGURES.md"


@dataclass(frozen=True)
class Benchmark:
    """One script of this folder as `make bench` calls it."""

    title: str
    arguments: tuple[str, ...] = ()
    needs_data: bool = False


BENCHMARKS = {
    "denograd_speed": Benchmark(
        "Time per epoch beside the released packages and the floor", ("--rounds", "3")
    ),
    "training_loop": Benchmark("The training loop beside the bare one"),
    "denoisers": Benchmark("Seconds of every baseline"),
    "first_calls": Benchmark("First call and next, spinning threads, a wide table"),
    "growth": Benchmark("How time and memory of a denoising grow with the rows"),
    "metrics": Benchmark("Seconds and memory of the metrics"),
    "report": Benchmark("From 100,000 made-up cells to the full report"),
    "campaign": Benchmark("Overhead of a campaign, and what a second worker gains", ("overhead",)),
    "savings": Benchmark("What the harness saves without changing a result"),
    "surprises": Benchmark("What stands behind surprising figures of the paper's protocol", needs_data=True),
    "time_to_quality": Benchmark("Seconds until the best recovery", needs_data=True),
}
"""By the name of the script."""

BY_HAND = ("gaps", "map_shares", "pays")
"""Studies of hours on real data, resumable, whose tables stand in docs/: each says how it is called."""


def measured(name: str, benchmark: Benchmark) -> tuple[str, bool]:
    """Run one; return its part of the page and whether it went well."""
    words = [f"benchmarks/{name}.py", *benchmark.arguments]
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *words], cwd=HERE.parent, capture_output=True, text=True, check=False
    )
    printed = done.stdout if done.returncode == 0 else done.stdout + done.stderr
    seconds = time.perf_counter() - start
    verdict = f"{seconds:.0f} s" if done.returncode == 0 else f"failed with code {done.returncode}"
    part = f"## {benchmark.title}\n\n`python {' '.join(words)}`: {verdict}\n\n```\n{printed.strip()}\n```\n"
    return part, done.returncode == 0


def machine() -> str:
    """What the figures were measured on, in one paragraph."""
    return (
        f"{datetime.date.today()}, commit {commit()}, Python {platform.python_version()}, "
        f"torch {torch.__version__}, {platform.machine()}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f} at the start.\n"
    )


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all; return 0 where all went well, else 1."""
    for name in names:
        if name not in BENCHMARKS:
            raise UnknownName("benchmark", name, BENCHMARKS)
    parts, failed = [f"# Figures of one machine\n\n{machine()}"], []
    for name in names or BENCHMARKS:
        benchmark = BENCHMARKS[name]
        if benchmark.needs_data and "DENOGRAD_DATA" not in os.environ:
            print(f"{name}: left out, it needs the raw data; name their folder in DENOGRAD_DATA")
            continue
        print(f"{name}: {benchmark.title} ...", flush=True)
        part, well = measured(name, benchmark)
        parts.append(part)
        if not well:
            failed.append(name)
        FIGURES.write_text("\n".join(parts))
    print(f"written: {FIGURES}" + "".join(f"\nfailed: {name}" for name in failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(
        command.start(None, main, lambda: f"{(__doc__ or '').strip()}\n\nThere are {', '.join(BENCHMARKS)}.")
    )
