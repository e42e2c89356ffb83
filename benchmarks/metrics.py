"""Seconds and memory of the metrics on a frame as large as the largest dataset, beside POT's distance.

python benchmarks/metrics.py [ROWS COLUMNS]
"""

import resource
import sys
import time

import numpy as np

from experiments.base import metrics


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(rows: int = 100_000, columns: int = 82) -> None:
    rng = np.random.default_rng(0)
    before = rng.standard_normal((rows, columns))
    after = before + 0.1 * rng.standard_normal(before.shape)

    def pot(a: np.ndarray, b: np.ndarray) -> float:
        from ot.sliced import sliced_wasserstein_distance

        return float(sliced_wasserstein_distance(a, b, n_projections=100, seed=0))

    print(f"{rows:,} x {columns}, 100 projections; the memory is the growth of the process's peak")
    for name, measure in {"swd": metrics.swd, "data_metrics": metrics.data_metrics, "POT's swd": pot}.items():
        memory, start = peak_mb(), time.perf_counter()
        measure(before, after)
        print(f"{name:14} {time.perf_counter() - start:7.2f} s {peak_mb() - memory:8.0f} MB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
