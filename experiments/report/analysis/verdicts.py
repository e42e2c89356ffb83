"""The paper's figures compared with ours, each with a verdict by a stated rule."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from experiments.report.analysis import measures, published
from experiments.report.analysis.methods import BY_NAME, PUBLISHED
from experiments.report.analysis.ranking import ranking
from experiments.report.analysis.results import PAPER_DATASETS, Condition, Results
from experiments.report.forms.table import listed, number_text

LEAST_DATASETS, LEAST_OF_A_KIND = 5, 3
"""Datasets of the paper that a mean or rank over all, or over one kind of them, needs."""

LEAST_SEEDS = 3
LEAST_SETTINGS = 4
"""Settings and backbones that must have failed before a figure is called not reproducible from what is public."""

SPREADS = 2.0
"""Standard deviations over seeds within which a difference is undecided."""

FAMILY = ("denograd_fixed", "denograd_released")
"""The published rule, under several settings."""

VERDICTS = {
    "reproduced": "ours lies within the stated tolerance of the published figure, or on the stated side of its bound",
    "same order": "it does not, but for a rank the published place holds (best, second, or in the better half and "
    "behind the method that the paper puts first); for an Imp% the error that is left (100 - Imp%) is within a factor "
    "of two; for SWD and rho ours is",
    "undecided": "neither, but the difference is within the critical difference (ranks), or within two standard "
    f"deviations over seeds, or there are fewer than {LEAST_SEEDS} seeds to tell the spread",
    "not reproduced": "none of these",
    "not reproducible from what is public": "none of these, the settings behind the figure were not published, and "
    f"none of the settings and backbones in the campaign, at least {LEAST_SETTINGS}, gives it",
    "not comparable": "the campaign lacks what the figure is about",
}
"""Every verdict and its rule, in words; they are tried in the order of `_verdict`."""


class NotComparable(Exception):
    """The campaign lacks what a published figure is about; the message says what."""


@dataclass(frozen=True)
class Ours:
    """Our number for a published figure.

    Attributes
    ----------
    value : float
    basis : str
        What it is over.
    by_seed : tuple of float
        The same, seed by seed.
    order_holds : bool or None
        For what has an order; None lets the factor of two decide.
    margin : float or None
        What is undecided whatever the seeds say: the critical difference of ranks.
    largest : str
        The largest single part of a mean, and the mean without it.
    fits : bool
        False where more is claimed than a bound and that does not hold.
    """

    value: float
    basis: str
    by_seed: tuple[float, ...] = ()
    order_holds: bool | None = None
    margin: float | None = None
    largest: str = ""
    fits: bool = True

    @property
    def spread(self) -> float:
        """Standard deviation over seeds; NaN for fewer than two."""
        return float(np.std(self.by_seed, ddof=1)) if len(self.by_seed) > 1 else np.nan


@dataclass(frozen=True)
class Verdict:
    """One published figure and ours.

    Attributes
    ----------
    id, what, published : str
    ours : Ours or None
        None where not comparable.
    difference : float
        Ours less the published figure or bound; NaN where not comparable.
    verdict : str
        One of `VERDICTS`.
    settings, reason : str
    """

    id: str
    what: str
    published: str
    ours: Ours | None
    difference: float
    verdict: str
    settings: str
    reason: str


def verdicts(everything: Results, figures: Sequence[dict[str, Any]] | None = None) -> list[Verdict]:
    """Judge every published figure (those of the file, or the given ones) by the campaign's cells."""
    if figures is not None:
        return _all_judged(everything, figures)
    return everything.remembered("verdicts", lambda: _all_judged(everything, published.load().figures))


def _all_judged(everything: Results, entries: Sequence[dict[str, Any]]) -> list[Verdict]:
    parts = {sigma: _under_paper(everything, sigma) for sigma in {entry["sigma"] for entry in entries}}
    return [_judged(parts[entry["sigma"]], entry) for entry in entries]


def _under_paper(everything: Results, sigma: float) -> Results:
    return everything.under(Condition("gaussian" if sigma else "none", sigma, "paper"))


def _judged(part: Results, entry: dict[str, Any]) -> Verdict:
    shown = _shown(entry)
    try:
        row = _row(part, entry)
        ours = _OURS[entry["kind"]](part, entry, row)
    except NotComparable as error:
        return Verdict(entry["id"], entry["what"], shown, None, np.nan, "not comparable", "", str(error))
    others = _elsewhere(part, entry, row)
    verdict, why = _verdict(entry, ours, others)
    capped = any(json.loads(text) for text in part.denoise["caps"].dropna().unique())
    reason = "; ".join(text for text in (why, ours.basis, "capped run" * capped) if text)
    difference = ours.value - _target(entry)
    return Verdict(
        entry["id"],
        entry["what"],
        shown,
        ours,
        difference,
        verdict,
        settings_of(_about(part, entry), row),
        reason,
    )


def _verdict(entry: dict[str, Any], ours: Ours, elsewhere: dict[str, float]) -> tuple[str, str]:
    """The verdict and what it rests on, by the rules of `VERDICTS`."""
    if _fits(entry, ours.value) and ours.fits:
        tolerance = f"tolerance {entry['tolerance']:g}" if "tolerance" in entry else ""
        return "reproduced", tolerance
    if _same_order(entry, ours):
        return "same order", ""
    off = abs(ours.value - _target(entry))
    if ours.margin is not None and off <= ours.margin:
        return "undecided", f"within the critical difference {ours.margin:.2f}"
    if len(ours.by_seed) >= LEAST_SEEDS and off <= SPREADS * ours.spread:
        return (
            "undecided",
            f"within two standard deviations ({ours.spread:.3g}) over {len(ours.by_seed)} seeds",
        )
    if ours.margin is None and len(ours.by_seed) < LEAST_SEEDS:
        n = len(ours.by_seed)
        return "undecided", f"{n} seed{'s' * (n != 1)}: {LEAST_SEEDS} are needed to tell the spread"
    reached = [name for name, value in elsewhere.items() if _fits(entry, value)]
    if reached:
        return "not reproduced", f"with these settings; reached with {', '.join(reached)}"
    if not entry.get("settings_public", True) and len(elsewhere) + 1 >= LEAST_SETTINGS:
        nearest = min(elsewhere, key=lambda name: abs(elsewhere[name] - _target(entry)))
        tried = (
            f"{len(elsewhere) + 1} settings and backbones tried, nearest {elsewhere[nearest]:.1f} ({nearest})"
        )
        return "not reproducible from what is public", tried
    return "not reproduced", ""


def _target(entry: dict[str, Any]) -> float:
    return float(next(entry[key] for key in ("published", "at_least", "at_most", "bound") if key in entry))


def _fits(entry: dict[str, Any], value: float) -> bool:
    if "published" in entry:
        return bool(abs(value - entry["published"]) <= entry["tolerance"])
    return bool(value <= _target(entry) if "at_most" in entry else value >= _target(entry))


def _same_order(entry: dict[str, Any], ours: Ours) -> bool:
    if ours.order_holds is not None:
        return ours.order_holds
    target = _target(entry)
    left, published_left = (
        (100 - ours.value, 100 - target) if entry.get("metric", "imp") == "imp" else (ours.value, target)
    )
    return bool(0.5 <= left / published_left <= 2)


def _shown(entry: dict[str, Any]) -> str:
    sign = "" if "published" in entry else "≤ " if "at_most" in entry else "≥ "
    return f"{sign}{_target(entry):g}"


def _row(part: Results, entry: dict[str, Any]) -> int:
    """The row of the entry's method, of which something is finished."""
    if entry["kind"] == "other":
        raise NotComparable(entry["why"])
    if part.denoise.empty:
        raise NotComparable(f"no cells at sigma {entry['sigma']:g} under paper")
    row = part.row_of(entry["method"])
    if row is None or not (part.denoise.loc[part.denoise["row"] == row, "status"] == "ok").any():
        raise NotComparable(f"no finished cells of {BY_NAME[entry['method']].title}")
    return row


def _elsewhere(part: Results, entry: dict[str, Any], row: int) -> dict[str, float]:
    """The same figure under the other settings and backbones of the published rule, where they have it."""
    if entry.get("settings_public", True):
        return {}
    found = {}
    for other in part.present(part.denoise):
        if other != row and part.rows[other].method.name in FAMILY and part.rows[other].trained_by is None:
            try:
                found[str(part.rows[other])] = _OURS[entry["kind"]](part, entry, other).value
            except NotComparable:
                continue
    return found


def _about(part: Results, entry: dict[str, Any]) -> Results:
    """The part of the dataset, or of the kind of data, that a figure is about."""
    if "dataset" in entry:
        return part.where(dataset_name=entry["dataset"])
    kind = "series" if entry["kind"] == "all_above" else entry.get("data")
    return part.where(kind=kind) if kind else part


def settings_of(part: Results, row: int) -> str:
    """What a method of a row ran with, in words."""
    mine = part.denoise[part.denoise["row"] == row]
    words = []
    for text in mine["denoiser_params"].dropna().unique():
        params = json.loads(text or "{}")
        shown = [f"{short} {params[key]:g}" for key, short in _SHORT.items() if params.get(key) is not None]
        words.append(", ".join(shown))
    backbones = listed(mine["backbone"])
    if backbones != "not recorded":
        words.append(f"backbone {backbones}")
    return "; ".join(word for word in words if word)


_SHORT = {"nrr": "step", "nr_threshold": "threshold", "max_epochs": "epochs"}

# ------------------------------------------------------------------------------------------ our numbers


def _rank(part: Results, entry: dict[str, Any], row: int) -> Ours:
    found = ranking(part, measures.BY_NAME[entry["metric"]])
    ours = part.denoise.loc[part.denoise["dataset_name"].isin(PAPER_DATASETS), "dataset"].unique()
    ours = [dataset for dataset in found.block.index if dataset in ours]
    if found.missing:
        raise NotComparable(f"not in the campaign: {', '.join(method.title for method in found.missing)}")
    _enough(len(ours), LEAST_DATASETS)
    own = float(found.ranks[entry["method"]])
    place = int((found.ranks < own - 1e-9).sum()) + 1
    order = entry["order"]
    if isinstance(order, dict):
        holds = float(found.ranks[order["behind"]]) < own and place <= len(found.ranks) // 2
    else:
        holds = place == {"best": 1, "second": 2}[order]
    best = found.ranks.sort_values(kind="stable")
    first = f"{BY_NAME[str(best.index[0])].title} {best.iloc[0]:.2f}"
    basis = f"place {place} of {len(best)} (best: {first}) over {len(ours)} datasets"
    seeds = tuple(found.by_repetition[entry["method"]])
    return Ours(own, basis, seeds, order_holds=holds, margin=found.critical_difference)


def _scores(part: Results, entry: dict[str, Any], row: int, group: Callable[[Any], Any]) -> pd.DataFrame:
    """Improvements of a row on the paper's datasets: dataset, kind, regressor, repetition, imp."""
    score = part.headline[(part.headline["row"] == row) & group(part.headline)]
    score = score[score["dataset_name"].isin(PAPER_DATASETS)]
    if "data" in entry:
        score = score[score["kind"] == entry["data"]]
    if score.empty:
        raise NotComparable(
            f"no Imp% of the regressors it is about on {entry.get('data', 'any')} datasets of the paper"
        )
    return score[["dataset", "dataset_name", "kind", "regressor_name", "repetition", "imp"]]


def _of_published(score: pd.DataFrame) -> Any:
    return score["published"]


def _imp(part: Results, entry: dict[str, Any], row: int) -> Ours:
    here = set(part.denoise["dataset_name"])
    if entry["dataset"] not in here:
        near = [name for name in sorted(here) if name.startswith(entry["dataset"])]
        other = f" ({', '.join(near)} is another set)" if near else ""
        raise NotComparable(f"{entry['dataset']} is not in the campaign{other}")
    score = _scores(part, entry, row, _of_published)
    mine = score[score["dataset_name"] == entry["dataset"]]
    if mine.empty:
        raise NotComparable(f"no Imp% of the published regressors on {entry['dataset']}")
    by_seed = mine.groupby("repetition")["imp"].mean()
    by_regressor = mine.groupby("regressor_name")["imp"].mean()
    return Ours(
        float(by_regressor.mean()),
        f"published regressors: {listed(mine['regressor_name'])}",
        tuple(by_seed),
        largest=largest_part(by_regressor),
    )


def _mean(part: Results, entry: dict[str, Any], row: int) -> Ours:
    if entry["metric"] == "imp":
        long = _scores(part, entry, row, _of_published).rename(columns={"imp": "value"})
    else:
        mine = part.denoise[(part.denoise["row"] == row) & part.denoise["dataset_name"].isin(PAPER_DATASETS)]
        long = mine[["dataset", "repetition"]].assign(value=mine[entry["metric"]]).dropna()
    block = long.groupby(["dataset", "repetition"])["value"].mean().unstack()
    values = block.mean(axis=1)
    _enough(len(values), LEAST_DATASETS)
    fulfilled = values <= entry["at_most"] if "at_most" in entry else values >= entry["at_least"]
    basis = f"{int(fulfilled.sum())} of {len(values)} datasets, from {values.min():.3g} to {values.max():.3g}"
    seeds = block.dropna(axis=1).mean()
    return Ours(float(values.mean()), basis, tuple(seeds), largest=largest_part(values))


def _all_above(part: Results, entry: dict[str, Any], row: int) -> Ours:
    lowest: dict[str, pd.Series] = {}
    used: set[str] = set()
    rows = {**part.published, entry["method"]: row}
    for method, its_row in rows.items():
        try:
            score = _scores(part, {**entry, "data": "series"}, its_row, _of_published)
        except NotComparable:
            continue
        if score["dataset"].nunique() >= LEAST_OF_A_KIND:
            lowest[method] = score.groupby("repetition")["imp"].min()
            used |= set(score["regressor_name"])
    if entry["method"] not in lowest:
        raise NotComparable(f"fewer than {LEAST_OF_A_KIND} series of the paper with a published regressor")
    above = [m for m in PUBLISHED if m.name in lowest and lowest[m.name].min() > entry["bound"]]
    others = [m.title for m in above if m.name != entry["method"]]
    value = float(lowest[entry["method"]].min())
    basis = f"also above throughout: {', '.join(others) or 'nobody'}; regressors {', '.join(sorted(used))}"
    seeds = tuple(lowest[entry["method"]])
    return Ours(value, basis, seeds, order_holds=value >= entry["bound"], fits=not others)


def _run_median(part: Results, entry: dict[str, Any], row: int) -> Ours:
    group = published.load().follow_up[entry["data"]]
    score = _scores(part, entry, row, lambda score: score["regressor_name"].isin(group))
    _enough(score["dataset"].nunique(), LEAST_OF_A_KIND)
    runs = score.groupby(["dataset", "repetition"])["imp"].mean()
    by_seed = runs.groupby("repetition").median()
    basis = (
        f"{len(runs)} runs ({score['dataset'].nunique()} datasets), of which {int((runs > 0).sum())} positive, from "
        f"{runs.min():.1f} to {runs.max():.1f}; regressors of the follow-up: {listed(score['regressor_name'])}"
    )
    return Ours(float(runs.median()), basis, tuple(by_seed))


_OURS: dict[str, Callable[[Results, dict[str, Any], int], Ours]] = {
    "rank": _rank,
    "imp": _imp,
    "mean": _mean,
    "all_above": _all_above,
    "run_median": _run_median,
}


def largest_part(values: pd.Series) -> str:
    """The part that moves a mean most, and the mean of the others; empty for fewer than three parts."""
    if len(values) < 3:
        return ""
    without = (values.sum() - values) / (len(values) - 1)
    name = (without - values.mean()).abs().idxmax()
    return f"{name} {number_text(values[name], 1)}; {number_text(without[name], 1)} without it"


def _enough(datasets: int, least: int) -> None:
    if datasets < least:
        raise NotComparable(f"on {datasets} of the paper's datasets, {least} are needed")
