"""What one noise, level and protocol gave: ranks, every metric by dataset, trade-offs, each dataset by itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from experiments.report.analysis import statistics
from experiments.report.analysis.leaderboard import ANY, boards, group_of_means
from experiments.report.analysis.measures import IMP, OF_DATA, RANKED, RECOVERY
from experiments.report.analysis.methods import BY_NAME
from experiments.report.analysis.ranking import Ranking, against_table, pairs_table, rank_table, rankings
from experiments.report.analysis.results import Condition, Results
from experiments.report.analysis.tables import (
    column_of,
    dataset_table,
    errors_table,
    method_table,
    numbers,
    setting_table,
)
from experiments.report.figures import ranks, spread, trade_off
from experiments.report.figures.album import Album
from experiments.report.forms.document import Content, Folded, Picture, Section
from experiments.report.forms.table import Column, Grid, Table, number_text

DECIDES = 0.5
"""Share of a mean's absolute parts above which one regressor decides it."""

HIGHLIGHT = "denograd_fixed"
"""The method that the study is about: bold in the diagrams of ranks."""


def protocol(part: Results, album: Album) -> Section:
    condition = part.conditions[0]
    found = rankings(part)
    by_dataset = [dataset_table(part, IMP, how) for how in ("mean", "median")]
    measured = [measure for measure in OF_DATA if part.denoise[measure.name].notna().any()]
    inline = [dataset_table(part, measure) for measure in measured if measure.inline]
    more = [dataset_table(part, measure) for measure in measured if not measure.inline]
    others = dataset_table(part, IMP, others=True)
    more = [*([others] if others.value.notna().any(axis=None) else []), *more]
    inline = [*by_dataset, *inline, *([variants(part)] if condition.protocol == "deployable" else [])]
    settings = [part.at(setting) for setting in part.settings]
    single = [table(one) for one in settings for table in (setting_table, errors_table)]
    pairs = [table for r in found if (table := pairs_table(r, condition))]
    against = [table for r in found if (table := against_table(r, condition, HIGHLIGHT))]
    ranked = rank_table(found, condition)
    parts: list[Content] = [ranked] if ranked.columns else [*ranked.notes]
    parts += [table for table in [ranks_of_all(part)] if table is not None]
    parts += _rank_figure(found, condition, album)
    shown = [table for table in against if table.name == condition.stem(f"against_{IMP.name}")]
    parts += shown
    inline, more = ([table for table in tables if table.columns] for tables in (inline, more))
    if inline or more:
        parts.append(Folded("Metric by dataset", [*inline, *more], shown=len(inline)))
    parts += _figures(part, condition, album)
    apart = [table for table in (one_regressor_decides(part), on_what_they_have(part)) if table is not None]
    tests = [*(table for table in against if table not in shown), *pairs]
    folds: tuple[tuple[str, Sequence[Table | Grid]], ...]
    folds = (
        ("Each dataset", single),
        ("Means and gaps", apart),
        ("Tests of pairs", tests),
    )
    for title, folded in folds:
        if kept := [table for table in folded if isinstance(table, Grid) or table.columns]:
            parts.append(Folded(title, kept))
    title, choice = f"Protocol {condition.protocol}: {condition.level}", (condition.protocol, condition.level)
    return Section(title, parts, choice)


def ranks_of_all(part: Results) -> Table | None:
    """Average ranks of all methods by the error that they remove and by Imp%: over all datasets, tables, series.

    A method is ranked where it has a number of every dataset. None where there are only the published methods, and
    under ``paper``, where erasing wins.
    """
    condition, columns, found, notes, regressors = part.conditions[0], [], [], [], set()
    of_all = [] if condition.protocol == "paper" else list(boards(part, "all methods"))
    for measure, group in ((RECOVERY, ANY), (IMP, group_of_means(part))):
        for board in of_all:
            view = board.view
            if (view.metric, view.group) != (measure.name, group):
                continue
            title = f"{measure.title}, {view.kind} (n={len(board.datasets)})"
            columns.append(Column(title, "low", 2, f"average rank by: {measure.meaning}"))
            found.append(pd.Series({place.title: place.rank for place in board.places}, name=title))
            notes.append(f"{title} {board.critical_difference:.1f}")
            regressors |= {*board.regressors}
    if not columns:
        return None
    by = f"; Imp % over {', '.join(sorted(regressors))}" if regressors else ""
    value = pd.concat(found, axis=1).dropna(how="all").sort_values(columns[0].title, kind="stable")
    return Table(
        name=condition.stem("ranks_of_all"),
        caption=f"Average rank of all methods, 1 the best, among those with a number of every dataset{by}; {condition}",
        columns=columns,
        value=value,
        notes=(
            f"Average ranks that differ by less are not told apart (Nemenyi, alpha {statistics.ALPHA}): "
            f"{'; '.join(notes)}",
        ),
    )


def variants(part: Results) -> Table:
    """What each form of the test features would score: Imp%, mean over regressors and datasets."""
    condition = part.conditions[0]
    score = part.score[part.score["imp"].notna()].drop(columns=["noisy", "meaningless"])
    present = [variant for variant in ("clean", "noisy", "denoised") if (score["variant"] == variant).any()]
    return method_table(
        part,
        [numbers(score, score["variant"], score["imp"])],
        [(variant, column_of(IMP, f"{variant} test features")) for variant in present],
        name=condition.stem("variants"),
        caption="Imp % by form of the test features, mean over datasets and regressors, always against noisy train "
        f"and noisy test; {condition}",
        score=score,
    )


def one_regressor_decides(part: Results) -> Grid | None:
    """Means over regressors to which one of them gives the largest part, with that one apart."""
    rows = []
    taking_part = part.headline[part.headline["takes_part"]]
    means = taking_part.groupby(["row", "dataset", "regressor"])["imp"].mean().unstack()
    for (row, dataset), values in means.iterrows():
        values = values.dropna()
        size = values.abs()
        if part.rows[row].ranked and len(values) > 2 and size.max() > DECIDES * size.sum():
            name = size.idxmax()
            of = [float(v) for v in (values.mean(), values[name], values.drop(name).mean())]
            mean, own, others = (number_text(value, IMP.decimals) for value in of)
            rows.append([str(part.rows[row]), str(dataset), mean, str(name), own, others])
    if not rows:
        return None
    caption = (
        "Where one regressor gives more than half of a mean (of the sum of absolute Imp%): that one, and the mean "
        f"without it; {part.conditions[0]}"
    )
    header = ["method", "dataset", "mean Imp %", "regressor", "its Imp %", "mean of the others"]
    name = part.conditions[0].stem("one_regressor")
    return Grid(name, caption, header, rows, title="means that one regressor decides")


def on_what_they_have(part: Results) -> Table | None:
    """Rows with fewer numbers than others, compared on what they have."""
    keys = ["dataset", "regressor", "repetition"]
    scored = part.headline[part.headline["takes_part"]]
    everything = len(scored[keys].drop_duplicates())
    published = set(part.published.values())
    values = {}
    for row, mine in scored.groupby("row"):
        places = mine[keys].drop_duplicates()
        if len(places) == everything or not part.rows[row].ranked:
            continue
        same = scored.merge(places, on=keys)
        n = same.groupby("row").size()
        medians = same.groupby(["row", "dataset"])["imp"].mean().groupby("row").median()
        rivals = medians[[r for r in medians.index if r != row and r in published and n[r] == len(places)]]
        place = float((rivals > medians[row]).sum() + 1)
        numbers = [len(places), medians[row], rivals.median(), rivals.max(), place, len(rivals) + 1]
        values[part.rows[row]] = [float(number) for number in numbers]
    if not values:
        return None
    titles = {
        "numbers": 0,
        "median Imp %": 1,
        "published: median": 1,
        "published: best": 1,
        "place": 0,
        "of": 0,
    }
    return Table(
        name=part.conditions[0].stem("on_what_they_have"),
        caption=f"Methods that lack some of the {everything} numbers (dataset, regressor, repetition), beside the "
        "published methods on the same numbers: medians over datasets of means over regressors; "
        f"{part.conditions[0]}",
        columns=[Column(title, "", decimals) for title, decimals in titles.items()],
        title="methods that lack numbers, on what they have",
        value=pd.DataFrame([*values.values()], index=pd.Index([*values], dtype=object), columns=[*titles]),
    )


# --------------------------------------------------------------------------------------------- figures


def _rank_figure(found: Sequence[Ranking], condition: Condition, album: Album) -> list[Picture]:
    diagrams = []
    for ranking in found:
        result = ranking.friedman
        if result is None:
            continue
        order = ranking.ranks.sort_values(kind="stable")
        bars = statistics.groups(result, ranking.critical_difference)
        diagrams.append(
            ranks.Diagram(
                f"{ranking.measure.title}, {len(ranking.block)} datasets, Friedman p = {result.p:.2g}",
                [(BY_NAME[name].title, BY_NAME[name].colour, float(rank)) for name, rank in order.items()],
                ranking.critical_difference,
                [(float(order[bar[0]]), float(order[bar[-1]])) for bar in bars],
                BY_NAME[HIGHLIGHT].title,
            )
        )
    if not diagrams:
        return []
    caption = (
        "Average ranks, the best to the left; a bar joins methods that Nemenyi's test does not tell apart; "
        f"{condition}."
    )
    return album.add(condition.stem("ranks"), caption, ranks.draw, diagrams)


def _figures(part: Results, condition: Condition, album: Album) -> list[Picture]:
    shown = [m for m in RANKED if m is IMP or part.denoise[m.name].notna().any()]
    pictures: list[Picture] = []
    fine = part.denoise[part.denoise["status"] == "ok"]
    imp = part.improvements("dataset").set_index(["dataset", "row"])["value"].unstack()
    panels = []
    for measure in (m for m in shown if m is not IMP):
        other = fine.groupby(["dataset", "row"])[measure.name].mean().unstack()
        x = other.median(skipna=False)
        y = imp.reindex(other.index).median(skipna=False)
        rows = [row for row in x.index.intersection(y.index) if np.isfinite([x[row], y[row]]).all()]
        if any(part.rows[row].ranked for row in rows):
            label = f"{measure.title}, {'lower' if measure.better == 'low' else 'higher'} is better"
            panels.append(
                trade_off.Panel(
                    label,
                    measure.better == "low",
                    measure.title.endswith("%"),
                    [
                        (*_look(part, row), part.rows[row].ranked, float(x[row]), float(y[row]))
                        for row in rows
                    ],
                )
            )
    if panels:
        caption = (
            "Imp% against how far the features moved; median over datasets of the methods that have them all; the "
            f"dashed line joins what no other ranked method beats in both; rings lie on a point beneath; {condition}."
        )
        pictures += album.add(condition.stem("pareto"), caption, trade_off.draw, panels)
    values = {}
    rows = part.present(part.denoise, part.headline)
    for measure in shown:
        if measure is IMP:
            long = part.improvements("dataset", "repetition")[["row", "value"]]
        else:
            long = fine[["row", measure.name]].rename(columns={measure.name: "value"})
        long = long.dropna()
        if len(long):
            values[measure.title] = [long.loc[long["row"] == row, "value"].to_numpy(float) for row in rows]
    if values:
        caption = (
            "Every dataset and repetition (dots; Imp% is their mean over regressors), median, quartiles; numbers at an "
            f"edge: how many lie beyond, and how far; {condition}."
        )
        looks = [_look(part, row)[:2] for row in rows]
        pictures += album.add(condition.stem("spread"), caption, spread.draw, looks, values)
    return pictures


def _look(part: Results, row: int) -> tuple[str, str, str]:
    method = part.rows[row].method
    return str(part.rows[row]), method.colour, method.marker
