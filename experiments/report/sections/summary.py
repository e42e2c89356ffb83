"""What the campaign holds, every method under every condition, and what can be said of it."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from experiments.report.analysis.findings import findings
from experiments.report.analysis.measures import IMP, RECOVERY
from experiments.report.analysis.results import Condition, Results
from experiments.report.analysis.tables import absent_regressors, column_of, method_table, numbers
from experiments.report.figures.album import Album
from experiments.report.forms.document import Section
from experiments.report.forms.table import Table, listed


def summary(everything: Results, album: Album) -> Section:
    cells, denoise = everything.cells, everything.denoise
    states = cells["status"].value_counts()
    counted = ", ".join(
        f"{states[state]:,} {state}" for state in ("ok", "skipped", "failed", "timeout") if state in states
    )
    datasets = everything.score["dataset"].unique() if denoise.empty else denoise["dataset"].unique()
    rows = everything.present()
    text = (
        f"{len(cells):,} cells ({counted}): {_number(len(datasets), 'dataset')} ({', '.join(sorted(datasets))}); "
        f"{_number(len(rows), 'method')}; regressors: {listed(everything.score['regressor'])}; sigma "
        f"{listed(cells['sigma'])}; {_number(int(cells['repetition'].nunique()), 'repetition')} at most; "
        f"{cells['cell_s'].sum() / 3600:.2f} hours of computing."
    )
    missing = lacking(everything)
    said = [*findings(everything), *absent_regressors(everything), *everything.notes]
    table = overview(everything)
    return Section("Summary", [text, *missing, *([table] if table.columns else []), *said])


def lacking(everything: Results) -> list[str]:
    """What a comparison needs and the campaign does not have."""
    said = []
    cells = everything.cells
    rows = [everything.rows[row] for row in everything.present()]
    if not any(row.ranked for row in rows):
        said.append("There are only controls here, and no method to compare with them.")
    finished = cells[(cells["status"] == "ok") & (cells["stage"] == "score")]
    if finished.empty:
        said.append("No regressor has a finished cell: there is no Imp% yet, only what happened to the data.")
    elif everything.headline.empty:
        said.append(
            "There is no Imp%: it compares with identity, of which no score is finished on the same regressor."
        )
    if not (cells["stage"] == "denoise").any():
        said.append(
            "There are no cells of the refined data here: no distances and no recovery, scores alone."
        )
    ranked = [row for row in everything.present() if everything.rows[row].ranked]
    counts = {}
    for condition in everything.conditions:
        scored = everything.under(condition).headline
        counts[_short(condition)] = scored.loc[scored["row"].isin(ranked), "dataset"].nunique()
    fewer = [f"{short}: {n}" for short, n in counts.items() if n < max(counts.values())]
    if fewer:
        said.append(
            f"Under some conditions there are methods on fewer than {max(counts.values())} datasets so far, so columns "
            f"do not compare: {', '.join(fewer)}."
        )
    return said


def overview(everything: Results) -> Table:
    """Every method under every noise, level and protocol: medians over the datasets of Imp% and of recovery."""
    long, columns = [], []
    of_column: dict[tuple[Condition, bool], list[str]] = {}
    spread: dict[str, pd.Series] = {}
    for measure in (IMP, RECOVERY):
        for condition in everything.conditions:
            found = _by_dataset(everything.under(condition), measure is IMP)
            over = found.groupby("row").agg(
                value=("value", "median"),
                n=("n", "sum"),
                noisy=("noisy", "max"),
                meaningless=("meaningless", "max"),
            )
            if len(over):
                key = condition.stem(measure.name)
                of_column.setdefault((condition, False), []).append(key)
                if measure is IMP:
                    of_column.setdefault((condition, True), []).append(key)
                spread[key] = _spread(everything.under(condition), measure is IMP)
                columns.append((key, column_of(measure, f"{measure.title} {_short(condition)}")))
                over = over.reset_index()
                long.append(numbers(over, key, over["value"], over["n"]))
    table = method_table(
        everything,
        long,
        columns,
        name="overview",
        caption=_caption(everything),
        score=everything.score[everything.score["headline"]],
        columns_of=lambda cell: of_column.get(
            (Condition(cell.noise, cell.sigma, cell.protocol), isinstance(cell.regressor, str)), ()
        ),
    )
    shown = everything.present(everything.denoise, everything.score[everything.score["headline"]])
    spreads = pd.DataFrame({key: spread[key].reindex(shown) for key, _ in columns}, index=shown)
    return replace(table, spread=spreads.set_axis(table.value.index))


def _caption(everything: Results) -> str:
    return (
        "Medians over the datasets, ± their standard deviation over repetitions, on the datasets that have all of a "
        "method's, where these are more than half. Imp %: how much smaller the squared error of the regressors is, "
        f"mean over those that take part ({everything.group() or 'none'}); recovery %: share of the injected squared "
        "error that was removed. A number of fewer datasets or regressors than others of its column says of how many, "
        "and takes no part in the marks. Level of the noise in standard deviations."
    )


def _by_dataset(part: Results, of_regressors: bool) -> pd.DataFrame:
    """Per dataset and row a value, how many regressors are behind it, and its tags."""
    if of_regressors:
        found = part.improvements("dataset")
        taking_part = part.headline[part.headline["takes_part"]]
        n = taking_part.groupby(["dataset", "row"])["regressor"].nunique().rename("regressors").reset_index()
        return found.merge(n, on=["dataset", "row"]).drop(columns="n").rename(columns={"regressors": "n"})
    fine = part.denoise[part.denoise[RECOVERY.name].notna()]
    grouped = fine.groupby(["dataset", "row"])
    found = grouped.agg(value=(RECOVERY.name, "mean"), meaningless=("meaningless", "max")).reset_index()
    return found.assign(noisy=False, n=1)


def _spread(part: Results, of_regressors: bool) -> pd.Series:
    """By row, the standard deviation over repetitions of the median over the datasets that have all of them.

    NaN where these are no more than half of the row's datasets.
    """
    if of_regressors:
        long = part.improvements("dataset", "repetition")
    else:
        long = part.denoise.loc[part.denoise["status"] == "ok", ["dataset", "repetition", "row"]]
        long = long.assign(value=part.denoise[RECOVERY.name]).dropna()
    spreads = {}
    for row, mine in long.groupby("row"):
        by_repetition = mine.pivot(index="dataset", columns="repetition", values="value")
        whole = by_repetition.dropna()
        spreads[row] = whole.median().std() if 2 * len(whole) > len(by_repetition) else float("nan")
    return pd.Series(spreads, dtype=float)


def _short(condition: Condition) -> str:
    if condition.noise == "none":
        return f"{condition.protocol}, no noise"
    kind = "" if condition.noise == "gaussian" else f"{condition.noise} "
    return f"{condition.protocol}, {kind}{condition.sigma:g}"


def _number(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"
