"""What the campaign holds, every method under every condition, and the two protocols beside each other."""

from __future__ import annotations

import pandas as pd

from experiments.report.album import Album
from experiments.report.forms.document import Section
from experiments.report.forms.table import Table
from experiments.report.measures import IMP, RECOVERY
from experiments.report.methods import BY_NAME
from experiments.report.results import Condition, Results
from experiments.report.tables import column_of, method_table, numbers


def summary(everything: Results, album: Album) -> Section:
    cells, denoise = everything.cells, everything.denoise
    states = cells["status"].value_counts()
    counted = ", ".join(
        f"{states[state]:,} {state}" for state in ("ok", "skipped", "failed", "timeout") if state in states
    )
    regressors = sorted(set(everything.score["regressor"].dropna()))
    sigmas = ", ".join(f"{sigma:g}" for sigma in sorted(denoise["sigma"].unique()))
    hours = cells["cell_s"].sum() / 3600
    text = (
        f"{len(cells):,} cells ({counted}): {denoise['dataset'].nunique()} datasets "
        f"({', '.join(sorted(denoise['dataset'].unique()))}), {denoise['row'].nunique()} methods, "
        f"{len(regressors)} regressors ({', '.join(regressors)}), sigma {sigmas}, "
        f"{int(denoise['repetition'].nunique())} repetitions at most; {hours:.2f} hours of computing. "
        "Identity and constant are controls: what doing nothing, and erasing everything, would score."
    )
    return Section("Summary", [text, overview(everything), *contrast(everything), *everything.notes])


def overview(everything: Results) -> Table:
    """Every method under every noise, level and protocol: medians over the datasets of Imp% and of recovery."""
    long, columns = [], []
    for measure in (IMP, RECOVERY):
        for condition in everything.conditions:
            part = everything.under(condition)
            if measure is IMP:
                found = part.improvements("dataset")[["dataset", "row", "value", "noisy", "meaningless"]]
            else:
                fine = part.denoise[part.denoise[measure.name].notna()]
                grouped = fine.groupby(["dataset", "row"])
                found = grouped.agg(
                    value=(measure.name, "mean"), meaningless=("meaningless", "max")
                ).reset_index()
                found["noisy"] = False
            over = found.groupby("row").agg(
                median=("value", "median"),
                size=("value", "size"),
                noisy=("noisy", "max"),
                meaningless=("meaningless", "max"),
            )
            if len(over):
                key = condition.stem(measure.name)
                columns.append((key, column_of(measure, f"{measure.title} {_short(condition)}")))
                over = over.reset_index()
                long.append(numbers(over, key, over["median"], over["size"]))
    return method_table(
        everything,
        long,
        columns,
        name="overview",
        caption="Medians over the datasets. Imp %: how much smaller the error of the regressors is, mean over them; "
        "recovery %: share of the injected squared error that was removed. Level of the noise in standard deviations",
        score=everything.score[everything.score["headline"]],
    )


def _short(condition: Condition) -> str:
    if condition.noise == "none":
        return f"{condition.protocol}, no noise"
    kind = "" if condition.noise == "gaussian" else f"{condition.noise} "
    return f"{condition.protocol}, {kind}{condition.sigma:g}"


def contrast(everything: Results) -> list[str]:
    """Sentences on ``paper`` against ``deployable``, as far as the cells allow them."""
    out = []
    for noise, sigma in dict.fromkeys((c.noise, c.sigma) for c in everything.conditions):
        paper, deployable = (
            _headlines(everything.under(Condition(noise, sigma, p))) for p in ("paper", "deployable")
        )
        both = paper.index.intersection(deployable.index)
        if not len(both):
            continue
        paper, deployable = paper.loc[both], deployable.loc[both]
        where = "without injected noise" if noise == "none" else f"at sigma {sigma:g} ({noise})"
        text = f"On the same {len(both)} dataset{'s' * (len(both) != 1)} {where}: "
        clauses = []
        for name in ("denograd_fixed", "kalman", "constant"):
            if all(name in side and side[name].notna().all() for side in (paper, deployable)):
                gained = int((deployable[name] > 0).sum())
                title = "the constant map" if name == "constant" else BY_NAME[name].title
                clauses.append(
                    f"{title} has a mean Imp% of {paper[name].mean():.1f} under paper and "
                    f"{deployable[name].mean():.1f} under deployable, where it gains on {gained} of {len(both)}"
                )
        if not clauses:
            continue
        text += "; ".join(clauses) + "."
        if "constant" in paper and (erased := paper["constant"].mean()) > 95:
            text += (
                f" A map that erases all information scores {erased:.1f} under paper, so an Imp% under paper says how "
                "predictable the denoised data are, not that anything true was learnt."
            )
        out.append(text)
    return out


def _headlines(part: Results) -> pd.DataFrame:
    """Imp% (mean over regressors and repetitions), datasets x names of methods."""
    rows = {row: name for name in part.methods if (row := part.row_of(name)) is not None}
    found = part.improvements("dataset")
    value = found[found["row"].isin(rows)].set_index(["dataset", "row"])["value"].unstack()
    return value.rename(columns=rows)
