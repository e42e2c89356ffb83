"""Ranks of the published methods over datasets, with the tests behind them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from experiments.report import statistics
from experiments.report.render import Column, Table
from experiments.report.results import NAMES, PUBLISHED, Results
from experiments.report.statistics import Better, Friedman
from experiments.report.tables import describe, name_of

PAPER_DATASETS = (
    *("house_prices", "lattice_physics", "parkinsons", "rt_iot2022", "support2"),
    *("daily_climate", "ecl", "ett", "microsoft_stock", "wth"),
)
"""The ten datasets of the paper; variants and excerpts of them do not enter its ranks."""


@dataclass(frozen=True)
class Measure:
    """What methods are ranked by.

    ``metric`` is a column of the denoise cells, or ``imp``; ``rope`` is in the unit of the measure: one point of
    Imp%, which is 0.01 as a fraction.
    """

    metric: str
    title: str
    better: Better
    rope: float = statistics.ROPE


MEASURES = (
    Measure("imp", "Imp %", "high", 100 * statistics.ROPE),
    Measure("swd", "SWD", "low"),
    Measure("rho_bar", "rho", "high"),
    Measure("recovery", "recovery %", "high", 100 * statistics.ROPE),
)


@dataclass(frozen=True)
class Ranking:
    """The eight published methods on every dataset that has a number of each of them.

    Attributes
    ----------
    measure : Measure
    block : DataFrame
        Datasets x methods, without holes.
    left_out : dict
        Other datasets, and why they do not count.
    regressors : tuple of str
        Behind Imp%; empty for the other measures.
    missing : tuple of str
        Published methods that the campaign does not have at all; then there are no tests.
    """

    measure: Measure
    block: pd.DataFrame
    left_out: dict[str, str]
    regressors: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @cached_property
    def friedman(self) -> Friedman | None:
        """The test, or None where there is too little to test."""
        try:
            return statistics.friedman(self.block, self.measure.better)
        except statistics.TooFew:
            return None

    @cached_property
    def critical_difference(self) -> float:
        return statistics.critical_difference(self.block.shape[1], len(self.block))

    @cached_property
    def ranks(self) -> pd.Series:
        """Average rank by method; empty without datasets."""
        return statistics.ranks(self.block, self.measure.better).mean()

    def sentence(self) -> str:
        """What the tests say, with their numbers."""
        result, n = self.friedman, len(self.block)
        over = (
            f"{self.measure.title} over {n} dataset{'s' * (n != 1)} ({', '.join(self.block.index) or 'none'})"
        )
        if self.regressors:
            over += f", regressors {', '.join(self.regressors)}"
        out = [f"{over}."]
        if self.missing:
            out.append(f"Not in the campaign: {', '.join(self.missing)}.")
        if result is None:
            out.append("Too few datasets or methods for Friedman's test.")
        else:
            refined = f"Iman-Davenport F = {result.F:.2f}, p = {result.p_F:.3g}"
            if np.isinf(result.F):
                refined = "Iman-Davenport F unbounded, as all datasets rank alike"
            out.append(
                f"Friedman chi2 = {result.chi2:.2f}, p = {result.p:.3g}; {refined}; "
                f"Nemenyi critical difference {self.critical_difference:.2f} at alpha {statistics.ALPHA}."
            )
        for why in dict.fromkeys(self.left_out.values()):
            names = [name for name, reason in self.left_out.items() if reason == why]
            out.append(f"Left out: {', '.join(names)} ({why}).")
        return " ".join(out)


def ranking(part: Results, measure: Measure) -> Ranking:
    """Rank the published methods in one (noise, sigma, protocol).

    Of a dataset's labels only the one with the most rows counts; datasets that are not of the paper are left out
    unless there are fewer than two that are; a dataset without a number of every method is left out.
    """
    score, denoise = part.score[part.score["headline"]], part.denoise
    cells = score if measure.metric == "imp" else denoise
    methods, notes = chosen_methods(denoise)
    missing = tuple(NAMES[name] for name in PUBLISHED if name not in methods)
    cells = cells[cells["method"].isin(methods.values()) & (cells["status"] == "ok")]
    if measure.metric not in cells:
        cells = cells.assign(**{measure.metric: np.nan})
    wanted, left_out = _datasets(denoise)
    per_repetition = cells.groupby(["dataset", "method", "repetition"])[measure.metric].agg(["mean", "size"])
    value = per_repetition["mean"].groupby(["dataset", "method"]).mean().unstack()
    count = per_repetition["size"].groupby(["dataset", "method"]).sum().unstack()
    order = [methods[name] for name in PUBLISHED if name in methods]
    value = value.reindex(index=wanted, columns=order).astype(float)
    count = count.reindex(index=wanted, columns=order).fillna(0)
    value = value.where(count.eq(count.max(axis=1), axis=0))
    block, holes = statistics.without_holes(value)
    left_out |= {
        name: f"no number, or not of every regressor and repetition: {', '.join(lacking)}"
        for name, lacking in holes.items()
    }
    block = block.rename(columns={method: NAMES[name] for name, method in methods.items()})
    regressors = tuple(sorted(cells["regressor"].unique())) if measure.metric == "imp" else ()
    return Ranking(measure, block, left_out | notes, regressors, missing)


def chosen_methods(denoise: pd.DataFrame) -> tuple[dict[str, str], dict[str, str]]:
    """The label that stands for each published denoiser: of several, the one with the most finished cells."""
    chosen, notes = {}, {}
    pairs = denoise[["denoiser", "method", "status"]].value_counts().to_dict()
    for name in PUBLISHED:
        counts: dict[str, int] = {}
        for (denoiser, method, status), n in pairs.items():
            if denoiser == name:
                counts[method] = counts.get(method, 0) + n * (status == "ok")
        if counts:
            chosen[name] = max(sorted(counts), key=counts.__getitem__)
            if len(counts) > 1:
                notes[f"{len(counts) - 1} other settings of {NAMES[name]}"] = f"ranked is {chosen[name]}"
    return chosen, notes


def _datasets(denoise: pd.DataFrame) -> tuple[list[str], dict[str, str]]:
    labels = (
        denoise.groupby(["dataset_name", "dataset"])["rows"].max().sort_values(ascending=False, kind="stable")
    )
    largest: dict[str, str] = {}
    left_out = {}
    for name, label in labels.index:
        if name in largest:
            left_out[label] = f"{largest[name]} has more rows"
        else:
            largest[name] = label
    ours = [name for name in largest if name in PAPER_DATASETS]
    if len(ours) >= 2:
        left_out |= {largest[name]: "not one of the paper's datasets" for name in largest if name not in ours}
        largest = {name: largest[name] for name in ours}
    return sorted(largest.values()), left_out


def rank_table(rankings: list[Ranking], noise: str, sigma: float, protocol: str) -> Table:
    """Average ranks of the published methods, one column per measure."""
    used = [ranking for ranking in rankings if len(ranking.block)]
    value = pd.DataFrame({r.measure.metric: r.ranks for r in used})
    order = [NAMES[name] for name in PUBLISHED if NAMES[name] in value.index]
    return Table(
        name=name_of("ranks", noise, sigma, protocol),
        caption=f"average rank of the published methods, 1 the best; {describe(noise, sigma, protocol)}",
        columns=[Column(f"rank {r.measure.title} (n={len(r.block)})", "low", 2) for r in used],
        value=value.reindex(order),
        notes=tuple(ranking.sentence() for ranking in rankings),
    )


def pairs_table(found: Ranking, noise: str, sigma: float, protocol: str) -> Table | None:
    """Every pair of published methods: Wilcoxon-Holm, Nemenyi, Bayesian signed-rank."""
    if found.friedman is None:
        return None
    pairs = statistics.wilcoxon_holm(found.block)
    nemenyi = statistics.nemenyi(found.friedman)
    bayes = statistics.bayesian_pairs(found.block, found.measure.better, rope=found.measure.rope).set_index(
        ["a", "b"]
    )
    rows = {}
    for pair in pairs.itertuples():
        posterior = bayes.loc[(pair.a, pair.b)]
        rows[f"{pair.a} / {pair.b}"] = [pair.p, pair.p_holm, nemenyi.loc[pair.a, pair.b], *posterior]
    titles = ["p Wilcoxon", "p Holm", "p Nemenyi", "P(first better)", "P(same)", "P(second better)"]
    return Table(
        name=name_of(f"pairs_{found.measure.metric}", noise, sigma, protocol),
        caption=f"pairs by {found.measure.title}, {len(found.block)} datasets: Wilcoxon signed-rank (two-sided), "
        f"with Holm's correction, Nemenyi, and the Bayesian signed-rank test with a rope of {found.measure.rope:g}; "
        + describe(noise, sigma, protocol),
        columns=[Column(title, "", 3) for title in titles],
        value=pd.DataFrame.from_dict(rows, orient="index", columns=titles),
        corner="pair",
    )
