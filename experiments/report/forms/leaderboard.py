"""A leaderboard as HTML that needs nothing else: choices, ranks with their intervals, and what is behind each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def fragment(campaigns: Mapping[str, Any]) -> str:
    """What can stand in any page: an element with its data, style and script.

    Parameters
    ----------
    campaigns : mapping
        Of `experiments.report.leaderboard.described`.
    """
    axes = ["campaign", "methods", "kind", "regressors", "protocol", "level", "metric"]
    data = {"axes": axes, "campaigns": campaigns}
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("</", "<\\/")
    style, script = (
        (HERE / name).read_text(encoding="utf-8") for name in ("leaderboard.css", "leaderboard.js")
    )
    return (
        f'<div class="leaderboard"><style>{style}</style>'
        "<noscript>Choosing needs JavaScript; the same ranks stand in the reports.</noscript>"
        f'<script type="application/json">{text}</script><script>{script}</script></div>'
    )


def page(campaigns: Mapping[str, Any]) -> str:
    """The leaderboard as a page of its own."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,"><title>Leaderboard</title>'
        "<style>body{margin:0 auto;max-width:75rem;padding:1rem;font:15px/1.5 system-ui,sans-serif}</style>"
        f"</head><body><main><h1>Leaderboard</h1>{fragment(campaigns)}</main></body></html>\n"
    )
