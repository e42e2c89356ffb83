"""One HTML page of what was done to a file: self-contained, to be read without the program."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from denograd.table import TableFile
from denograd.table.content import needed

if TYPE_CHECKING:
    from denograd.pieces import Outcome

FIGURES = 12
"""Columns that are drawn: those that moved most."""

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums }
table { display: block; overflow-x: auto }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap }
th:first-child, td:first-child { text-align: left }
img { max-width: 100% } h2 { margin-top: 2rem } .why { color: #666 }
"""


def write_page(path: Path, table: TableFile, outcome: Outcome) -> None:
    """Write the page.

    Parameters
    ----------
    path : Path
    table : TableFile
        What was read.
    outcome : Outcome
        What came of it.
    """
    with needed(path, "the page's figures"):
        import matplotlib  # noqa: F401
    parts = [
        f"<h1>{html.escape(table.path.name)}, denoised</h1>",
        _overview(outcome),
        "<h2>Columns</h2>",
        _summary(outcome),
        "<h2>Does the assumption hold?</h2>",
        _findings(outcome),
        "<h2>What moved most</h2>",
        _moves(outcome),
        "<h2>Before and after</h2>",
        *_figures(outcome),
        "<h2>How the file was read</h2>",
        _list([*map(str, table.notes), *outcome.notes]),
    ]
    title = html.escape(f"{table.path.name}, denoised")
    body = "\n".join(parts)
    text = f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{STYLE}</style>\n{body}\n"
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _overview(outcome: Outcome) -> str:
    refined = int((outcome.summary["role"] == "refined").sum())
    pieces = f" in {outcome.pieces} pieces" if outcome.pieces > 1 else ""
    if outcome.fitted < outcome.rows:
        pieces += f", by a fit on {outcome.fitted:,} of them drawn at random"
    return (
        f"<p>{outcome.rows:,} rows{pieces}, {refined} of {len(outcome.summary)} columns refined. Of the noise's "
        f"squared error {outcome.share:.0%} is expected to be left, if the levels are right.</p>"
    )


def _summary(outcome: Outcome) -> str:
    summary = outcome.summary.rename(
        columns={"rmse_before": "error before", "rmse_after": "expected error after", "share": "share left"}
    )
    text: str = summary.to_html(float_format=lambda v: f"{v:.4g}", na_rep="", border=0)
    return text


def _findings(outcome: Outcome) -> str:
    if not outcome.findings:
        return "<p>Nothing in the residuals speaks against it: white, normal, of one size, a plausible level.</p>"
    return _list([str(finding) for finding in outcome.findings])


def _list(lines: list[str]) -> str:
    return "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in lines) + "</ul>"


def _moves(outcome: Outcome) -> str:
    """The values that moved farthest, in noise levels."""
    head = "<tr><th>column</th><th>row</th><th>observed</th><th>refined</th><th>in noise levels</th></tr>"
    body = "".join(
        f"<tr><td>{html.escape(str(move.column))}</td><td>{move.row + 1:,}</td><td>{move.observed:.5g}</td>"
        f"<td>{move.refined:.5g}</td><td>{move.levels:.2f}</td></tr>"
        for move in outcome.moves
    )
    return f"<table>{head}{body}</table>"


def _figures(outcome: Outcome) -> list[str]:
    shown = outcome.shown
    with np.errstate(invalid="ignore", divide="ignore"):
        moved = np.nan_to_num(shown.moved() / np.where(shown.sigma > 0, shown.sigma, np.nan))
    refined = [j for j in np.argsort(-moved) if shown.columns[j].role == "refined"][:FIGURES]
    return [_figure(shown.plot(shown.names[j]), str(shown.names[j])) for j in refined]


def _figure(figure: Any, name: str) -> str:
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    data = base64.b64encode(picture.getvalue()).decode()
    return f'<h3>{html.escape(name)}</h3><img alt="{html.escape(name)}" src="data:image/png;base64,{data}">'
