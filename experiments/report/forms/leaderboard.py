"""A leaderboard as HTML that needs nothing else: choices, ranks with their intervals, and what is behind each."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.base.paths import CONF
from experiments.report.analysis.leaderboard import ANY, Board, Place
from experiments.report.analysis.measures import BY_NAME

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Ranked:
    """The boards of one campaign.

    Attributes
    ----------
    campaign : str
    boards : tuple of Board
    report : str
        Where its report is, as a link; empty where there is none.
    """

    campaign: str
    boards: tuple[Board, ...]
    report: str = ""


def fragment(campaigns: Iterable[Ranked]) -> str:
    """What can stand in any page: an element with its data, style and script."""
    data = {
        "axes": ["campaign", "methods", "kind", "regressors", "protocol", "level", "metric"],
        "campaigns": {ranked.campaign: _described(ranked) for ranked in campaigns},
    }
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("</", "<\\/")
    style, script = (
        (HERE / name).read_text(encoding="utf-8") for name in ("leaderboard.css", "leaderboard.js")
    )
    return (
        f'<div class="leaderboard"><style>{style}</style>'
        "<noscript>Choosing needs JavaScript; the same ranks stand in the reports.</noscript>"
        f'<script type="application/json">{text}</script><script>{script}</script></div>'
    )


def page(campaigns: Iterable[Ranked]) -> str:
    """The leaderboard as a page of its own."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,"><title>Leaderboard</title>'
        "<style>body{margin:0 auto;max-width:75rem;padding:1rem;font:15px/1.5 system-ui,sans-serif}</style>"
        f"</head><body><main><h1>Leaderboard</h1>{fragment(campaigns)}</main></body></html>\n"
    )


def _described(ranked: Ranked) -> dict[str, Any]:
    return {"report": ranked.report, "boards": [_board(ranked.campaign, board) for board in ranked.boards]}


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
    words: Mapping[str, str]
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


def _given(words: Mapping[str, str]) -> list[str]:
    return [f"'{key}={value}'" if value.startswith("[") else f"{key}={value}" for key, value in words.items()]


