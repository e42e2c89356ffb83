"""Tables of methods: numbers of finished cells, averaged over repetitions, and why one is missing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from experiments.report.analysis.labelling import results_of
from experiments.report.analysis.measures import ERRORS, IMP, MEASURES, Measure
from experiments.report.analysis.results import Results
from experiments.report.forms.table import Column, Table, Tag, listed
from experiments.store.cell import Cell
from experiments.store.frame import frame

NOISY_TEST = Tag("N", "test features noisy: it has no form that refines a test row without target or future")
MEANINGLESS = Tag("R", "filters along the order of the rows, which in a table means nothing")

BASELINE = (
    "[B] without denoising the regressors are worse than the mean of the target: an improvement says little"
)

NUMBERS = ["row", "column", "repetition", "value", "n", "noisy", "meaningless"]


def run_tables(cells: Iterable[Cell]) -> list[Table]:
    """The table that ends a run: methods x metrics, one per dataset, noise, sigma and protocol.

    Columns: Imp% of each regressor, their mean and median, then the metrics of the data, seconds and memory.
    """
    everything = results_of(frame(cells))
    tables = []
    for setting in everything.settings:
        part = everything.at(setting)
        table = setting_table(part)
        tables.append(replace(table, notes=(*table.notes, *absent_regressors(part), *part.notes)))
    return tables


def error_tables(cells: Iterable[Cell]) -> list[Table]:
    """MSE, MAE and R2 of every fit, one table per dataset, noise, sigma and protocol."""
    everything = results_of(frame(cells))
    return [errors_table(everything.at(setting)) for setting in everything.settings]


def column_of(measure: Measure, title: str = "", weight: int = 0) -> Column:
    """How a measure is shown, under its own title or another."""
    return Column(title or measure.title, measure.better, measure.decimals, measure.meaning, weight)


# ------------------------------------------------------------------------------------------ one setting


def setting_table(part: Results) -> Table:
    """Methods x metrics of one setting."""
    dataset, condition = part.settings[0][0], part.conditions[0]
    scored = part.headline
    group = sorted(scored.loc[scored["takes_part"], "regressor"].unique())
    others = sorted(scored.loc[~scored["takes_part"], "regressor"].unique())
    long = [numbers(scored, scored["regressor"], scored["imp"])]
    columns = [(name, column_of(IMP, name)) for name in group]
    if len(group) > 1:
        long += [over_regressors(part, how, how) for how in ("mean", "median")]
        columns = [
            ("mean", column_of(IMP, weight=3)),
            ("median", column_of(IMP, "median", weight=1)),
            *columns,
        ]
    elif group:
        columns = [(group[0], column_of(IMP, f"{IMP.title} {group[0]}", weight=3))]
    columns += [(name, column_of(IMP, name)) for name in others]
    columns, warned = _with_baselines(columns, scored.groupby("regressor")["r2_before"].median())
    columns = [(key, replace(c, under=c.under + "; not in the mean" * (key in others))) for key, c in columns]
    for measure in MEASURES:
        if measure.of in ("data", "cost") and measure.short and part.denoise[measure.name].notna().any():
            long.append(numbers(part.denoise, measure.name, part.denoise[measure.name]))
            columns.append((measure.name, column_of(measure, measure.short, weight=2 * measure.ranked)))
    which = f"Imp %: mean and median over {part.group()}; then each one. " if len(group) > 1 else ""
    caption = f"{dataset}: {condition}. {which}{_conditions(part.denoise)}"
    name = condition.stem("run", dataset)
    score = part.score[part.score["headline"]]
    table = method_table(part, long, columns, name=name, caption=caption, score=score, notes=warned)
    return replace(table, title=f"{dataset}: all metrics")


def _with_baselines(
    columns: list[tuple[str, Column]], r2: pd.Series
) -> tuple[list[tuple[str, Column]], tuple[str, ...]]:
    """Columns of Imp% with the R2 without denoising under their titles, and what a negative one means."""
    found, negative = [], False
    for key, column in columns:
        if key in r2.index and np.isfinite(r2[key]):
            negative |= bool(r2[key] < 0)
            column = replace(column, under=f"R2 {r2[key]:.2f}" + " [B]" * bool(r2[key] < 0))
        found.append((key, column))
    notes = ("R2: of the regressors without denoising, the median over them",) * any(
        c.under for _, c in found
    )
    return found, (*notes, BASELINE) if negative else notes


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
    table = method_table(part, long, columns, name=name, caption=caption, score=score)
    return replace(table, title=f"{dataset}: errors of every regressor")


# ---------------------------------------------------------------------------------------- many datasets


def dataset_table(part: Results, measure: Measure, how: str = "mean", *, others: bool = False) -> Table:
    """Methods x datasets, and the mean and median over the datasets of the methods that have all of them.

    Parameters
    ----------
    part : Results
        Of one condition.
    measure : Measure
    how : {"mean", "median"}
        Over regressors, of Imp%.
    others : bool
        Of Imp%: over the regressors that take no part in the mean.
    """
    condition = part.conditions[0]
    datasets = sorted(part.denoise["dataset"].unique())
    columns = [(name, column_of(measure, name)) for name in datasets]
    notes: tuple[str, ...] = ()
    if measure is IMP:
        scored = part.headline[part.headline["takes_part"] != others]
        long, score = over_regressors(part, how, others=others), part.score[part.score["headline"]]
        columns, notes = _with_baselines(columns, scored.groupby("dataset")["r2_before"].median())
        names = f"other regressors that ran: {listed(scored['regressor'])}" if others else part.group()
        stem, meaning = f"{IMP.name}_{'others_' * others}{how}", f"{IMP.title}, {how} over {names}"
        columns = [(key, column) for key, column in columns if not others or key in set(scored["dataset"])]
    else:
        long = numbers(part.denoise, part.denoise["dataset"], part.denoise[measure.name])
        stem, score, meaning = measure.name, None, measure.meaning
    n = part.denoise["repetition"].nunique()
    caption = f"{meaning[0].upper()}{meaning[1:]}; {condition}; {n} repetition{'s' * (n != 1)} at most"
    name = condition.stem(stem)
    table = method_table(part, [long], columns, name=name, caption=caption, score=score, notes=notes)
    title = f"{measure.title}, {how} over {'other ' * others}regressors" if measure is IMP else measure.title
    table = replace(table, title=title)
    return _with_averages(table, column_of(measure)) if len(columns) > 1 else table


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


def over_regressors(
    part: Results, how: str, column: str | None = None, *, others: bool = False
) -> pd.DataFrame:
    """Mean or median over the regressors, per dataset (or in one column), row and repetition."""
    found = part.improvements("dataset", "repetition", how=how, others=others)
    return numbers(found, found["dataset"] if column is None else column, found["value"], found["n"])


def method_table(
    part: Results,
    long: Sequence[pd.DataFrame],
    columns: Sequence[tuple[str, Column]],
    *,
    name: str,
    caption: str,
    score: pd.DataFrame | None = None,
    notes: tuple[str, ...] = (),
    columns_of: Callable[[Any], Sequence[str]] | None = None,
) -> Table:
    """Average numbers over repetitions and say why one is missing.

    Rows: every method that refined data, and those that only have scores where these are shown.

    Parameters
    ----------
    part : Results
    long : sequence of DataFrame
        Of `numbers`.
    columns : sequence of (key, Column)
    name, caption : str
    score : DataFrame, optional
        The scores behind the numbers.
    notes : tuple of str
    columns_of : callable, optional
        The keys of the columns in which a cell would stand; by default its dataset, its regressor, or all.
    """
    keys = [key for key, _ in columns]
    shown = part.present(part.denoise, *([] if score is None else [score]))
    rows = [part.rows[row] for row in shown]
    everything = pd.concat([table for table in long if len(table)] or [pd.DataFrame(columns=NUMBERS)])
    value, spread, count = _grid(everything, shown, keys)
    for grid in (value, spread, count):
        grid.index = pd.Index(rows, dtype=object)
    of_rows = dict.fromkeys(note for row in rows for note in row.notes)
    table = Table(
        name=name,
        caption=caption,
        columns=[column for _, column in columns],
        value=value,
        spread=spread,
        count=count,
        expected=count * 0 + count.max(axis=0),
        controls=frozenset(row for row in rows if not row.ranked),
        tags=_tags(everything, part, keys),
        notes=(*notes, *of_rows),
    )
    why = _reasons(part.denoise, score, keys, columns_of)
    return replace(table, why=_explained(table, why, part, shown))


def _grid(
    long: pd.DataFrame, rows: Sequence[int], keys: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Mean and spread over repetitions, and how many numbers; an undefined number makes its mean undefined."""
    row, column = (pd.Index(axis).get_indexer(long[name]) for axis, name in ((rows, "row"), (keys, "column")))
    repetitions, repetition = np.unique(long["repetition"].to_numpy(float), return_inverse=True)
    known = (row >= 0) & (column >= 0)
    shape = len(rows), len(keys), len(repetitions)
    at = np.ravel_multi_index((row[known], column[known], repetition[known]), shape)

    def total(weights: Any) -> np.ndarray:
        weights = np.broadcast_to(np.asarray(weights, dtype=float), known.shape)[known]
        return np.bincount(at, weights, minlength=np.prod(shape, dtype=int)).reshape(shape)

    present, n = total(1.0), total(long["n"]).sum(axis=-1)
    there = (present > 0).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total(long["value"]) / present
        value = np.where(present > 0, mean, 0).sum(axis=-1) / there
        off = np.where(present > 0, (mean - value[..., None]) ** 2, 0).sum(axis=-1)
        spread = np.where(there > 1, np.sqrt(off / (there - 1)), np.nan)
    frames = [pd.DataFrame(grid, index=list(rows), columns=list(keys)) for grid in (value, spread, n)]
    return frames[0], frames[1], frames[2]


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


_TOLD = ["dataset", "noise", "sigma", "protocol", "row", "regressor", "status", "reason"]


def _reasons(
    denoise: pd.DataFrame,
    score: pd.DataFrame | None,
    keys: Sequence[str],
    columns_of: Callable[[Any], Sequence[str]] | None,
) -> dict[tuple[int, int], str]:
    """Footnotes of numbers that are missing because a cell was skipped or failed.

    A regressor that gives nobody a number is no gap of a method: `absent_regressors` says so once.
    """
    why: dict[tuple[int, int], str] = {}
    position = {key: i for i, key in enumerate(keys)}
    for cell in denoise.loc[denoise["status"] != "ok", _TOLD].itertuples():
        where = [cell.dataset] if cell.dataset in position else keys
        for key in columns_of(cell) if columns_of else where:
            why.setdefault((cell.row, position.get(key, -1)), f"{cell.status}: {last_line(cell.reason)}")
    if score is not None:
        place = [score[axis] for axis in ("dataset", "noise", "sigma", "protocol", "regressor")]
        others_have_it = (score["status"] == "ok").groupby(place).transform("max")
        for cell in score.loc[(score["status"] != "ok") & others_have_it, _TOLD].itertuples():
            where = [cell.regressor, cell.dataset, *(f"{cell.regressor} {m.name}" for m in ERRORS)]
            for key in columns_of(cell) if columns_of else where:
                reason = f"{cell.regressor} {cell.status}: {last_line(cell.reason)}"
                why.setdefault((cell.row, position.get(key, -1)), reason)
    return why


def _explained(
    table: Table, why: dict[tuple[int, int], str], part: Results, shown: Sequence[int]
) -> dict[tuple[Any, int], str]:
    """Of the reasons those that explain a gap, and one for every number that is not defined."""
    found: dict[tuple[Any, int], str] = {}
    for row in shown:
        for i in range(len(table.columns)):
            at = part.rows[row], i
            value, undefined = table.at("value", *at), table.at("count", *at) > 0
            if not np.isfinite(value) or table.incomplete(*at):
                if reason := why.get((row, i)):
                    found[at] = f"no number: {reason}"
                elif not np.isfinite(value) and undefined:
                    found[at] = "no number: it is not defined, as the correlation of a constant"
    return found


def absent_regressors(part: Results) -> list[str]:
    """Regressors that gave no number at all, and why."""
    score = part.score
    succeeded = set(score.loc[score["status"] == "ok", "regressor"])
    absent = score[~score["regressor"].isin(succeeded)].drop_duplicates("regressor")
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
