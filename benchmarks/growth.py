"""How time and memory of `denoise` grow with the rows: of a series of 12 columns, and of a table of 20.

    python benchmarks/growth.py [series 3500 11000 35000] [table 100000] [pieces 1000000] [sample 1000000]

Every size has a process of its own; ``pieces`` (a series) and ``sample`` (a table of 12 columns) go through a file,
100,000 rows at a time, as ``python -m denograd`` does; ``whole`` fits all rows of the same table. CPU
seconds of one thread, and the most memory that the process held, torch's own 0.3 GB among it.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys

SERIES, TABLE = ("series", 3500, 11_000, 35_000), ("table", 100_000)

CALL = """
import resource, sys, tempfile, time, warnings
from pathlib import Path
import numpy as np, torch
torch.set_num_threads(1)
warnings.simplefilter("ignore")
from denograd import BlindSpot, refine
kind, rows = {kind!r}, {rows}
rng = np.random.default_rng(0)
width = 20 if kind == "table" else 12
if kind in ("table", "sample", "whole"):
    latent = rng.normal(size=(rows, 5))
    clean = latent @ rng.normal(size=(5, width)) + 1.5 * np.sin(latent @ rng.normal(size=(5, width)))
else:
    steps = np.arange(rows)
    clean = np.column_stack([np.sin(steps / p) for p in np.geomspace(5, 500, 12)])
    clean += 0.02 * rng.normal(size=clean.shape).cumsum(0) / (1 + rows / 1e4) ** 0.5
clean /= clean.std(0)
noisy = clean + 0.2 * rng.normal(size=clean.shape)
start = time.process_time()
if kind in ("pieces", "sample"):
    import pandas as pd
    from denograd.pieces import Job, run
    from denograd.table import read_table
    frame = pd.DataFrame(noisy, columns=list("abcdefghijkl"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "noisy.parquet"
        frame.to_parquet(path)
        job = Job(sigma=0.2, kind="series" if kind == "pieces" else "tabular")
        run(job, read_table(path), None, Path(folder) / "clean.parquet")
        found = pd.read_parquet(Path(folder) / "clean.parquet").to_numpy()
        share = ((found - clean) ** 2).mean() / 0.04
    seconds = [time.process_time() - start]
else:
    blind = BlindSpot("tabular" if kind in ("table", "whole") else "series").fit(noisy)
    fitted = time.process_time()
    found = refine(blind, noisy, 0.2, fitted_rows=rows)
    seconds = [fitted - start, time.process_time() - fitted]
    share = ((found.values - clean) ** 2).mean() / 0.04
print(*seconds, share, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)
"""


def measure(kind: str, rows: int) -> list[float]:
    """Run one size; its CPU seconds (fit and refine, or all), the share of the error left, and GB."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    done = subprocess.run(
        [sys.executable, "-c", CALL.format(kind=kind, rows=rows)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    *seconds, share, memory = map(float, done.stdout.splitlines()[-1].split())
    said = " + ".join(f"{s:.1f}" for s in seconds)
    print(f"{kind} of {rows:,}: {said} s, {share:.3f} of the error left, {memory:.2f} GB", flush=True)
    return seconds


def main() -> None:
    """Print a line per size, and the exponents between a kind's least and largest."""
    words = sys.argv[1:] or [str(word) for word in (*SERIES, *TABLE)]
    kind, sizes = "series", dict[str, list[int]]()
    for word in words:
        if word.isdigit():
            sizes.setdefault(kind, []).append(int(word))
        else:
            kind = word
    for kind, all_rows in sizes.items():
        seconds = [measure(kind, rows) for rows in all_rows]
        if len(all_rows) > 1:
            span = math.log(all_rows[-1] / all_rows[0])
            grown = [math.log(b / a) / span for a, b in zip(seconds[0], seconds[-1], strict=True)]
            print(f"{kind}: seconds grow with rows to the power of", *(f"{power:.2f}" for power in grown))


if __name__ == "__main__":
    main()
