"""The leaderboard of all campaigns of a folder, from their cells."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from experiments.base.paths import CONF
from experiments.report.analysis.labelling import results_of
from experiments.report.analysis.leaderboard import ANY, Board, Place, boards
from experiments.report.analysis.measures import BY_NAME
from experiments.report.forms.leaderboard import page
from experiments.store import archive
from experiments.store.files import write_atomically

NAME = "leaderboard.html"


def write_leaderboard(
    results_dir: Path, campaigns: Sequence[str] = (), say: Callable[[str], Any] = lambda text: None
) -> Path:
    """Write the leaderboard of some campaigns, by default of all, into their folder.

    Raises
    ------
    NoCells, ArchiveUnreadable
        If there is nothing to rank.
    """
    names = list(campaigns) or archive.campaigns_in(results_dir)
    if not names:
        raise archive.NoCampaign(
            f"there is no campaign in {results_dir}. Run 'python -m experiments.run' first."
        )
    say(f"ranking {', '.join(names)}")
    path = results_dir / NAME
    write_atomically(path, page(described(results_dir, names)).encode())
    return path


def described(
    results_dir: Path, campaigns: Sequence[str], link: str = "{}/report.html"
) -> dict[str, dict[str, Any]]:
    """Rank the methods of every campaign in every view, as the page's script takes it.

    Parameters
    ----------
    results_dir : Path
    campaigns : sequence of str
        Folders in it.
    link : str
        Where a campaign's report is, as seen from the page; of the campaign's name.

    Returns
    -------
    campaigns : dict
        Those in which anything can be ranked, with their ``boards``, and the link of the ``report`` if there is one.
    """
    found = {}
    for name in campaigns:
        has_report = (results_dir / name / "report.html").is_file()
        ranked = [_board(name, board) for board in boards(results_of(archive.load(results_dir / name)))]
        if ranked:
            found[name] = {"report": link.format(name) if has_report else "", "boards": ranked}
    return found


def _board(campaign: str, board: Board) -> dict[str, Any]:
    view, measure = board.view, BY_NAME[board.view.metric]
    group = "" if view.group == ANY else view.group
    return {
        "at": [view.methods, view.kind, group, view.condition.protocol, view.condition.level, measure.title],
        "better": measure.better,
        "decimals": measure.decimals,
        "meaning": measure.meaning,
        "datasets": board.datasets,
        "runs": [view.condition.stem("run", dataset) for dataset in board.datasets],
        "regressors": ", ".join(board.regressors),
        "cd": _number(board.critical_difference, 2),
        "table": board.table,
        "places": [
            [
                place.title,
                _number(place.rank, 2),
                _number(place.low, 1),
                _number(place.high, 1),
                [_number(value, 4) for value in place.values],
                command_of(campaign, board, place),
            ]
            for place in board.places
        ],
    }


def _number(value: float, decimals: int) -> float | None:
    return round(value, decimals) if math.isfinite(value) else None


def command_of(campaign: str, board: Board, place: Place) -> str:
    """What computes the numbers of one method in one view: cells that are stored are not computed again."""
    condition = board.view.condition
    if campaign == "core":
        return f"python -m experiments.compare denoiser={place.method}"
    words: dict[str, str]
    if (CONF / "campaigns" / f"{campaign}.yaml").is_file():
        words = {
            "only.denoiser": f"identity,{place.method}" if place.method != "identity" else "identity",
            "only.protocol": condition.protocol,
            "only.sigma": f"{condition.sigma:g}",
        }
        return " ".join([f"python -m experiments.campaign +campaign={campaign}", *_given(words)])
    words = {
        "denoiser": f"[identity,{place.method}]",
        "protocol": f"[{condition.protocol}]",
        "noise.sigma": f"{condition.sigma:g}",
        "campaign": campaign,
    }
    return " ".join([f"python -m experiments.run -m dataset={','.join(board.datasets)}", *_given(words)])


def _given(words: dict[str, str]) -> list[str]:
    return [f"'{key}={value}'" if value.startswith("[") else f"{key}={value}" for key, value in words.items()]
