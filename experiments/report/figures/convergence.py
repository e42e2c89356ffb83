"""What the rules of DenoGrad record per epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from experiments.report.figures.style import STYLE, legend, panels


@dataclass(frozen=True)
class Runs:
    """One method: per quantity, one list of numbers per run, an entry per epoch."""

    title: str
    colour: str
    marker: str
    values: Mapping[str, Sequence[Sequence[float]]]


def draw(methods: Sequence[Runs], titles: Mapping[str, str]) -> Figure:
    """A panel per quantity: a thin line per run, their median bold; a run that has ended counts with its last value.

    Parameters
    ----------
    methods : sequence of Runs
    titles : dict
        By quantity.
    """
    with rc_context(STYLE):
        figure, grid = panels(len(titles), height=2.2)
        for axes, (quantity, title) in zip(grid, titles.items(), strict=True):
            for method in methods:
                runs = [np.asarray(run, dtype=float) for run in method.values.get(quantity, ())]
                if not runs:
                    continue
                length = max(map(len, runs))
                epochs = np.arange(1, length + 1)
                for run in runs:
                    axes.plot(epochs[: len(run)], run, color=method.colour, lw=0.4, alpha=0.3)
                held = np.stack([np.pad(run, (0, length - len(run)), mode="edge") for run in runs])
                axes.plot(
                    epochs,
                    np.median(held, axis=0),
                    color=method.colour,
                    lw=1.8,
                    label=method.title,
                    marker=method.marker,
                    ms=4,
                    markevery=max(1, length // 6),
                )
            axes.set_xlabel("epoch")
            axes.set_title(title)
        legend(figure, grid, columns=4)
    return figure
