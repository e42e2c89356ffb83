"""The tables of a run and of a campaign, each built from cells alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from experiments.report.render import Column, Table, slug, write
from experiments.report.results import CONTROLS, NAMES, SETTING, Results, results
from experiments.store.cell import Cell
from experiments.store.frame import frame

__all__ = ["campaign_tables", "frame", "results", "run_tables", "write"]

DATA_METRICS = {
    "swd": Column("SWD", "low"),
    "rho_bar": Column("rho", "high"),
    "rho_pooled": Column("rho pooled", "high"),
    "rho_matrix": Column("rho matrix", "high"),
    "kl": Column("KL", "low"),
    "recovery": Column("recovery %", "high", 1),
    "recovery_X": Column("recovery X %", "high", 1),
    "recovery_y": Column("recovery y %", "high", 1),
    "swd_clean": Column("SWD to clean", "low"),
    "auroc": Column("AUROC", "high"),
    "average_precision": Column("average precision", "high"),
    "seconds": Column("seconds", "", 2),
    "peak_mb": Column("MB", "", 0),
}
"""Metrics of the denoise cells, with their titles, directions and decimals."""

RUN_METRICS = {
    "swd": "SWD",
    "rho_bar": "rho",
    "rho_pooled": "pooled",
    "rho_matrix": "matrix",
    "recovery": "recovery",
    "auroc": "AUROC",
    "average_precision": "AP",
    "seconds": "seconds",
    "peak_mb": "MB",
}
"""Those in the table of a run, with shorter titles."""

MEANING = {
    "swd": "sliced Wasserstein distance between the features before and after",
    "rho_bar": "mean over features of Pearson's r before against after",
    "rho_pooled": "Pearson's r over all entries before against after",
    "rho_matrix": "Pearson's r between the features' correlation matrices before and after",
    "kl": "mean over features of KL between histograms before and after, in nats",
    "recovery": "share of the injected squared error that was removed, features and target, in percent",
    "recovery_X": "share of the injected squared error that was removed, features, in percent",
    "recovery_y": "share of the injected squared error that was removed, target, in percent",
    "swd_clean": "sliced Wasserstein distance between the clean and the denoised features",
    "auroc": "how well the rows that were hit by noise are found, area under the ROC curve",
    "average_precision": "how well the rows that were hit by noise are found, average precision",
    "seconds": "seconds to fit and denoise, the backbone's training not counted",
    "peak_mb": "peak memory of fit and denoise above what was in use, in MB",
}
IMP = Column("Imp %", "high", 1)
ERRORS = {"mse": Column("MSE", "low", 4), "mae": Column("MAE", "low", 4), "r2": Column("R2", "high")}
NOISY_TEST = "[N] test features noisy: it has no form that refines a test row without target or future"
BY_AGRA = "AGRA: networks trained on the rows as they are, leaving out samples that contradict the rest"
MEANINGLESS = "[R] runs along the order of the rows, which in a table means nothing"


def run_tables(cells: Iterable[Cell]) -> list[Table]:
    """The table that ends a run: methods x metrics, one per dataset, noise, sigma and protocol.

    Columns: Imp% of each regressor, their mean and median, then the metrics of the data, seconds and memory.
    """
    return setting_tables(results(frame(cells)))


def setting_tables(everything: Results) -> list[Table]:
    """Methods x metrics, one table per dataset, noise, sigma and protocol."""
    return [_setting_table(_Part(_pick(everything, setting))) for setting in everything.settings]


def error_tables(cells: Iterable[Cell]) -> list[Table]:
    """MSE, MAE and R2 of every fit, one table per dataset, noise, sigma and protocol."""
    everything = results(frame(cells))
    return [_errors(_Part(_pick(everything, setting))) for setting in everything.settings]


def campaign_tables(everything: Results) -> list[Table]:
    """All tables of a report but those of ranks and statistics.

    Per noise, sigma and protocol: Imp% (mean and median over regressors) and every metric by dataset, the
    variants of the test features, and, per dataset, Imp% by regressor and the errors.
    """
    tables = []
    for noise, sigma, protocol in groups(everything):
        cells = everything.where(noise=noise, sigma=sigma, protocol=protocol)
        part = _Part(cells)
        tables += [_by_dataset(part, "imp", how) for how in ("mean", "median")]
        present = [m for m in DATA_METRICS if m in part.measured and part.measured[m].notna().any()]
        tables += [_by_dataset(part, metric, "mean") for metric in present]
        if protocol == "deployable":
            tables.append(_variants(part))
        for setting in cells.settings:
            one = _Part(_pick(cells, setting))
            tables += [_setting_table(one), _errors(one)]
    return [table for table in tables if table.columns]


def overview(everything: Results) -> Table:
    """Every method under every noise, level and protocol: medians over the datasets of Imp% and of recovery."""
    numbers, columns = [], []
    for metric, column in (("imp", IMP), ("recovery", DATA_METRICS["recovery"])):
        for noise, sigma, protocol in sorted(groups(everything), key=lambda g: (g[2] != "paper", g[1], g[0])):
            part = _Part(everything.where(noise=noise, sigma=sigma, protocol=protocol))
            if metric == "imp":
                scored = part.headline[part.headline["imp"].notna()]
                found = scored.groupby(["dataset", "method"])["imp"].mean()
            elif metric in part.measured:
                found = part.measured.groupby(["dataset", "method"])[metric].mean().dropna()
            else:
                continue
            over = found.groupby("method").agg(["median", "size"]).reset_index()
            if len(over):
                key = f"{metric} {noise} {sigma:g} {protocol}"
                level = (
                    "no noise"
                    if noise == "none"
                    else f"{sigma:g}"
                    if noise == "gaussian"
                    else f"{noise} {sigma:g}"
                )
                columns.append((key, replace(column, title=f"{column.title} {protocol}, {level}")))
                over = over.assign(status="ok", repetition=0)
                numbers.append(_numbers(over, key, over["median"], over["size"]))
    part = _Part(everything)
    return _table(
        part,
        numbers,
        columns,
        name="overview",
        caption="Medians over the datasets. Imp %: how much smaller the error of the regressors is, mean over them; "
        "recovery %: share of the injected squared error that was removed. Level of the noise in standard deviations",
        score=part.headline,
    )


def groups(everything: Results) -> list[tuple[str, float, str]]:
    """The distinct (noise, sigma, protocol): what is never averaged over."""
    return sorted({(noise, sigma, protocol) for _, noise, sigma, protocol in everything.settings})


def name_of(what: str, noise: str, sigma: float, protocol: str, *more: str) -> str:
    """The stem of a table's or figure's files."""
    return slug(what, protocol, *([] if noise == "none" else [noise]), f"{sigma:g}", *more)


def describe(noise: str, sigma: float, protocol: str) -> str:
    injected = "no noise injected" if noise == "none" else f"{noise} noise, sigma {sigma:g}"
    return f"{injected}, protocol {protocol}"


@dataclass(frozen=True)
class _Part:
    """Cells that are compared with each other, and what all of their tables share."""

    cells: Results

    @cached_property
    def first(self) -> tuple[str, str, float, str]:
        return self.cells.settings[0]

    @cached_property
    def headline(self) -> pd.DataFrame:
        return self.cells.score[self.cells.score["headline"]]

    @cached_property
    def measured(self) -> pd.DataFrame:
        denoise = self.cells.denoise
        return denoise.assign(seconds=denoise["fit_s"] + denoise["denoise_s"])

    def methods(self, scored: bool) -> list[str]:
        """Rows: every method that refined data, and those that only have scores where these are shown."""
        return ordered(self.cells.denoise, *([self.cells.score] if scored else []))

    @cached_property
    def controls(self) -> set[str]:
        return {
            m
            for table in (self.cells.denoise, self.cells.score)
            for m in table.loc[table["control"], "method"]
        }

    @cached_property
    def senseless(self) -> set[str]:
        return set(self.cells.denoise.loc[self.cells.denoise["meaningless"], "method"])

    @cached_property
    def noisy_test(self) -> set[str]:
        """Methods whose headline has noisy test features: what is normal under no protocol but this."""
        mine = (self.headline["variant"] == "noisy") & (self.headline["protocol"] == "deployable")
        return set(self.headline.loc[mine, "method"])

    def labels(self, scored: bool) -> tuple[dict[str, str], list[str]]:
        """Row labels with the tags that a reader must see, and what the tags mean."""
        noisy = self.noisy_test if scored else set()
        labels = {m: m + " [N]" * (m in noisy) + " [R]" * (m in self.senseless) for m in self.methods(scored)}
        by_agra = any(m.endswith(NAMES["agra"]) for m in labels)
        tags = {NOISY_TEST: bool(noisy), MEANINGLESS: bool(self.senseless), BY_AGRA: by_agra}
        return labels, [tag for tag, applies in tags.items() if applies]


# ------------------------------------------------------------------------------------------ one setting


def _setting_table(part: _Part) -> Table:
    dataset, noise, sigma, protocol = part.first
    score = part.headline
    improved = score[score["imp"].notna()]
    regressors = sorted(improved["regressor"].unique())
    long = [_numbers(improved, improved["regressor"], improved["imp"])]
    columns = [(name, replace(IMP, title=name)) for name in regressors]
    if len(regressors) > 1:
        long += [_over_regressors(score, how, how) for how in ("mean", "median")]
        columns = [("mean", IMP), ("median", replace(IMP, title="median")), *columns]
    elif regressors:
        columns = [(regressors[0], replace(IMP, title=f"Imp % {regressors[0]}"))]
    denoise = part.measured
    for metric, title in RUN_METRICS.items():
        if metric in denoise and denoise[metric].notna().any():
            long.append(_numbers(denoise, metric, denoise[metric]))
            columns.append((metric, replace(DATA_METRICS[metric], title=title)))
    which = "Imp %: mean over the regressors, then their median and each one. " if len(regressors) > 1 else ""
    return _table(
        part,
        long,
        columns,
        name=name_of("run", noise, sigma, protocol, dataset),
        caption=f"{dataset}: {describe(noise, sigma, protocol)}. {which}{_conditions(part.cells.denoise)}",
        score=score,
    )


def _errors(part: _Part) -> Table:
    dataset, noise, sigma, protocol = part.first
    score = part.headline
    regressors = sorted(score.loc[score["status"] == "ok", "regressor"].unique())
    columns = [
        (f"{regressor} {metric}", replace(column, title=f"{regressor} {column.title}"))
        for regressor in regressors
        for metric, column in ERRORS.items()
    ]
    long = [_numbers(score, score["regressor"] + f" {metric}", score[metric]) for metric in ERRORS]
    return _table(
        part,
        long,
        columns,
        name=name_of("errors", noise, sigma, protocol, dataset),
        caption=f"{dataset}: errors in standard deviations of the target; {describe(noise, sigma, protocol)}. "
        + _conditions(part.cells.denoise),
        score=score,
    )


# ---------------------------------------------------------------------------------------- many datasets


def _by_dataset(part: _Part, metric: str, how: str) -> Table:
    """Methods x datasets, and the mean and median over the datasets of the methods that have all of them."""
    _, noise, sigma, protocol = part.first
    datasets = sorted(part.cells.denoise["dataset"].unique())
    if metric == "imp":
        long = _over_regressors(part.headline, how)
        column, title, meaning = IMP, f"imp_{how}", f"Imp %, {how} over regressors"
    else:
        long = _numbers(part.measured, part.measured["dataset"], part.measured[metric])
        column, title, meaning = DATA_METRICS[metric], metric, MEANING[metric]
    columns = [(name, replace(column, title=name)) for name in datasets]
    table = _table(
        part,
        [long],
        columns,
        name=name_of(title, noise, sigma, protocol),
        caption=f"{meaning}; {describe(noise, sigma, protocol)}",
        score=part.headline if metric == "imp" else None,
    )
    if len(datasets) < 2:
        return table
    assert table.spread is not None
    assert table.count is not None
    assert table.expected is not None
    complete = (table.count >= table.expected) & (table.expected > 0)
    over = table.value.where(complete.all(axis=1), axis=0)
    add = {"mean": over.mean(axis=1, skipna=False), "median": over.median(axis=1, skipna=False)}
    n, whole = (dict.fromkeys(add, counted) for counted in (complete.sum(axis=1), len(datasets)))
    return replace(
        table,
        columns=[*table.columns, *(replace(column, title=how) for how in add)],
        value=table.value.assign(**add),
        spread=table.spread.assign(**dict.fromkeys(add, np.nan)),
        count=table.count.assign(**n),
        expected=table.expected.assign(**whole),
    )


def _variants(part: _Part) -> Table:
    """What each form of the test features would score: Imp%, mean over regressors and datasets."""
    _, noise, sigma, protocol = part.first
    score = part.cells.score[part.cells.score["imp"].notna()]
    present = [variant for variant in ("clean", "noisy", "denoised") if (score["variant"] == variant).any()]
    return _table(
        part,
        [_numbers(score, score["variant"], score["imp"])],
        [(variant, replace(IMP, title=f"{variant} test features")) for variant in present],
        name=name_of("variants", noise, sigma, protocol),
        caption="Imp % by form of the test features, mean over datasets and regressors, always against noisy train "
        f"and noisy test; {describe(noise, sigma, protocol)}",
    )


def model_seconds(everything: Results) -> Table:
    """Seconds to fit each regressor, and to train each backbone, by dataset: mean over all that was fitted."""
    score, denoise = everything.score, everything.denoise
    trained = denoise[denoise["backbone"].notna()]
    fits = [
        score.assign(model=score["regressor"], seconds=score["fit_s"]),
        trained.assign(
            model="backbone " + trained["backbone"].astype(str), seconds=trained.get("backbone_s", np.nan)
        ),
    ]
    cells = pd.concat([part.loc[part["status"] == "ok", ["dataset", "model", "seconds"]] for part in fits])
    value = cells.groupby(["model", "dataset"])["seconds"].mean().unstack()
    models = sorted(value.index, key=lambda model: (model.startswith("backbone "), model))
    return Table(
        name="seconds_models",
        caption="Seconds to fit a regressor, or to train the backbone that drives DenoGrad (once for all denoisers "
        "that share it); mean over methods, noises, protocols and repetitions",
        columns=[Column(str(dataset), "", 2) for dataset in value.columns],
        value=value.reindex(models),
        corner="model",
    )


# ------------------------------------------------------------------------------------------------ parts


def _table(
    part: _Part,
    numbers: Sequence[_Numbers],
    columns: Sequence[tuple[str, Column]],
    *,
    name: str,
    caption: str,
    score: pd.DataFrame | None = None,
) -> Table:
    """Average numbers  over repetitions and say why one is missing."""
    keys = [key for key, _ in columns]
    value, spread, count = _grid(numbers, part.methods(score is not None), keys)
    expected = count * 0 + count.max(axis=0)
    why = _reasons(part.cells.denoise, score, keys)
    labels, tags = part.labels(scored=score is not None)
    notes = [*part.cells.notes, *tags, *_skipped_everywhere(score)]
    return Table(
        name=name,
        caption=caption,
        columns=[column for _, column in columns],
        value=value.rename(index=labels),
        spread=spread.rename(index=labels),
        count=count.rename(index=labels),
        expected=expected.rename(index=labels),
        controls=frozenset(labels[m] for m in part.controls if m in labels),
        why={(labels[m], i): reason for (m, i), reason in why.items() if m in labels},
        notes=tuple(notes),
    )


class _Numbers(NamedTuple):
    """Numbers of finished cells, one entry each."""

    method: np.ndarray
    column: np.ndarray
    repetition: np.ndarray
    value: np.ndarray
    n: np.ndarray


def _numbers(cells: pd.DataFrame, column: Any, value: Any, n: Any = 1) -> _Numbers:
    fine = (cells["status"] == "ok").to_numpy(bool)
    spread = (np.broadcast_to(np.asarray(axis), fine.shape)[fine] for axis in (column, value, n))
    method, repetition = (cells[axis].to_numpy()[fine] for axis in ("method", "repetition"))
    return _Numbers(method, next(spread), repetition, next(spread), next(spread))


def _grid(
    numbers: Sequence[_Numbers], methods: Sequence[str], keys: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Mean and spread over repetitions, and how many numbers; an undefined number makes its mean undefined."""
    numbers = [*numbers, _Numbers(*[np.empty(0)] * 5)]
    rows, columns, repetitions, values, counts = (np.concatenate(axis) for axis in zip(*numbers, strict=True))
    names, repetition = np.unique(repetitions.astype(float), return_inverse=True)
    row, column = pd.Index(methods).get_indexer(rows), pd.Index(keys).get_indexer(columns)
    known = (row >= 0) & (column >= 0)
    shape = len(methods), len(keys), len(names)
    at = np.ravel_multi_index((row[known], column[known], repetition[known]), shape)

    def total(weights: np.ndarray) -> np.ndarray:
        return np.bincount(at, weights[known].astype(float), minlength=np.prod(shape, dtype=int)).reshape(
            shape
        )

    present, n = total(np.ones(len(rows))), total(counts).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total(values) / present
        there = (present > 0).sum(axis=-1)
        value = np.where(present > 0, mean, 0).sum(axis=-1) / there
        off = np.where(present > 0, (mean - value[..., None]) ** 2, 0).sum(axis=-1)
        spread = np.sqrt(off / (there - 1))
    spread[there < 2] = np.nan
    frames = [
        pd.DataFrame(numbers, index=list(methods), columns=list(keys)) for numbers in (value, spread, n)
    ]
    return frames[0], frames[1], frames[2]


def _over_regressors(score: pd.DataFrame, how: str, column: str | None = None) -> _Numbers:
    """Mean or median over the regressors, per dataset (or in one column), method and repetition."""
    grouped = score[score["imp"].notna()].groupby(["dataset", "method", "repetition"], sort=False)["imp"]
    found = grouped.agg(value=how, n="size").reset_index().assign(status="ok")
    return _numbers(found, column or found["dataset"], found["value"], found["n"])


def ordered(*tables: pd.DataFrame) -> list[str]:
    """Methods in the order of `NAMES`, others after them, controls last."""
    rank = {name: i for i, name in enumerate([*NAMES, None, *CONTROLS])}
    pairs = pd.concat([table[["denoiser", "method"]] for table in tables]).drop_duplicates()
    found = sorted(
        pairs.itertuples(index=False, name=None), key=lambda pair: (rank.get(pair[0], rank[None]), pair[1])
    )
    return [method for _, method in found]


_WHY = ["dataset", "method", "regressor", "status", "reason"]


def _reasons(
    denoise: pd.DataFrame, score: pd.DataFrame | None, keys: Sequence[str]
) -> dict[tuple[str, int], str]:
    """Footnotes of numbers that are missing because a cell was skipped or failed."""
    why: dict[tuple[str, int], str] = {}
    position = {key: i for i, key in enumerate(keys)}
    for cell in denoise.loc[denoise["status"] != "ok", _WHY].itertuples():
        reason = f"{cell.status}: {last_line(cell.reason)}"
        where = [position[cell.dataset]] if cell.dataset in position else range(len(keys))
        why |= {(cell.method, i): reason for i in where}
    if score is not None:
        for cell in score.loc[score["status"] != "ok", _WHY].itertuples():
            reason = f"{cell.regressor} {cell.status}: {last_line(cell.reason)}"
            for key in (cell.regressor, cell.dataset, *(f"{cell.regressor} {metric}" for metric in ERRORS)):
                if key in position:
                    why.setdefault((cell.method, position[key]), reason)
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
    first = denoise.iloc[0]
    parts = [f"{first['kind']}, {first['rows']:,.0f} rows"]
    for profile, caps in denoise[["profile", "caps"]].drop_duplicates().itertuples(index=False, name=None):
        limits = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in json.loads(caps or "{}").items())
        parts.append(f"profile {profile}" + (f" (caps: {limits})" if limits else ""))
    n = denoise["repetition"].nunique()
    return "; ".join(parts) + f"; {n} repetition{'s' * (n != 1)}"


def _pick(everything: Results, setting: tuple[str, str, float, str]) -> Results:
    return everything.where(**dict(zip(SETTING, setting, strict=True)))
