"""What a campaign holds, ready to be compared: who with whom, on what, and by how much an error fell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
import pandas as pd

from experiments.report.analysis import published
from experiments.report.analysis.methods import PUBLISHED, Method, Row
from experiments.report.forms.table import slug

T = TypeVar("T")

PAPER_DATASETS = (
    *("house_prices", "lattice_physics", "parkinsons", "rt_iot2022", "support2"),
    *("daily_climate", "ecl", "ett", "microsoft_stock", "wth"),
)
"""The ten datasets of the paper; variants and excerpts of them do not stand beside its figures."""

CONDITION = ["noise", "sigma", "protocol"]
SETTING = ["dataset", *CONDITION]
"""What two methods must share to be compared."""

NOUNS = {"tabular": "tables", "series": "series"}


class Condition(NamedTuple):
    """What is never averaged over."""

    noise: str
    sigma: float
    protocol: str

    @property
    def level(self) -> str:
        """The noise in words."""
        if self.noise == "none":
            return "no noise injected"
        return f"{self.noise} noise, sigma {self.sigma:g}"

    def __str__(self) -> str:
        return f"{self.level}, protocol {self.protocol}"

    def stem(self, what: str, *more: str) -> str:
        """The stem of a table's or figure's files."""
        noise = [] if self.noise == "none" else [self.noise]
        return slug(what, self.protocol, *noise, f"{self.sigma:g}", *more)


@dataclass(frozen=True)
class Results:
    """Labelled cells, ready to be compared: built once a report, by `labelling.results_of`.

    Attributes
    ----------
    cells : DataFrame
        As they were stored.
    denoise : DataFrame
        One row per setting (`SETTING`), repetition and ``row``; ``meaningless`` is a mask.
    score : DataFrame
        One row per setting, repetition, ``row``, ``regressor`` and ``variant``, with ``imp`` and with the masks
        ``headline`` (this variant of the test features is the one a method is judged by), ``noisy`` (its headline has
        noisy test features) and ``meaningless``.
    rows : tuple of Row
        What the numbers in the column ``row`` stand for, in the order of tables.
    notes : tuple of str
        What was left out on the way here.
    fewer : Results or None
        The cells on fewer rows of a dataset that is there with more, which would count it twice.
    """

    cells: pd.DataFrame
    denoise: pd.DataFrame
    score: pd.DataFrame
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    fewer: Results | None = field(default=None, repr=False)
    _found: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def remembered(self, key: Any, found: Callable[[], T]) -> T:
        """What was found once for a key; sections ask for the same parts, ranks and verdicts."""
        if key not in self._found:
            self._found[key] = found()
        answer: T = self._found[key]
        return answer

    @cached_property
    def settings(self) -> list[tuple[str, str, float, str]]:
        """The distinct (dataset, noise, sigma, protocol), sorted."""
        pairs = pd.concat([self.denoise[SETTING], self.score[SETTING]]).drop_duplicates()
        return sorted(pairs.itertuples(index=False, name=None))

    @cached_property
    def conditions(self) -> list[Condition]:
        """The distinct (noise, sigma, protocol), the protocol ``paper`` first."""
        found = {Condition(noise, sigma, protocol) for _, noise, sigma, protocol in self.settings}
        return sorted(found, key=lambda c: (c.protocol != "paper", c.sigma, c.noise))

    @cached_property
    def headline(self) -> pd.DataFrame:
        """Scores by the form of the test features that a method is judged by, with an improvement."""
        return self.score[self.score["headline"] & self.score["imp"].notna()]

    def where(self, **axes: Any) -> Self:
        """The part in which every given axis has the given value."""
        parts = {}
        for name in ("denoise", "score"):
            table = getattr(self, name)
            keep = np.ones(len(table), bool)
            for axis, value in axes.items():
                keep &= (table[axis] == value).to_numpy(bool)
            parts[name] = table[keep]
        return replace(self, **parts, fewer=None)

    def under(self, condition: Condition) -> Self:
        """The part under one noise, level and protocol."""
        return self.remembered(("under", condition), lambda: self.where(**condition._asdict()))

    def at(self, setting: tuple[str, str, float, str]) -> Self:
        """The part of one dataset, noise, level and protocol."""
        return self.where(**dict(zip(SETTING, setting, strict=True)))

    # ------------------------------------------------------------------------------- who and what is there

    @cached_property
    def methods(self) -> dict[str, Method]:
        """Every method of the campaign by its key, in the order of tables."""
        return {row.method.name: row.method for row in self.rows}

    def present(self, *tables: pd.DataFrame) -> list[int]:
        """The rows in the given tables (default: all), in the order of tables."""
        tables = tables or (self.denoise, self.score)
        return sorted({int(row) for table in tables for row in table["row"].unique()})

    def row_of(self, name: str) -> int | None:
        """The row that stands for a method: of several settings of it, the one with the most finished cells."""
        return self._fullest.get(name)

    @cached_property
    def _fullest(self) -> dict[str, int]:
        finished = (self.denoise["status"] == "ok").groupby([self.denoise["denoiser"], self.denoise["row"]])
        counted = finished.sum().reset_index().sort_values(["status", "row"], ascending=[False, True])
        found = {
            str(n): int(row) for n, row in counted.groupby("denoiser", sort=False)["row"].first().items()
        }
        for row in self.present(
            self.score
        ):  # what is another regressor, as a chosen target is, refines no data
            found.setdefault(self.rows[row].method.name, row)
        return found

    @cached_property
    def published(self) -> dict[str, int]:
        """The row of each published method that the campaign has."""
        found = ((method.name, self.row_of(method.name)) for method in PUBLISHED)
        return {name: row for name, row in found if row is not None}

    def compared_datasets(self) -> tuple[list[str], dict[str, str]]:
        """The datasets that methods are ranked over, and why the others are not.

        Of a dataset's labels only the one with the most rows counts; datasets that are not of the paper are left out
        unless there are fewer than two that are.
        """
        sizes = self.denoise.groupby(["dataset_name", "dataset"])["rows"].max()
        largest: dict[str, str] = {}
        left_out = {}
        for name, label in sizes.sort_values(ascending=False, kind="stable").index:
            if name in largest:
                left_out[label] = f"{largest[name]} has more rows"
            else:
                largest[name] = label
        ours = [name for name in largest if name in PAPER_DATASETS]
        if len(ours) >= 2:
            others = "not one of the paper's datasets"
            left_out |= {largest[name]: others for name in largest if name not in ours}
            largest = {name: largest[name] for name in ours}
        return sorted(largest.values()), left_out

    # ----------------------------------------------------------------------------------------- the averages

    def improvements(self, *by: str, how: str = "mean", others: bool = False) -> pd.DataFrame:
        """Imp% over regressors: the one place in which regressors are averaged.

        Parameters
        ----------
        *by : str
            What stays apart beside ``row``, such as ``dataset`` or ``repetition``.
        how : {"mean", "median"}
        others : bool
            Over the regressors that take no part in the mean instead.

        Returns
        -------
        table : DataFrame
            The columns of `by`, ``row``, ``value``, ``n`` (how many regressors and repetitions are behind it), and
            whether any of these is ``noisy`` or ``meaningless``.
        """
        taking_part = self.headline["takes_part"] != others
        grouped = self.headline[taking_part].groupby([*by, "row"], sort=False)
        flags = {"noisy": ("noisy", "max"), "meaningless": ("meaningless", "max")}
        return grouped.agg(value=("imp", how), n=("imp", "size"), **flags).reset_index()

    def group(self) -> str:
        """The regressors behind a mean, in words, by kind of data, and by protocol where these differ."""
        members = self.headline[self.headline["takes_part"]]
        texts = []
        for kind, of_kind in members.groupby("kind"):
            protocols = sorted(of_kind["protocol"].unique(), key=lambda protocol: protocol != "paper")
            found = {p: _behind(of_kind[of_kind["protocol"] == p], str(kind)) for p in protocols}
            differ = len({names for _, names, _ in found.values()}) > 1
            for protocol in protocols if differ else protocols[:1]:
                what, names, without = found[protocol]
                under = f" under {protocol}" if differ else ""
                texts.append(f"{what} of {NOUNS[str(kind)]}{under}: {names}{without}")
        return "; ".join(texts)


def _behind(members: pd.DataFrame, kind: str) -> tuple[str, str, str]:
    """What the regressors of one protocol behind a mean are, their names, and which published ones lack."""
    names = ", ".join(sorted(members["regressor"].unique()))
    if not members["published"].all() or "paper" not in set(members["protocol"]):
        return "all regressors that ran", names, ""
    lacking = [n for n in published.load().regressors[kind] if n not in set(members["regressor_name"])]
    return "published regressors", names, f", without {', '.join(lacking)}" if lacking else ""
