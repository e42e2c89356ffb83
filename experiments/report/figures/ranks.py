"""Critical-difference diagrams (Demsar 2006)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.report.figures.style import COLUMN, STYLE


@dataclass(frozen=True)
class Diagram:
    """One diagram.

    Attributes
    ----------
    title : str
    methods : sequence of (title, colour, average rank)
        Best first.
    critical_difference : float
    bars : sequence of (float, float)
        Lowest and highest rank of each set of methods that do not differ.
    bold : str
        Title that is set in bold.
    """

    title: str
    methods: Sequence[tuple[str, str, float]]
    critical_difference: float
    bars: Sequence[tuple[float, float]]
    bold: str = ""


def draw(diagrams: Sequence[Diagram]) -> Figure:
    """The diagrams, one below the other; a bar joins what does not differ."""
    with rc_context(STYLE | {"axes.grid": False}):
        figure = Figure(figsize=(COLUMN * 1.15, 1.75 * len(diagrams)), layout="constrained")
        for axes, diagram in zip(np.atleast_1d(figure.subplots(len(diagrams))), diagrams, strict=True):
            _axis(axes, diagram)
    return figure


def _axis(axes: Axes, diagram: Diagram) -> None:
    k = len(diagram.methods)
    top, low = 0.0, -1.6 - 0.35 * len(diagram.bars)
    half = -(-k // 2)
    axes.plot([1, k], [top, top], color="black", lw=0.8)
    for tick in range(1, k + 1):
        axes.plot([tick, tick], [top, top + 0.15], color="black", lw=0.8)
        axes.text(tick, top + 0.25, str(tick), ha="center", va="bottom", fontsize=7)
    for i, (title, colour, rank) in enumerate(diagram.methods):
        left = i < half
        y = low - 0.75 * (i if left else k - 1 - i) + 0.75
        edge = 0.8 if left else k + 0.2
        axes.plot([rank, rank, edge], [top, y, y], color=colour, lw=0.9)
        axes.text(
            edge + (-0.1 if left else 0.1),
            y,
            f"{title} {rank:.2f}" if left else f"{rank:.2f} {title}",
            color=colour,
            va="center",
            ha="right" if left else "left",
            fontsize=7,
            fontweight="bold" if title == diagram.bold else None,
        )
    for i, (first, last) in enumerate(diagram.bars):
        y = -0.45 - 0.35 * i
        axes.plot([first - 0.05, last + 0.05], [y, y], color="black", lw=2.2, solid_capstyle="butt")
    width = min(diagram.critical_difference, k - 1.0)
    axes.plot([1, 1 + width], [top + 1.35] * 2, color="black", lw=1, marker="|", ms=5)
    shown = f"CD = {diagram.critical_difference:.2f}"
    axes.text(1 + width / 2, top + 1.45, shown, ha="center", va="bottom", fontsize=7)
    axes.set_title(diagram.title, loc="left")
    axes.set_xlim(-4.0, k + 5.0)
    axes.set_ylim(low - 0.75 * half + 0.6, top + 2.1)
    axes.set_axis_off()
