"""The paper's figures beside ours, each with a verdict by a stated rule."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from experiments.base import paths
from experiments.base.errors import HarnessError
from experiments.report import measures
from experiments.report.methods import BY_NAME, PUBLISHED
from experiments.report.ranking import ranking
from experiments.report.results import PAPER_DATASETS, Condition, Results

RULE = (
    "Rule. Reproduced: ours lies within the stated tolerance of the published figure, or on the stated side of "
    "a published bound. Same order: it does not, but for a rank the published place holds (best, second, or in the "
    "better half and behind the method that the paper puts first); for an Imp% the error that is left (100 - Imp%) is "
    "within a factor of two; for SWD and rho ours is. Not reproduced: neither. Not comparable: the campaign lacks what "
    "the figure is about. Everything under the protocol paper. Ranks and means over datasets need at least five of the "
    "paper's ten datasets, figures over one kind of data three. A capped run is not the published one: see provenance."
)
LEAST_DATASETS = 5
LEAST_OF_A_KIND = 3


class PublishedInvalid(HarnessError):
    """The file of published figures cannot be used."""


class NotComparable(Exception):
    """The campaign lacks what a published figure is about; the message says what."""


@dataclass(frozen=True)
class Verdict:
    """One published figure and ours.

    Attributes
    ----------
    what, published : str
    ours : float
        NaN where not comparable.
    difference : float
        Ours less the published one; NaN for bounds.
    verdict : str
        ``reproduced``, ``same order``, ``not reproduced`` or ``not comparable``.
    reason : str
    """

    id: str
    what: str
    published: str
    ours: float
    difference: float
    verdict: str
    reason: str


def load_published(path: Path = paths.PUBLISHED) -> list[dict[str, Any]]:
    """The published figures.

    Raises
    ------
    PublishedInvalid
        If the file is missing or an entry lacks a field.
    """
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise PublishedInvalid(f"the published figures in {path} cannot be read: {error}") from error
    for entry in entries:
        lacking = {"id", "what", "kind", "method", "sigma"} - set(entry)
        if lacking or entry["kind"] not in _OURS:
            known = ", ".join(_OURS)
            raise PublishedInvalid(
                f"{path}: entry {entry} lacks {sorted(lacking)}, or its kind is none of {known}"
            )
    return list(entries)


def verdicts(everything: Results, published: Sequence[dict[str, Any]] | None = None) -> list[Verdict]:
    """Judge every published figure by the campaign's cells."""
    entries = load_published() if published is None else published
    parts = {sigma: _under_paper(everything, sigma) for sigma in {entry["sigma"] for entry in entries}}
    return [_judge(parts[entry["sigma"]], entry) for entry in entries]


def _under_paper(everything: Results, sigma: float) -> Results:
    return everything.under(Condition("gaussian" if sigma else "none", sigma, "paper"))


def _judge(part: Results, entry: dict[str, Any]) -> Verdict:
    shown = _shown(entry)
    try:
        _check_part(part, entry)
        ours, basis, holds = _OURS[entry["kind"]](part, entry)
    except NotComparable as error:
        return Verdict(entry["id"], entry["what"], shown, np.nan, np.nan, "not comparable", str(error))
    if "published" in entry:
        target, difference = entry["published"], ours - entry["published"]
        fits = abs(difference) <= entry["tolerance"]
        basis = f"tolerance {entry['tolerance']:g}; {basis}"
    else:
        bound = next(entry[key] for key in ("at_least", "at_most", "bound") if key in entry)
        target, difference = bound, np.nan
        fits = ours <= bound if "at_most" in entry else ours >= bound
    if holds is None:
        is_imp = entry.get("metric", "imp") == "imp"
        ratio = (100 - ours) / (100 - target) if is_imp else ours / target
        holds = 0.5 <= ratio <= 2
    elif entry["kind"] == "all_above":
        fits, holds = fits and holds, fits
    verdict = "reproduced" if fits else "same order" if holds else "not reproduced"
    return Verdict(
        entry["id"], entry["what"], shown, ours, difference, verdict, basis + "; capped run" * _capped(part)
    )


def _shown(entry: dict[str, Any]) -> str:
    if "published" in entry:
        return f"{entry['published']:g}"
    return (
        f"≤ {entry['at_most']:g}"
        if "at_most" in entry
        else f"≥ {entry.get('at_least', entry.get('bound')):g}"
    )


def _check_part(part: Results, entry: dict[str, Any]) -> None:
    if part.denoise.empty:
        raise NotComparable(f"no cells at sigma {entry['sigma']:g} under paper")
    if entry["method"] not in set(part.denoise.loc[part.denoise["status"] == "ok", "denoiser"]):
        raise NotComparable(f"no finished cells of {BY_NAME[entry['method']].title}")


def _rank(part: Results, entry: dict[str, Any]) -> tuple[float, str, bool | None]:
    found = ranking(part, measures.BY_NAME[entry["metric"]])
    ours = part.denoise.loc[part.denoise["dataset_name"].isin(PAPER_DATASETS), "dataset"].unique()
    ours = [dataset for dataset in found.block.index if dataset in ours]
    if found.missing:
        raise NotComparable(f"not in the campaign: {', '.join(method.title for method in found.missing)}")
    if len(ours) < LEAST_DATASETS:
        raise NotComparable(
            f"complete on {len(ours)} of the paper's ten datasets, {LEAST_DATASETS} are needed"
        )
    ranks = found.ranks
    own = float(ranks[entry["method"]])
    place = int((ranks < own - 1e-9).sum()) + 1
    order = entry["order"]
    if isinstance(order, dict):
        holds = float(ranks[order["behind"]]) < own and place <= len(ranks) // 2
    else:
        holds = place == {"best": 1, "second": 2}[order]
    with_regressors = f", regressors {', '.join(found.regressors)}" if found.regressors else ""
    best = ranks.sort_values(kind="stable")
    first = f"{BY_NAME[best.index[0]].title} {best.iloc[0]:.2f}"
    basis = f"place {place} of {len(ranks)} (best: {first}) over {len(ours)} datasets{with_regressors}"
    return own, basis, holds


def _scores(part: Results, entry: dict[str, Any]) -> pd.DataFrame:
    """Improvements of the entry's method, averaged over repetitions: dataset, kind, regressor, imp."""
    score = part.headline[part.headline["row"] == part.row_of(entry["method"])]
    score = score[score["dataset_name"].isin(PAPER_DATASETS)]
    if "data" in entry:
        score = score[score["kind"] == entry["data"]]
    if score.empty:
        raise NotComparable(f"no Imp% on {entry.get('data', 'any')} datasets of the paper")
    return (
        score.groupby(["dataset", "dataset_name", "regressor", "regressor_name"])["imp"].mean().reset_index()
    )


def _imp(part: Results, entry: dict[str, Any]) -> tuple[float, str, bool | None]:
    here = set(part.denoise["dataset_name"])
    if entry["dataset"] not in here:
        near = [name for name in sorted(here) if name.startswith(entry["dataset"])]
        other = f" ({', '.join(near)} is another set)" if near else ""
        raise NotComparable(f"{entry['dataset']} is not in the campaign{other}")
    score = _scores(part, entry)
    mine = score[score["dataset_name"] == entry["dataset"]]
    if mine.empty:
        raise NotComparable(f"no Imp% on {entry['dataset']}")
    return float(mine["imp"].mean()), f"regressors {', '.join(sorted(set(mine['regressor'])))}", None


def _mean(part: Results, entry: dict[str, Any]) -> tuple[float, str, bool | None]:
    if entry["metric"] == "imp":
        values = _scores(part, entry).groupby("dataset")["imp"].mean()
    else:
        of_method = part.denoise["row"] == part.row_of(entry["method"])
        mine = part.denoise[of_method & part.denoise["dataset_name"].isin(PAPER_DATASETS)]
        values = mine.groupby("dataset")[entry["metric"]].mean().dropna()
    _enough(len(values), LEAST_DATASETS)
    fulfilled = values <= entry["at_most"] if "at_most" in entry else values >= entry["at_least"]
    basis = f"{int(fulfilled.sum())} of {len(values)} datasets, from {values.min():.3g} to {values.max():.3g}"
    return float(values.mean()), basis, None


def _all_above(part: Results, entry: dict[str, Any]) -> tuple[float, str, bool | None]:
    lowest: dict[str, float] = {}
    wanted = set(entry["regressors"])
    used: set[str] = set()
    for method in part.published:
        try:
            score = _scores(part, {**entry, "method": method, "data": "series"})
        except NotComparable:
            continue
        score = score[score["regressor_name"].isin(wanted)]
        if score["dataset"].nunique() >= LEAST_OF_A_KIND:
            lowest[method] = float(score["imp"].min())
            used |= set(score["regressor"])
    if entry["method"] not in lowest:
        few = f"fewer than {LEAST_OF_A_KIND} series of the paper"
        raise NotComparable(f"{few} with one of the regressors {', '.join(sorted(wanted))}")
    above = [m for m in PUBLISHED if lowest.get(m.name, -np.inf) > entry["bound"]]
    others = [m.title for m in above if m.name != entry["method"]]
    basis = f"also above throughout: {', '.join(others) or 'nobody'}; regressors {', '.join(sorted(used))}"
    return lowest[entry["method"]], basis, not others


def _over_all(part: Results, entry: dict[str, Any]) -> tuple[float, str, bool | None]:
    score = _scores(part, entry)
    value = {"median": score["imp"].median, "lowest": score["imp"].min, "highest": score["imp"].max}[
        entry["kind"]
    ]()
    n = score["dataset"].nunique()
    _enough(n, LEAST_OF_A_KIND if "data" in entry else LEAST_DATASETS)
    regressors = ", ".join(sorted(set(score["regressor"])))
    basis = f"{len(score)} dataset x regressor pairs, {n} datasets, regressors {regressors}"
    return float(value), basis, None


_OURS = {
    "rank": _rank,
    "imp": _imp,
    "mean": _mean,
    "all_above": _all_above,
    "median": _over_all,
    "lowest": _over_all,
    "highest": _over_all,
}


def _capped(part: Results) -> bool:
    return any(json.loads(text) for text in part.denoise["caps"].dropna().unique())


def _enough(datasets: int, least: int) -> None:
    if datasets < least:
        raise NotComparable(f"on {datasets} of the paper's datasets, {least} are needed")
