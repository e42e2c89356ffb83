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
    """Tables of which a page shows one at a time, by its title; Markdown shows so many and links the others."""

    title: str
    tables: Sequence[Table | Grid]
    shown: int = 0


Content = str | Table | Grid | Picture | Folded


@dataclass(frozen=True)
class Section:
    """A heading and what follows it.

    Attributes
    ----------
    title : str
    parts : list
        Paragraphs (plain text), tables, figures.
    choice : tuple of (protocol, level), optional
        Of sections of which a page shows one at a time.
    """

    title: str
    parts: list[Content] = field(default_factory=list)
    choice: tuple[str, str] | None = None

    def tables(self) -> Iterator[Table | Grid]:
        """Its tables, those of which a page shows one at a time included."""
        for part in self.parts:
            if isinstance(part, Folded):
                yield from part.tables
            elif isinstance(part, (Table, Grid)):
                yield part


def numbered(sections: Sequence[Section]) -> dict[str, str]:
    """The numbers of tables and figures, by their names (`picture_name` of a figure)."""
    tables = [table.name for section in sections for table in section.tables()]
    pictures = [part.stem for section in sections for part in section.parts if isinstance(part, Picture)]
    of_tables = {name: f"Table {i}" for i, name in enumerate(tables, start=1)}
    return of_tables | {picture_name(stem): f"Figure {i}" for i, stem in enumerate(pictures, start=1)}


def picture_name(stem: str) -> str:
    """What a figure is called where tables are called as well: some share the name of their files."""
    return f"figure_{stem}"


def markdown(title: str, sections: Sequence[Section]) -> str:
    """The report for a code host; pictures and folded tables are links into ``figures/`` and ``tables/``."""
    numbers = numbered(sections)
    lines = [f"# {md_escape(title)}", ""]
    for section in sections:
        lines += [f"## {md_escape(section.title)}", ""]
        for part in section.parts:
            lines += [_part(part, numbers), ""]
    return "\n".join(lines).rstrip() + "\n"


def _part(part: Content, numbers: dict[str, str]) -> str:
    if isinstance(part, str):
        return md_escape(part)
    if isinstance(part, Picture):
        alt = md_escape(part.caption)
        return f"![{alt}](figures/{part.stem}.png)\n\n*{numbers[picture_name(part.stem)]}. {alt}*"
    if isinstance(part, Folded):
        shown, linked = part.tables[: part.shown], part.tables[part.shown :]
        links = ", ".join(f"[{md_escape(_short(table))}](tables/{table.name}.csv)" for table in linked)
        lines = [_part(table, numbers) for table in shown]
        return "\n\n".join([*lines, *([f"{md_escape(part.title)}: {links}"] if linked else [])])
    if isinstance(part, Grid):
        return grid_markdown(part, numbers[part.name])
    return table_markdown(part, numbers[part.name])


def _short(table: Table | Grid) -> str:
    return table.title or table.name
