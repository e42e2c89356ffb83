"""What a call of the library costs: the first and the next, with spinning threads and without, a wide table.

Run with ``python -m benchmarks.first_calls``; every call has a process of its own. The ratio of first to next and
of spinning to passive counts, not the seconds: run it beside something busy to see what spinning costs.
"""

from __future__ import annotations

import os
import subprocess
import sys

CALL = """
import resource, sys, time, warnings
import numpy as np, torch
warnings.simplefilter("ignore")
from denograd import BlindSpot, denoise, refine
rng = np.random.default_rng(0)
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
"""

SERIES = """
t = np.arange({rows}) / 20
X = np.column_stack([np.sin(t * k) for k in (1, 0.5, 0.25, 2, 3, 0.1, 0.7)])
X += 0.2 * rng.normal(size=X.shape)
for _ in range({calls}):
    start = time.perf_counter()
    denoise(X, 0.2, kind="series", solver="lbfgs", verbose=False)
    print(f"{{time.perf_counter() - start:.2f}} s", end="  ")
"""

WIDE = """
X = rng.normal(size=(500, 5)) @ rng.normal(size=(5, 800)) / 5**0.5 + 0.3 * rng.normal(size=(500, 800))
before, start = peak(), time.perf_counter()
blind = BlindSpot().fit(X)
print(f"{time.perf_counter() - start:.1f} s, {peak():.0f} MB, of which {before:.0f} MB were there before")
"""


def call(code: str, policy: str | None = None) -> str:
    """Run a call in a process of its own; what it prints."""
    environment = {k: v for k, v in os.environ.items() if k not in ("OMP_WAIT_POLICY", "OMP_NUM_THREADS")}
    if policy:
        environment["OMP_WAIT_POLICY"] = policy
    done = subprocess.run(
        [sys.executable, "-c", CALL + code], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def main() -> None:
    """Print a line per measurement."""
    print("first call, and the next (300 x 7):", call(SERIES.format(rows=300, calls=2)), flush=True)
    print("threads as they come (3,000 x 7):", call(SERIES.format(rows=3000, calls=1)), flush=True)
    print("OMP_WAIT_POLICY=passive:", call(SERIES.format(rows=3000, calls=1), "passive"), flush=True)
    print("fit of a table of 500 x 800:", call(WIDE), flush=True)


if __name__ == "__main__":
    main()
