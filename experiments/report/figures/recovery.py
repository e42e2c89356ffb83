"""Share of the injected error that was removed, against the noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from experiments.report.figures.style import STYLE, legend, panels, percent_axis


@dataclass(frozen=True)
class Curve:
    """One method on one dataset."""

    title: str
    colour: str
    marker: str
    sigma: Sequence[float]
    recovery: Sequence[float]


def draw(datasets: Mapping[str, Sequence[Curve]]) -> Figure:
    """A panel per dataset, all on one scale; points below it are marked at the edge."""
    every = [value for curves in datasets.values() for curve in curves for value in curve.recovery]
    sigmas = sorted({s for curves in datasets.values() for curve in curves for s in curve.sigma})
    with rc_context(STYLE):
        figure, grid = panels(len(datasets), sharey=True, sharex=True, height=1.7)
        for axes, (dataset, curves) in zip(grid, datasets.items(), strict=True):
            lowest = percent_axis(axes, every)
            axes.axhline(0, color="black", lw=0.6)
            for curve in curves:
                y = np.asarray(curve.recovery, dtype=float)
                look = {"color": curve.colour, "marker": curve.marker, "ms": 4, "label": curve.title}
                line = "-" if len(curve.sigma) > 2 else ":"
                axes.plot(curve.sigma, np.maximum(y, lowest), lw=0.9, ls=line, **look)
                if (under := y < lowest).any():
                    at, edge = np.asarray(curve.sigma)[under], np.full(under.sum(), lowest)
                    axes.plot(at, edge, ls="", marker=7, color=curve.colour, ms=3, clip_on=False)
            if len(sigmas) <= 4:
                axes.set_xticks(sigmas, [f"{sigma:g}" for sigma in sigmas])
            axes.margins(x=0.12)
            axes.set_title(dataset)
        for axes in grid[-3:]:
            axes.set_xlabel("sigma")
        figure.supylabel("recovery % (100: the truth, 0: nothing gained)", fontsize=8)
        legend(figure, grid, columns=4)
    return figure
