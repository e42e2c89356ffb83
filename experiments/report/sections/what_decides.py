"""Which published figures are reached under which settings and backbones of the published rule? Which were chosen?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from experiments.report.analysis import published
from experiments.report.analysis.chosen import chosen_targets
from experiments.report.analysis.measures import IMP
from experiments.report.analysis.methods import Row
from experiments.report.analysis.results import NOUNS, Condition, Results
from experiments.report.analysis.tables import column_of
from experiments.report.analysis.verdicts import FAMILY, verdicts
from experiments.report.figures.album import Album
from experiments.report.forms.document import Content, Section
from experiments.report.forms.table import Column, Table

MATCHED = {"lstm": "lstm", "xlstm": "xlstm", "cnn_lstm": "cnn_lstm", "dlinear": "dlinear", "mlp": "dnn"}
"""Backbone to the regressor of its kind."""

MATCHED_TEXT = "backbone of each regressor's own kind"
HIGH = 90.0


@dataclass(frozen=True)
class Case:
    """A row of the table: a dataset, and a setting of the rule."""

    dataset: str
    row: Row

    def __str__(self) -> str:
        return f"{self.dataset}: {self.row}"


def what_decides(everything: Results, album: Album) -> Section:
    parts: list[Content] = []
    for condition in everything.conditions:
        if condition.protocol == "paper":
            part = everything.under(condition)
            for kind in NOUNS:
                table = settings_table(part, condition, kind)
                if table is not None:
                    parts += [*_reached(table), table]
    if parts:
        parts[:0] = [*_appearing(everything)]
    if (chosen := chosen_targets(everything)) is not None:
        parts.append(chosen)
    return Section("What decides", parts)


def settings_table(part: Results, condition: Condition, kind: str) -> Table | None:
    """Imp% of every published regressor by dataset, setting and backbone; None for a single setting."""
    scored = part.headline[part.headline["published"] & (part.headline["kind"] == kind)]
    family = {row for row in part.present() if part.rows[row].method.name in FAMILY}
    scored = scored[scored["row"].isin(family)]
    if scored["row"].nunique() < 2:
        return None
    place = {row: i for i, row in enumerate(part.rows)}
    cells = pd.concat([_cases(scored, part), _matched(scored, part)])
    order = sorted(
        cells["case"].unique(), key=lambda case: (case.dataset, place.get(case.row, len(place)), str(case))
    )
    number = {case: i for i, case in enumerate(order)}
    regressors = [name for name in published.load().regressors[kind] if name in set(cells["regressor_name"])]
    of = (
        cells.assign(case=cells["case"].map(number))
        .groupby(["case", "regressor_name", "repetition"])["imp"]
        .mean()
    )
    seeds = of.groupby(["case", "regressor_name"])
    value, spread = (found.unstack().reindex(columns=regressors) for found in (seeds.mean(), seeds.std()))
    for grid in (value, spread):
        grid.index = pd.Index(order, dtype=object)
    ran = value.notna().sum(axis=1)
    most = ran.groupby([case.dataset for case in order]).transform("max")
    whole = ran > 2
    largest = (value.sub(value.median(axis=1), axis=0)).abs().fillna(-1).to_numpy().argmax(axis=1)
    apart = np.arange(len(regressors)) == largest[:, None]
    extra = {
        "mean": value.mean(axis=1),
        "without the largest part": value.mask(apart).mean(axis=1).where(whole),
    }
    columns = [replace(column_of(IMP, name), better="") for name in regressors]
    alone = "mean without the regressor that lies furthest from the median"
    columns += [Column("mean", "", 1, IMP.meaning), Column("without the largest part", "", 1, alone)]
    return Table(
        name=condition.stem(f"what_decides_{NOUNS[kind]}"),
        caption=f"Imp % of the published regressors of {NOUNS[kind]} under several settings and backbones of the "
        f"published rule; {condition}. The largest part of a mean: the regressor furthest from their median. A mean "
        "over fewer regressors than others of its dataset says of how many; ± is the spread over seeds.",
        columns=columns,
        value=value.assign(**extra),
        spread=spread.assign(**dict.fromkeys(extra, np.nan)),
        count=(value * np.nan).assign(**dict.fromkeys(extra, ran)),
        expected=(value * np.nan).assign(**dict.fromkeys(extra, most)),
        corner="dataset and settings",
    )


def _cases(scored: pd.DataFrame, part: Results) -> pd.DataFrame:
    case = [
        Case(dataset, part.rows[row]) for dataset, row in zip(scored["dataset"], scored["row"], strict=True)
    ]
    return scored.assign(case=case)


def _matched(scored: pd.DataFrame, part: Results) -> pd.DataFrame:
    """Each regressor with the backbone of its own kind, where there are several backbones."""
    several = scored.groupby(["dataset", "denoiser"])["backbone"].transform("nunique") > 1
    own = scored[several & (scored["backbone"].map(MATCHED) == scored["regressor_name"])]
    case = [
        Case(dataset, Row(part.methods[name], MATCHED_TEXT))
        for dataset, name in zip(own["dataset"], own["denoiser"], strict=True)
    ]
    return own.assign(case=case)


def _reached(table: Table) -> Iterator[str]:
    """Where values above 90 occur, and under which settings all of a dataset's do."""
    values = table.value[[column.title for column in table.columns[:-2]]]
    above = values > HIGH
    if not above.any(axis=None):
        yield f"No Imp% above {HIGH:g} under any of these settings."
        return
    counts: dict[str, int] = {}
    for case, n in above.sum(axis=1).items():
        counts[case.dataset] = counts.get(case.dataset, 0) + int(n)
    by_dataset = ", ".join(f"{dataset} {n}" for dataset, n in counts.items() if n)
    whole = [case for case in values.index if (values.loc[case].dropna() > HIGH).all()]
    always = "; ".join(map(str, whole)) or "under no setting"
    yield (
        f"Imp% above {HIGH:g} in {int(above.sum(axis=None))} of {int(values.notna().sum(axis=None))} numbers "
        f"({by_dataset}); with every regressor that ran: {always}."
    )


def _appearing(everything: Results) -> Iterator[str]:
    """What became of the published figures whose settings are not public."""
    private = {f["id"] for f in published.load().figures if not f.get("settings_public", True)}
    for verdict in verdicts(everything):
        if verdict.id in private and verdict.ours is not None:
            yield f"{verdict.what}, published {verdict.published}: {verdict.verdict} ({verdict.reason})."
