"""A report as one HTML page that needs nothing else: pictures inside; choices, sorting and downloads in place."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Sequence
from html import escape
from itertools import groupby
from pathlib import Path

from experiments.report.forms.document import Content, Folded, Picture, Section, numbered, picture_name
from experiments.report.forms.plain import LEGEND
from experiments.report.forms.table import Column, Grid, Table, slug

HERE = Path(__file__).parent


def page(title: str, sections: Sequence[Section], figures: Path) -> str:
    """The page; `figures` is the folder of the pictures."""
    numbers = numbered(sections)
    contents, body = [], []
    for choice, some in groupby(sections, key=lambda section: section.choice is not None):
        if choice:
            chosen = list(some)
            contents.append(_entry("results", "Results by protocol and noise"))
            body.append(_choices(chosen, numbers, figures))
            continue
        for section in some:
            at = slug("about", section.title.lower())
            contents.append(_entry(at, section.title))
            inner = "".join(_part(part, numbers, figures) for part in section.parts)
            body.append(f'<section id="{at}"><h2>{_link(at, section.title)}</h2>{inner}</section>')
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{style}</style></head><body>"
        '<a class="skip" href="#main">Skip to the report</a>'
        '<header><details class="menu" open><summary>Contents</summary>'
        f'<nav aria-label="Contents"><ul>{"".join(contents)}</ul></nav></details>'
        f"{_methods(sections)}"
        '<button type="button" id="theme">Dark or light</button></header>'
        f'<main id="main"><h1>{escape(title)}</h1>{"".join(body)}</main>'
        f"<script>{script}</script></body></html>\n"
    )


def _entry(at: str, title: str) -> str:
    return f'<li><a href="#{at}">{escape(title)}</a></li>'


def _link(at: str, title: str) -> str:
    return f'<a class="self" href="#{at}">{escape(title)}</a>'


def _methods(sections: Sequence[Section]) -> str:
    """Boxes that show and hide methods in all tables."""
    tables = [t for s in sections for t in s.tables() if isinstance(t, Table) and t.corner == "method"]
    found = dict.fromkeys(str(row) for table in tables for row in table.rows)
    boxes = "".join(
        f'<label><input type="checkbox" checked value="{escape(name)}"> {escape(name)}</label>'
        for name in found
    )
    if not boxes:
        return ""
    every = '<button type="button" data-all="1">all</button> <button type="button" data-all="">none</button>'
    return (
        f'<details id="methods"><summary>Methods</summary><div class="boxes">{every}{boxes}</div></details>'
    )


def _choices(sections: Sequence[Section], numbers: dict[str, str], figures: Path) -> str:
    """Sections of which one is shown, by protocol and noise."""
    choices = [section.choice for section in sections if section.choice is not None]
    selects = "".join(
        f'<label>{label} <select data-axis="{axis}">{_options(dict.fromkeys(c[i] for c in choices))}</select></label>'
        for i, (axis, label) in enumerate((("protocol", "Protocol"), ("level", "Noise")))
    )
    inner = ""
    for section in sections:
        assert section.choice is not None
        protocol, level = map(escape, section.choice)
        at = slug(section.title.lower())
        parts = "".join(_part(part, numbers, figures) for part in section.parts)
        inner += (
            f'<div class="option" id="{at}" data-protocol="{protocol}" data-level="{level}">'
            f"<h3>{_link(at, section.title)}</h3>{parts}</div>"
        )
    return (
        f'<section id="results"><h2>{_link("results", "Results by protocol and noise")}</h2>'
        f'<div class="bar">{selects}<span class="none" hidden>There are no cells of this.</span></div>{inner}</section>'
    )


def _options(names: Iterable[str]) -> str:
    return "".join(f"<option>{escape(name)}</option>" for name in names)


def _part(part: Content, numbers: dict[str, str], figures: Path) -> str:
    if isinstance(part, str):
        return f"<p>{escape(part)}</p>"
    if isinstance(part, Picture):
        data = base64.b64encode((figures / f"{part.stem}.png").read_bytes()).decode()
        name, caption = picture_name(part.stem), escape(part.caption)
        image = f'<img loading="lazy" alt="{caption}" src="data:image/png;base64,{data}">'
        head = _head_of(name, numbers[name], caption, "png")
        return f'<figure class="picture" id="{escape(name)}">{image}{head}</figure>'
    if isinstance(part, Folded):
        titles = [table.title or table.name for table in part.tables]
        one = "".join(
            f'<div class="one" data-title="{escape(title)}">{_part(table, numbers, figures)}</div>'
            for title, table in zip(titles, part.tables, strict=True)
        )
        pick = f"<select>{_options(titles)}</select>"
        return f'<div class="folded"><label class="bar">{escape(part.title)} {pick}</label>{one}</div>'
    return (
        texts_html(part, numbers[part.name])
        if isinstance(part, Grid)
        else table_html(part, numbers[part.name])
    )


def table_html(table: Table, number: str = "Table") -> str:
    """A sortable table; the sort keys are the unrounded values."""
    head = _head(table.corner) + "".join(_head(c.title, c) for c in table.columns)
    body = []
    for row in table.rows:
        entries = []
        for i in range(len(table.columns)):
            value, mark = table.at("value", row, i), table.marks[i].get(row, "")
            key = f"{value:.7g}" if math.isfinite(value) else ""
            entries.append(f'<td data-v="{key}"{_class(mark)}>{escape(table.entry(row, i))}</td>')
        control = _class("control" if row in table.controls else "")
        name = escape(str(row))
        method = f' data-m="{name}"' if table.corner == "method" else ""
        body.append(f'<tr{control}{method}><th scope="row">{name}</th>{"".join(entries)}</tr>')
    below = [*([LEGEND] if any(table.marks) else []), *table.below()]
    return _framed(table.name, number, table.caption, head, "".join(body), below)


def texts_html(grid: Grid, number: str = "Table") -> str:
    """A sortable table of texts."""
    rows = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(text)}</td>" for text in row[1:])}</tr>'
        for row in grid.rows
    )
    return _framed(
        grid.name, number, grid.caption, "".join(map(_head, grid.header)), rows, grid.notes, "words"
    )


def _framed(
    name: str, number: str, caption: str, head: str, body: str, below: Sequence[str], kind: str = ""
) -> str:
    notes = "".join(f"<li>{escape(line)}</li>" for line in below)
    return (
        f'<figure class="table {kind}" id="{escape(name)}">{_head_of(name, number, escape(caption), "csv")}'
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(number)}">'
        f'<table class="sortable"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        f"{f'<ul class=notes>{notes}</ul>' if notes else ''}</figure>"
    )


def _head_of(name: str, number: str, caption: str, form: str) -> str:
    link = f'<a class="self" href="#{escape(name)}">{escape(number)}</a>'
    get = f'<button type="button" class="get" data-get="{escape(name)}.{form}">{form}</button>'
    return f"<figcaption><b>{link}.</b> {caption} {get}</figcaption>"


def _head(title: str, column: Column | None = None) -> str:
    hint = f' title="{escape(column.hint)}"' if column is not None and column.hint else ""
    under = f"<small>{escape(column.under)}</small>" if column is not None and column.under else ""
    better = {"high": "&nbsp;↑", "low": "&nbsp;↓", "": ""}[column.better] if column is not None else ""
    broken = escape(title).replace("_", "_<wbr>")
    return f'<th scope="col"{hint}><button type="button">{broken}{better}{under}</button></th>'


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""
