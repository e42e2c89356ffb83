"""Tables of methods: numbers of finished cells, averaged over repetitions, and why one is missing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from experiments.report.forms.table import Column, Table, Tag
from experiments.report.measures import ERRORS, IMP, MEASURES, Measure
from experiments.report.results import Results, results
from experiments.store.cell import Cell
from experiments.store.frame import frame

NOISY_TEST = Tag("N", "test features noisy: it has no form that refines a test row without target or future")
MEANINGLESS = Tag("R", "runs along the order of the rows, which in a table means nothing")

NUMBERS = ["row", "column", "repetition", "value", "n", "noisy", "meaningless"]


def run_tables(cells: Iterable[Cell]) -> list[Table]:
    """The table that ends a run: methods x metrics, one per dataset, noise, sigma and protocol.

    Columns: Imp% of each regressor, their mean and median, then the metrics of the data, seconds and memory.
    """
    everything = results(frame(cells))
    return [setting_table(everything.at(setting)) for setting in everything.settings]


def error_tables(cells: Iterable[Cell]) -> list[Table]:
    """MSE, MAE and R2 of every fit, one table per dataset, noise, sigma and protocol."""
    everything = results(frame(cells))
    return [errors_table(everything.at(setting)) for setting in everything.settings]


def column_of(measure: Measure, title: str = "", weight: int = 0) -> Column:
    """How a measure is shown, under its own title or another."""
    return Column(title or measure.title, measure.better, measure.decimals, measure.meaning, weight)


# ------------------------------------------------------------------------------------------ one setting


def setting_table(part: Results) -> Table:
    """Methods x metrics of one setting."""
    dataset, condition = part.settings[0][0], part.conditions[0]
    score = part.score[part.score["headline"]]
    regressors = sorted(part.headline["regressor"].unique())
    long = [numbers(part.headline, part.headline["regressor"], part.headline["imp"])]
    columns = [(name, column_of(IMP, name)) for name in regressors]
    if len(regressors) > 1:
        long += [over_regressors(part, how, how) for how in ("mean", "median")]
        columns = [
            ("mean", column_of(IMP, weight=3)),
            ("median", column_of(IMP, "median", weight=1)),
            *columns,
        ]
    elif regressors:
        columns = [(regressors[0], column_of(IMP, f"{IMP.title} {regressors[0]}", weight=3))]
    for measure in MEASURES:
        if measure.of in ("data", "cost") and measure.short and part.denoise[measure.name].notna().any():
            long.append(numbers(part.denoise, measure.name, part.denoise[measure.name]))
            columns.append((measure.name, column_of(measure, measure.short, weight=2 * measure.ranked)))
    which = "Imp %: mean over the regressors, then their median and each one. " if len(regressors) > 1 else ""
    caption = f"{dataset}: {condition}. {which}{_conditions(part.denoise)}"
    return method_table(
        part, long, columns, name=condition.stem("run", dataset), caption=caption, score=score
    )


def errors_table(part: Results) -> Table:
    """Errors of every regressor of one setting."""
    dataset, condition = part.settings[0][0], part.conditions[0]
    score = part.score[part.score["headline"]]
    regressors = sorted(score.loc[score["status"] == "ok", "regressor"].unique())
    columns = [
        (f"{regressor} {measure.name}", column_of(measure, f"{regressor} {measure.title}"))
        for regressor in regressors
        for measure in ERRORS
    ]
    long = [numbers(score, score["regressor"] + f" {m.name}", score[m.name]) for m in ERRORS]
    caption = (
        f"{dataset}: errors in standard deviations of the target; {condition}. {_conditions(part.denoise)}"
    )
    name = condition.stem("errors", dataset)
    return method_table(part, long, columns, name=name, caption=caption, score=score)


# ---------------------------------------------------------------------------------------- many datasets


def dataset_table(part: Results, measure: Measure, how: str = "mean") -> Table:
    """Methods x datasets, and the mean and median over the datasets of the methods that have all of them."""
    condition = part.conditions[0]
    datasets = sorted(part.denoise["dataset"].unique())
    if measure is IMP:
        long, stem, score = (
            over_regressors(part, how),
            f"{IMP.name}_{how}",
            part.score[part.score["headline"]],
        )
        meaning = f"{IMP.title}, {how} over regressors"
    else:
        long = numbers(part.denoise, part.denoise["dataset"], part.denoise[measure.name])
        stem, score, meaning = measure.name, None, measure.meaning
    columns = [(name, column_of(measure, name)) for name in datasets]
    caption = f"{meaning}; {condition}"
    table = method_table(part, [long], columns, name=condition.stem(stem), caption=caption, score=score)
    return _with_averages(table, column_of(measure)) if len(datasets) > 1 else table


def _with_averages(table: Table, column: Column) -> Table:
    """The table with mean and median over its columns, of the rows that have them all."""
    assert table.spread is not None
    assert table.count is not None
    assert table.expected is not None
    complete = (table.count >= table.expected) & (table.expected > 0)
    over = table.value.where(complete.all(axis=1), axis=0)
    add = {"mean": over.mean(axis=1, skipna=False), "median": over.median(axis=1, skipna=False)}
    n, whole = (dict.fromkeys(add, counted) for counted in (complete.sum(axis=1), len(table.columns)))
    return replace(
        table,
        columns=[*table.columns, *(replace(column, title=how) for how in add)],
        value=table.value.assign(**add),
        spread=table.spread.assign(**dict.fromkeys(add, np.nan)),
        count=table.count.assign(**n),
        expected=table.expected.assign(**whole),
    )


# ------------------------------------------------------------------------------------------------ parts


def numbers(cells: pd.DataFrame, column: Any, value: Any, n: Any = 1) -> pd.DataFrame:
    """Numbers of finished cells, one row each (`NUMBERS`); `column` says in which column of the table they stand."""
    flags = {flag: cells.get(flag, False) for flag in ("noisy", "meaningless")}
    long = pd.DataFrame(
        {
            "row": cells["row"],
            "column": column,
            "repetition": cells.get("repetition", 0),
            "value": value,
            "n": n,
        }
        | flags,
        index=cells.index,
    )
    return long[cells["status"] == "ok"] if "status" in cells else long


def over_regressors(part: Results, how: str, column: str | None = None) -> pd.DataFrame:
    """Mean or median over the regressors, per dataset (or in one column), row and repetition."""
    found = part.improvements("dataset", "repetition", how=how)
    return numbers(found, found["dataset"] if column is None else column, found["value"], found["n"])


def method_table(
    part: Results,
    long: Sequence[pd.DataFrame],
    columns: Sequence[tuple[str, Column]],
    *,
    name: str,
    caption: str,
    score: pd.DataFrame | None = None,
) -> Table:
    """Average numbers over repetitions and say why one is missing.

    Rows: every method that refined data, and those that only have scores where these are shown.
    """
    keys = [key for key, _ in columns]
    shown = part.present(part.denoise, *([] if score is None else [score]))
    rows = [part.rows[row] for row in shown]
    everything = pd.concat([table for table in long if len(table)] or [pd.DataFrame(columns=NUMBERS)])
    value, spread, count = _grid(everything, shown, keys)
    for grid in (value, spread, count):
        grid.index = pd.Index(rows, dtype=object)
    why = _reasons(part.denoise, score, keys)
    notes = dict.fromkeys(note for row in rows for note in row.notes)
    return Table(
        name=name,
        caption=caption,
        columns=[column for _, column in columns],
        value=value,
        spread=spread,
        count=count,
        expected=count * 0 + count.max(axis=0),
        controls=frozenset(row for row in rows if not row.ranked),
        tags=_tags(everything, part, keys),
        why={(part.rows[row], i): reason for (row, i), reason in why.items() if row in shown},
        notes=(*part.notes, *notes, *_skipped_everywhere(score)),
    )


def _grid(
    long: pd.DataFrame, rows: Sequence[int], keys: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Mean and spread over repetitions, and how many numbers; an undefined number makes its mean undefined."""
    known = long[long["row"].isin(rows) & long["column"].isin(keys)]
    repeated = known.groupby(["row", "column", "repetition"], sort=False)
    per_repetition = pd.DataFrame({"value": repeated["value"].mean(skipna=False), "n": repeated["n"].sum()})
    over = per_repetition.groupby(["row", "column"], sort=False)
    mean, spread = over["value"].mean(skipna=False), over["value"].std(ddof=1, skipna=False)
    frames = [part.unstack().reindex(index=list(rows), columns=list(keys)) for part in (mean, spread)]
    count = over["n"].sum().unstack().reindex(index=list(rows), columns=list(keys)).fillna(0.0)
    return frames[0].astype(float), frames[1].astype(float), count.astype(float)


def _tags(long: pd.DataFrame, part: Results, keys: Sequence[str]) -> dict[tuple[Any, int], tuple[Tag, ...]]:
    """Tags of the numbers; of an average, those that any of its parts has."""
    position = {key: i for i, key in enumerate(keys)}
    found: dict[tuple[Any, int], tuple[Tag, ...]] = {}
    for flag, tag in (("noisy", NOISY_TEST), ("meaningless", MEANINGLESS)):
        marked = long.loc[long[flag].astype(bool), ["row", "column"]].drop_duplicates()
        for row, key in marked.itertuples(index=False, name=None):
            if key in position:
                at = part.rows[row], position[key]
                found[at] = (*found.get(at, ()), tag)
    return found


_WHY = ["dataset", "row", "regressor", "status", "reason"]


def _reasons(
    denoise: pd.DataFrame, score: pd.DataFrame | None, keys: Sequence[str]
) -> dict[tuple[int, int], str]:
    """Footnotes of numbers that are missing because a cell was skipped or failed."""
    why: dict[tuple[int, int], str] = {}
    position = {key: i for i, key in enumerate(keys)}
    for cell in denoise.loc[denoise["status"] != "ok", _WHY].itertuples():
        reason = f"{cell.status}: {last_line(cell.reason)}"
        where = [position[cell.dataset]] if cell.dataset in position else range(len(keys))
        why |= {(cell.row, i): reason for i in where}
    if score is not None:
        for cell in score.loc[score["status"] != "ok", _WHY].itertuples():
            reason = f"{cell.regressor} {cell.status}: {last_line(cell.reason)}"
            for key in (cell.regressor, cell.dataset, *(f"{cell.regressor} {m.name}" for m in ERRORS)):
                if key in position:
                    why.setdefault((cell.row, position[key]), reason)
    return why


def _skipped_everywhere(score: pd.DataFrame | None) -> list[str]:
    if score is None:
        return []
    succeeded = set(score.loc[score["status"] == "ok", "regressor"])
    absent = score.loc[~score["regressor"].isin(succeeded), _WHY].drop_duplicates("regressor")
    return [
        f"Without {cell.regressor}: {cell.status}: {last_line(cell.reason)}" for cell in absent.itertuples()
    ]


def last_line(reason: str | None) -> str:
    """The line of a traceback that says what happened."""
    lines = [line.strip() for line in (reason or "").splitlines() if line.strip()]
    return lines[-1] if lines else "no reason was recorded"


def _conditions(denoise: pd.DataFrame) -> str:
    """Rows, profile, caps and repetitions behind a table."""
    if denoise.empty:
        return ""
    first = denoise.iloc[0]
    parts = [f"{first['kind']}, {first['rows']:,.0f} rows"]
    for profile, caps in denoise[["profile", "caps"]].drop_duplicates().itertuples(index=False, name=None):
        limits = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in json.loads(caps or "{}").items())
        parts.append(f"profile {profile}" + (f" (caps: {limits})" if limits else ""))
    n = denoise["repetition"].nunique()
    return "; ".join(parts) + f"; {n} repetition{'s' * (n != 1)}"
