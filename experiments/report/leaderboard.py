"""The leaderboard of all campaigns of a folder, from their cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from experiments.report.analysis.leaderboard import boards
from experiments.report.analysis.results import results_of
from experiments.report.forms.leaderboard import Ranked, page
from experiments.store import archive
from experiments.store.files import write_atomically
from experiments.store.parquet import ARCHIVE

NAME = "leaderboard.html"


def campaigns_in(results_dir: Path) -> list[str]:
    """Names of the campaigns in a folder that have cells."""
    found = (path for path in results_dir.glob("*/") if path.is_dir())
    return sorted(path.name for path in found if (path / "cells").is_dir() or (path / ARCHIVE).is_file())


def ranked(results_dir: Path, campaigns: Sequence[str], link: str = "{}/report.html") -> list[Ranked]:
    """Rank the methods of every campaign in every view.

    Parameters
    ----------
    results_dir : Path
    campaigns : sequence of str
        Folders in it.
    link : str
        Where a campaign's report is, as seen from the page; of the campaign's name.

    Returns
    -------
    campaigns : list of Ranked
        Those in which anything can be ranked.
    """
    found = []
    for name in campaigns:
        has_report = (results_dir / name / "report.html").is_file()
        everything = results_of(archive.load(results_dir / name))
        found.append(Ranked(name, tuple(boards(everything)), link.format(name) if has_report else ""))
    return [one for one in found if one.boards]


def write_leaderboard(
    results_dir: Path, campaigns: Sequence[str] = (), say: Callable[[str], Any] = lambda text: None
) -> Path:
    """Write the leaderboard of some campaigns, by default of all, into their folder.

    Raises
    ------
    NoCells, ArchiveUnreadable
        If there is nothing to rank.
    """
    names = list(campaigns) or campaigns_in(results_dir)
    if not names:
        raise archive.NoCampaign(f"there is no campaign in {results_dir}. Run 'python -m experiments.run' first.")
    say(f"ranking {', '.join(names)}")
    path = results_dir / NAME
    write_atomically(path, page(ranked(results_dir, names)).encode())
    return path
