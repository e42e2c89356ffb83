"""A table of results, and its forms: terminal, Markdown, CSV, LaTeX, HTML."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Literal

import pandas as pd

from experiments.store.files import writing

Mark = Literal["", "best", "second"]

MISSING, UNDEFINED = "–", "n/d"


@dataclass(frozen=True)
class Column:
    """How a column is read.

    Attributes
    ----------
    title : str
    better : {"high", "low", ""}
        Which values are marked as best; empty for none.
    decimals : int
    """

    title: str
    better: Literal["high", "low", ""] = ""
    decimals: int = 3


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
        One row per method, one column per entry of `columns`; NaN where there is no number.
    spread : DataFrame or None
        Standard deviation over repetitions, shown after the value where there is one.
    count, expected : DataFrame or None
        How many numbers went into a value, and how many the other methods have. A value of fewer is shown
        with both counts, and not ranked.
    controls : frozenset of str
        Rows below the rule.
    why : dict
        (row, column number or None for all) to the reason of a missing value; a footnote.
    notes : tuple of str
        Printed below the table.
    """

    name: str
    caption: str
    columns: list[Column]
    value: pd.DataFrame
    spread: pd.DataFrame | None = None
    count: pd.DataFrame | None = None
    expected: pd.DataFrame | None = None
    controls: frozenset[str] = frozenset()
    why: dict[tuple[str, int | None], str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    corner: str = "method"

    @cached_property
    def rows(self) -> list[str]:
        """Row labels, the controls last."""
        return sorted(self.value.index, key=lambda row: row in self.controls)

    @cached_property
    def footnotes(self) -> dict[str, str]:
        """Reason to letter, in order of appearance."""
        reasons = [self.why[key] for row in self.rows for key in self.why if key[0] == row]
        return {reason: _letter(i) for i, reason in enumerate(dict.fromkeys(reasons))}

    @cached_property
    def marks(self) -> list[dict[str, Mark]]:
        """Per column, best and second of the complete, ranked rows; rows that print the same share a mark."""
        return [self._marks(i, column) for i, column in enumerate(self.columns)]

    def _marks(self, number: int, column: Column) -> dict[str, Mark]:
        if not column.better:
            return {}
        shown = {}
        for row in self.rows:
            value = self.at("value", row, number)
            if row not in self.controls and math.isfinite(value) and not self._incomplete(row, number):
                shown[row] = float(f"{value:.{column.decimals}f}")
        order = sorted(set(shown.values()), reverse=column.better == "high")
        if len(shown) < 2 or len(order) < 2:
            return {}
        marks: dict[str, Mark] = {row: "best" for row, value in shown.items() if value == order[0]}
        if len(marks) == 1:
            marks |= {row: "second" for row, value in shown.items() if value == order[1]}
        return marks

    def entry(self, row: str, number: int) -> str:
        """The text of a cell, without its mark."""
        value, column = self.at("value", row, number), self.columns[number]
        reason = self.why.get((row, number)) or self.why.get((row, None))
        note = f" ({self.footnotes[reason]})" if reason else ""
        counts = ""
        if self._incomplete(row, number):
            counts = f" ({self.at('count', row, number):.0f}/{self.at('expected', row, number):.0f})"
        if not math.isfinite(value):
            undefined = self.at("count", row, number) > 0 and not counts
            return (UNDEFINED if undefined else MISSING) + (note or counts)
        text = number_text(value, column.decimals)
        spread = self.at("spread", row, number)
        if math.isfinite(spread):
            text += f" ± {number_text(spread, column.decimals)}"
        return text + counts + note

    def below(self) -> list[str]:
        """Footnotes and notes, one line each."""
        return [f"({letter}) {reason}" for reason, letter in self.footnotes.items()] + list(self.notes)

    def _incomplete(self, row: str, number: int) -> bool:
        return self.at("count", row, number) < self.at("expected", row, number)

    def at(self, part: Literal["value", "spread", "count", "expected"], row: str, number: int) -> float:
        """One number of a part; NaN where there is no such part."""
        numbers = self._numbers.get(part)
        return math.nan if numbers is None else numbers[self._positions[row]][number]

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {row: i for i, row in enumerate(self.value.index)}

    @cached_property
    def _numbers(self) -> dict[str, list[list[float]]]:
        parts = {"value": self.value, "spread": self.spread, "count": self.count, "expected": self.expected}
        return {name: part.to_numpy(float).tolist() for name, part in parts.items() if part is not None}


def number_text(value: float, decimals: int) -> str:
    """A number as tables show it: fixed decimals, huge ones in powers of ten, no negative zero."""
    if abs(value) >= 1e6:
        return f"{value:.1e}".replace("e+0", "e").replace("e+", "e")
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if not float(text) else text


def text(table: Table, *, ansi: bool = False) -> str:
    """Plain lines for a terminal: aligned, best ``*`` and second ``'``, with colours of the terminal if `ansi`."""
    header = [table.corner, *(column.title for column in table.columns)]
    marks = table.marks
    signs = {"": " ", "best": "*", "second": "'"}
    body = [
        [row, *(table.entry(row, i) + signs[marks[i].get(row, "")] for i in range(len(table.columns)))]
        for row in table.rows
    ]
    header = [header[0], *(title + " " for title in header[1:])]
    widths = [max(len(line[i]) for line in [header, *body]) for i in range(len(header))]
    rule = "-" * (sum(widths) + 2 * len(widths) - 2)
    lines = [table.caption, rule, "  ".join(_aligned(header, widths)).rstrip(), rule]
    ruled = False
    for row, line in zip(table.rows, body, strict=True):
        if row in table.controls and not ruled:
            lines.append(rule)
            ruled = True
        cells = _aligned(line, widths)
        if ansi:
            codes = {"best": "\x1b[1m", "second": "\x1b[4m"}
            for i in range(len(table.columns)):
                if mark := marks[i].get(row):
                    stripped = cells[i + 1].lstrip()
                    pad = cells[i + 1][: len(cells[i + 1]) - len(stripped)]
                    cells[i + 1] = f"{pad}{codes[mark]}{stripped}\x1b[0m"
        lines.append("  ".join(cells).rstrip())
    lines.append(rule)
    if any(marks):
        lines.append("* best, ' second; controls below the rule are not ranked")
    return "\n".join(lines + table.below()) + "\n"


def markdown(table: Table) -> str:
    """A table in the Markdown of code hosts."""
    wrap = {"": "{}", "best": "**{}**", "second": "<ins>{}</ins>"}
    lines = [
        "| " + " | ".join(map(md_escape, [table.corner, *(c.title for c in table.columns)])) + " |",
        "|:--" + "|--:" * len(table.columns) + "|",
    ]
    marks = table.marks
    for row in table.rows:
        name = f"*{md_escape(row)}*" if row in table.controls else md_escape(row)
        entries = [
            wrap[marks[i].get(row, "")].format(md_escape(table.entry(row, i)))
            for i in range(len(table.columns))
        ]
        lines.append("| " + " | ".join([name, *entries]) + " |")
    lines += ["", f"{md_escape(table.caption)}"]
    legend = ["Best bold, second underlined; controls in italics are not ranked."] if any(marks) else []
    return "\n".join(lines) + "".join(f"  \n{md_escape(line)}" for line in legend + table.below()) + "\n"


def latex(table: Table) -> str:
    """A booktabs table, ready for ``\\input``."""
    wrap = {"": "{}", "best": r"\textbf{{{}}}", "second": r"\underline{{{}}}"}
    marks = table.marks
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{tex_escape(table.caption)}}}",
        rf"\label{{tab:{table.name}}}",
        rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        r"\toprule",
        " & ".join(tex_escape(t) for t in [table.corner, *(c.title for c in table.columns)]) + r" \\",
        r"\midrule",
    ]
    ruled = False
    for row in table.rows:
        if row in table.controls and not ruled:
            lines.append(r"\midrule")
            ruled = True
        entries = [
            wrap[marks[i].get(row, "")].format(tex_escape(table.entry(row, i)))
            for i in range(len(table.columns))
        ]
        lines.append(" & ".join([tex_escape(row), *entries]) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\footnotesize {tex_escape(line)}" for line in table.below()]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def csv(table: Table) -> str:
    """Unrounded values, with spreads and counts in columns of their own."""
    parts = {}
    for i, column in enumerate(table.columns):
        parts[column.title] = table.value.iloc[:, i]
        if table.spread is not None and table.spread.iloc[:, i].notna().any():
            parts[f"{column.title} std"] = table.spread.iloc[:, i]
        if table.count is not None:
            parts[f"{column.title} n"] = table.count.iloc[:, i]
    frame = pd.DataFrame(parts, index=table.value.index).loc[table.rows]
    frame.insert(0, "control", [row in table.controls for row in table.rows])
    return frame.to_csv(index_label=table.corner)


def html(table: Table) -> str:
    """A sortable table for `report.html`; the sort keys are the unrounded values."""
    marks = table.marks
    head = "".join(
        f'<th scope="col"><button type="button">{escape(title)}</button></th>'
        for title in [table.corner, *(c.title for c in table.columns)]
    )
    body = []
    for row in table.rows:
        entries = []
        for i in range(len(table.columns)):
            value, mark = table.at("value", row, i), marks[i].get(row, "")
            key = repr(value) if math.isfinite(value) else ""
            entries.append(f'<td data-v="{key}"{_class(mark)}>{escape(table.entry(row, i))}</td>')
        control = row in table.controls
        body.append(
            f'<tr{_class("control" if control else "")}><th scope="row">{escape(row)}</th>{"".join(entries)}</tr>'
        )
    below = "".join(f"<p class=note>{escape(line)}</p>" for line in table.below())
    return (
        f'<figure class="table" id="{escape(table.name)}"><figcaption>{escape(table.caption)}</figcaption>'
        f'<div class="scroll"><table class="sortable"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>{below}</figure>"
    )


def write(tables: Iterable[Table], folder: Path) -> list[Path]:
    """Write each table as csv, md and tex into `folder`; return the paths."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for table in tables:
        for suffix, form in ((".csv", csv), (".md", markdown), (".tex", latex)):
            path = folder / f"{table.name}{suffix}"
            with writing(path):
                path.write_text(form(table), encoding="utf-8")
            paths.append(path)
    return paths


def slug(*parts: object) -> str:
    """A file name of some words."""
    return "_".join(re.sub(r"[^\w.-]+", "-", str(part)).strip("-") for part in parts)


def _aligned(line: list[str], widths: list[int]) -> list[str]:
    return [line[0].ljust(widths[0]), *(t.rjust(w) for t, w in zip(line[1:], widths[1:], strict=True))]


def _letter(i: int) -> str:
    return chr(ord("a") + i) if i < 26 else f"{chr(ord('a') + i // 26 - 1)}{chr(ord('a') + i % 26)}"


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def md_escape(text: str) -> str:
    return re.sub(r"([|*_<>`])", r"\\\1", text).replace("\n", " ")


def tex_escape(text: str) -> str:
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--"}
    special |= {"±": r"$\pm$", "<": r"$<$", ">": r"$>$", "ρ": r"$\rho$", "σ": r"$\sigma$"}
    special |= {c: rf"\{c}" for c in "&%$#_{}"}
    return "".join(special.get(c, c) for c in text).replace("\n", " ")
