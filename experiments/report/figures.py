"""Figures: one colour and one sign per method everywhere, readable at column width, without global state."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from experiments.base.metrics import constant_columns, correlation
from experiments.report.results import CONTROLS, NAMES
from experiments.store.files import writing

COLOURS = {
    "denograd_fixed": ("#D55E00", "o"),
    "dae": ("#117733", "s"),
    "dn_resnet": ("#999933", "D"),
    "pca": ("#332288", "^"),
    "wavelet": ("#56B4E9", "v"),
    "emd": ("#B8860B", "P"),
    "kalman": ("#009E93", "X"),
    "moving_average": ("#AA4499", "p"),
    "denograd_gauss_newton": ("#E69F00", "<"),
    "denograd_global": ("#882255", ">"),
    "denograd_map": ("#0057E7", "*"),
    "denograd_map_est": ("#7FA6F5", "h"),
    "denograd_map_forecast": ("#00A6D6", "d"),
    "denograd_map_backbone": ("#5B3FD0", "H"),
    "autoencoder": ("#CC6677", "8"),
    "agra": ("#44AA99", "|"),
    "identity": ("#707070", "x"),
    "constant": ("#A0A0A0", "+"),
    "residual": ("#808060", "1"),
    "isolation_forest": ("#908080", "2"),
}
"""Colour and marker of a denoiser; the markers tell apart what a colour-blind eye may not."""

OTHERS = ("#4D4D00", "#008B8B", "#8B0000", "#2F4F4F", "#6A5ACD", "#A0522D")
STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.5,
    "axes.axisbelow": True,
    "lines.linewidth": 1.1,
    "legend.frameon": False,
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "pdf.fonttype": 42,
}
COLUMN, PAGE = 3.4, 7.0
"""Widths in inches of a text column and of a page."""

NOISY, CLEAN = "#9A9A9A", "#000000"


def look(denoiser: str) -> tuple[str, str]:
    """Colour and marker of a denoiser; of one that is not in `COLOURS`, by its name."""
    if denoiser in COLOURS:
        return COLOURS[denoiser]
    return OTHERS[hashlib.sha256(denoiser.encode()).digest()[0] % len(OTHERS)], "."


def name_of(denoiser: str) -> str:
    return (NAMES | CONTROLS).get(denoiser, denoiser)


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write ``stem.png`` and ``stem.pdf``; the same figure gives the same bytes."""
    with writing(stem):
        stem.parent.mkdir(parents=True, exist_ok=True)
    paths = []
    for suffix, metadata in ((".png", {"Software": None}), (".pdf", {"CreationDate": None})):
        path = stem.parent / (stem.name + suffix)
        with rc_context(STYLE), writing(path):
            figure.savefig(path, metadata=metadata)
        figure.set_layout_engine("none")  # arranged once is enough
        paths.append(path)
    return paths


def panels(n: int, *, columns: int = 3, width: float = PAGE, height: float = 1.5, **options: Any) -> Any:
    """A grid of n small axes; those left over are switched off. Returns (figure, list of n axes)."""
    columns = min(columns, n)
    rows = -(-n // columns)
    figure = Figure(figsize=(width, height * rows + 0.5), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, **options)
    for axes in grid.ravel()[n:]:
        axes.set_axis_off()
    return figure, list(grid.ravel()[:n])


def overlay_figure(
    refined: Mapping[str, np.ndarray],
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
    refined : dict of (n, c) arrays
        By denoiser, ``NAME`` or ``NAME (DETAIL)``: features and, as last column, the target, after denoising.
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
    names = (
        list(columns)
        if columns is not None
        else [*(f"feature {i}" for i in range(noisy.shape[1] - 1)), "target"]
    )
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
        figure, grid = panels(len(refined), columns=3 if len(refined) < 10 else 4, sharex=True, sharey=True)
        for axes, (denoiser, frame) in zip(grid, refined.items(), strict=True):
            if not series:
                moves = np.stack([points(noisy), points(frame)], axis=1)
                axes.add_collection(LineCollection(list(moves), colors=NOISY, linewidths=0.4))
            axes.plot(*points(noisy).T, color=NOISY, label=observed, **line)
            if clean is not None:
                axes.plot(*points(clean).T, color=CLEAN, label="clean", **thin)
            name, *detail = denoiser.partition(" (")
            axes.plot(*points(frame).T, color=look(name)[0], **bold)
            axes.set_title("".join([name_of(name), *detail]), color=look(name)[0])
        drawn = np.concatenate([points(frame) for frame in (noisy, clean) if frame is not None])
        for i, setter in enumerate((grid[0].set_xlim, grid[0].set_ylim)):
            low, high = drawn[:, i].min(), drawn[:, i].max()
            margin = 0.05 * (high - low) or 1.0
            setter(low - margin, high + margin)  # what was there before, whatever a method made of it
        handles, labels = grid[0].get_legend_handles_labels()
        (coloured,) = grid[0].plot([], [], color="#303030", **bold)
        figure.legend(
            [*handles, coloured], [*labels, "denoised (coloured)"], loc="outside upper right", ncols=3
        )
        figure.supxlabel("step" if series else f"{names[x]} (standardised)", fontsize=8)
        figure.supylabel(f"{names[-1]} (standardised)", fontsize=8)
        if title:
            figure.suptitle(title, fontsize=8, x=0.01, ha="left")
    return figure


def correlation_figure(frames: Mapping[str, np.ndarray], *, title: str = "") -> Figure:
    """Correlation matrices of frames (n, c), one panel each; columns constant in a frame stay grey."""
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
            axes.set_title(name_of(name))
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
