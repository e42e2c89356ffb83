"""The table and the findings of a campaign in the project's README, between markers."""

from __future__ import annotations

from pathlib import Path

from experiments.base import paths
from experiments.base.errors import HarnessError
from experiments.report.findings import findings
from experiments.report.forms.plain import markdown, md_escape
from experiments.report.results import Results
from experiments.report.sections.summary import overview
from experiments.store.files import write_atomically

README = paths.ROOT / "README.md"


class NoMarkers(HarnessError):
    """The README lacks the markers that say where a campaign's results stand."""


def rewrite(everything: Results, path: Path = README) -> Path:
    """Put the campaign's overview and findings between the markers of the README.

    Raises
    ------
    NoMarkers
        If they are not there.
    """
    write_atomically(path, rewritten(path.read_text(encoding="utf-8"), everything, path).encode())
    return path


def rewritten(text: str, everything: Results, path: Path = README) -> str:
    """The text with what stands between its markers made anew."""
    blocks = {
        "overview": markdown(overview(everything)).strip(),
        "findings": "\n".join(f"- {md_escape(sentence)}" for sentence in findings(everything)),
    }
    for name, block in blocks.items():
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        if text.count(start) != 1 or text.count(end) != 1:
            raise NoMarkers(
                f"{path} must hold '{start}' and '{end}' once each: what stands between is made anew"
            )
        before, rest = text.split(start)
        after = rest.split(end, 1)[1]
        text = f"{before}{start}\n{block}\n{end}{after}"
    return text
