"""All trials of a run, one after the other."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from experiments.base.screen import in_notebook
from experiments.run.bench import Bench
from experiments.run.protocols import variants
from experiments.run.trial import Trial
from experiments.store.cell import Cell


def execute(bench: Bench, *, progress: bool | None = None) -> list[Cell]:
    """Compute what is missing and return all cells of the run, the stored ones among them.

    Parameters
    ----------
    bench : Bench
    progress : bool, optional
        Whether to show a bar; by default where somebody watches, in a terminal or a notebook.
    """
    torch.set_num_threads(bench.config.threads)
    cells: list[Cell] = []
    with threadpool_limits(bench.config.threads), _progress(bench, progress) as bar:
        for trial in trials(bench):
            bench.task(trial.protocol, trial.repetition)  # bad input shows here, before any cell
            bar.set_postfix_str(f"{trial.protocol} {trial.denoiser.name}")
            before = len(cells)
            for cell in trial.cells():
                cells.append(cell)
                bar.update()
            bar.total += (
                len(cells) - before - _expected(bench, trial.protocol)
            )  # some have no form for the test part
            bar.refresh()
    return cells


def trials(bench: Bench) -> Iterator[Trial]:
    """Every denoiser under every protocol and repetition."""
    for repetition in range(bench.config.repetitions):
        for protocol in bench.config.protocol:
            for denoiser, backbone in bench.pairs:
                yield Trial(bench, protocol, repetition, denoiser, backbone)


def _progress(bench: Bench, wanted: bool | None) -> tqdm:
    config = bench.config
    per_pair = sum(_expected(bench, protocol) for protocol in config.protocol)
    total = config.repetitions * len(bench.pairs) * per_pair
    hidden = None if wanted is None and not in_notebook() else wanted is False
    return tqdm(total=total, desc=config.dataset.name, unit="cell", disable=hidden, dynamic_ncols=True)


def _expected(bench: Bench, protocol: str) -> int:
    """The most cells that a trial has."""
    return 1 + len(variants(protocol, bench.noise.sigma, test_form=True)) * len(bench.regressors)
