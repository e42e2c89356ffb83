"""A report's content, and its two forms: Markdown for a code host, one self-contained HTML page."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from experiments.report import render
from experiments.report.render import Table


@dataclass(frozen=True)
class Grid:
    """A table of texts; the first column is its head."""

    name: str
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Picture:
    """A figure: `stem` names its png and pdf under ``figures/``."""

    stem: str
    caption: str


@dataclass(frozen=True)
class Folded:
    """Tables that are linked in Markdown and folded away in HTML."""

    title: str
    tables: Sequence[Table | Grid]


@dataclass(frozen=True)
class Section:
    """A heading and what follows it: paragraphs (plain text), tables, figures."""

    title: str
    parts: list[str | Table | Grid | Picture | Folded] = field(default_factory=list)
    level: int = 2

    def tables(self) -> list[Table | Grid]:
        found: list[Table | Grid] = []
        for part in self.parts:
            if isinstance(part, Folded):
                found += part.tables
            elif isinstance(part, (Table, Grid)):
                found.append(part)
        return found


# ------------------------------------------------------------------------------------------- Markdown


def markdown(title: str, sections: Sequence[Section]) -> str:
    """The report for a code host; pictures and folded tables are links into ``figures/`` and ``tables/``."""
    lines = [f"# {render.md_escape(title)}", ""]
    for section in sections:
        lines += [f"{'#' * section.level} {render.md_escape(section.title)}", ""]
        for part in section.parts:
            lines += [_md_part(part), ""]
    return "\n".join(lines).rstrip() + "\n"


def _md_part(part: str | Table | Grid | Picture | Folded) -> str:
    if isinstance(part, str):
        return render.md_escape(part)
    if isinstance(part, Picture):
        alt = render.md_escape(part.caption)
        return f"![{alt}](figures/{part.stem}.png)\n\n*{alt}* ([pdf](figures/{part.stem}.pdf))"
    if isinstance(part, Folded):
        links = ", ".join(
            f"[{render.md_escape(table.name)}](tables/{table.name}.md)" for table in part.tables
        )
        return f"{render.md_escape(part.title)}: {links}"
    return grid_markdown(part) if isinstance(part, Grid) else render.markdown(part)


def grid_markdown(grid: Grid) -> str:
    lines = ["| " + " | ".join(map(render.md_escape, grid.header)) + " |", "|" + ":--|" * len(grid.header)]
    lines += ["| " + " | ".join(map(render.md_escape, row)) + " |" for row in grid.rows]
    return "\n".join([*lines, "", render.md_escape(grid.caption)])


def write_tables(sections: Sequence[Section], folder: Path) -> list[Path]:
    """Every table as csv, md and tex."""
    tables = [table for section in sections for table in section.tables()]
    paths = render.write([table for table in tables if isinstance(table, Table)], folder)
    for grid in (table for table in tables if isinstance(table, Grid)):
        for suffix, form in ((".csv", _grid_csv), (".md", grid_markdown), (".tex", _grid_latex)):
            path = folder / f"{grid.name}{suffix}"
            path.write_text(form(grid), encoding="utf-8")
            paths.append(path)
    return paths


def _grid_csv(grid: Grid) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([grid.header, *grid.rows])
    return buffer.getvalue()


def _grid_latex(grid: Grid) -> str:
    body = [" & ".join(map(render.tex_escape, row)) + r" \\" for row in grid.rows]
    head = " & ".join(map(render.tex_escape, grid.header)) + r" \\"
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{render.tex_escape(grid.caption)}}}",
            rf"\begin{{tabular}}{{{'l' * len(grid.header)}}}",
            *(r"\toprule", head, r"\midrule", *body, r"\bottomrule"),
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


# ----------------------------------------------------------------------------------------------- HTML


def html(title: str, sections: Sequence[Section], figures: Path) -> str:
    """One page that needs nothing else: pictures inside, tables that sort at a click on their heads."""
    contents = "".join(
        f'<li class="l{section.level}"><a href="#s{i}">{escape(section.title)}</a></li>'
        for i, section in enumerate(sections)
    )
    body = []
    for i, section in enumerate(sections):
        body.append(f'<section><h{section.level} id="s{i}">{escape(section.title)}</h{section.level}>')
        body += [_html_part(part, figures) for part in section.parts]
        body.append("</section>")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f"<nav><ul>{contents}</ul></nav><main><h1>{escape(title)}</h1>{''.join(body)}</main>"
        f"<script>{SCRIPT}</script></body></html>\n"
    )


def _html_part(part: str | Table | Grid | Picture | Folded, figures: Path) -> str:
    if isinstance(part, str):
        return f"<p>{escape(part)}</p>"
    if isinstance(part, Picture):
        data = base64.b64encode((figures / f"{part.stem}.png").read_bytes()).decode()
        caption = escape(part.caption)
        image = f'<img alt="{caption}" src="data:image/png;base64,{data}">'
        return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"
    if isinstance(part, Folded):
        inner = "".join(_html_part(table, figures) for table in part.tables)
        return f"<details><summary>{escape(part.title)} ({len(part.tables)})</summary>{inner}</details>"
    return _grid_html(part) if isinstance(part, Grid) else render.html(part)


def _grid_html(grid: Grid) -> str:
    head = "".join(
        f'<th scope="col"><button type="button">{escape(title)}</button></th>' for title in grid.header
    )
    rows = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(text)}</td>" for text in row[1:])}</tr>'
        for row in grid.rows
    )
    return (
        f'<figure class="table words"><figcaption>{escape(grid.caption)}</figcaption><div class="scroll">'
        f'<table class="sortable"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></figure>'
    )


STYLE = """
:root{--ink:#1c1c1c;--soft:#6b6b6b;--line:#d9d9d9;--mark:#fff3d6}
*{box-sizing:border-box}
body{margin:0;font:15px/1.5 system-ui,"DejaVu Sans",sans-serif;color:var(--ink);display:grid;
grid-template-columns:15rem minmax(0,1fr)}
nav{position:sticky;top:0;height:100vh;overflow:auto;border-right:1px solid var(--line);padding:1rem .6rem;
font-size:13px}
nav ul{list-style:none;margin:0;padding:0}nav li{margin:.25rem 0}nav .l3{padding-left:1rem}
nav a{color:inherit;text-decoration:none}nav a:hover{text-decoration:underline}
main{padding:1rem 2rem 4rem;max-width:80rem}h1{font-size:1.6rem}
h2{border-top:2px solid var(--ink);padding-top:.6rem;margin-top:2.5rem}
p{max-width:60rem}figure{margin:1.2rem 0}img{max-width:100%;height:auto}
figcaption{color:var(--soft);font-size:13px;max-width:60rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums;margin:.3rem 0}
th,td{padding:.2rem .6rem;text-align:right;white-space:nowrap}th[scope=row],thead th:first-child{text-align:left}
.words td,.words th{text-align:left;white-space:normal;vertical-align:top}
thead th{border-top:2px solid var(--ink);border-bottom:1px solid var(--ink);padding:0}
tbody tr:last-child>*{border-bottom:2px solid var(--ink)}tbody tr:hover{background:#f6f6f6}
th[scope=row]{font-weight:400}tr.control>*{color:var(--soft);font-style:italic}
tr:not(.control)+tr.control>*{border-top:1px solid var(--ink)}
.best{font-weight:700;background:var(--mark)}.second{text-decoration:underline}
button{all:unset;cursor:pointer;padding:.2rem .6rem;font-weight:600}button:focus-visible{outline:2px solid #0057e7}
th[aria-sort=ascending] button::after{content:" \\25B2"}th[aria-sort=descending] button::after{content:" \\25BC"}
.note{color:var(--soft);font-size:12.5px;margin:.1rem 0;max-width:70rem}details{margin:.8rem 0}summary{cursor:pointer}
@media(max-width:60rem){body{display:block}nav{display:none}main{padding:1rem}}
@media print{body{display:block}nav{display:none}}
"""

SCRIPT = """
document.querySelectorAll('table.sortable').forEach(table => {
  const body = table.tBodies[0];
  const key = (row, i) => {
    const cell = row.cells[i], value = cell.dataset.v;
    return value === undefined ? cell.textContent : value === '' ? null : Number(value);
  };
  table.querySelectorAll('thead th').forEach((head, i) => head.addEventListener('click', () => {
    const down = head.getAttribute('aria-sort') !== 'descending';
    table.querySelectorAll('thead th').forEach(other => other.removeAttribute('aria-sort'));
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    const compare = (a, b) => {
      const below = a.classList.contains('control') - b.classList.contains('control');
      const x = key(a, i), y = key(b, i);
      if (below) return below;
      if (x === null || y === null) return (x === null) - (y === null);
      const order = typeof x === 'number' && typeof y === 'number' ? x - y : String(x).localeCompare(String(y));
      return down ? -order : order;
    };
    [...body.rows].sort(compare).forEach(row => body.appendChild(row));
  }));
});
"""
