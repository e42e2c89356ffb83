"""The written forms of tables: Markdown, csv, LaTeX."""

from __future__ import annotations

import csv as csv_module
import io
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from experiments.report.forms.table import Grid, Part, Table
from experiments.store.files import writing

LEGEND = (
    "Best bold, second underlined, where the lead is larger than the spread of repetitions (±) or that is not known; "
    "rows in italics are not ranked."
)


def markdown(table: Table, number: str = "") -> str:
    """A table in the Markdown of code hosts."""
    wrap = {"": "{}", "best": "**{}**", "second": "<ins>{}</ins>"}
    lines = [
        "| " + " | ".join(map(md_escape, [table.corner, *(c.head for c in table.columns)])) + " |",
        "|:--" + "|--:" * len(table.columns) + "|",
    ]
    marks = table.marks
    for row in table.rows:
        name = md_escape(str(row))
        if row in table.controls:
            name = f"*{name}*"
        entries = [
            wrap[marks[i].get(row, "")].format(md_escape(table.entry(row, i)))
            for i in range(len(table.columns))
        ]
        lines.append("| " + " | ".join([name, *entries]) + " |")
    lines += ["", md_escape(_numbered(number, table.caption))]
    legend = [LEGEND] if any(marks) else []
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
        " & ".join(tex_escape(t) for t in [table.corner, *(c.head for c in table.columns)]) + r" \\",
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
        lines.append(" & ".join([tex_escape(str(row)), *entries]) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\footnotesize {tex_escape(line)}" for line in table.below()]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def csv(table: Table) -> str:
    """Unrounded values, with spreads, counts and tags in columns of their own."""
    parts: dict[str, list[str]] = {
        table.corner: [str(row) for row in table.rows],
        "control": [str(row in table.controls) for row in table.rows],
    }
    named: tuple[tuple[Part, str], ...] = (("value", ""), ("spread", " std"), ("count", " n"))
    for i, column in enumerate(table.columns):
        for part, name in named:
            numbers = [table.at(part, row, i) for row in table.rows]
            if part == "value" or not all(map(math.isnan, numbers)):
                parts[column.title + name] = ["" if math.isnan(n) else repr(n) for n in numbers]
        tags = ["".join(tag.letter for tag in table.tags.get((row, i), ())) for row in table.rows]
        if any(tags):
            parts[f"{column.title} tags"] = tags
    return _csv_text([list(parts), *zip(*parts.values(), strict=True)])


# ------------------------------------------------------------------------------------- tables of texts


def grid_markdown(grid: Grid, number: str = "") -> str:
    lines = ["| " + " | ".join(map(md_escape, grid.header)) + " |", "|" + ":--|" * len(grid.header)]
    lines += ["| " + " | ".join(map(md_escape, row)) + " |" for row in grid.rows]
    return "\n".join(
        [*lines, "", "  \n".join(map(md_escape, (_numbered(number, grid.caption), *grid.notes)))]
    )


def grid_csv(grid: Grid) -> str:
    return _csv_text([grid.header, *grid.rows])


def _csv_text(rows: Iterable[Sequence[str]]) -> str:
    buffer = io.StringIO()
    csv_module.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


def grid_latex(grid: Grid) -> str:
    body = [" & ".join(map(tex_escape, row)) + r" \\" for row in grid.rows]
    head = " & ".join(map(tex_escape, grid.header)) + r" \\"
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{tex_escape(grid.caption)}}}",
            rf"\begin{{tabular}}{{{'l' * len(grid.header)}}}",
            *(r"\toprule", head, r"\midrule", *body, r"\bottomrule"),
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


# ------------------------------------------------------------------------------------------------ files

FORMS = {
    ".csv": (csv, grid_csv),
    ".md": (markdown, grid_markdown),
    ".tex": (latex, grid_latex),
}


def write(tables: Iterable[Table | Grid], folder: Path, suffixes: Iterable[str] = tuple(FORMS)) -> list[Path]:
    """Write each table into `folder`, in the given forms; return the paths."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for table in tables:
        for suffix in suffixes:
            path = folder / f"{table.name}{suffix}"
            of_numbers, of_texts = FORMS[suffix]
            text = of_texts(table) if isinstance(table, Grid) else of_numbers(table)
            with writing(path):
                path.write_text(text, encoding="utf-8")
            paths.append(path)
    return paths


def _numbered(number: str, caption: str) -> str:
    return f"{number}. {caption}" if number else caption


def md_escape(text: str) -> str:
    return re.sub(r"([|*_<>`])", r"\\\1", text).replace("\n", " ")


def tex_escape(text: str) -> str:
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--"}
    special |= {"±": r"$\pm$", "<": r"$<$", ">": r"$>$", "ρ": r"$\rho$", "σ": r"$\sigma$"}
    special |= {c: rf"\{c}" for c in "&%$#_{}"}
    return "".join(special.get(c, c) for c in text).replace("\n", " ")
