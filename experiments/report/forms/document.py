"""A report's content, and its form for a code host: Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from experiments.report.forms.plain import grid_markdown, md_escape
from experiments.report.forms.plain import markdown as table_markdown
from experiments.report.forms.table import Grid, Table


@dataclass(frozen=True)
class Picture:
    """A figure: `stem` names its files under ``figures/``."""

    stem: str
    caption: str


@dataclass(frozen=True)
class Folded:
    """Tables that are linked in Markdown and folded away in HTML."""

    title: str
    tables: Sequence[Table | Grid]


Content = str | Table | Grid | Picture | Folded


@dataclass(frozen=True)
class Section:
    """A heading and what follows it: paragraphs (plain text), tables, figures."""

    title: str
    parts: list[Content] = field(default_factory=list)
    level: int = 2

    def tables(self) -> Iterator[Table | Grid]:
        """Its tables, those that are folded away included."""
        for part in self.parts:
            if isinstance(part, Folded):
                yield from part.tables
            elif isinstance(part, (Table, Grid)):
                yield part


def markdown(title: str, sections: Sequence[Section]) -> str:
    """The report for a code host; pictures and folded tables are links into ``figures/`` and ``tables/``."""
    lines = [f"# {md_escape(title)}", ""]
    for section in sections:
        lines += [f"{'#' * section.level} {md_escape(section.title)}", ""]
        for part in section.parts:
            lines += [_part(part), ""]
    return "\n".join(lines).rstrip() + "\n"


def _part(part: Content) -> str:
    if isinstance(part, str):
        return md_escape(part)
    if isinstance(part, Picture):
        alt = md_escape(part.caption)
        return f"![{alt}](figures/{part.stem}.png)\n\n*{alt}*"
    if isinstance(part, Folded):
        links = ", ".join(f"[{md_escape(table.name)}](tables/{table.name}.csv)" for table in part.tables)
        return f"{md_escape(part.title)}: {links}"
    return grid_markdown(part) if isinstance(part, Grid) else table_markdown(part)
