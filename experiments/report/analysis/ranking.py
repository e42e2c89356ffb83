"""Ranks of the published methods over datasets, with the tests behind them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from experiments.report.analysis import statistics
from experiments.report.analysis.measures import IMP, RANKED, Measure
from experiments.report.analysis.methods import BY_NAME, PUBLISHED, Method
from experiments.report.analysis.results import Condition, Results
from experiments.report.analysis.statistics import Friedman
from experiments.report.forms.table import Column, Table


@dataclass(frozen=True)
class Ranking:
    """The eight published methods on every dataset that has a number of each of them.

    Attributes
    ----------
    measure : Measure
    block : DataFrame
        Datasets x names of methods, without holes.
    left_out : dict
        Other datasets, and why they do not count.
    regressors : str
        Those behind Imp%; empty for the other measures.
    missing : tuple of Method
        Published methods that the campaign does not have at all; then there are no tests.
    by_repetition : DataFrame
        Average ranks of each repetition that has every dataset; names of methods as columns.
    partial : dict
        Datasets on which some methods have more numbers than all share: how many all share, and the most of one.
    """

    measure: Measure
    block: pd.DataFrame
    left_out: dict[str, str]
    regressors: str = ""
    missing: tuple[Method, ...] = ()
    partial: dict[str, tuple[int, int]] = field(default_factory=dict)
    by_repetition: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def spread(self) -> pd.Series:
        """Standard deviation of the average ranks over repetitions; NaN for fewer than two."""
        return self.by_repetition.std()

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
        """Average rank by name of method; empty without datasets."""
        return statistics.ranks(self.block, self.measure.better).mean()

    def sentence(self) -> str:
        """What the tests say, with their numbers."""
        result, n = self.friedman, len(self.block)
        names = ", ".join(self.block.index) or "none"
        over = f"{self.measure.title} over {n} dataset{'s' * (n != 1)} ({names})"
        if self.regressors:
            over += f", {self.regressors}"
        out = [f"{over}."]
        if self.missing:
            out.append(f"Not in the campaign: {', '.join(method.title for method in self.missing)}.")
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
        if self.partial:
            shares = ", ".join(f"{dataset} {n} of {most}" for dataset, (n, most) in self.partial.items())
            out.append(f"Where methods lack numbers, compared is what all have: {shares}.")
        for why in dict.fromkeys(self.left_out.values()):
            names = ", ".join(name for name, reason in self.left_out.items() if reason == why)
            out.append(f"Left out: {names} ({why}).")
        return " ".join(out)


def rankings(part: Results) -> list[Ranking]:
    """Under one condition, by every measure that there are numbers of; the paper's three in any case.

    None where the campaign has none of the published methods.
    """
    if not part.published:
        return []
    found = [ranking(part, measure) for measure in RANKED]
    return [
        r
        for r in found
        if len(r.block) or r.measure.of == "score" or part.denoise[r.measure.name].notna().any()
    ]


def ranking(part: Results, measure: Measure) -> Ranking:
    """Rank the published methods under one condition, on what all of them have.

    Of a dataset count the numbers (one a regressor and repetition, or one a repetition) that every method has; one
    without any is left out.
    """
    return part.remembered(("ranking", measure.name), lambda: _ranked(part, measure))


def _ranked(part: Results, measure: Measure) -> Ranking:
    wanted, left_out = part.compared_datasets()
    rows = part.published
    if measure is IMP:
        scored = part.headline[part.headline["takes_part"]]
        long = scored[["dataset", "row", "repetition", "regressor"]].assign(value=scored["imp"])
        regressors = part.group()
    else:
        fine = part.denoise[(part.denoise["status"] == "ok") & part.denoise[measure.name].notna()]
        long = fine[["dataset", "row", "repetition"]].assign(regressor="", value=fine[measure.name])
        regressors = ""
    long = long[long["row"].isin(rows.values()) & long["dataset"].isin(wanted)]
    place = ["dataset", "regressor", "repetition"]
    common = long[long.groupby(place)["row"].transform("nunique") == len(rows)]
    by_regressor = common.groupby(["dataset", "row", "regressor"])["value"].mean()
    value = by_regressor.groupby(["dataset", "row"]).mean().unstack()
    value = value.reindex(index=wanted, columns=list(rows.values())).astype(float)
    value.columns = pd.Index(list(rows), dtype=object)
    block, holes = statistics.without_holes(value)
    numbers = long.groupby(["dataset", "row"]).size().unstack().reindex(columns=list(rows.values())).fillna(0)
    for dataset in holes:
        n = numbers.loc[dataset] if dataset in numbers.index else pd.Series(0, index=numbers.columns)
        lacking = [BY_NAME[name].title for name, row in rows.items() if n[row] < max(n.max(), 1)]
        left_out[dataset] = f"no number that all have; fewer than others: {', '.join(lacking) or 'none'}"
    shared = common[place].drop_duplicates().groupby("dataset").size()
    partial = {d: (int(shared[d]), int(numbers.loc[d].max())) for d in block.index if d in shared}
    partial = {dataset: (n, most) for dataset, (n, most) in partial.items() if n < most}
    missing = tuple(method for method in PUBLISHED if method.name not in rows)
    by_repetition = _ranks_by_repetition(common, block, rows, measure)
    return Ranking(
        measure, block, left_out | _other_settings(part), regressors, missing, partial, by_repetition
    )


def _ranks_by_repetition(
    common: pd.DataFrame, block: pd.DataFrame, rows: dict[str, int], measure: Measure
) -> pd.DataFrame:
    """Average ranks of each repetition that has every dataset."""
    by_repetition = common.groupby(["repetition", "dataset", "row"])["value"].mean().unstack()
    found = []
    for _, values in by_repetition.groupby("repetition"):
        one = values.droplevel("repetition").reindex(index=block.index, columns=list(rows.values()))
        if len(one) and one.notna().all(axis=None):
            found.append(statistics.ranks(one.set_axis([*rows], axis=1), measure.better).mean())
    return pd.DataFrame(found, columns=list(rows), dtype=float)


def _other_settings(part: Results) -> dict[str, str]:
    """Settings of a published method that stand beside the one that is ranked."""
    found = {}
    for name, row in part.published.items():
        others = {r for r in part.present(part.denoise) if part.rows[r].method.name == name} - {row}
        if others:
            found[f"{len(others)} other settings of {BY_NAME[name].title}"] = f"ranked is {part.rows[row]}"
    return found


def rank_table(found: list[Ranking], condition: Condition) -> Table:
    """Average ranks of the published methods, one column per measure."""
    used = [r for r in found if len(r.block)]
    value = pd.DataFrame({r.measure.name: r.ranks for r in used})
    value = value.reindex([method.name for method in PUBLISHED if method.name in value.index])
    spread = pd.DataFrame({r.measure.name: r.spread.reindex(value.index) for r in used}, index=value.index)
    value.index = spread.index = pd.Index([BY_NAME[name].title for name in value.index], dtype=object)
    return Table(
        name=condition.stem("ranks"),
        caption=f"Average rank of the published methods, 1 the best; {condition}",
        columns=[Column(f"rank {r.measure.title} (n={len(r.block)})", "low", 2) for r in used],
        value=value,
        spread=spread,
        notes=tuple(r.sentence() for r in found),
    )


def against_table(found: Ranking, condition: Condition, name: str) -> Table | None:
    """One method against each of the other published ones: average ranks with Holm's correction, and Bayes.

    Parameters
    ----------
    found : Ranking
    condition : Condition
    name : str
        The method's key.
    """
    if found.friedman is None or name not in found.block:
        return None
    measure, title = found.measure, BY_NAME[name].title
    value = statistics.against_control(found.friedman, name)
    own = measure.sign * found.block[name].to_numpy()
    bayes = [
        statistics.bayesian_signed_rank(own, measure.sign * found.block[other].to_numpy(), rope=measure.rope)
        for other in value.index
    ]
    value[["better", "same", "worse"]] = bayes
    value.index = pd.Index([BY_NAME[other].title for other in value.index], dtype=object)
    titles = {"rank": 2, "difference": 2, "z": 2, "p": 3, "p Holm": 3}
    titles |= {f"P({title} better)": 3, "P(same)": 3, "P(other better)": 3}
    return Table(
        name=condition.stem(f"against_{measure.name}"),
        caption=f"{title} (average rank {found.ranks[name]:.2f}) against each of the others by {measure.title}, "
        f"{len(found.block)} datasets: difference of average ranks (positive: {title} is ahead), its normal "
        "approximation with Holm's correction (Demsar 2006, 3.2.2); posterior of the Bayesian signed-rank test, where "
        f"a difference of {measure.rope:g} counts as the same; {condition}",
        columns=[Column(text, "", decimals) for text, decimals in titles.items()],
        value=value,
        corner="other method",
        title=f"{title} against each other method by {measure.title}",
        notes=(decidable(found),),
    )


def decidable(found: Ranking) -> str:
    """What so many datasets can decide at all."""
    k, n = found.block.shape[1], len(found.block)
    pairs = k * (k - 1) // 2
    least = min(1.0, pairs * 2 / 2**n)
    can = "can never" if least > statistics.ALPHA else "can"
    return (
        f"What {n} datasets can decide at alpha {statistics.ALPHA}: between all pairs, average ranks that differ by "
        f"more than {found.critical_difference:.2f} (Nemenyi); of one method against the {k - 1} others, by more than "
        f"{statistics.least_difference(k, n):.2f} for the largest difference (Holm); Wilcoxon's test with Holm's "
        f"correction over {pairs} pairs {can} reject anything (least possible p {least:.3g}). What is not rejected is "
        "not shown to be equal."
    )


def pairs_table(found: Ranking, condition: Condition) -> Table | None:
    """Every pair of published methods: Wilcoxon-Holm, Nemenyi, Bayesian signed-rank."""
    if found.friedman is None:
        return None
    measure = found.measure
    pairs = statistics.wilcoxon_holm(found.block)
    nemenyi = statistics.nemenyi(found.friedman)
    bayes = statistics.bayesian_pairs(found.block, measure.better, rope=measure.rope).set_index(["a", "b"])
    rows = {}
    for pair in pairs.itertuples():
        title = f"{BY_NAME[pair.a].title} / {BY_NAME[pair.b].title}"
        rows[title] = [pair.p, pair.p_holm, nemenyi.loc[pair.a, pair.b], *bayes.loc[(pair.a, pair.b)]]
    titles = ["p Wilcoxon", "p Holm", "p Nemenyi", "P(first better)", "P(same)", "P(second better)"]
    return Table(
        name=condition.stem(f"pairs_{measure.name}"),
        caption=f"Pairs by {measure.title}, {len(found.block)} datasets: Wilcoxon signed-rank (two-sided), "
        f"with Holm's correction, Nemenyi, and the Bayesian signed-rank test with a rope of {measure.rope:g}; "
        f"{condition}",
        columns=[Column(title, "", 3) for title in titles],
        value=pd.DataFrame.from_dict(rows, orient="index", columns=titles),
        corner="pair",
        title=f"all pairs by {measure.title}",
    )
