"""What all figures share: sizes, fonts, panels, percentage axes, saving."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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
    "axes.formatter.useoffset": False,  # 0.9999955, not 5.5 with "1e-6+9.9999e-1" at the axis's end
    "lines.linewidth": 1.1,
    "legend.frameon": False,
    "figure.dpi": 100,
    "savefig.dpi": 140,
    "pdf.fonttype": 42,
    "svg.hashsalt": "denograd",
}
COLUMN, PAGE = 3.4, 7.0
"""Widths in inches of a text column and of a page."""

LINEAR = 100.0
"""Percentages within +-100 are drawn on a linear scale."""

FEW = 0.2
"""Up to this share of values beyond -100 the axis ends there, and they are marked at its edge; more get a logarithm."""


def panels(n: int, *, columns: int = 3, width: float = PAGE, height: float = 1.5, **options: Any) -> Any:
    """A grid of n small axes; those left over are switched off. Returns (figure, list of n axes)."""
    columns = min(columns, n)
    rows = -(-n // columns)
    figure = Figure(figsize=(width, height * rows + 0.5), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, **options)
    for axes in grid.ravel()[n:]:
        axes.set_axis_off()
    for axes in grid.ravel()[max(0, n - columns) : n]:  # the lowest of each column, also above an empty place
        axes.tick_params(labelbottom=True)
    return figure, list(grid.ravel()[:n])


def percent_axis(axes: Axes, values: Iterable[float], which: str = "y") -> float:
    """Scale an axis of percentages so that no single value rules it.

    Linear down to -100 where few values lie lower (they belong at the edge), logarithmic below where many do.

    Returns
    -------
    lowest : float
        What lies below it is not on the axis.
    """
    shown = np.asarray([v for v in values if np.isfinite(v)], dtype=float)
    if not len(shown) or shown.min() >= -1.5 * LINEAR:
        return -np.inf
    setter, axis = getattr(axes, f"set_{which}lim"), getattr(axes, f"{which}axis")
    top = (
        max(1.08 * LINEAR, 1.05 * shown.max()) if shown.max() > 0.5 * LINEAR else max(10.0, 1.3 * shown.max())
    )
    if (shown < -LINEAR).mean() <= FEW:
        setter(-1.08 * LINEAR, top)
        return -LINEAR
    lowest = -(10.0 ** np.ceil(np.log10(-np.quantile(shown, 0.02))))
    getattr(axes, f"set_{which}scale")("symlog", linthresh=LINEAR, linscale=1.5)
    decades = list(range(2, round(np.log10(-lowest)) + 1))
    step = len(decades) if which == "x" else 1 if len(decades) < 4 else 2  # side by side they would overlap
    ticks = [*dict.fromkeys([lowest, *(-(10.0**d) for d in decades[::step])]), 0.0, LINEAR]
    axis.set_ticks(ticks, [_short(tick) for tick in ticks])
    axes.minorticks_off()
    setter(lowest, 1.6 * LINEAR if top > LINEAR else top)
    return lowest


def far_end(values: np.ndarray) -> float:
    """Where an axis of a measure ends whose largest values lie far beyond the others; infinite where none do."""
    shown = values[np.isfinite(values)]
    if not len(shown):
        return np.inf
    usual = float(np.quantile(shown, 0.95))
    return 1.3 * usual if 0 < 3 * usual < shown.max() else np.inf


def percent_text(value: float) -> str:
    """A percentage at the edge of an axis, with a true minus."""
    return f"{value:,.0f}".replace("-", "\N{MINUS SIGN}")


def _short(tick: float) -> str:
    text = f"{tick:.0f}"
    if abs(tick) >= 10_000:
        text = f"{tick / 1e6:.0f}M" if abs(tick) >= 1e6 else f"{tick / 1000:.0f}k"
    return text.replace("-", "\N{MINUS SIGN}")


def legend(figure: Figure, grid: Sequence[Axes], *, columns: int, **options: Any) -> None:
    """One legend below for all panels, each label once, in their order; fewer columns where labels are long."""
    found = {l: h for axes in grid for h, l in zip(*axes.get_legend_handles_labels(), strict=True)}
    for ncols in range(columns if found else 0, 0, -1):
        made = figure.legend(
            found.values(),
            found.keys(),
            loc="outside lower center",
            ncols=ncols,
            columnspacing=1.2,
            **options,
        )
        if ncols == 1 or made.get_window_extent().width <= figure.bbox.width:
            break
        made.remove()


def save(
    figure: Figure, stem: Path, suffixes: Iterable[str] = (".png", ".pdf"), source: str = ""
) -> list[Path]:
    """Write the figure; the same figure gives the same bytes.

    Parameters
    ----------
    figure : Figure
    stem : Path
        Its files without their ending; the folder exists.
    suffixes : iterable of str
        Of ``.png``, ``.pdf``, ``.svg``.
    source : str
        What the figure was drawn from, kept inside the file.
    """
    metadata: dict[str, dict[str, Any]] = {
        ".png": {"Software": None, "Comment": source},
        ".pdf": {"CreationDate": None, "Keywords": source},
        ".svg": {"Date": None, "Keywords": [source]},
    }
    paths = []
    for suffix in suffixes:
        path = stem.parent / (stem.name + suffix)
        with rc_context(STYLE):
            figure.savefig(path, metadata=metadata[suffix])
        figure.set_layout_engine("none")  # arranged once is enough
        paths.append(path)
    return paths
