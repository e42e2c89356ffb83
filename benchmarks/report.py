"""Seconds (on the clock, and of the processor) and memory from 100,000 made-up cells on disk to the full report.

python benchmarks/report.py [CELLS]
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import fake

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments.report import command as report
from experiments.store import archive

DATASETS = (
    "house_prices",
    "parkinsons",
    "ett",
    "wth",
    "microsoft_stock",
    "daily_climate",
    "support2",
    "nasdaq",
)


def main(wanted: int = 100_000) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "made-up"
        n = write(root, wanted)
        memory = peak_mb()
        print(f"{n:,} cells written; {memory:.0f} MB before the report", flush=True)
        for what, work in {"read cells/": archive.load, "full report": report.write_report}.items():
            clock, processor = time.perf_counter(), time.process_time()
            work(root)
            clock, processor = time.perf_counter() - clock, time.process_time() - processor
            print(
                f"{what:12} {clock:6.1f} s ({processor:.1f} s of the processor), peak {peak_mb():.0f} MB",
                flush=True,
            )
        print(
            f"report.html {(root / 'report.html').stat().st_size / 1e6:.1f} MB, cells.parquet "
            f"{(root / 'cells.parquet').stat().st_size / 1e6:.1f} MB"
        )


def write(root: Path, wanted: int) -> int:
    """Write about as many cells."""
    regressors = ("ridge", "knn", "xgboost", "dnn", "lstm")
    sigmas = (0.0, 0.05, 0.2)
    per_repetition = sum(
        1 for _ in fake.cells(datasets=DATASETS, sigmas=sigmas, regressors=regressors, repetitions=1)
    )
    repetitions = max(1, round(wanted / per_repetition))
    cells = fake.cells(
        datasets=DATASETS, sigmas=sigmas, regressors=regressors, repetitions=repetitions, epochs=100
    )
    return fake.write(root, cells)


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
