"""Sentences on a campaign, each computed from cells and left out where the cells do not support it.

They rest on medians and ranks; a mean over datasets of an unbounded figure says little.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from experiments.report.analysis import published, statistics
from experiments.report.analysis.far_rows import far_test_rows
from experiments.report.analysis.measures import BY_NAME as MEASURES
from experiments.report.analysis.measures import IMP, RECOVERY
from experiments.report.analysis.methods import BY_NAME
from experiments.report.analysis.ranking import Ranking, ranking
from experiments.report.analysis.results import NOUNS, Condition, Results
from experiments.report.analysis.verdicts import VERDICTS, verdicts
from experiments.report.forms.table import number_text

OURS = "denograd_fixed"
"""The method that the study is about."""

ERASED = 95.0
"""Median Imp% from which on the constant map makes its point."""

FEW_SEEDS = 3


def findings(everything: Results) -> list[str]:
    """What can be said of a campaign, the paper's protocol first."""
    found: list[str] = []
    for condition in everything.conditions:
        part = everything.under(condition)
        if condition.protocol == "paper" and condition.noise == "none":
            found += _ranks(part)
            found += _one_regressor(part)
    found += _verdicts(everything)
    found += _protocols(everything)
    for condition in everything.conditions:
        if condition.protocol == "deployable":
            found += _gains(everything.under(condition))
    for condition in everything.conditions:
        if condition.noise != "none":
            found += _recovered(everything.under(condition))
    if found:
        found += _far_rows(everything)
        found += _limits(everything)
    return found


# ------------------------------------------------------------------------------------ the paper's protocol


def _ranks(part: Results) -> Iterator[str]:
    """The place of DenoGrad by Imp%, SWD and rho, beside the published ranks."""
    title = BY_NAME[OURS].title
    said = []
    for name in published_ranks():
        found = ranking(part, MEASURES[name])
        if found.friedman is not None and OURS in found.block and not found.missing:
            said.append((found, _place(found)))
    if not said:
        return
    datasets = {len(found.block) for found, _ in said}
    over = f"{min(datasets)} to {max(datasets)}" if len(datasets) > 1 else f"{min(datasets)}"
    places = ", ".join(
        f"{place} by {found.measure.title} (average rank {_with_spread(found)}, published "
        f"{published_ranks()[found.measure.name]:.2f})"
        for found, place in said
    )
    yield (
        f"Under the paper's own protocol, {part.conditions[0].level}, {title} comes, of the eight methods, {places}, "
        f"over {over} datasets, {_repetitions(part)}."
    )
    told = "; ".join(_told_apart(found) for found, _ in said)
    yield f"Tests on average ranks (Holm) find {title} {told}; they cannot tell it from the others."


def _with_spread(found: Ranking) -> str:
    """DenoGrad's average rank, ± its standard deviation over repetitions where that is known."""
    spread = found.spread[OURS]
    return f"{found.ranks[OURS]:.2f}" + (f" ± {spread:.2f}" if np.isfinite(spread) else "")


def _repetitions(part: Results) -> str:
    """How many repetitions are behind the datasets of a part."""
    counts = part.denoise.groupby("dataset")["repetition"].nunique()
    least, most = int(counts.min()), int(counts.max())
    return f"{least} to {most} repetitions" if least < most else f"{most} repetition{'s' * (most != 1)}"


def published_ranks() -> dict[str, float]:
    """DenoGrad's published average ranks, by measure."""
    figures = published.load().figures
    return {f["metric"]: f["published"] for f in figures if f["kind"] == "rank" and f["method"] == OURS}


def _place(found: Ranking) -> str:
    place = int((found.ranks < found.ranks[OURS] - 1e-9).sum()) + 1
    return ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "last")[place - 1]


def _told_apart(found: Ranking) -> str:
    """Which methods the test tells apart from DenoGrad."""
    assert found.friedman is not None
    control = statistics.against_control(found.friedman, OURS)
    sure = control[control["p_holm"] < statistics.ALPHA]
    sides = {
        "ahead of": [BY_NAME[name].title for name in sure.index[sure["difference"] > 0]],
        "behind": [BY_NAME[name].title for name in sure.index[sure["difference"] < 0]],
    }
    told = " and ".join(f"{side} {', '.join(names)}" for side, names in sides.items() if names)
    if not told:
        least = statistics.least_difference(len(control) + 1, len(found.block))
        return f"by {found.measure.title} apart from nobody (that takes {least:.2f} ranks)"
    return f"by {found.measure.title} {told}"


def _verdicts(everything: Results) -> Iterator[str]:
    """How the published figures fare, those that are reproduced and those that are not by name."""
    judged = verdicts(everything)
    comparable = [v for v in judged if v.ours is not None]
    if not comparable:
        return
    clauses = []
    for name in VERDICTS:
        mine = [v.what for v in comparable if v.verdict == name]
        named = f" ({'; '.join(mine)})" if name != "undecided" else ""
        clauses += [f"{len(mine)} {name}{named}"] if mine else []
    yield f"Of {len(judged)} published figures {len(comparable)} can be set beside ours: {', '.join(clauses)}."


def _one_regressor(part: Results) -> Iterator[str]:
    """Means of DenoGrad whose sign hangs on one regressor."""
    mine = part.headline[(part.headline["row"] == part.row_of(OURS)) & part.headline["takes_part"]]
    for dataset, scores in mine.groupby("dataset"):
        values = scores.groupby("regressor")["imp"].mean()
        if len(values) < 3:
            continue
        without = (values.sum() - values) / (len(values) - 1)
        name = (without - values.mean()).abs().idxmax()
        if values.mean() * without[name] < 0:
            mean, own, rest = (_percent(v) for v in (values.mean(), values[name], without[name]))
            seeds = scores.groupby("repetition")["imp"].mean()
            of = f" ± {_percent(seeds.std())} over {len(seeds)} repetitions" if len(seeds) > 1 else ""
            yield (
                f"On {dataset} the mean Imp% of {BY_NAME[OURS].title}, {mean}{of}, hangs on {name} ({own}): without "
                f"it, it is {rest}."
            )


# -------------------------------------------------------------------------------------------- two protocols


def _protocols(everything: Results) -> Iterator[str]:
    """Medians of the same methods under ``paper`` and under ``deployable``."""
    erased = False
    for noise, sigma in dict.fromkeys((c.noise, c.sigma) for c in everything.conditions):
        paper, deployable = (
            by_dataset(everything.under(Condition(noise, sigma, p))) for p in ("paper", "deployable")
        )
        both = paper.index.intersection(deployable.index)
        names = [
            name
            for name in (OURS, "kalman", "constant")
            if all(name in side and side.loc[both, name].notna().all() for side in (paper, deployable))
        ]
        if not names or not len(both):
            continue
        medians = {
            name: (paper.loc[both, name].median(), deployable.loc[both, name].median()) for name in names
        }
        level = Condition(noise, sigma, "paper").level
        clauses = [
            f"{BY_NAME[name].title} {_percent(medians[name][0])} under paper and {_percent(medians[name][1])} under "
            f"deployable, where it gains on {int((deployable.loc[both, name] > 0).sum())}"
            for name in names
        ]
        datasets = f"{len(both)} dataset{'s' * (len(both) != 1)}"
        repeated = _repetitions(everything.under(Condition(noise, sigma, "deployable")))
        yield f"Median Imp% on the same {datasets}, {level}, {repeated}: {'; '.join(clauses)}."
        if "constant" in medians and medians["constant"][0] > ERASED > medians["constant"][1] and not erased:
            erased = True
            yield (
                f"A map that erases everything scores {_percent(medians['constant'][0])} under paper: an Imp% says "
                "there how predictable the denoised data are, not that anything true was learnt."
            )


def by_dataset(part: Results) -> pd.DataFrame:
    """Imp% (mean over the regressors that take part, and repetitions), datasets x names of methods."""
    rows = {row: name for name in part.methods if (row := part.row_of(name)) is not None}
    found = part.improvements("dataset")
    value = found[found["row"].isin(rows)].set_index(["dataset", "row"])["value"].unstack()
    return value.rename(columns=rows)


def _gains(part: Results) -> Iterator[str]:
    """Which methods help a regressor that meets an untouched target, by kind of data."""
    kinds = dict(part.headline[["dataset", "kind"]].drop_duplicates().itertuples(index=False, name=None))
    value = by_dataset(part)
    clauses = []
    for kind, noun in NOUNS.items():
        datasets = [d for d in value.index if kinds[d] == kind]
        mine = value.loc[datasets]
        ranked = [name for name in mine if part.methods[name].ranked and mine[name].notna().all()]
        if len(datasets) < 2 or not ranked:
            continue
        medians = mine[ranked].median().sort_values(ascending=False, kind="stable")
        helping = medians[medians > IMP.rope]
        shown = {name: f"{_percent(medians[name])} ({_percent(mine[name].min())})" for name in ranked}
        names = ", ".join(f"{part.methods[name].title} {shown[name]}" for name in helping.index)
        if len(ranked) == 1:
            clause = f"{part.methods[ranked[0]].title}, the only method, {shown[ranked[0]]}"
        elif helping.empty:
            clause = f"none of {len(ranked)} methods"
        else:
            clause = f"{names} (of {len(ranked)} methods)"
        clauses.append(f"on {len(datasets)} {noun} {clause}")
    if clauses:
        yield (
            f"Median Imp% under deployable and, in brackets, that of the worst dataset, {part.conditions[0].level}, "
            f"{_repetitions(part)}, where the median is above {IMP.rope:g}: {'; '.join(clauses)}."
        )


def _recovered(part: Results) -> Iterator[str]:
    """Which methods bring the data closer to the truth on every dataset, and what DenoGrad does to them."""
    fine = part.denoise[(part.denoise["status"] == "ok") & part.denoise[RECOVERY.name].notna()]
    rows = {row: name for name in part.methods if (row := part.row_of(name)) is not None}
    value = fine[fine["row"].isin(rows)].groupby(["dataset", "row"])[RECOVERY.name].mean().unstack()
    value = value.rename(columns=rows)
    complete = [n for n in value if part.methods[n].ranked and value[n].notna().all()]
    if len(value) < 2 or not complete:
        return
    closer = [n for n in complete if (value[n] > 0).all()]
    if closer:
        medians = value[closer].median().sort_values(ascending=False, kind="stable")
        names = ", ".join(f"{part.methods[n].title} (median {_percent(v)})" for n, v in medians.items())
        text = f"{names} bring{'s' * (len(closer) == 1)} the data closer to the truth on each of {len(value)} datasets"
    else:
        text = f"No method brings the data closer to the truth on each of {len(value)} datasets"
    condition = part.conditions[0]
    if OURS in complete and OURS not in closer:
        text += f"; the median recovery of {BY_NAME[OURS].title} is {_percent(value[OURS].median())}"
    yield f"{text} ({condition}, {_repetitions(part)})."


def _far_rows(everything: Results) -> Iterator[str]:
    """Test rows that the train part says nothing about, by dataset."""
    clauses = [
        f"{one.dataset} {one.rows} of {one.of:,} ({one.column}, {one.distance:.0f})"
        for one in far_test_rows(everything)
    ]
    if clauses:
        yield (
            "Test rows with a value ten or more standard deviations of the train part from its mean (the furthest "
            f"column, and how far): {', '.join(clauses)}. One squared error there can outweigh hundreds of others."
        )


def _limits(everything: Results) -> Iterator[str]:
    """What stands between these sentences and a verdict."""
    kinds: dict[str, dict[Any, list[str]]] = defaultdict(lambda: defaultdict(list))
    stored = everything.denoise[["kind", "caps"]].dropna().drop_duplicates().sort_values(["kind", "caps"])
    for kind, text in stored.itertuples(index=False, name=None):
        for key, value in json.loads(text or "{}").items():
            kinds[key.replace("_", " ")][value].append(NOUNS[kind])
    caps = [
        f"{key} "
        + " and ".join(
            f"{value}" + f" ({', '.join(dict.fromkeys(of))})" * (len(values) > 1)
            for value, of in values.items()
        )
        for key, values in sorted(kinds.items())
    ]
    clauses = [f"Capped: {', '.join(caps)}."] if caps else []
    few: dict[str, list[str]] = defaultdict(list)
    for condition in everything.conditions:
        repeated = everything.under(condition).denoise.groupby("dataset")["repetition"].nunique()
        if lacking := int((repeated < FEW_SEEDS).sum()):
            few[f"{lacking} of {len(repeated)} datasets"].append(str(condition))
    if few:
        counted = ", ".join(f"{datasets} ({'; '.join(where)})" for datasets, where in few.items())
        clauses.append(
            f"Fewer than {FEW_SEEDS} repetitions: {counted}. How much a number moves with the seed is not known there."
        )
    if clauses:
        yield " ".join(clauses)


def _percent(value: float) -> str:
    """A percentage in prose."""
    if not np.isfinite(value):
        return "–"
    return number_text(value, 1) if abs(value) < 1000 else f"{value:,.0f}"
