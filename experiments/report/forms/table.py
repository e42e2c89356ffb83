"""A table of results and what is to be said about it; its forms are made from it and never read back."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import pandas as pd

Mark = Literal["", "best", "second"]
Part = Literal["value", "spread", "count", "expected"]

MISSING = "–"


@dataclass(frozen=True)
class Column:
    """How a column is read.

    Attributes
    ----------
    title : str
    better : {"high", "low", ""}
        Which values are marked as best; empty for none.
    decimals : int
    hint : str
        What the numbers mean.
    weight : int
        The greater, the sooner it is shown where not all columns fit.
    under : str
        What must be seen with the title, such as the baseline's R2.
    """

    title: str
    better: Literal["high", "low", ""] = ""
    decimals: int = 3
    hint: str = ""
    weight: int = 0
    under: str = ""

    @property
    def head(self) -> str:
        """Title and what stands under it, in one line."""
        return f"{self.title} ({self.under})" if self.under else self.title


@dataclass(frozen=True)
class Tag:
    """A letter at a number that a reader must not overlook, and what it means."""

    letter: str
    meaning: str


@dataclass(frozen=True)
class Table:
    """Numbers of rows (methods) and columns (metrics, datasets), and what is to be said about them.

    Attributes
    ----------
    name : str
        Stem of its files.
    caption : str
    columns : list of Column
    value : DataFrame
        One row per method, one column per entry of `columns`; NaN where there is no number. The index holds what the
        rows stand for (`methods.Row`, or a text); its text is made when the table is printed.
    spread : DataFrame or None
        Standard deviation over repetitions, shown after the value where there is one.
    count, expected : DataFrame or None
        How many numbers went into a value, and how many the other methods have. A value of fewer is shown
        with both counts, and not ranked.
    controls : frozenset
        Rows below the rule.
    tags : dict
        (row, column number) to the tags of a number.
    why : dict
        (row, column number) to the reason of a missing value; a footnote.
    notes : tuple of str
        Printed below the table.
    corner : str
        Title of the rows.
    title : str
        Its name among tables of which one is shown at a time.
    """

    name: str
    caption: str
    columns: list[Column]
    value: pd.DataFrame
    spread: pd.DataFrame | None = None
    count: pd.DataFrame | None = None
    expected: pd.DataFrame | None = None
    controls: frozenset[Hashable] = frozenset()
    tags: dict[tuple[Hashable, int], tuple[Tag, ...]] = field(default_factory=dict)
    why: dict[tuple[Hashable, int], str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    corner: str = "method"
    title: str = ""

    @cached_property
    def rows(self) -> list[Hashable]:
        """What the rows stand for, the controls last."""
        return sorted(self.value.index, key=lambda row: row in self.controls)

    @cached_property
    def footnotes(self) -> dict[str, str]:
        """Reason to letter, in order of appearance."""
        reasons = [self.why[key] for row in self.rows for key in self.why if key[0] == row]
        return {reason: _letter(i) for i, reason in enumerate(dict.fromkeys(reasons))}

    @cached_property
    def marks(self) -> list[dict[Hashable, Mark]]:
        """Per column, best and second of the complete, ranked rows; rows that print the same share a mark.

        None where the lead over the next is within the spread of repetitions.
        """
        return [self._marks(i, column) for i, column in enumerate(self.columns)]

    def _marks(self, number: int, column: Column) -> dict[Hashable, Mark]:
        if not column.better:
            return {}
        shown = {}
        for row in self.rows:
            value = self.at("value", row, number)
            if row not in self.controls and math.isfinite(value) and not self.incomplete(row, number):
                shown[row] = float(f"{value:.{column.decimals}f}")
        order = sorted(set(shown.values()), reverse=column.better == "high")
        if len(order) < 2:
            return {}
        marks: dict[Hashable, Mark] = {}
        names: tuple[Mark, Mark] = ("best", "second")
        for mark, value, behind in zip(names, order, [*order[1:], None], strict=False):
            holders = [row for row, number in shown.items() if number == value]
            rivals = [row for row, number in shown.items() if number == behind]
            if any(self._within_spread(a, b, number) for a in holders for b in rivals):
                break
            marks |= dict.fromkeys(holders, mark)
            if len(holders) > 1:
                break
        return marks

    def _within_spread(self, row: Hashable, rival: Hashable, number: int) -> bool:
        """Whether two values differ by no more than repetitions of either do; unknown spreads decide nothing."""
        spreads = [self.at("spread", r, number) for r in (row, rival)]
        known = [spread for spread in spreads if math.isfinite(spread)]
        return bool(known) and abs(self.at("value", row, number) - self.at("value", rival, number)) <= max(
            known
        )

    def entry(self, row: Hashable, number: int) -> str:
        """The text of a cell, without its mark."""
        value, column = self.at("value", row, number), self.columns[number]
        reason = self.why.get((row, number))
        after = "".join(f" [{tag.letter}]" for tag in self.tags.get((row, number), ()))
        after += f" ({self.footnotes[reason]})" if reason else ""
        counts = ""
        if self.incomplete(row, number) and self.at("count", row, number) > 0:
            counts = f" ({self.at('count', row, number):.0f}/{self.at('expected', row, number):.0f})"
        if not math.isfinite(value):
            return MISSING + (after or counts)
        text = number_text(value, column.decimals)
        spread = self.at("spread", row, number)
        if math.isfinite(spread):
            text += f" ± {number_text(spread, column.decimals)}"
        return text + counts + after

    def below(self) -> list[str]:
        """Footnotes, tags and notes, one line each."""
        tags = dict.fromkeys(tag for tags in self.tags.values() for tag in tags)
        lines = [f"({letter}) {reason}" for reason, letter in self.footnotes.items()]
        return [*lines, *(f"[{tag.letter}] {tag.meaning}" for tag in tags), *self.notes]

    def incomplete(self, row: Hashable, number: int) -> bool:
        """Whether fewer numbers are behind a value than behind others of its column."""
        if self.count is None:
            return False
        return self.at("count", row, number) < self.at("expected", row, number)

    def at(self, part: Part, row: Hashable, number: int) -> float:
        """One number of a part; NaN where there is no such part."""
        numbers = self._numbers.get(part)
        return math.nan if numbers is None else numbers[self._positions[row]][number]

    @cached_property
    def _positions(self) -> dict[Hashable, int]:
        return {row: i for i, row in enumerate(self.value.index)}

    @cached_property
    def _numbers(self) -> dict[str, list[list[float]]]:
        parts = {"value": self.value, "spread": self.spread, "count": self.count, "expected": self.expected}
        return {name: part.to_numpy(float).tolist() for name, part in parts.items() if part is not None}


@dataclass(frozen=True)
class Grid:
    """A table of texts; the first column is its head."""

    name: str
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: tuple[str, ...] = ()
    title: str = ""


def number_text(value: float, decimals: int) -> str:
    """A number as tables show it: fixed decimals, huge ones in powers of ten, no negative zero."""
    if abs(value) >= 1e6:
        return f"{value:.1e}".replace("e+0", "e").replace("e+", "e")
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if not float(text) else text


def slug(*parts: object) -> str:
    """A file name of some words."""
    return "_".join(re.sub(r"[^\w.-]+", "-", str(part)).strip("-") for part in parts)


def _letter(i: int) -> str:
    return chr(ord("a") + i) if i < 26 else f"{chr(ord('a') + i // 26 - 1)}{chr(ord('a') + i % 26)}"


def listed(values: Iterable[Any]) -> str:
    """The distinct values of a column, in order, as text."""
    texts = {f"{v:g}" if isinstance(v, float) else str(v) for v in values if v is not None and v == v}
    return ", ".join(sorted(texts)) or "not recorded"
