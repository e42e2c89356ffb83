"""Imp% against swept hyper-parameters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from experiments.report.figures.style import STYLE, legend, panels, percent_axis

PALETTE = (
    *("#0057E7", "#D55E00", "#009E93", "#AA4499", "#B8860B"),
    *("#332288", "#56B4E9", "#117733", "#882255", "#707070"),
)


def draw(parameters: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """A panel per hyper-parameter, a colour per dataset and noise.

    Parameters
    ----------
    parameters : dict
        By name of the parameter, then of the dataset and noise: (n, 2) values and Imp%, NaN left out.
    """
    with rc_context(STYLE):
        figure, grid = panels(len(parameters), height=2.2, sharey=True)
        every = np.concatenate([runs[:, 1] for panel in parameters.values() for runs in panel.values()])
        for axes, (name, panel) in zip(grid, parameters.items(), strict=True):
            for i, (title, runs) in enumerate(panel.items()):
                colour = PALETTE[i % len(PALETTE)]
                axes.plot(*runs.T, ".", ms=4, color=colour, alpha=0.7)
                values = np.unique(runs[:, 0])
                if 2 < len(values) <= 12:
                    mean = [runs[runs[:, 0] == value, 1].mean() for value in values]
                    axes.plot(values, mean, color=colour, lw=1.2)
                axes.plot([], [], color=colour, marker=".", label=title)
            found = np.concatenate([runs[:, 0] for runs in panel.values()])
            if found.min() > 0 and found.max() / found.min() > 9:
                axes.set_xscale("log")
            axes.set_xlabel({"nr_threshold": "tau (nr_threshold)", "max_epochs": "epochs"}.get(name, name))
            percent_axis(axes, every)
        grid[0].set_ylabel("Imp %, mean over regressors")
        legend(figure, grid, columns=3)
    return figure
