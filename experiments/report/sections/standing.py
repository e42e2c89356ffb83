"""Where methods stand among one another over all settings of a campaign: average ranks, and what is behind them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from experiments.report.analysis import statistics
from experiments.report.analysis.measures import IMP, RANKED, Measure
from experiments.report.analysis.methods import Row
from experiments.report.analysis.results import Results
from experiments.report.analysis.tables import dataset_table
from experiments.report.forms.document import Section
from experiments.report.forms.table import Column, Table, slug

OVER = ["dataset", "noise", "sigma"]
"""What makes a setting under one protocol."""


def standing(everything: Results) -> list[Table]:
    """A table of average ranks for each protocol, the protocol ``deployable`` first: nothing is won there by erasing.

    Ranked are the methods that have a number of every setting that any method has one of; controls are not.
    """
    protocols = sorted({condition.protocol for condition in everything.conditions})
    return [
        table for protocol in protocols if (table := _standing(everything.where(protocol=protocol), protocol))
    ]


def place(table: Table, name: str) -> Iterator[str]:
    """What a table of `standing` says of one method, in a sentence for each of its rows."""
    ranked = table.value.iloc[:, 0]
    protocol = table.name.rpartition("_")[2]
    for row in table.rows:
        if not isinstance(row, Row) or row.method.name != name:
            continue
        rank, won = ranked[row], table.value.iloc[:, -1][row]
        if not np.isfinite(rank):
            yield f"{row}, {protocol}: not ranked, since it lacks numbers of some settings"
            continue
        position = int((ranked < rank).sum()) + 1
        yield (
            f"{row}, {protocol}: {position} of {int(ranked.notna().sum())} by {IMP.title} (average rank {rank:.2f}); "
            f"better than no denoising in {won:.0f} % of the settings"
        )


def sections_of(everything: Results) -> list[Section]:
    """Every ranked measure by dataset, under every condition."""
    found = []
    for condition in everything.conditions:
        part = everything.under(condition)
        tables = [
            dataset_table(part, measure)
            for measure in RANKED
            if measure is IMP or part.denoise[measure.name].notna().any()
        ]
        found.append(Section(str(condition), list(tables)))
    return found


def _standing(part: Results, protocol: str) -> Table | None:
    ranked = [row for row in part.present(part.denoise) if part.rows[row].ranked]
    blocks = {measure: _block(part, measure, ranked) for measure in RANKED}
    blocks = {measure: block for measure, block in blocks.items() if block.size}
    if IMP not in blocks:
        return None
    value, columns = {}, []
    for measure, block in blocks.items():
        complete = block.loc[:, block.notna().all()]
        value[f"rank {measure.name}"] = statistics.ranks(complete, measure.better).mean()
        meaning = f"average rank by: {measure.meaning}"
        columns.append(Column(f"rank {measure.title}", "low", 2, meaning, 2))
    for measure in (m for m in RANKED if m in blocks and m.title.endswith("%")):
        value[measure.name] = blocks[measure].median()
        columns.append(
            Column(f"median {measure.title}", measure.better, measure.decimals, measure.meaning, 1)
        )
    value["won"] = 100 * (blocks[IMP] > 0).mean().where(blocks[IMP].notna().all())
    columns.append(Column("won %", "high", 0, f"share of the settings with {IMP.title} above 0", 1))
    frame = pd.DataFrame(value).reindex(ranked).sort_values(f"rank {IMP.name}", kind="stable")
    frame.index = pd.Index([part.rows[row] for row in frame.index], dtype=object)
    n = len(blocks[IMP])
    names = ", ".join(sorted(part.denoise["dataset"].unique()))
    return Table(
        name=slug("standing", protocol),
        caption=f"Protocol {protocol}: average ranks, 1 the best, over {n} settings ({names}; "
        f"{', '.join(sorted({c.level for c in part.conditions}))}).",
        columns=columns,
        value=frame,
        notes=part.notes,
    )


def _block(part: Results, measure: Measure, rows: list[int]) -> pd.DataFrame:
    """Settings x rows, repetitions and regressors averaged; settings that no method has a number of left out."""
    if measure is IMP:
        values = part.improvements(*OVER).set_index([*OVER, "row"])["value"]
    else:
        fine = part.denoise[part.denoise["status"] == "ok"]
        values = fine.groupby([*OVER, "row"])[measure.name].mean()
    block = values.unstack("row").reindex(columns=rows).astype(float)
    return block[block.notna().any(axis=1)]
