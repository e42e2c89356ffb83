"""What the studies on real data share: measurements as lines of JSON, tables of Markdown between a page's markers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def read(path: Path) -> list[dict[str, Any]]:
    """Measurements so far; a last line that a kill cut off is left out."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return rows


def append(path: Path, row: Mapping[str, Any]) -> None:
    """Add one measurement."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(rounded(dict(row))) + "\n")


def rounded(value: Any) -> Any:
    """Four significant digits, all the way down."""
    if isinstance(value, dict):
        return {key: rounded(v) for key, v in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float | np.floating) else value


def shown(value: float | None, digits: int = 3) -> str:
    """A figure, or a dash where there is none."""
    return "-" if value is None or np.isnan(value) else f"{value:.{digits}f}"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; words where it would be empty."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    if not lines:
        return "(not run)"
    return "\n".join(["| " + " | ".join(head) + " |", "|" + " --- |" * len(head), *lines])


def put(page: Path, parts: Mapping[str, str]) -> None:
    """Put every part between the markers of its name, ``<!-- name -->`` and ``<!-- end of name -->``."""
    text = page.read_text(encoding="utf-8")
    for name, part in parts.items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        if begin not in text or end not in text:
            raise SystemExit(f"{page} lacks the markers {begin} and {end}")
        text = text[: text.index(begin) + len(begin)] + f"\n\n{part}\n\n" + text[text.index(end) :]
    page.write_text(text, encoding="utf-8")
