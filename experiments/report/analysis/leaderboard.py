"""Where methods stand in every view: protocol, noise level, metric, group of regressors, kind of data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.report.analysis import statistics
from experiments.report.analysis.measures import IMP, RANKED, Measure
from experiments.report.analysis.results import NOUNS, Condition, Results

Array = NDArray[np.float64]

SAMPLES = 2_000
"""Bootstrap samples of the datasets behind an interval."""

COVERAGE = 95
"""Percent of them that the interval of a rank holds."""

LEAST_DATASETS = 3
"""Fewer datasets give no interval."""

PUBLISHED_GROUP = "published regressors"
"""The group of those that the paper used on each kind of data."""

ALL_GROUP = "all regressors"
"""The group of all that ran."""

ANY = "no regressor"
"""The group of a metric that is a property of the data."""


class View(NamedTuple):
    """What is chosen on a leaderboard; `condition` and the rest together name one column."""

    methods: str
    kind: str
    group: str
    condition: Condition
    metric: str


@dataclass(frozen=True)
class Place:
    """Where one method stands in a view.

    Attributes
    ----------
    title, method : str
        As tables write it, and the denoiser's key in cells.
    rank, low, high : float
        Average rank and its interval; NaN for what is not ranked, and for an interval of too few datasets.
    values : tuple of float
        One a dataset, NaN where it has none.
    """

    title: str
    method: str
    rank: float
    low: float
    high: float
    values: tuple[float, ...]


@dataclass(frozen=True)
class Board:
    """All methods in one view.

    Attributes
    ----------
    view : View
    datasets : tuple of str
    places : tuple of Place
        The best first, then what is not ranked.
    critical_difference : float
        Average ranks that differ by less are not told apart (Nemenyi).
    regressors : tuple of str
        Behind the numbers; empty for a property of the data.
    table : str
        Name of the report's table of these values by dataset; of Imp % the mean over regressors.
    """

    view: View
    datasets: tuple[str, ...]
    places: tuple[Place, ...]
    critical_difference: float
    regressors: tuple[str, ...]
    table: str


def boards(everything: Results, *methods: str) -> Iterator[Board]:
    """Every view of a campaign in which at least two methods can be ranked; those of the given `methods` alone."""
    for condition in everything.conditions:
        part = everything.under(condition)
        wanted, _ = part.compared_datasets()
        for measure in RANKED:
            for group, numbers in _numbers(part, measure, wanted):
                for kind, of_kind in _by_kind(part, numbers):
                    for whose, columns in _columns(part, numbers).items():
                        if methods and whose not in methods:
                            continue
                        view = View(whose, kind, group, condition, measure.name)
                        board = _board(part, view, of_kind, columns, measure)
                        if board is not None:
                            yield board


def _numbers(part: Results, measure: Measure, wanted: list[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """For each group of regressors (dataset, regressor, repetition) x row."""
    if measure is not IMP:
        fine = part.denoise[(part.denoise["status"] == "ok") & part.denoise[measure.name].notna()]
        long = fine[["dataset", "row", "repetition"]].assign(regressor=ANY, value=fine[measure.name])
        yield from _wide({ANY: long}, wanted)
        return
    scored = part.headline.assign(value=part.headline[IMP.name])
    groups = {ALL_GROUP: scored}
    if scored["published"].any():
        of_paper = scored[scored["published"]]
        groups = {PUBLISHED_GROUP: of_paper} | (groups if len(of_paper) < len(scored) else {})
    groups |= {str(name): mine for name, mine in scored.groupby("regressor")}
    yield from _wide(groups, wanted)


def group_of_means(part: Results) -> str:
    """The group of regressors that take part in a mean."""
    members = part.headline[part.headline["takes_part"]]
    return PUBLISHED_GROUP if members["published"].all() else ALL_GROUP


def _wide(groups: dict[str, pd.DataFrame], wanted: list[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    for name, long in groups.items():
        chosen = long[long["dataset"].isin(wanted)]
        if len(chosen):
            yield (
                name,
                chosen.groupby(["dataset", "regressor", "repetition", "row"])["value"].mean().unstack(),
            )


def _by_kind(part: Results, numbers: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The numbers of tables and series together, if there are both, then of each."""
    kind_of = part.denoise.drop_duplicates("dataset").set_index("dataset")["kind"]
    kinds = kind_of.loc[numbers.index.get_level_values("dataset")].to_numpy()
    found = sorted(set(kinds))
    if len(found) > 1:
        yield "tables and series", numbers
    for kind in found:
        yield NOUNS[str(kind)], numbers[kinds == kind]


def _columns(part: Results, numbers: pd.DataFrame) -> dict[str, list[int]]:
    """Who is ranked: the published methods, and all of them where there are others."""
    rows = [row for row in numbers.columns if part.rows[row].ranked]
    published = [row for row in rows if row in part.published.values()]
    return {"published methods": published} | ({"all methods": rows} if rows != published else {})


def _board(
    part: Results, view: View, numbers: pd.DataFrame, columns: list[int], measure: Measure
) -> Board | None:
    """Rank what has a number on every dataset that any of them has one on, by what all of them have."""
    has = numbers[columns].notna().groupby("dataset").any()
    has = has[has.any(axis=1)]
    ranked = [row for row in columns if has[row].all()]
    common = numbers[numbers[ranked].notna().all(axis=1)] if len(ranked) > 1 else numbers.iloc[:0]
    if common.empty:
        return None
    value = common.groupby(["dataset", "regressor"]).mean().groupby("dataset").mean()
    ranks = statistics.ranks(value[ranked], measure.better).to_numpy()
    low, high = interval(ranks)
    rank = dict(zip(ranked, zip(ranks.mean(axis=0), low, high, strict=True), strict=True))
    beside = [row for row in numbers.columns if row in columns or not part.rows[row].ranked]
    places = [
        Place(
            str(part.rows[row]),
            part.rows[row].method.name,
            *rank.get(row, (np.nan, np.nan, np.nan)),
            tuple(value[row]),
        )
        for row in beside
    ]
    places.sort(key=lambda place: (np.isnan(place.rank), place.rank))
    regressors = tuple(sorted(set(common.index.get_level_values("regressor")) - {ANY}))
    return Board(
        view,
        tuple(value.index),
        tuple(places),
        statistics.critical_difference(len(ranked), len(value)),
        regressors,
        view.condition.stem("imp_mean" if measure is IMP else measure.name),
    )


def interval(ranks: Array) -> tuple[Array, Array]:
    """Interval of the average rank of each method by the bootstrap over datasets (Efron 1979).

    Parameters
    ----------
    ranks : (n, k) array
        Datasets x methods.

    Returns
    -------
    low, high : (k,) arrays
        NaN for fewer than `LEAST_DATASETS` datasets.
    """
    n, k = ranks.shape
    if n < LEAST_DATASETS:
        return np.full(k, np.nan), np.full(k, np.nan)
    means = _weights(n) @ ranks
    tail = (100 - COVERAGE) / 2
    low, high = np.percentile(means, [tail, 100 - tail], axis=0)
    return low, high


@cache
def _weights(n: int) -> Array:
    """How much each dataset counts in each bootstrap sample, (SAMPLES, n)."""
    return np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=SAMPLES) / n
