"""What denoising does to the data: values before and after, correlation matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import rc_context
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from experiments.base.metrics import constant_columns, correlation
from experiments.report.figures.style import STYLE, panels

NOISY, CLEAN = "#9A9A9A", "#000000"


@dataclass(frozen=True)
class Refined:
    """What one method made of the data.

    Attributes
    ----------
    title, colour : str
    points : (m, c) array
        Features and, as last column, the target.
    """

    title: str
    colour: str
    points: np.ndarray


def draw_overlay(
    methods: Sequence[Refined],
    noisy: np.ndarray,
    clean: np.ndarray | None = None,
    *,
    kind: str,
    columns: Sequence[str] | None = None,
    title: str = "",
    steps: int = 160,
    rows: int = 250,
) -> Figure:
    """What each denoiser does to the data: a panel per method.

    Parameters
    ----------
    methods : sequence of Refined
    noisy, clean : (n, c) array
        What the denoisers got, and the same without injected noise where there is some.
    kind : {"series", "tabular"}
        A series shows a stretch of its target; a table shows its target against the feature that correlates
        with it most (in the noisy data).
    columns : sequence of str, optional
        Names of the c columns.
    title : str
    steps, rows : int
        Length of the stretch (from the middle), and how many rows of the table are drawn.
    """
    names = list(columns or [*(f"feature {i}" for i in range(noisy.shape[1] - 1)), "target"])
    observed = "observed" if clean is None else "noisy"
    series = kind == "series"
    if series:
        start = max(0, (len(noisy) - steps) // 2)
        chosen = np.arange(start, min(start + steps, len(noisy)))
        x = -1
    else:
        chosen = np.linspace(0, len(noisy) - 1, min(rows, len(noisy))).astype(int)
        x = _most_correlated(noisy)

    def points(frame: np.ndarray) -> np.ndarray:
        return np.column_stack([chosen if series else frame[chosen, x], frame[chosen, -1]])

    line = {"lw": 0.8} if series else {"marker": ".", "ms": 2.0, "ls": ""}
    bold = {"lw": 1.1} if series else {"marker": ".", "ms": 2.5, "ls": ""}
    thin = {"lw": 0.8, "ls": ":"} if series else {"marker": ".", "ms": 1.0, "ls": ""}
    with rc_context(STYLE):
        figure, grid = panels(len(methods), columns=3 if len(methods) < 10 else 4, sharex=True, sharey=True)
        for axes, method in zip(grid, methods, strict=True):
            if not series:
                moves = np.stack([points(noisy), points(method.points)], axis=1)
                axes.add_collection(LineCollection(list(moves), colors=NOISY, linewidths=0.4))
            axes.plot(*points(noisy).T, color=NOISY, label=observed, **line)
            if clean is not None:
                axes.plot(*points(clean).T, color=CLEAN, label="clean", **thin)
            axes.plot(*points(method.points).T, color=method.colour, **bold)
            axes.set_title(method.title, color=method.colour)
        drawn = np.concatenate([points(frame) for frame in (noisy, clean) if frame is not None])
        for i, setter in enumerate((grid[0].set_xlim, grid[0].set_ylim)):
            low, high = drawn[:, i].min(), drawn[:, i].max()
            margin = 0.05 * (high - low) or 1.0
            setter(low - margin, high + margin)  # what was there before, whatever a method made of it
        handles, labels = grid[0].get_legend_handles_labels()
        (coloured,) = grid[0].plot([], [], color="#303030", **bold)
        figure.legend(
            [*handles, coloured], [*labels, "denoised (coloured)"], loc="outside lower center", ncols=3
        )
        figure.supxlabel("step" if series else f"{names[x]} (standardised)", fontsize=8)
        figure.supylabel(f"{names[-1]} (standardised)", fontsize=8)
        if title:
            figure.suptitle(title, fontsize=8, x=0.01, ha="left")
    return figure


def draw_correlation(frames: Mapping[str, np.ndarray], *, title: str = "") -> Figure:
    """Correlation matrices of frames (n, c), one panel each by title; columns constant in a frame stay grey."""
    with rc_context(STYLE | {"axes.grid": False}):
        figure, grid = panels(len(frames), columns=4, height=1.7)
        image = None
        for axes, (name, frame) in zip(grid, frames.items(), strict=True):
            kept = ~constant_columns(frame)
            matrix = np.full((frame.shape[1], frame.shape[1]), np.nan)
            if kept.any():
                matrix[np.ix_(kept, kept)] = correlation(frame[:, kept])
            axes.set_facecolor("#D0D0D0")
            image = axes.imshow(matrix, cmap="PuOr", vmin=-1, vmax=1, interpolation="nearest")
            axes.set_title(name)
            axes.set_xticks([])
            axes.set_yticks([])
        assert image is not None
        figure.colorbar(image, ax=grid, shrink=0.7, label="Pearson's r")
        if title:
            figure.suptitle(title, fontsize=8)
    return figure


def _most_correlated(frame: np.ndarray) -> int:
    """The column that correlates most with the last one."""
    varying = np.flatnonzero(~constant_columns(frame))
    features = varying[varying < frame.shape[1] - 1]
    if not len(features):
        return 0
    r = correlation(frame[:, [*features, frame.shape[1] - 1]])[-1, :-1]
    return int(features[np.argmax(np.abs(r))])
