"""A table on a terminal: as many columns as fit, those that matter most first, and never a broken row."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from experiments.base import screen
from experiments.report.forms.table import Table

SIGNS = {"": " ", "best": "*", "second": "'"}
CODES = {"best": "\x1b[1m", "second": "\x1b[4m"}


def text(table: Table, *, ansi: bool = False, everything: bool = False, width: int | None = None) -> str:
    """The table as lines.

    Parameters
    ----------
    table : Table
    ansi : bool
        Best and second also in the terminal's own bold and underline.
    everything : bool
        Show all columns, in several parts where they do not fit side by side, instead of leaving some out.
    width : int, optional
        Characters of a line; by default the terminal's.
    """
    width = width or screen.width()
    parts = _parts(table, width)
    shown = parts if everything else parts[:1]
    lines = screen.wrapped(table.caption, width)
    for part in shown:
        lines += _lines(table, part, ansi)
    if any(table.marks[i] for part in shown for i in part):
        lines += screen.wrapped(
            "* best, ' second, where the lead exceeds the spread; rows below the rule are not ranked", width
        )
    for note in table.below():
        lines += screen.wrapped(note, width, hanging="    ")
    if left_out := [table.columns[i].title for part in parts[len(shown) :] for i in part]:
        lines += screen.wrapped(f"Not shown: {', '.join(left_out)} (columns=all)", width, hanging="    ")
    return "\n".join(lines) + "\n"


def legend(tables: Iterable[Table], width: int | None = None) -> list[str]:
    """What the columns mean, a line each; those of one meaning under the first one's title."""
    titles: dict[str, str] = {}
    better = {"high": "; higher is better", "low": "; lower is better", "": ""}
    for table in tables:
        for column in table.columns:
            titles.setdefault(f"{column.hint}{better[column.better]}", column.title)
    rows = [(title, meaning) for meaning, title in titles.items() if meaning]
    longest = max((len(title) for title, _ in rows), default=0)
    return [
        line
        for title, meaning in rows
        for line in screen.wrapped(meaning, width, indent=f"{title:{longest}}  ", hanging=" " * (longest + 2))
    ]


def _parts(table: Table, width: int) -> list[list[int]]:
    """The numbers of the columns, in parts that fit: the first one holds those that matter most."""
    free = width - max(len(line) for line in (table.corner, *map(str, table.rows)))
    order = sorted(range(len(table.columns)), key=lambda i: -table.columns[i].weight)
    parts: list[list[int]] = [[]]
    room = free
    for i in order:
        needed = 2 + _width(table, i)
        if needed > room and parts[-1]:
            parts.append([])
            room = free
        parts[-1].append(i)
        room -= needed
    return [sorted(part) for part in parts]


def _width(table: Table, number: int) -> int:
    heads = (table.columns[number].title, _under(table, number))
    return 1 + max(map(len, (*heads, *(table.entry(row, number) for row in table.rows))))


def _under(table: Table, number: int) -> str:
    """What stands under a title, its first part alone: the R2 that the notes explain."""
    return table.columns[number].under.partition(";")[0]


def _lines(table: Table, part: Sequence[int], ansi: bool) -> list[str]:
    names = [table.corner, *map(str, table.rows)]
    first = max(map(len, names))
    widths = {i: _width(table, i) for i in part}
    rule = "-" * (first + sum(width + 2 for width in widths.values()))
    heads = [(table.corner, [table.columns[i].title for i in part]), ("", [_under(table, i) for i in part])]
    lines = [rule]
    for corner, titles in heads:
        if any(titles):
            cells = (f"{title} ".rjust(widths[i]) for i, title in zip(part, titles, strict=True))
            lines.append("  ".join([corner.ljust(first), *cells]).rstrip())
    lines.append(rule)
    ruled = False
    for row in table.rows:
        if row in table.controls and not ruled:
            ruled = True
            lines += [rule] * (lines[-1] != rule)
        entries = [_entry(table, row, i, widths[i], ansi) for i in part]
        lines.append("  ".join([str(row).ljust(first), *entries]).rstrip())
    return [*lines, rule]


def _entry(table: Table, row: Hashable, number: int, width: int, ansi: bool) -> str:
    mark = table.marks[number].get(row, "")
    shown = table.entry(row, number) + SIGNS[mark]
    code = CODES.get(mark) if ansi else None
    return " " * (width - len(shown)) + (f"{code}{shown}\x1b[0m" if code else shown)
