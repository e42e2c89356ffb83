"""From stored cells to `Results`: datasets, methods and regressors labelled, doubles dropped, improvements computed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from experiments.report.analysis import published
from experiments.report.analysis.labels import USUAL, details
from experiments.report.analysis.measures import MEASURES
from experiments.report.analysis.methods import METHODS, TRAINERS, Row, methods_of
from experiments.report.analysis.results import CONDITION, PAPER_DATASETS, SETTING, Results

TIMINGS = ("fit_s", "denoise_s", "backbone_s")
METRICS = {measure.name for measure in MEASURES} | set(TIMINGS)
HASHED = [
    *SETTING[:1],
    "noise",
    "protocol",
    "kind",
    "denoiser",
    "regressor",
    "regressor_name",
    "variant",
    "status",
]
USED = [
    *(
        "key",
        "stage",
        "reason",
        "rows",
        "fewer_rows",
        "sigma",
        "repetition",
        "row",
        "meaningless",
        "profile",
        "caps",
    ),
    *("dataset_name", "denoiser_params", "backbone", "regressor_setting", *HASHED),
]


def results_of(cells: pd.DataFrame) -> Results:
    """Label datasets, noises, methods and regressors, drop doubles, and compute the improvements.

    A regressor that a method trains (``agra_NAME``) becomes the regressor NAME in a row of that method, on the rows of
    `identity`, or "trained by it" on those of another: so it is compared with plain NAME.

    What tells apart several settings of one method, of its backbone or of a regressor stands beside the name, in rows
    of their own (`labels.details`).

    ``imp`` compares with `identity` on the same setting, repetition and regressor: with its ``denoised`` variant under
    the ``paper`` protocol, with its ``noisy`` one (noisy train, noisy test) under ``deployable``. It is NaN where
    identity has no finished cell. The headline of a method is its ``denoised`` variant, or, if it has none,
    the ``noisy`` one.

    Parameters
    ----------
    cells : DataFrame
        Of `store.frame.frame`.

    Returns
    -------
    results : Results
        Of the cells with the most rows of each dataset; those with fewer are ``results.fewer``.
    """
    stored, cells = cells, cells.copy()
    for name in (*(measure.name for measure in MEASURES), *TIMINGS):
        if name not in cells:
            cells[name] = np.nan
    cells["seconds"] = cells["fit_s"] + cells["denoise_s"]
    cells["fewer_rows"] = cells["rows"] < cells.groupby("dataset")["rows"].transform("max")
    for name in ("dataset", "noise", "regressor"):
        cells[f"{name}_name"] = cells[name]
    cells["dataset_settings"] = _dataset_settings(cells["more"])
    cells["dataset"] = _labelled(
        cells, "dataset", ["kind", "window", "target", "dataset_settings", "dataset_sha256"]
    )
    fewer = cells["fewer_rows"]
    cells.loc[fewer, "dataset"] += cells.loc[fewer, "rows"].map(" ({:,.0f} rows)".format)
    cells["noise"] = _labelled(cells, "noise", ["noise_params"], within=["sigma"])
    cells["detail"] = _method_details(cells)
    cells = _regressor_settings_apart(cells)
    cells = _trainers_as_methods(cells)
    cells, rows = _with_rows(cells)
    along_rows = cells["denoiser"].isin([method.name for method in METHODS if method.sequential])
    said = cells["info"].str.contains('"meaningless"', regex=False).astype(bool)
    cells["meaningless"] = said | (along_rows & (cells["kind"] == "tabular"))
    cells, notes = _latest(cells)
    cells = cells[[*USED, *(c for c in cells if c in METRICS)]]
    cells = cells.astype(dict.fromkeys(HASHED, object))  # grouped by again and again
    denoise = cells[cells["stage"] == "denoise"].reset_index(drop=True)
    score = _improved(_with_meaning(cells[cells["stage"] == "score"].reset_index(drop=True), denoise))
    score = _with_group(score)
    everything = Results(stored, denoise, score, rows, notes)
    part, rest = (everything.where(fewer_rows=value) for value in (False, True))
    return replace(part, fewer=rest)


def _dataset_settings(more: pd.Series[str]) -> pd.Series[str]:
    """How a user's table became a dataset, where it was not by default: JSON of what a spec has of it."""
    known = {text: json.dumps(json.loads(text or "{}").get("dataset_settings", {})) for text in more.unique()}
    return more.map(known)


def _labelled(
    cells: pd.DataFrame, name: str, columns: Sequence[str], within: Sequence[str] = ()
) -> pd.Series[Any]:
    """The name, and in parentheses what tells it apart."""
    detail = details(cells, name, columns, within)
    return cells[name].astype(object).where(detail == "", cells[name].astype(object) + " (" + detail + ")")


def _method_details(cells: pd.DataFrame) -> pd.Series[str]:
    """What tells apart the settings and backbones of a denoiser; the usual backbone goes without saying."""
    usual = cells["kind"].map(published.load().backbones)
    cells = cells.assign(**{USUAL: cells["backbone"].where(cells["backbone"] != usual)})
    own = details(cells, "denoiser", ["settings", "denoiser_params", USUAL], within=SETTING)
    driven = cells[cells["backbone"].notna()]
    nets = details(driven, "denoiser", ["backbone_params"], within=[*SETTING, "backbone"])
    return _joined(own, nets.reindex(cells.index, fill_value=""))


def _joined(first: pd.Series[str], second: pd.Series[str]) -> pd.Series[str]:
    both = (first != "") & (second != "")
    return first + np.where(both, ", ", "") + second


def _regressor_settings_apart(cells: pd.DataFrame) -> pd.DataFrame:
    """Rows of their own for several settings of one regressor: they are never averaged.

    What they share (other regressors, the refined data) stands in each of these rows.
    """
    within = ["dataset", "protocol", "noise", "sigma"]
    setting = details(cells, "regressor", ["regressor_params"], within=within)
    cells = cells.assign(regressor_setting=setting)
    several = setting != ""
    if not several.any():
        return cells
    variants = cells.loc[several, [*within, "regressor_setting"]].drop_duplicates()
    shared = cells[~several].drop(columns="regressor_setting").merge(variants, on=within, how="left")
    apart = pd.concat([cells[several], shared.fillna({"regressor_setting": ""})], ignore_index=True)
    named = "regressors: " + apart["regressor_setting"].astype(object)
    named = named.where(apart["regressor_setting"] != "", "")
    return apart.assign(detail=_joined(apart["detail"], named))


def _trainers_as_methods(cells: pd.DataFrame) -> pd.DataFrame:
    """Regressors that a method trains: the method becomes the row's, the regressor gets its plain name."""
    cells["trained_by"] = ""
    for trainer in TRAINERS:
        mine = cells["regressor_name"].str.startswith(trainer.trains, na=False).astype(bool)
        for column in ("regressor", "regressor_name"):
            cells[column] = cells[column].where(~mine, cells[column].str.removeprefix(trainer.trains))
        alone = mine & (cells["denoiser"] == "identity")
        cells["denoiser"] = cells["denoiser"].where(~alone, trainer.name)
        cells["trained_by"] = cells["trained_by"].where(~mine | alone, trainer.name)
    return cells


def _with_rows(cells: pd.DataFrame) -> tuple[pd.DataFrame, tuple[Row, ...]]:
    """Number the rows: by method, plain before trained otherwise, then by detail."""
    parts = ["denoiser", "trained_by", "detail"]
    methods = methods_of([*cells["denoiser"].unique(), *(t.name for t in TRAINERS)])
    order = {name: i for i, name in enumerate(methods)}
    found = sorted(
        cells[parts].drop_duplicates().itertuples(index=False, name=None), key=lambda p: (order[p[0]], *p[1:])
    )
    number = {part: i for i, part in enumerate(found)}
    cells["row"] = [number[part] for part in cells[parts].itertuples(index=False, name=None)]
    rows = tuple(Row(methods[name], detail, methods.get(by)) for name, by, detail in found)
    return cells.drop(columns=["trained_by", "detail"]), rows


def _latest(cells: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """One cell of each place: what was computed again with other versions counts once."""
    axes = [*SETTING, "repetition", "row", "regressor", "variant", "stage"]
    cells = cells.sort_values(["started", "key"], na_position="first", kind="stable")
    doubled = cells.duplicated(axes, keep="last")
    notes: tuple[str, ...] = ()
    if doubled.any():
        n = int(doubled.sum())
        notes = (f"{n} cells were computed again with other versions of the components; the latest count",)
    cells = cells[~doubled].sort_values(axes, kind="stable").reset_index(drop=True)
    return cells, notes


def _with_meaning(score: pd.DataFrame, denoise: pd.DataFrame) -> pd.DataFrame:
    """Scores with the mask ``meaningless`` of the data they were computed on."""
    on = [*SETTING, "repetition", "row"]
    flags = denoise.loc[denoise["meaningless"], on].drop_duplicates().assign(meaningless=True)
    score = score.drop(columns="meaningless").merge(flags, on=on, how="left")
    return score.assign(meaningless=score["meaningless"].notna())


def _improved(score: pd.DataFrame) -> pd.DataFrame:
    on = [*SETTING, "repetition", "regressor", "regressor_setting"]
    reference = np.where(score["protocol"] == "paper", "denoised", "noisy")
    is_before = (
        (score["denoiser"] == "identity") & (score["variant"] == reference) & (score["status"] == "ok")
    )
    before = score.loc[is_before, [*on, "mse", "r2"]].drop_duplicates(on)
    score = score.merge(before.rename(columns={"mse": "mse_before", "r2": "r2_before"}), on=on, how="left")
    positive = score["mse_before"].where(score["mse_before"] > 0)
    score["imp"] = (100 * (positive - score["mse"]) / positive).where(score["status"] == "ok")
    place = [score[axis] for axis in (*SETTING, "row")]
    has_denoised = (score["variant"] == "denoised").groupby(place).transform("max")
    score["headline"] = score["variant"] == np.where(has_denoised, "denoised", "noisy")
    score["noisy"] = score["headline"] & (score["variant"] == "noisy") & (score["protocol"] == "deployable")
    return score


def _with_group(score: pd.DataFrame) -> pd.DataFrame:
    """Which regressors take part in a mean: the one place that decides.

    Under the paper's protocol, whose means stand beside published ones, the published regressors of each kind of data.
    All that ran under ``deployable``, and where a condition has a number of none of the published ones, or no
    dataset of the paper, as with the user's own data.
    """
    group = published.load().regressors
    names = pd.Series(
        list(zip(score["kind"], score["regressor_name"], strict=True)), index=score.index, dtype=object
    )
    of_group = names.isin([(kind, name) for kind, members in group.items() for name in members])
    numbers = of_group & (score["protocol"] == "paper") & score["headline"] & score["imp"].notna()
    place = [score[axis] for axis in (*CONDITION, "kind")]
    beside_the_paper = numbers & score["dataset_name"].isin(PAPER_DATASETS).groupby(place).transform("max")
    narrowed = beside_the_paper.groupby(place).transform("max").astype(bool)
    return score.assign(published=of_group, takes_part=of_group | ~narrowed)
