"""A report as one HTML page that needs nothing else: pictures inside, tables that sort at a click on their heads."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

from experiments.report.forms.document import Content, Folded, Picture, Section
from experiments.report.forms.table import Grid, Table

HERE = Path(__file__).parent


def page(title: str, sections: Sequence[Section], figures: Path) -> str:
    """The page; `figures` is the folder of the pictures."""
    contents = "".join(
        f'<li class="l{section.level}"><a href="#s{i}">{escape(section.title)}</a></li>'
        for i, section in enumerate(sections)
    )
    body = []
    for i, section in enumerate(sections):
        body.append(f'<section><h{section.level} id="s{i}">{escape(section.title)}</h{section.level}>')
        body += [_part(part, figures) for part in section.parts]
        body.append("</section>")
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{style}</style></head><body>"
        f"<nav><ul>{contents}</ul></nav><main><h1>{escape(title)}</h1>{''.join(body)}</main>"
        f"<script>{script}</script></body></html>\n"
    )


def _part(part: Content, figures: Path) -> str:
    if isinstance(part, str):
        return f"<p>{escape(part)}</p>"
    if isinstance(part, Picture):
        data = base64.b64encode((figures / f"{part.stem}.png").read_bytes()).decode()
        caption = escape(part.caption)
        image = f'<img alt="{caption}" src="data:image/png;base64,{data}">'
        return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"
    if isinstance(part, Folded):
        inner = "".join(_part(table, figures) for table in part.tables)
        return f"<details><summary>{escape(part.title)} ({len(part.tables)})</summary>{inner}</details>"
    return _texts(part) if isinstance(part, Grid) else numbers(part)


def numbers(table: Table) -> str:
    """A sortable table; the sort keys are the unrounded values."""
    head = _head([table.corner, *(c.title for c in table.columns)])
    body = []
    for row in table.rows:
        entries = []
        for i in range(len(table.columns)):
            value, mark = table.at("value", row, i), table.marks[i].get(row, "")
            key = repr(value) if math.isfinite(value) else ""
            entries.append(f'<td data-v="{key}"{_class(mark)}>{escape(table.entry(row, i))}</td>')
        control = _class("control" if row in table.controls else "")
        body.append(f'<tr{control}><th scope="row">{escape(str(row))}</th>{"".join(entries)}</tr>')
    below = "".join(f"<p class=note>{escape(line)}</p>" for line in table.below())
    return (
        f'<figure class="table" id="{escape(table.name)}"><figcaption>{escape(table.caption)}</figcaption>'
        f'<div class="scroll"><table class="sortable"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>{below}</figure>"
    )


def _texts(grid: Grid) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(text)}</td>" for text in row[1:])}</tr>'
        for row in grid.rows
    )
    below = "".join(f"<p class=note>{escape(line)}</p>" for line in grid.notes)
    return (
        f'<figure class="table words" id="{escape(grid.name)}"><figcaption>{escape(grid.caption)}</figcaption>'
        f'<div class="scroll"><table class="sortable"><thead><tr>{_head(grid.header)}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{below}</figure>"
    )


def _head(titles: Sequence[str]) -> str:
    return "".join(f'<th scope="col"><button type="button">{escape(title)}</button></th>' for title in titles)


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""
