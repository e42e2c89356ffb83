"""What a campaign costs beside its work, what a second worker gains, and what 20 kills lose.

python benchmarks/campaign.py overhead   # 200 cells of one second each: serial, one worker, two
python benchmarks/campaign.py kills      # a campaign killed at 20 random moments, and resumed each time
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from experiments.store.files import Store

ROOT = Path(__file__).resolve().parents[1]
PARTS = ROOT / "tests" / "experiments"
CELL_S, DENOISERS = 1.0, 100


def command(folder: str, *arguments: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "experiments.campaign",
        "+campaign=demo",
        f"results_dir={folder}",
        *arguments,
    ]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{PARTS}", "OMP_NUM_THREADS": "1"}


def cells(folder: str) -> dict[str, str]:
    """Specs and metrics of all cells, as text."""
    store = Store(Path(folder) / "demo", read_only=True)
    return {c.key: json.dumps([c.spec, c.metrics, c.status], sort_keys=True) for c in store.cells()}


def naps() -> list[str]:
    """100 denoisers and a regressor on what each made; every one of these 200 cells sleeps for a second."""
    nap = f"{{_target_:campaign_parts.Nap,seconds:{CELL_S}}}"
    arguments = ["dataset=diabetes", "noise.sigma=0.05", "protocol=[paper]", "allow_targets=[campaign_parts]"]
    arguments += ["denoiser=[identity]", "denoiser.identity._target_=campaign_parts.Nap"]
    arguments += [f"+denoiser.identity.seconds={CELL_S}", "regressor=[ridge]"]
    arguments += ["regressor.ridge.estimator._target_=campaign_parts.NapRegressor"]
    arguments += [f"+regressor.ridge.estimator.seconds={CELL_S}"]
    return arguments + [f"+denoiser.nap{i}={nap}" for i in range(1, DENOISERS)]


def cpu_s() -> float:
    """Processor time of all processes that have ended: what the overhead is on a machine that is not busy."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def overhead() -> None:
    work = CELL_S * DENOISERS * 2
    alone = None
    for label, engine in (
        ("serial", ["engine=serial"]),
        ("one worker", ["engine=local", "engine.workers=1"]),
        ("two workers", ["engine=local", "engine.workers=2"]),
    ):
        with tempfile.TemporaryDirectory() as folder:
            start, cpu = time.monotonic(), cpu_s()
            done = subprocess.run(
                command(folder, *naps(), *engine), cwd=ROOT, env=environment(), capture_output=True, text=True
            )
            seconds = time.monotonic() - start
            if done.returncode:
                sys.exit(done.stderr)
            ideal = work / (2 if label == "two workers" else 1)
            gain = f", {alone / seconds:.2f}x one worker" if label == "two workers" and alone else ""
            alone = seconds if label == "one worker" else alone
            print(
                f"{label}: {len(cells(folder))} cells, {seconds:.1f} s, {ideal:.0f} s of them work: "
                f"overhead {100 * (seconds / ideal - 1):.1f} %{gain}; processor time {cpu_s() - cpu:.1f} s",
                flush=True,
            )


def kills() -> None:
    """SIGKILL to the campaign, its workers with it, at random moments."""
    arguments = ["noise.sigma=0.05", "engine=local", "engine.workers=2"]
    with tempfile.TemporaryDirectory() as calm, tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        subprocess.run(command(calm, *arguments), cwd=ROOT, check=True, capture_output=True)
        whole = time.monotonic() - start
        whole_count = len(cells(calm))
        draw, found, lost, hit = random.Random(0), {}, 0, 0
        while hit < 20:
            process = subprocess.Popen(
                command(folder, *arguments), cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL
            )
            try:
                process.wait(draw.uniform(0.2, 1.0) * whole)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()
                hit += 1
            before, found = found, cells(folder)
            lost += sum(found.get(key) != text for key, text in before.items())
            print(f"kill {hit}: {len(found)} of {whole_count} cells, {lost} lost", flush=True)
            if len(found) == whole_count:
                for path in sorted((Path(folder) / "demo" / "cells").rglob("*.json"))[::2]:
                    path.unlink()  # something to do for the next one
                    found.pop(path.stem)
        subprocess.run(command(folder, *arguments), cwd=ROOT, check=True, capture_output=True)
        print(
            f"{hit} kills, {lost} finished cells lost, same bytes in the end: {cells(folder) == cells(calm)}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["overhead", "kills"])
    {"overhead": overhead, "kills": kills}[parser.parse_args().what]()
