"""Imp% against how far the data moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.report.figures.style import COLUMN, STYLE, legend, panels, percent_axis, percent_text

TICKS = 5
"""Intervals of an axis at most: more of four decimals run into each other."""


@dataclass(frozen=True)
class Panel:
    """Imp% against one measure.

    Attributes
    ----------
    label : str
        Of the horizontal axis.
    low : bool
        Whether small values of the measure are better.
    percent : bool
        Whether the measure is a percentage.
    points : sequence of (title, colour, marker, ranked, x, y)
    """

    label: str
    low: bool
    percent: bool
    points: Sequence[tuple[str, str, str, bool, float, float]]


def draw(shown: Sequence[Panel]) -> Figure:
    """A panel per measure; points that lie on each other become rings around each other."""
    with rc_context(STYLE):
        figure, grid = panels(len(shown), columns=1, width=COLUMN, height=2.2)
        for axes, panel in zip(grid, shown, strict=True):
            _panel(axes, panel)
        legend(figure, grid, columns=2, handletextpad=0.2)
    return figure


def _panel(axes: Axes, panel: Panel) -> None:
    x, y = (np.array([point[i] for point in panel.points], dtype=float) for i in (4, 5))
    ranked = np.array([point[3] for point in panel.points], dtype=bool)
    low_y = percent_axis(axes, y)
    low_x = percent_axis(axes, x, "x") if panel.percent else -np.inf
    front = _front(x[ranked], y[ranked], low=panel.low)
    axes.plot(x[ranked][front], y[ranked][front], color="#606060", lw=0.7, ls="--", zorder=0)
    at_x, at_y = np.maximum(x, low_x), np.maximum(y, low_y)
    seen_x, seen_y = (
        axis.get_transform().transform(at) for axis, at in ((axes.xaxis, at_x), (axes.yaxis, at_y))
    )
    for i, below in enumerate(_beneath(seen_x, seen_y)):
        title, colour, marker, *_ = panel.points[i]
        size = (8 if marker[0] == "$" else 7 if marker in "x+" else 6) + 3.5 * below
        axes.plot(
            at_x[i],
            at_y[i],
            marker=marker if not below else "o",
            color=colour,
            ms=size,
            mfc="none" if below else colour,
            ls="",
            clip_on=False,
            zorder=3 - 0.1 * below,
        )
        axes.plot([], [], marker=marker, color=colour, ms=6, ls="", label=title)
        if at_x[i] > x[i] or at_y[i] > y[i]:
            beyond = percent_text(y[i]) if at_y[i] > y[i] else percent_text(x[i])
            left = at_x[i] < axes.get_xlim()[1] * 0.6
            note = axes.annotate(
                beyond,
                (at_x[i], at_y[i]),
                (5 if left else -5, 3),
                textcoords="offset points",
                fontsize=5.5,
                color=colour,
                ha="left" if left else "right",
            )
            note.set_in_layout(False)
    if not panel.percent:  # its ticks are chosen by `percent_axis`
        axes.xaxis.set_major_locator(MaxNLocator(TICKS))
    axes.set_xlabel(panel.label)
    axes.set_ylabel("Imp %, median")


def _beneath(x: np.ndarray, y: np.ndarray) -> list[int]:
    """How many earlier points each point would hide; in the coordinates of the axes' scale."""
    spans = [max(np.ptp(v), 1e-9) if len(v) else 1.0 for v in (x, y)]
    hidden = []
    for i in range(len(x)):
        near = (np.abs(x[:i] - x[i]) < 0.012 * spans[0]) & (np.abs(y[:i] - y[i]) < 0.02 * spans[1])
        hidden.append(int(near.sum()))
    return hidden


def _front(x: np.ndarray, y: np.ndarray, *, low: bool) -> list[int]:
    """Points that no other beats in both, from one end of the front to the other; `low`: small x is better."""
    sign = 1 if low else -1
    front: list[int] = []
    for i in np.lexsort([-y, sign * x]):
        if not front or y[i] > y[front[-1]]:
            front.append(int(i))
    return front
