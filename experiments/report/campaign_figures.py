"""Figures of a campaign: ranks, trade-offs, recovery, spread, convergence, sensitivity."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.report.figures import COLUMN, STYLE, look, panels
from experiments.report.ranking import Ranking
from experiments.report.results import CONTROLS, NAMES, Results
from experiments.report.statistics import groups
from experiments.report.tables import ordered

KEYS = {name: key for key, name in (NAMES | CONTROLS).items()}
LINEAR = 100.0
"""Percentages within +-100 are drawn on a linear scale, those beyond on a logarithmic one."""


def rank_figure(rankings: Sequence[Ranking]) -> Figure:
    """Critical-difference diagrams (Demsar 2006), one below the other; a bar joins what does not differ."""
    with rc_context(STYLE | {"axes.grid": False}):
        figure = Figure(figsize=(COLUMN, 1.75 * len(rankings)), layout="constrained")
        for axes, found in zip(np.atleast_1d(figure.subplots(len(rankings))), rankings, strict=True):
            _rank_axis(axes, found)
    return figure


def _rank_axis(axes: Axes, found: Ranking) -> None:
    ranks = found.ranks.sort_values(kind="stable")
    k = len(ranks)
    cd = found.critical_difference
    result = found.friedman
    assert result is not None
    bars = groups(result, cd)
    top, low = 0.0, -1.6 - 0.35 * len(bars)
    half = -(-k // 2)
    axes.plot([1, k], [top, top], color="black", lw=0.8)
    for tick in range(1, k + 1):
        axes.plot([tick, tick], [top, top + 0.15], color="black", lw=0.8)
        axes.text(tick, top + 0.25, str(tick), ha="center", va="bottom", fontsize=7)
    for i, (method, rank) in enumerate(ranks.items()):
        left = i < half
        y = low - 0.75 * (i if left else k - 1 - i) + 0.75
        edge = 0.8 if left else k + 0.2
        colour = look(KEYS.get(str(method), str(method)))[0]
        axes.plot([rank, rank, edge], [top, y, y], color=colour, lw=0.9)
        axes.text(
            edge + (-0.1 if left else 0.1),
            y,
            f"{method} {rank:.2f}" if left else f"{rank:.2f} {method}",
            color=colour,
            va="center",
            ha="right" if left else "left",
            fontsize=7,
            fontweight="bold" if method == "DenoGrad" else None,
        )
    for i, bar in enumerate(bars):
        y = -0.45 - 0.35 * i
        axes.plot(
            [ranks[bar[0]] - 0.05, ranks[bar[-1]] + 0.05],
            [y, y],
            color="black",
            lw=2.2,
            solid_capstyle="butt",
        )
    width = min(cd, k - 1.0)
    axes.plot([1, 1 + width], [top + 1.35] * 2, color="black", lw=1, marker="|", ms=5)
    axes.text(1 + width / 2, top + 1.45, f"CD = {cd:.2f}", ha="center", va="bottom", fontsize=7)
    axes.set_title(
        f"{found.measure.title}, {len(found.block)} datasets, Friedman p = {result.p:.2g}", loc="left"
    )
    axes.set_xlim(-4.0, k + 5.0)
    axes.set_ylim(low - 0.75 * half + 0.6, top + 2.1)
    axes.set_axis_off()


def pareto_figure(part: Results) -> Figure | None:
    """Imp% against SWD, and against rho: median over the datasets of every method that has them all."""
    score = part.score[part.score["headline"] & (part.score["status"] == "ok")]
    imp = score.groupby(["dataset", "method"])["imp"].mean().unstack()
    fine = part.denoise[part.denoise["status"] == "ok"]
    if imp.empty or "swd" not in fine:
        return None
    names = dict(part.denoise[["method", "denoiser"]].drop_duplicates().itertuples(index=False, name=None))
    with rc_context(STYLE):
        figure, grid = panels(2, columns=1, width=COLUMN, height=2.2)
        for axes, (metric, title) in zip(
            grid, (("swd", "SWD, lower is closer"), ("rho_bar", "rho, higher is closer")), strict=True
        ):
            other = fine.groupby(["dataset", "method"])[metric].mean().unstack()
            both = pd.DataFrame(
                {"x": other.median(skipna=False), "y": imp.reindex(other.index).median(skipna=False)}
            ).dropna()
            for method in [m for m in ordered(part.denoise) if m in both.index]:
                colour, marker = look(names[method])
                x, y = both.loc[method]
                axes.plot(
                    x, y, marker=marker, color=colour, ms=6 if marker not in "x+" else 7, ls="", label=method
                )
            ranked = both.loc[[m for m in both.index if names[m] not in CONTROLS]]
            front = _front(ranked["x"].to_numpy(), ranked["y"].to_numpy(), low=metric == "swd")
            axes.plot(
                ranked["x"].iloc[front], ranked["y"].iloc[front], color="#606060", lw=0.7, ls="--", zorder=0
            )
            axes.set_xlabel(title)
            _percent_scale(axes, both["y"])
            axes.set_ylabel("Imp %, median")
        handles, labels = grid[0].get_legend_handles_labels()
        more = [(h, l) for h, l in zip(*grid[1].get_legend_handles_labels(), strict=True) if l not in labels]
        handles, labels = handles + [h for h, _ in more], labels + [l for _, l in more]
        figure.legend(
            handles, labels, loc="outside lower center", ncols=2, columnspacing=1.2, handletextpad=0.2
        )
    return figure


def box_figure(part: Results) -> Figure:
    """Spread of Imp%, SWD and rho over datasets and repetitions, a box per method."""
    score = part.score[part.score["headline"] & (part.score["status"] == "ok")]
    imp = score.groupby(["method", "dataset", "repetition"])["imp"].mean()
    fine = part.denoise[part.denoise["status"] == "ok"].set_index(["method", "dataset", "repetition"])
    parts = [("Imp %", imp), *((t, fine[m]) for t, m in (("SWD", "swd"), ("rho", "rho_bar")) if m in fine)]
    methods = ordered(part.denoise)
    names = dict(part.denoise[["method", "denoiser"]].drop_duplicates().itertuples(index=False, name=None))
    with rc_context(STYLE):
        figure, grid = panels(len(parts), columns=len(parts), height=0.5 + 0.2 * len(methods), sharey=True)
        for axes, (title, values) in zip(grid, parts, strict=True):
            values = values.dropna()
            present = set(values.index.get_level_values("method"))
            for at, method in enumerate(methods):
                if method not in present:
                    continue
                colour = look(names[method])[0]
                mine = values.loc[method].to_numpy()
                axes.boxplot(
                    [mine],
                    positions=[at],
                    orientation="horizontal",
                    widths=0.6,
                    showfliers=False,
                    boxprops={"color": colour},
                    whiskerprops={"color": colour},
                    capprops={"color": colour},
                    medianprops={"color": colour, "linewidth": 1.8},
                )
                spread = np.linspace(-0.18, 0.18, len(mine)) if len(mine) > 1 else np.zeros(1)
                axes.plot(mine, at + spread, ".", ms=2.5, color=colour, alpha=0.6)
            axes.set_xlabel(title)
            if title.endswith("%"):
                _percent_scale(axes, values, axis="x")
        grid[0].set_yticks(range(len(methods)), methods)
        grid[0].set_ylim(len(methods) - 0.5, -0.5)
    return figure


def recovery_figure(everything: Results, noise: str, protocol: str) -> Figure | None:
    """Share of the injected error that was removed, against sigma, a panel per dataset."""
    denoise = everything.denoise
    if "recovery" not in denoise:
        return None
    fine = denoise[(denoise["status"] == "ok") & denoise["recovery"].notna()]
    fine = fine[(fine["noise"] == noise) & (fine["protocol"] == protocol) & (fine["denoiser"] != "identity")]
    if fine.empty:
        return None
    datasets = sorted(fine["dataset"].unique())
    mean = fine.groupby(["dataset", "method", "sigma"])["recovery"].mean()
    names = dict(fine[["method", "denoiser"]].drop_duplicates().itertuples(index=False, name=None))
    shown = [m for m in ordered(fine) if m in names]
    with rc_context(STYLE):
        figure, grid = panels(len(datasets), sharey=True, sharex=True, height=1.7)
        for axes, dataset in zip(grid, datasets, strict=True):
            axes.axhline(0, color="black", lw=0.6)
            for method in shown:
                if (dataset, method) in mean.index:
                    line = mean.loc[dataset, method]
                    colour, marker = look(names[method])
                    axes.plot(line.index, line, color=colour, marker=marker, ms=4, lw=0.9, label=method)
            axes.set_title(dataset)
            _percent_scale(axes, mean)
        for axes in grid[-3:]:
            axes.set_xlabel("sigma")
        figure.supylabel("recovery % (100: the truth, 0: nothing gained)", fontsize=8)
        found = {l: h for axes in grid for h, l in zip(*axes.get_legend_handles_labels(), strict=True)}
        figure.legend([found[m] for m in shown], shown, loc="outside lower center", ncols=4)
    return figure


def histories(cells: pd.DataFrame, most: int = 60) -> pd.DataFrame:
    """What denoisers recorded per epoch: one row per epoch, of at most so many cells per denoiser and protocol."""
    some = cells[(cells["stage"] == "denoise") & (cells["status"] == "ok")]
    some = some[some["info"].str.contains('"history"', regex=False).astype(bool)]
    parts = []
    for _, mine in some.groupby(["denoiser", "protocol"]):
        for i in np.unique(np.linspace(0, len(mine) - 1, min(most, len(mine))).astype(int)):
            cell = mine.iloc[i]
            part = pd.DataFrame(json.loads(cell["info"])["history"])
            part["epoch"] = range(1, len(part) + 1)
            parts.append(part.assign(**{axis: cell[axis] for axis in ("denoiser", "protocol", "key")}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def convergence_figure(history: pd.DataFrame) -> Figure | None:
    """Residual, displacement and share of moved samples per epoch: a thin line per cell, the median bold.

    A run that has ended counts with its last value.
    """
    wanted = {"residual": "residual", "displacement": "displacement", "moved": "share of moved samples"}
    wanted = {key: title for key, title in wanted.items() if key in history}
    if not wanted:
        return None
    rules = [name for name in NAMES if name in set(history["denoiser"])]
    rules += sorted(set(history["denoiser"]) - set(rules))
    with rc_context(STYLE):
        figure, grid = panels(len(wanted), height=2.2)
        for axes, (quantity, title) in zip(grid, wanted.items(), strict=True):
            for rule in rules:
                mine = history[(history["denoiser"] == rule) & history[quantity].notna()]
                colour, marker = look(rule)
                for _, cell in mine.groupby("key", sort=False):
                    axes.plot(cell["epoch"], cell[quantity], color=colour, lw=0.4, alpha=0.3)
                runs = mine.pivot_table(index="epoch", columns="key", values=quantity)
                median = runs.ffill().median(axis=1)
                axes.plot(
                    median.index,
                    median,
                    color=colour,
                    lw=1.8,
                    label=NAMES.get(rule, rule),
                    marker=marker,
                    ms=4,
                    markevery=max(1, len(median) // 6),
                )
            axes.set_xlabel("epoch")
            axes.set_title(title)
        found = {l: h for axes in grid for h, l in zip(*axes.get_legend_handles_labels(), strict=True)}
        figure.legend(found.values(), found.keys(), loc="outside lower center", ncols=4)
    return figure


def swept(cells: pd.DataFrame) -> dict[str, list[str]]:
    """Denoisers and their numeric hyper-parameters that take several values on the same setting."""
    found: dict[str, list[str]] = {}
    denoise = cells[cells["stage"] == "denoise"]
    for denoiser, mine in denoise.groupby("denoiser"):
        if denoiser in CONTROLS:
            continue
        texts = mine.groupby(["dataset", "rows", "noise", "sigma", "protocol"])["denoiser_params"].unique()
        several = [[json.loads(text or "{}") for text in group] for group in texts if len(group) > 1]
        names = {key for group in several for entry in group for key in entry}
        varying = [
            name
            for name in sorted(names)
            if any(
                len({entry[name] for entry in group if _is_number(entry.get(name))}) > 1 for group in several
            )
        ]
        if varying:
            found[str(denoiser)] = varying
    return found


def sensitivity_figure(
    everything: Results, denoiser: str, parameters: Sequence[str], protocol: str
) -> Figure | None:
    """Imp% (mean over regressors) against each swept hyper-parameter, a colour per dataset and noise."""
    score = everything.score
    score = score[
        (score["denoiser"] == denoiser)
        & score["headline"]
        & (score["protocol"] == protocol)
        & score["imp"].notna()
    ]
    if score.empty:
        return None
    run = score.groupby(["dataset", "noise", "sigma", "denoiser_params"])["imp"].mean().reset_index()
    entries = [json.loads(text) for text in run["denoiser_params"]]
    palette = [
        "#0057E7",
        "#D55E00",
        "#009E93",
        "#AA4499",
        "#B8860B",
        "#332288",
        "#56B4E9",
        "#117733",
        "#882255",
        "#707070",
    ]
    with rc_context(STYLE):
        figure, grid = panels(len(parameters), height=2.2, sharey=True)
        for axes, name in zip(grid, parameters, strict=True):
            run["value"] = [
                entry.get(name, np.nan) if _is_number(entry.get(name)) else np.nan for entry in entries
            ]
            for i, (setting, mine) in enumerate(run.dropna().groupby(["dataset", "noise", "sigma"])):
                dataset, noise, sigma = setting
                colour = palette[i % len(palette)]
                axes.plot(mine["value"], mine["imp"], ".", ms=4, color=colour, alpha=0.7)
                mean = mine.groupby("value")["imp"].mean()
                if len(mean) <= 12:
                    axes.plot(mean.index, mean, color=colour, lw=1.2)
                axes.plot([], [], color=colour, marker=".", label=f"{dataset}, {noise} {sigma:g}")
            values = run["value"].dropna()
            if len(values) and values.min() > 0 and values.max() / values.min() > 9:
                axes.set_xscale("log")
            axes.set_xlabel({"nr_threshold": "tau (nr_threshold)", "max_epochs": "epochs"}.get(name, name))
            _percent_scale(axes, run["imp"])
        grid[0].set_ylabel("Imp %, mean over regressors")
        handles, labels = grid[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _percent_scale(axes: Axes, values: Any, axis: str = "y") -> None:
    """Logarithmic beyond +-100 where some percentage lies far out."""
    values = np.asarray(values, dtype=float)
    if len(values) and np.nanmin(values) < -3 * LINEAR:
        getattr(axes, f"set_{axis}scale")("symlog", linthresh=LINEAR, linscale=2)
        decades = range(2, int(np.log10(-np.nanmin(values))) + 1)
        ticks = [-(10.0**d) for d in list(decades)[:: 1 if len(decades) < 4 else 2]] + [0.0, LINEAR]
        names = [f"{t:.0f}" if abs(t) < 10_000 else f"{t / 1000:.0f}k" for t in ticks]
        getattr(axes, f"{axis}axis").set_ticks(ticks, [name.replace("-", "\N{MINUS SIGN}") for name in names])
        axes.minorticks_off()


def _front(x: np.ndarray, y: np.ndarray, *, low: bool) -> list[int]:
    """Points that no other beats in both, from one end of the front to the other; `low`: small x is better."""
    sign = 1 if low else -1
    order = np.lexsort([-y, sign * x])
    front: list[int] = []
    for i in order:
        if not front or y[i] > y[front[-1]]:
            front.append(int(i))
    return front
