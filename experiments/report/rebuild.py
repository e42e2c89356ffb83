"""A campaign's report on disk, from its cells on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments.base import paths
from experiments.base.errors import WrongCall
from experiments.report.analysis.findings import findings
from experiments.report.analysis.labelling import results_of
from experiments.report.analysis.results import Results
from experiments.report.figures.album import Album
from experiments.report.forms.document import markdown
from experiments.report.forms.page import page
from experiments.report.forms.plain import FORMS, grid_markdown, md_escape, write
from experiments.report.forms.plain import markdown as table_markdown
from experiments.report.sections import compose
from experiments.report.sections.paper_versus_ours import in_short
from experiments.report.sections.summary import overview
from experiments.store import archive
from experiments.store.files import FINISHED, write_atomically, writing

DRAWINGS = (".png", ".pdf", ".svg")


def rebuild(
    folder: Path,
    figures: bool,
    suffixes: Sequence[str],
    workers: int,
    readme: bool,
    say: Callable[[str], Any],
) -> list[Path]:
    """Write the archive, tables, figures, report.md and report.html of a campaign; see `command.write_report`."""
    cells = archive.load(folder)
    if readme:
        markers(
            README.read_text(encoding="utf-8"), folder.name
        )  # what is wrong there is said before any work
    with writing(folder):
        parquet = archive.save(cells, folder)
        everything = results_of(cells)
        finished, planned = int(cells["status"].isin(FINISHED).sum()), archive.planned(folder)
        if planned and finished <= planned:
            share = f"Of at most {planned:,} cells of the whole campaign {finished:,} stand ({finished / planned:.0%})."
            note = share if finished < planned else f"All {planned:,} cells of the campaign stand."
            everything = replace(everything, notes=(*everything.notes, note))
        if damaged := archive.unreadable(folder, cells):
            note = (
                f"{damaged} damaged files in cells/ were left out; the run that wrote them computes them anew"
            )
            everything = replace(everything, notes=(*everything.notes, note))
        say(f"{len(cells):,} cells read; making the tables")
        drawn_as = (".png", *(suffix for suffix in suffixes if suffix in DRAWINGS))
        album = Album(folder, figures, drawn_as, workers)
        try:
            sections = compose(everything, album)
            tables = [table for section in sections for table in section.tables()]
            kept = write(tables, folder / "tables", (".csv", *(s for s in suffixes if s in FORMS)))
            _keep_only(folder / "tables", kept, tuple(FORMS))
            say(f"{len(tables)} tables written" + "; drawing the figures" * figures)
            album.finish(_counting(say))
        finally:
            album.close()
        if figures:
            _keep_only(album.folder, album.paths, DRAWINGS)
        title = f"Campaign {folder.name}"
        html, text = folder / "report.html", folder / "report.md"
        write_atomically(html, page(title, sections, album.folder).encode())
        write_atomically(text, markdown(title, sections).encode())
    more = [rewrite(folder.name, everything)] if readme else []
    return [html, text, *more, parquet, folder / "tables", *([album.folder] if figures else [])]


def _counting(say: Callable[[str], Any]) -> Callable[[int, int], None]:
    """Says every tenth of the figures."""

    def drawn(done: int, total: int) -> None:
        if done == total or (done * 10) // total > ((done - 1) * 10) // total:
            say(f"{done} of {total} figures")

    return drawn


def _keep_only(folder: Path, kept: Iterable[Path], suffixes: tuple[str, ...]) -> None:
    """Remove what an earlier report left in a folder that is rebuilt wholly."""
    wanted = set(kept)
    for path in folder.glob("*"):
        if path.suffix in suffixes and path not in wanted:
            path.unlink()


# ------------------------------------------------------------------------------------------- the README

README = paths.ROOT / "README.md"
BLOCKS: dict[str, Callable[[Results], str]] = {
    "figures": lambda everything: grid_markdown(in_short(everything)),
    "overview": lambda everything: table_markdown(overview(everything)),
    "findings": lambda everything: "\n".join(f"- {md_escape(sentence)}" for sentence in findings(everything)),
}
"""What a README can show of a campaign: the paper's figures beside ours, all methods, sentences."""


class NoMarkers(WrongCall):
    """The README lacks the markers that say where a campaign's results stand."""


def rewrite(campaign: str, everything: Results, path: Path = README) -> Path:
    """Put what the README shows of a campaign between its markers; raises as `markers` does."""
    write_atomically(path, rewritten(path.read_text(encoding="utf-8"), campaign, everything, path).encode())
    return path


def rewritten(text: str, campaign: str, everything: Results, path: Path = README) -> str:
    """The text with what stands between the campaign's markers made anew, of each `BLOCKS` that it has."""
    for name, (start, end) in markers(text, campaign, path).items():
        before, rest = text.split(start)
        after = rest.split(end, 1)[1]
        text = f"{before}{start}\n{BLOCKS[name](everything).strip()}\n{end}{after}"
    return text


def markers(text: str, campaign: str, path: Path = README) -> dict[str, tuple[str, str]]:
    """Start and end of the campaign's blocks in a README's text, by name.

    Raises
    ------
    NoMarkers
        If there is none, or one that is not a pair in this order.
    """
    marks = {
        name: (f"<!-- {name} of {campaign} -->", f"<!-- end of {name} of {campaign} -->") for name in BLOCKS
    }
    for start, end in marks.values():
        if not (text.count(start) == text.count(end) <= 1) or text.find(end) < text.find(start):
            raise NoMarkers(f"{path} must hold '{start}' and then '{end}' once each, or neither")
    found = {name: pair for name, pair in marks.items() if pair[0] in text}
    if not found:
        listed = " or ".join(f"'{start}' and '{end}'" for start, end in marks.values())
        raise NoMarkers(
            f"{path} has no place for the results of '{campaign}': write {listed} where they shall stand, "
            "a line each, or leave readme=true out"
        )
    return found
