"""What one noise, level and protocol gave: ranks, every metric by dataset, trade-offs, each dataset by itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from experiments.report import statistics
from experiments.report.album import Album
from experiments.report.figures import ranks, spread, trade_off
from experiments.report.forms.document import Content, Folded, Picture, Section
from experiments.report.forms.table import Table
from experiments.report.measures import IMP, OF_DATA, RANKED
from experiments.report.methods import BY_NAME
from experiments.report.ranking import Ranking, pairs_table, rank_table, rankings
from experiments.report.results import Condition, Results
from experiments.report.tables import (
    column_of,
    dataset_table,
    errors_table,
    method_table,
    numbers,
    setting_table,
)

HIGHLIGHT = "denograd_fixed"
"""The method that the study is about: bold in the diagrams of ranks."""


def protocol(part: Results, album: Album) -> Section:
    condition = part.conditions[0]
    found = rankings(part)
    by_dataset = [dataset_table(part, IMP, how) for how in ("mean", "median")]
    measured = [measure for measure in OF_DATA if part.denoise[measure.name].notna().any()]
    inline = [dataset_table(part, measure) for measure in measured if measure.inline]
    more = [dataset_table(part, measure) for measure in measured if not measure.inline]
    inline = [*by_dataset, *inline, *([variants(part)] if condition.protocol == "deployable" else [])]
    settings = [part.at(setting) for setting in part.settings]
    single = [table(one) for one in settings for table in (setting_table, errors_table)]
    pairs = [table for r in found if (table := pairs_table(r, condition))]
    parts: list[Content] = [rank_table(found, condition), *_rank_figure(found, condition, album)]
    parts += [table for table in inline if table.columns]
    parts += _figures(part, condition, album)
    for title, folded in (("By dataset", single), ("More metrics", more), ("Pairs of methods", pairs)):
        if shown := [table for table in folded if table.columns]:
            parts.append(Folded(title, shown))
    return Section(f"Protocol {condition.protocol}: {condition.level}", parts)


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
        if rows:
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
    rows = part.present(part.denoise)
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
