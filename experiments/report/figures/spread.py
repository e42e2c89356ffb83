"""Spread over datasets and repetitions, a box per method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.report.figures.style import STYLE, far_end, panels, percent_axis, percent_text


def draw(methods: Sequence[tuple[str, str]], values: Mapping[str, Sequence[np.ndarray]]) -> Figure:
    """Boxes with every number as a dot.

    Parameters
    ----------
    methods : sequence of (title, colour)
    values : dict
        By title of a measure: the numbers of each method, which may be none. Percentages end in %. A method without
        any number is left out.
    """
    kept = [at for at in range(len(methods)) if any(len(numbers[at]) for numbers in values.values())]
    methods = [methods[at] for at in kept]
    values = {title: [numbers[at] for at in kept] for title, numbers in values.items()}
    with rc_context(STYLE):
        height = 0.5 + 0.2 * len(methods)
        figure, grid = panels(len(values), columns=len(values), height=height, sharey=True)
        for axes, (title, numbers) in zip(grid, values.items(), strict=True):
            _panel(axes, [colour for _, colour in methods], numbers, percent=title.endswith("%"))
            axes.set_xlabel(title)
        grid[0].set_yticks(range(len(methods)), [title for title, _ in methods])
        grid[0].set_ylim(len(methods) - 0.5, -0.5)
    return figure


def _panel(axes: Axes, colours: Sequence[str], numbers: Sequence[np.ndarray], *, percent: bool) -> None:
    every = np.concatenate(numbers)
    lowest = percent_axis(axes, every, "x") if percent else -np.inf
    highest = np.inf if percent else far_end(every)
    if np.isfinite(highest):
        axes.set_xlim(min(0.0, float(every.min())) - 0.03 * highest, 1.05 * highest)
    for at, (mine, colour) in enumerate(zip(numbers, colours, strict=True)):
        if not len(mine):
            continue
        axes.boxplot(
            [np.clip(mine, lowest, highest)],
            positions=[at],
            orientation="horizontal",
            widths=0.6,
            showfliers=False,
            boxprops={"color": colour},
            whiskerprops={"color": colour},
            capprops={"color": colour},
            medianprops={"color": colour, "linewidth": 1.8},
        )
        shown = mine[(mine >= lowest) & (mine <= highest)]
        jitter = np.linspace(-0.18, 0.18, len(shown)) if len(shown) > 1 else np.zeros(len(shown))
        axes.plot(shown, at + jitter, ".", ms=2.5, color=colour, alpha=0.6)
        for edge, beyond, far in (
            (lowest, mine[mine < lowest], np.min),
            (highest, mine[mine > highest], np.max),
        ):
            if len(beyond):
                left = edge == lowest
                axes.plot(edge, at, marker=4 if left else 5, color=colour, ms=4, clip_on=False)
                far_value = percent_text(far(beyond)) if percent else f"{far(beyond):.3g}"
                note = axes.annotate(
                    f"{len(beyond)}, to {far_value}",
                    (edge, at),
                    (5 if left else -5, 3),
                    textcoords="offset points",
                    fontsize=5,
                    color=colour,
                    ha="left" if left else "right",
                    bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.95, "pad": 0.3},
                )
                note.set_in_layout(False)
