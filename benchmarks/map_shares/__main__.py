"""Measure the rule `map`: what share of an injected error is left, column by column, on real data.

    python -m benchmarks.map_shares run --seeds 0 1              # resumable; DENOGRAD_DATA names the raw files
    python -m benchmarks.map_shares run --variants large --data rt_iot2022
    python -m benchmarks.map_shares table --write docs/map.md    # rebuild tables and figure of the document

Noise of sigma standard deviations on every column of a draw (random rows of a table, a random stretch of a series) that
is standardised; a share is ||refined - clean||^2 / ||noisy - clean||^2, mean over the columns. One line of JSON per
measurement, one thread; seconds are of the CPU. A variant is what is measured:

known      the level is told; beside `auto` the plain closed form
others     every denoiser of `baselines` that holds a table or series by itself, with sound settings
levels     the level is not told: `auto` and `common`
laplace, student, impulses, half, double, rounded, memory   an assumption fails
per_row, proportional   levels that differ between rows, told or (`one_level`) only their mean
all_rows   all rows of a data set: `auto`, closed form, L-BFGS, the strong peers and DN-ResNet
large      10,000 rows (100,000 of a table that has them, its first 20 columns): seconds, beside L-BFGS, and memory
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

import torch

from benchmarks.map_shares import tables
from benchmarks.map_shares.measure import VARIANTS, WANTED, measure, measurements
from benchmarks.tables import append, put, read
from experiments.base import command

RESULTS = Path(__file__).parents[1] / "map_shares.jsonl"
FIGURE = "map_shares.svg"


def run(options: argparse.Namespace) -> None:
    """Do what is missing, one thread."""
    torch.set_num_threads(1)
    keys = ("data", "sigma", "seed", "variant")
    done = {tuple(r[k] for k in keys) for r in read(options.results)}
    for task in measurements(options):
        if tuple(task[k] for k in keys) in done:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            append(options.results, measure(task, options.rows))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["run", "table"])
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--rows", type=int, default=3000, help="of a draw; 0 for all")
    parser.add_argument("--data", nargs="+", default=list(WANTED), help="only these datasets")
    parser.add_argument("--sigmas", nargs="+", type=float, help="only these levels")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=["known", "levels"])
    parser.add_argument(
        "--write", type=Path, help="put the tables between this document's markers, the figure beside it"
    )
    options = parser.parse_args()
    if options.action == "run":
        run(options)
        return
    cells = tables.cells_of(read(options.results))
    made = tables.all_tables(cells)
    if options.write is None:
        print("\n\n".join(made.values()))
        return
    put(options.write, made)
    tables.draw_figure(cells, options.write.with_name(FIGURE))


if __name__ == "__main__":
    sys.exit(
        command.run(main, interrupted="Interrupted. What is measured is stored; the same command goes on.")
    )
